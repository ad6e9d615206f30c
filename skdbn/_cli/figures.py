"""The figures of a run, each with a sentence on what to look for.

The rule: a sentence says what the figure shows; what it finds in the numbers, it measured.
"""

from typing import NamedTuple

import numpy as np

from skdbn._cli.outcome import net_of, predicts, shape_of_images
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

N_CHAINS = 20  # that are followed from each start
FORGOTTEN = 0.1  # mean overlap with the start that chance leaves, or less
ALIKE = 3.0  # standard errors by which mean free energies may differ
MOST_DOTS = 1000  # of predictions
OF_PIXELS = (  # what a bias probe should look like
    "It should resemble a pale mean. Noise, or patches at both ends of the scale, say that the "
    "learning rate was too high."
)
OF_MEASUREMENTS = (
    "Measurements are in standard deviations from their mean in training, and a layer should stay "
    "within 1 of 0. The colours reach as far as the values do, even where these are tiny."
)


class Figure(NamedTuple):
    """A figure of a run.

    Attributes
    ----------
    name : str
        Name of its file, without the ending.
    title : str
        What it shows.
    sentence : str
        What to look for.
    figure : matplotlib.figure.Figure
        The figure.
    png : bytes
        Its file, once it was written.
    """

    name: str
    title: str
    sentence: str
    figure: object
    png: bytes = b""


def figures_of(net, data):
    """Yield the figures that a model, fitted or half fitted, allows."""
    n_layers = len(getattr(net_of(net), "rbms_", []))
    if n_layers:
        yield from _of_machines(net, data, n_layers)
    if n_layers or predicts(net):
        yield Figure(
            "loss_curves",
            "Loss curves",
            "Losses should fall and level out. A curve of held-out rows that rises while that of "
            "training falls shows overfitting.",
            LossCurveDisplay.from_estimator(net).figure_,
        )
    if data.is_regression and predicts(net):
        yield _predictions(net, data)


def _of_machines(net, data, n_layers):
    """Yield the figures of the machines of a model."""
    of_data = {"image_shape": shape_of_images(data), "feature_names": data.feature_names}
    is_prepared = len(visible_columns(net).offset) != data.X_test.shape[1]
    of_machine = {} if is_prepared else of_data
    yield Figure(
        "reconstruction",
        "Reconstructions",
        "Test rows, and what comes back when they go up through one layer, two layers and so on, "
        "and down again. It should resemble the rows, and lose little with each layer.",
        ReconstructionDisplay.from_estimator(net, data.X_test, **of_data).figure_,
    )
    yield Figure(
        "bias_probes",
        "Bias probes",
        "What each layer draws when all its hidden units are off, beside the mean of the training "
        f"rows. {OF_MEASUREMENTS if of_data['image_shape'] is False else OF_PIXELS}",
        BiasProbeDisplay.from_estimator(net, data.X_train, **of_machine).figure_,
    )
    for layer in range(1, n_layers + 1):
        yield Figure(
            f"unit_probes_layer_{layer}",
            f"Hidden units of layer {layer}",
            "What each unit adds (light) and takes away (dark) when it alone is on. Units that "
            "learned differ from each other and have a structure; noise is a unit that learned "
            "nothing, and many that are equal learned the same.",
            UnitProbeDisplay.from_estimator(net, layer, **of_machine).figure_,
        )
    yield from _of_chains(net, data, of_machine)
    yield Figure(
        "activations",
        "Activations",
        "How often the hidden units take each value, over the test rows. Nearly all at one end "
        "means units that are always off or always on.",
        ActivationDisplay.from_estimator(net, data.X_test).figure_,
    )


def _of_chains(net, data, of_machine):
    """Yield what the top machine draws, and whether its chains mix."""
    mixing = MixingDisplay.from_estimator(
        net, data.X_test if len(data.X_test) > 1 else None, n_chains=N_CHAINS, random_state=0
    )
    samples = SampleDisplay.from_estimator(net, random_state=0, **of_machine)
    opinion = ""
    if samples.predicted is not None:
        opinion = " A label is what the net takes a fantasy for, and no part of the fantasy."
    yield Figure(
        "samples",
        "Fantasies",
        f"What the top layers draw by themselves, starting from noise.{opinion} "
        f"{_verdict(mixing.statistics, samples.trained_by)}",
        samples.figure_,
    )
    yield Figure(
        "mixing",
        "Mixing of the chains",
        "Chains of the top machine, from rows of data and from noise. Where fantasies can be "
        "believed, overlaps with the start fall to 0 and both kinds of chains come to the same "
        "free energies.",
        mixing.figure_,
    )


def _verdict(statistics, trained_by):
    """Return whether chains that were followed have mixed, in numbers and in words."""
    n_steps = len(statistics[0].overlap) - 1
    last = max(1, n_steps // 10)
    overlaps = [part.overlap[-last:].mean() for part in statistics]
    energies = [part.free_energy[-last:].mean(axis=0) for part in statistics]  # of each chain
    text = f"Measured on {N_CHAINS} chains, over the last {last} of {n_steps} steps: the size "
    text += "of the overlap with the start is " + " and ".join(
        f"{abs(overlap):.2f} from {part.start}"
        for overlap, part in zip(overlaps, statistics, strict=True)
    )
    has_mixed = max(map(abs, overlaps)) <= FORGOTTEN
    if len(energies) == 2:
        gap = abs(energies[0].mean() - energies[1].mean())
        # Chains that are stuck raise the variance of their kind, which would hide the gap.
        variance = min(part.var(ddof=1) for part in energies)
        error = np.sqrt(variance * sum(1 / len(part) for part in energies))
        text += f", and the mean free energies differ by {gap:.1f} nats"
        has_mixed = has_mixed and gap <= ALIKE * error
    if has_mixed:
        return f"{text}. By these signs the chains have mixed: fantasies show what was learned."
    return (
        f"{text}. So the chains have not mixed: the fantasies show where the chains started as "
        f"much as what was learned, and are no fair samples of the model. Training by {trained_by} "
        "makes features; for samples see 'Samples' in the user guide."
    )


def _predictions(net, data):
    """Return predictions against what is true."""
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
    shown = f", {len(rows)} of them," if len(rows) < len(predicted) else ""
    return Figure(
        "predictions",
        "Predicted against true values",
        f"The test rows{shown} as dots. Those on the line are right; a bend away from it is an "
        "error that the net makes throughout.",
        figure,
    )
