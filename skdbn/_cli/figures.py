"""The figures of a run, each with a caption on what to look for.

The rule: a caption says what the figure shows; any finding in it was measured.
"""

import contextlib
from typing import NamedTuple

import numpy as np

from skdbn._cli.outcome import net_of, phases, predicts, shape_of_images
from skdbn._cli.samplers import sampler_of
from skdbn.inspection import visible_columns
from skdbn.plotting import (
    ActivationDisplay,
    BiasProbeDisplay,
    LossCurveDisplay,
    MixingDisplay,
    ReconstructionDisplay,
    SampleDisplay,
    UnitProbeDisplay,
)

N_CHAINS = 20  # from each start, data and noise
FORGOTTEN = 0.1  # up to this mean overlap, the start counts as forgotten
ALIKE = 3.0  # standard errors by which mean free energies may differ
MOST_DOTS = 1000  # in the plot of predictions
OF_PIXELS = (  # how to read a bias probe
    "It should resemble a pale version of the mean. Noise, or patches at both ends of the scale, "
    "show that the learning rate was too high."
)
OF_MEASUREMENTS = (
    "Measurements are shown in standard deviations from their training mean, and each layer "
    "should stay within 1 of 0. The colour scale spans the values, however small they are."
)


class Figure(NamedTuple):
    """A figure of a run.

    Attributes
    ----------
    name : str
        File name without extension.
    title : str
        Title of the figure.
    sentence : str
        Caption: what to look for.
    figure : matplotlib.figure.Figure
        The figure.
    png : bytes
        Content of its PNG file, once saved.
    """

    name: str
    title: str
    sentence: str
    figure: object
    png: bytes = b""


def figures_of(net, data):
    """Yield all figures that are possible for a model, even one trained only in part."""
    n_layers = len(getattr(net_of(net), "rbms_", []))
    if n_layers:
        yield from _of_machines(net, data, n_layers)
    if any(phase.n_made for phase in phases(net)):
        yield Figure(
            "loss_curves",
            "Loss curves",
            "Losses should fall and level off. If a loss rises on held-out rows while it falls on "
            "training rows, the model overfits.",
            LossCurveDisplay.from_estimator(net).figure_,
        )
    if data.is_regression and predicts(net):
        yield _predictions(net, data)


def _of_machines(net, data, n_layers):
    """Yield the figures of the RBMs of a model."""
    of_data = {"image_shape": shape_of_images(data), "feature_names": data.feature_names}
    columns = visible_columns(net)
    is_prepared = len(columns.offset) != data.X_test.shape[1]
    of_machine = {} if is_prepared else of_data
    reconstructions = None
    with contextlib.suppress(TypeError):  # of a step before the RBMs that has no way back
        reconstructions = ReconstructionDisplay.from_estimator(net, data.X_test, **of_data)
    if reconstructions is not None:
        yield Figure(
            "reconstruction",
            "Reconstructions",
            "Test rows, and their reconstructions after going up through one layer, two layers "
            "and so on, and down again. They should resemble the rows, and lose little with each "
            "layer.",
            reconstructions.figure_,
        )
    probes = BiasProbeDisplay.from_estimator(net, data.X_train, **of_machine)
    kinds = columns.visible_units
    is_heat_map = len(probes.images_[0].get_array()) == 1
    are_measurements = is_heat_map and kinds is not None and "gaussian" in kinds
    yield Figure(
        "bias_probes",
        "Bias probes",
        "What each layer generates with all its hidden units off, beside the mean of the training "
        f"rows. {OF_MEASUREMENTS if are_measurements else OF_PIXELS}",
        probes.figure_,
    )
    for layer in range(1, n_layers + 1):
        yield Figure(
            f"unit_probes_layer_{layer}",
            f"Hidden units of layer {layer}",
            "What each unit adds (light) and removes (dark) when it alone is on. Units that have "
            "learned features show structure and differ from each other. A unit that shows only "
            "noise has learned nothing; units that look the same have learned the same feature.",
            UnitProbeDisplay.from_estimator(net, layer, **of_machine).figure_,
        )
    yield from _of_chains(net, data, of_machine)
    yield Figure(
        "activations",
        "Activations",
        "How often the hidden units take each value over the test rows. If nearly all values are "
        "at one end, the units are always off or always on.",
        ActivationDisplay.from_estimator(net, data.X_test).figure_,
    )


def _of_chains(net, data, of_machine):
    """Yield samples of the model, and how well the chains mix that they come from."""
    sampler = sampler_of(net, data.X_train)
    mixing = MixingDisplay.from_estimator(
        sampler, data.X_test if len(data.X_test) > 1 else None, n_chains=N_CHAINS, random_state=0
    )
    samples = SampleDisplay.from_estimator(sampler, random_state=0, **of_machine)
    own, chains = net_of(net).rbms_[-1], "of the top RBM"
    advice = "To train for samples, see 'Samples' in the user guide."
    origin = "Fantasies are samples of the model, drawn by chains that start at noise."
    if sampler is not net:
        top, chains = sampler.rbms_[-1], "of the RBM that fantasies come from"
        origin = (
            "Fantasies are drawn by chains that start at noise. They run in a top RBM of "
            f"{len(top.components_)} units that was trained for this figure alone, by tempering "
            f"({samples.trained_by}), with {top.n_iter} passes over the training rows. Layer "
            f"{len(net.rbms_)} of the net was trained for features, by "
            f"{own.gradient.upper()}-{own.n_gibbs_steps}, and chains in such an RBM often do not "
            "mix."
        )
        advice = ""
    elif own.gradient == "cd":
        advice = f"Training by {samples.trained_by} suits features. {advice}"
    opinion = ""
    if samples.predicted is not None:
        opinion = " Labels are predicted by the net from the fantasies, not drawn with them."
    yield Figure(
        "samples",
        "Fantasies",
        f"{origin}{opinion} {_verdict(mixing.statistics, advice)}",
        samples.figure_,
    )
    yield Figure(
        "mixing",
        "Mixing of the chains",
        f"Chains {chains}, started at rows of data and at noise. If they mix, the overlap "
        "with the start falls to 0 and both kinds of chains reach the same free energies. Only "
        "then can the fantasies be trusted.",
        mixing.figure_,
    )


def _verdict(statistics, advice):
    """Return whether the chains have mixed, in numbers and in words."""
    n_steps = len(statistics[0].overlap) - 1
    last = max(1, n_steps // 10)
    overlaps = [part.overlap[-last:].mean() for part in statistics]
    energies = [part.free_energy[-last:].mean(axis=0) for part in statistics]  # of each chain
    text = f"Measured on {N_CHAINS} chains of each kind, over the last {last} of {n_steps} steps: "
    text += "the absolute overlap with the start is " + " and ".join(
        f"{abs(overlap):.2f} for chains from {part.start}"
        for overlap, part in zip(overlaps, statistics, strict=True)
    )
    has_mixed = max(map(abs, overlaps)) <= FORGOTTEN
    if len(energies) == 2:
        gap = abs(energies[0].mean() - energies[1].mean())
        # Stuck chains raise the variance of their kind, which would hide the gap.
        variance = min(part.var(ddof=1) for part in energies)
        error = np.sqrt(variance * sum(1 / len(part) for part in energies))
        text += f", and the mean free energies differ by {gap:.1f} nats"
        has_mixed = has_mixed and gap <= ALIKE * error
    if has_mixed:
        return (
            f"{text}. By these measures the chains have mixed: the fantasies show what was learned."
        )
    return (
        f"{text}. So the chains have not mixed: the fantasies show where the chains started as "
        f"much as what was learned, and are not fair samples of the model. {advice}"
    ).rstrip()


def _predictions(net, data):
    """Return the figure of predicted against true values."""
    import matplotlib.pyplot as plt

    predicted = net.predict(data.X_test)
    rows = np.random.default_rng(0).permutation(len(predicted))[:MOST_DOTS]
    figure, ax = plt.subplots(figsize=(5.0, 5.0), layout="constrained")
    ends = [min(predicted.min(), data.y_test.min()), max(predicted.max(), data.y_test.max())]
    ax.plot(ends, ends, color="0.7", linewidth=1.0)
    ax.scatter(data.y_test[rows], predicted[rows], s=12, alpha=0.6)
    ax.set_aspect("equal")
    ax.set_xlabel("true value")
    ax.set_ylabel("predicted value")
    shown = f", {len(rows)} of them" if len(rows) < len(predicted) else ""
    return Figure(
        "predictions",
        "Predicted against true values",
        f"Dots are test rows{shown}. Those on the line are predicted exactly; a cloud that bends "
        "away from the line shows a systematic error.",
        figure,
    )
