"""Phases of training a deep belief net, shared by its estimators.

The rule: a phase starts from the fitted attributes of the net and publishes all that changed at
once. `Run` makes the passes.
"""

import copy
import math
from functools import partial
from operator import add
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.metrics import cohen_kappa_score

from skdbn._layers import is_frozen, random_arrays, starting_arrays
from skdbn._learners import NetworkLearner
from skdbn._maths.engines import ENGINES
from skdbn._maths.heads import HEADS
from skdbn._maths.network import (
    Network,
    hidden_layers,
    outputs,
    scores,
    virtual_adversarial_direction,
)
from skdbn._maths.optimizers import OPTIMIZERS, SCHEDULES
from skdbn._maths.units import UNITS
from skdbn._rbm import SEEDS as SEEDS_OF_A_MACHINE
from skdbn._training.callbacks import without_callbacks
from skdbn._training.checks import resolve_batch_size, without_alarms
from skdbn._training.columns import as_they_are, columns_of, measurements_standard
from skdbn._training.diagnosis import FewLabelsWarning, warn
from skdbn._training.fitting import draw_seeds
from skdbn._training.loop import Training, minimize
from skdbn._training.rows import Rows, hold_out, in_blocks, read_in_blocks
from skdbn._training.threads import threads_for

SMALLEST_BATCH = 2  # with "auto"
FEWEST_PASSES = 10  # of fine-tuning, with "auto"
SMALL_TABLE = 10_000  # below which "auto" takes higher rates, highest for narrow layers
HIGHEST_RATE, HIGH_RATE, LOW_RATE = 1e-2, 2e-3, 1e-3
SHARE_AFTER_FIT = 0.1  # of the rate of "auto", for parts after a fit
NOISE_OF_SMALL_TABLES = 0.3
SHARE_OF_DISTANCE = 0.3  # between neighbours: length of a virtual adversarial step of "auto"
MOST_NEIGHBOURS, MOST_VALUES = 2000, 10_000_000  # rows and values that determine the distance
N_STEPS_OF_TRIAL = 3000  # of the nets that decide about the step; 1000 do not show its harm
LEAST_AGREEMENT = 0.65  # Cohen's kappa of their predictions
LEAST_SPREAD = 1.0  # standard deviation of the inputs of a layer's units
ROUNDED = 1e-5  # standard deviation that may be rounding, relative to the inputs
PERTURBATIONS = {  # of rows and labels in fine-tuning, with their upper bounds
    "dropout": 1.0,
    "input_dropout": 1.0,
    "noise": None,
    "input_noise": None,
    "adversarial": None,
    "virtual_adversarial": None,
    "label_smoothing": 1.0,
}


def network_of(net, engine):
    """Return the network of a fitted net in the engine's type, copied only if converted."""
    return Network(
        [coef.astype(engine.dtype, copy=False) for coef in net.coefs_],
        [intercept.astype(engine.dtype, copy=False) for intercept in net.intercepts_],
        [UNITS[name](engine) for name in net._hidden_units],
        HEADS[net._head](engine),
        engine,
    )


def random_start(templates, rows, n_outputs, seed):
    """Return the fitted attributes of a net with random weights."""
    sizes = [rows.X.shape[1], *(rbm.n_components for rbm in templates), n_outputs]
    first = templates[0]
    columns = columns_of(first.estimator) if is_frozen(first) else first._columns_of(rows)
    coefs, intercepts = random_arrays(ENGINES["numpy"](rows.X.dtype, seed), sizes)
    return {
        "coefs_": coefs,
        "intercepts_": intercepts,
        "rbms_": [],
        "loss_curve_": [],
        "n_iter_": 0,
        "n_layers_": len(sizes),
        **columns.attributes(),
        "_hidden_units": [hidden_units for _, hidden_units in map(_kinds_of_units, templates)],
    }


def _kinds_of_units(template):
    """Return the kinds of units of a template, or those that a frozen RBM was trained with."""
    if is_frozen(template):
        return template.estimator._units
    return template.visible_units, template.hidden_units


def check_that_it_can_go_on(net, templates):
    """Raise if the parameters describe another net than the fitted one."""
    sizes = tuple(rbm.n_components for rbm in templates)
    fitted_sizes = tuple(len(intercept) for intercept in net.intercepts_[:-1])
    if sizes != fitted_sizes:
        raise ValueError(
            f"hidden_layer_sizes == {net.hidden_layer_sizes!r}, but the fitted network has the "
            f"sizes {fitted_sizes}. To start anew, call set_params(warm_start=False) and fit."
        )
    units = [_kinds_of_units(template) for template in templates]
    fitted_units = [rbm._units for rbm in net.rbms_]
    fitted_units += [(units[i][0], net._hidden_units[i]) for i in range(len(net.rbms_), len(units))]
    if units != fitted_units:
        raise ValueError(
            f"rbm has the visible and hidden units {units}, but the fitted network has "
            f"{fitted_units}. To start anew, call set_params(warm_start=False) and fit."
        )


def check_same_frozen(net, templates):
    """Raise if a frozen RBM is another than that of a fitted net."""
    for number, (template, rbm) in enumerate(zip(templates, net.rbms_, strict=False), 1):
        if is_frozen(template) and not _are_alike(template.estimator, rbm):
            raise ValueError(
                f"rbm has another frozen RBM for layer {number} than the fitted network. To start "
                "anew, call set_params(warm_start=False) and fit."
            )


def _are_alike(one, other):
    """Tell whether two RBMs have the same weights, intercepts and scales."""
    names = "components_", "intercept_hidden_", "intercept_visible_", "offset_", "scale_"
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


# -- pretraining


def pretrain(run, net, templates, rows, held_out, labelled):
    """Train one RBM after another, each on the output of the one below; spread the units."""
    before = net.coefs_
    for i, template in enumerate(templates):
        if i > 0:
            below = net.rbms_[i - 1]
            rows, held_out = _through(below, rows), _through(below, held_out)
        phase = f"pretrain layer {i + 1}"
        if i >= len(net.rbms_) and (run.is_past(phase) or run.resumes(phase)):
            raise ValueError(f"The checkpoint is damaged: it has no RBM of layer {i + 1}.")
        if is_frozen(template):
            _take_frozen(run, net, i, template, rows, phase)
        elif not run.is_past(phase):
            _pretrain_layer(run, net, i, template, rows, held_out, phase, len(templates))
    has_begun = getattr(net, f"{net._top}_loss_curve_") or net.loss_curve_
    # An RBM was new or had passes left, or an earlier fit was interrupted before this.
    if net.coefs_ is not before or not has_begun:
        _spread_units(net, labelled)


def _through(machine, rows):
    """Return rows as the layer above an RBM sees them."""
    return None if rows is None else rows._replace(y=None).through(partial(_features, machine))


def _features(machine, rows):
    """Return the hidden units of an RBM for rows."""
    return machine._hidden_mean(rows.X)


def _take_frozen(run, net, i, template, rows, phase):
    """Use the frozen RBM that was given for a layer."""
    if i == len(net.rbms_):
        run.report(f"{phase}: given, {rows.X.shape[1]} to {template.n_components} units")
        _take(net, i, copy.deepcopy(template.estimator))
    run.go_through(phase)


def _pretrain_layer(run, net, i, template, rows, held_out, phase, n_layers):
    """Train the RBM of a layer for the passes still missing."""
    has_begun = i < len(net.rbms_)
    machine = copy.copy(net.rbms_[i]) if has_begun else template
    n_missing = template.n_iter
    if has_begun and not run.resumes(phase):
        stops_no_longer = machine.early_stopping and not template.early_stopping
        was_raised = template.n_iter > machine.n_iter
        has_ended = machine._stopped and not (stops_no_longer or was_raised)
        n_missing = 0 if has_ended else max(0, template.n_iter - machine.n_iter_)
        if n_missing == 0:
            run.go_through(phase)
            return
    run.report(f"{phase}: {rows.X.shape[1]} to {template.n_components} units")
    parameters = {**template.get_params(deep=False), "random_state": run.seeds[phase]}
    machine.set_params(**parameters).n_features_in_ = rows.X.shape[1]
    if i == 0 and hasattr(net, "feature_names_in_"):
        machine.feature_names_in_ = net.feature_names_in_
    rows = Rows(rows.X, weight=rows.weight)
    seeds = draw_seeds(machine, SEEDS_OF_A_MACHINE)
    rows, held_out = hold_out(machine, rows, held_out, seeds["split"])
    columns = columns_of(net) if i == 0 else as_they_are(rows.X, machine.visible_units)
    start = machine._starting(rows, seeds["training"], has_begun, held_out is not None, columns)
    _take(net, i, machine, start)
    where = f"Pretraining of layer {i + 1} of {n_layers}: "
    stopped = run.go_through(
        phase,
        n_missing,
        lambda: net.rbms_[i]._new_training(rows, held_out, seeds["split"]),
        publish=lambda attributes: _take(net, i, machine, attributes),
        where=where,
        verbose=template.verbose,
    )
    net.rbms_[i]._stopped = stopped
    net.rbms_[i]._warn_of_outcome(where, sees_data=i == 0)


def _take(net, i, machine, attributes=None):
    """Publish a copy of an RBM as that of a layer; layers start from their RBMs."""
    machine = copy.copy(machine)
    vars(machine).update(attributes or {})
    rbms = [*net.rbms_[:i], machine, *net.rbms_[i + 1 :]]
    coefs, intercepts = starting_arrays(rbms, net.coefs_[-1].dtype)
    vars(net).update(
        rbms_=rbms,
        coefs_=[*coefs, *net.coefs_[len(rbms) :]],
        intercepts_=[*intercepts, *net.intercepts_[len(rbms) :]],
    )


def _spread_units(net, rows):
    """Multiply the layers of the network whose logistic units are nearly constant or linear.

    RBMs of few columns, or of columns with small deviations, have small weights at the end. A brief
    fine-tuning could not change that, and the net would hardly bend. So the root mean square of the
    standard deviations of the inputs of a layer's units is raised to `LEAST_SPREAD`. Their means
    stay.
    """
    engine = ENGINES["numpy"](rows.X.dtype, 0)
    coefs, intercepts = list(net.coefs_), list(net.intercepts_)
    for i, kind in enumerate(net._hidden_units):
        if kind != "binary":
            continue
        units = [UNITS[name](engine) for name in net._hidden_units[:i]]
        head = HEADS["linear"](engine)
        layers = Network(coefs[: i + 1], intercepts[: i + 1], units, head, engine)
        n, total, squares = rows.reduced(partial(_sums_of_inputs, layers), add)
        mean = total / n
        spread = math.sqrt(np.maximum(squares / n - mean * mean, 0.0).mean())
        if ROUNDED * math.sqrt((squares / n).mean()) < spread < LEAST_SPREAD:
            factor = LEAST_SPREAD / spread
            moved = factor * intercepts[i] + (1.0 - factor) * mean
            coefs[i], intercepts[i] = factor * coefs[i], moved.astype(rows.X.dtype)
    vars(net).update(coefs_=coefs, intercepts_=intercepts)


def _sums_of_inputs(layers, rows):
    """Return the weight of rows, and the sums of the inputs of the top units and their squares."""
    n, total, squares = sums = np.zeros((3, len(layers.intercepts[-1])))
    for block, x in read_in_blocks(layers, rows):
        x = scores(layers, x).astype(float)
        weight = np.ones(len(x)) if rows.weight is None else rows.weight[block].astype(float)
        n += weight.sum()
        total += weight @ x
        squares += weight @ (x * x)
    return sums


# -- the top layer, and fine-tuning


def top_training(net, rows, seed):
    """Return a training of the top layer with the layers below frozen."""
    network, top = network_of(net, ENGINES["numpy"](rows.X.dtype, seed)), len(net.coefs_) - 1
    features = partial(in_blocks, hidden_layers, network, n_columns=len(net.coefs_[top]))
    rows = rows.through(features)
    return _backpropagation(net, network, top, rows, None, SCHEDULES["constant"])


def passes_of_finetuning(net, n_samples):
    """Return how many passes fine-tuning makes over `n_samples` rows."""
    if net.finetune_iter != "auto":
        return net.finetune_iter
    batch_size = resolve_batch_size(net.batch_size, n_samples, SMALLEST_BATCH)
    n_minibatches = math.ceil(n_samples / batch_size)
    return max(FEWEST_PASSES, min(net._most_passes, math.ceil(net._fewest_steps / n_minibatches)))


class Trial(NamedTuple):
    """Result of a trial of a virtual adversarial step.

    Attributes
    ----------
    length : float
        Length of the step, 0 if it would do harm.
    agreement : float
        The lower of the two kappas.
    numbers : ndarray of int of shape (n_rows,)
        Indices of the rows that were predicted.
    predicted : ndarray of int of shape (n_rows,)
        Indices of the classes predicted by training on the labelled rows alone.
    """

    length: float
    agreement: float
    numbers: object
    predicted: object


def try_step(net, labelled, rows, seed):
    """Try a virtual adversarial step on rows, some of which are labelled.

    Its length is a share of the median distance between neighbours. Two nets are fine-tuned for as
    many minibatches as a small table gets, one on the labelled rows alone and one with the step. If
    the step changes the predictions of the first, or the second predicts differently, by Cohen's
    kappa, then no gap separates the classes. A decision border moved into a gap would have nothing
    to do with the classes, so the length is 0.
    """
    net = copy.copy(net)
    n_samples, n_features = rows.X.shape
    n_drawn = min(MOST_NEIGHBOURS, n_samples, max(2, MOST_VALUES // n_features))
    engine = ENGINES["numpy"](rows.X.dtype, seed)
    numbers = engine.permutation(n_samples)[:n_drawn]
    x = rows.read(engine, numbers, engine.zeros(n_drawn, n_features))
    net.virtual_adversarial_ = length = SHARE_OF_DISTANCE * _distance_between_neighbours(x)
    alone, both = (_tried(net, labelled, all_rows, seed) for all_rows in (None, rows))
    with without_alarms():
        output = outputs(alone, x)
        predicted, others = output.argmax(axis=1), [outputs(both, x).argmax(axis=1)]
        start = engine.unit_rows(engine.normal(x.shape))
        x += length * virtual_adversarial_direction(alone, x, output, start, length)
        others.append(outputs(alone, x).argmax(axis=1))
    agreement = min(_agreement(predicted, other) for other in others)
    return Trial(length * (agreement >= LEAST_AGREEMENT), agreement, numbers, predicted)


def _tried(net, labelled, all_rows, seed):
    """Return a copy of a net's network after fine-tuning for a trial."""
    training = finetuning(net, labelled, None, seed, all_rows)
    learner = training.learner
    n_passes = math.ceil(N_STEPS_OF_TRIAL * learner.batch_size / learner.n_samples)
    with threads_for(learner.n_multiplications):
        minimize(training, n_passes, end_of_pass=lambda: False)
    return learner.network


def warn_if_predictions_went_elsewhere(net, trial, rows):
    """Warn if fine-tuning led far from what the labelled rows alone predict."""
    rows = Rows(rows.X[trial.numbers], columns=rows.columns)
    network = network_of(net, ENGINES["numpy"](rows.X.dtype, 0))
    predicted = in_blocks(outputs, network, rows, len(net.intercepts_[-1])).argmax(axis=1)
    agreement = _agreement(trial.predicted, predicted)
    if agreement < LEAST_AGREEMENT:
        share = (trial.predicted != predicted).mean()
        warn(
            "Fine-tuning with unlabelled rows predicts another class than the labelled rows alone "
            f"for {share:.0%} of the rows. Either this is an improvement, or one class has "
            "absorbed rows of another. Compare with virtual_adversarial=0 on held-out rows with "
            "labels.",
            FewLabelsWarning,
        )


def _agreement(one, other):
    """Return Cohen's kappa of predictions, 0 if it is undefined because they are all one class."""
    return cohen_kappa_score(one, other) if len(np.union1d(one, other)) > 1 else 0.0


def _distance_between_neighbours(x):
    """Return the median distance of a row in one half from its nearest other in the second half."""
    distances = cdist(x[::2], x[1::2])
    distances[distances == 0.0] = np.inf
    nearest = distances.min(axis=1)
    apart = nearest[np.isfinite(nearest)]
    return float(np.median(apart)) if len(apart) else 0.0


def finetuning(net, rows, held_out, seed, all_rows=None):
    """Return a training of all layers; with early stopping it keeps the best weights.

    `all_rows` are those of the virtual adversarial loss, if there is one.
    """
    network = network_of(net, ENGINES["numpy"](rows.X.dtype, seed))
    schedule = SCHEDULES[net.learning_rate]
    standard = measurements_standard(rows if all_rows is None else all_rows, network.engine)
    return _backpropagation(
        net, network, 0, rows, held_out, schedule, all_rows=all_rows, standard=standard
    )


def finetuning_of_a_part(net, rows, seed, all_rows=None):
    """Return a training of all layers on some of the rows, continuing after the last part.

    It is one of `finetune_iter` passes over which the rate decreases; "auto" keeps the rate
    constant.
    """
    kept = {"mean_weight": rows.mean_weight(), **net._kept}
    n_calls = kept["n_calls"]
    rows = rows.weighted(kept["mean_weight"])
    if all_rows is not None:
        kept = {"mean_weight_of_all": all_rows.mean_weight(), **kept}
        all_rows = all_rows.weighted(kept["mean_weight_of_all"])
    network = network_of(net, ENGINES["numpy"](rows.X.dtype, seed))
    if "standard" not in kept:
        has_begun = "engine" in kept  # in a version that trained the weights as they are
        moved = rows if all_rows is None else all_rows
        kept["standard"] = None if has_begun else measurements_standard(moved, network.engine)
    schedule = SCHEDULES["constant"]
    if rate_falls_from_part_to_part(net):

        def schedule(progress):
            return SCHEDULES[net.learning_rate]((n_calls + progress) / net.finetune_iter)

    training = _backpropagation(
        net, network, 0, rows, None, schedule, kept, all_rows, kept["standard"]
    )
    if "engine" in kept:
        training.engine.set_state(kept["engine"])
        if kept["solver"] == net.solver:  # another solver starts anew
            training.optimizer.set_state(kept["optimizer"])
    training.learner.keep = lambda: {
        **kept,
        "solver": net.solver,
        "n_calls": n_calls + 1,
        "engine": training.engine.get_state(),
        "optimizer": training.optimizer.get_state(),
    }
    return training


def rate_falls_from_part_to_part(net):
    """Tell whether the rate decreases over the parts, whose number is then `finetune_iter`."""
    return net.finetune_iter != "auto" and net.learning_rate != "constant"


def beginning_of_parts(n_samples, n_labelled, share=1.0):
    """Return the state that the first part of a net starts from.

    Values of "auto" are those for `n_samples` rows, `n_labelled` of them with labels; a rate of
    "auto" is multiplied by `share`, which is smaller after a fit.
    """
    return {
        "n_calls": 0,
        "n_samples": n_samples,
        "n_labelled": n_labelled,
        "share": share,
        "has_tried": False,  # a virtual adversarial step
    }


def _backpropagation(
    net, network, lowest, rows, held_out, schedule, kept=None, all_rows=None, standard=None
):
    """Return a training of the layers of a network from `lowest` up."""
    in_a_pass = rows if all_rows is None else all_rows
    kept = kept or beginning_of_parts(in_a_pass.X.shape[0], rows.X.shape[0])
    n_labelled, rate = kept["n_labelled"], net.learning_rate_init
    n_in_a_pass = n_labelled if all_rows is None else kept["n_samples"]
    if rate == "auto":
        widest = max(len(intercept) for intercept in net.intercepts_[:-1])
        high_rate = min(HIGHEST_RATE, max(HIGH_RATE, 1.0 / widest))
        rate = kept["share"] * (high_rate if n_labelled < SMALL_TABLE else LOW_RATE)
    batch_size = net.batch_size
    if batch_size == "auto":  # for the rows that training began with
        batch_size = resolve_batch_size(batch_size, n_in_a_pass, SMALLEST_BATCH)
    learner = NetworkLearner(
        network,
        lowest,
        rows,
        held_out,
        min(batch_size, in_a_pass.X.shape[0]),
        f"{net._top}_loss_curve_" if lowest > 0 else "loss_curve_",
        net._watches,
        _perturbations(net, n_labelled) if lowest == 0 else {},
        all_rows,
        standard,
    )
    n_weights = sum(weights.size for weights in learner.network.weights)
    optimizer = OPTIMIZERS[net.solver](
        learner.engine,
        len(learner.parameters),
        n_weights,
        float(rate),
        schedule,
        weight_decay=float(net.alpha),
    )
    remedy = "Lower learning_rate_init."
    stops_early = bool(net.early_stopping) and lowest == 0
    bare = without_callbacks(net)
    vars(bare).update(rbms_=[], coefs_=[], _kept={})  # the network has what is trained
    of_part = partial(
        _backpropagation,
        bare,
        network,
        lowest,
        held_out=None,
        schedule=schedule,
        kept=kept,
        standard=standard,
    )
    return Training(learner, optimizer, net, remedy, stops_early, of_part)


def _perturbations(net, n_labelled):
    """Return how fine-tuning on `n_labelled` labelled rows perturbs rows and labels."""
    noise = NOISE_OF_SMALL_TABLES if n_labelled < SMALL_TABLE else 0.0
    given = {name: getattr(net, name) for name in PERTURBATIONS if hasattr(net, name)}
    if "virtual_adversarial" in given:
        given["virtual_adversarial"] = net.virtual_adversarial_
    # A NumPy scalar would impose its type on the arithmetic.
    return {name: noise if x == "auto" else float(x) for name, x in given.items()}
