"""The net of the command line: creating, loading, and training it with progress.

The rule: standard output is for results; messages of training go to standard error.
"""

import contextlib
import re
import reprlib
import sys
import time
import warnings

import numpy as np
from sklearn.base import is_regressor
from sklearn.pipeline import Pipeline

from skdbn import (
    Checkpoint,
    DBNClassifier,
    DBNRegressor,
    InterruptedTrainingWarning,
    RBMTransformer,
    load_checkpoint,
    load_model,
    resume,
)
from skdbn._cli.notices import warnings_collected
from skdbn._cli.options import PARAMETERS
from skdbn._cli.outcome import first_of, net_of, top_losses
from skdbn._cli.progress import Progress
from skdbn._cli.scores import evaluate

OF_THE_TOP_LAYER = "softmax_iter", "output_iter"  # its name in a classifier and in a regressor
BATCH_SIZE = "batch_size"  # also of the RBMs, unless an option sets theirs
N_SHOWN = 5  # labels in a message
OF_NO_PARAMETER = {
    "hidden_layer_sizes": "--layers",
    "random_state": "--seed",
    "unlabeled": "--unlabeled or --n-labels",
}
# In messages: advice for callers in Python, and parameters with or without a value.
FOR_PYTHON = re.compile(r" If rbm is a list, [^.]*\.| \(in a DBNClassifier [^)]*\)[^)]*\)")
NAMED = re.compile(r"\b(?P<name>[a-z]+_\w+)(='?(?P<value>[\w.-]*\w)'?)?")


def new_net(options, data, split=0):
    """Return the net that the options describe; each split has its own seed."""
    of_net, of_machines = {"random_state": (options.seed + split) % 2**32}, {}
    for parameter in PARAMETERS:
        value = getattr(options, parameter.key)
        if value is None:
            continue
        if parameter.estimator is RBMTransformer:
            of_machines[parameter.name] = value
        else:
            of_net[parameter.name] = value
    if BATCH_SIZE in of_net:
        of_machines.setdefault(BATCH_SIZE, of_net[BATCH_SIZE])
    if options.layers is not None:
        of_net["hidden_layer_sizes"] = tuple(options.layers)
    if options.no_pretrain:
        of_net["pretrain"] = False
    if data.unlabeled is not None:
        of_net["unlabeled"] = data.unlabeled
    template = RBMTransformer(**of_machines)
    if not data.is_regression:
        return DBNClassifier(rbm=template, **of_net)
    of_classes, of_numbers = OF_THE_TOP_LAYER
    if of_classes in of_net:
        of_net[of_numbers] = of_net.pop(of_classes)
    for name in of_net.keys() - DBNRegressor().get_params(deep=False).keys():
        raise ValueError(
            f"{_option(name)} works only with classes, but the targets of {options.data} are "
            "numbers. Omit it."
        )
    return DBNRegressor(rbm=template, **of_net)


def parameters_of(net):
    """Return the parameters that options can set, by the names of the options."""
    of_classes, of_numbers = OF_THE_TOP_LAYER
    values = {"layers": np.atleast_1d(net.hidden_layer_sizes).tolist(), "pretrain": net.pretrain}
    for parameter in PARAMETERS:
        owner = net.rbm if parameter.estimator is RBMTransformer else net
        name = parameter.name
        if name == of_classes and is_regressor(net):
            name = of_numbers
        if hasattr(owner, name):
            values[parameter.key] = getattr(owner, name)
    return values


def _option(name):
    """Return the option for a parameter, which is named as in `get_params`."""
    name = name.removeprefix("rbm__") if (is_of_machines := name.startswith("rbm__")) else name
    if not is_of_machines and name in OF_NO_PARAMETER:
        return OF_NO_PARAMETER[name]
    name = OF_THE_TOP_LAYER[0] if name == OF_THE_TOP_LAYER[1] else name
    for parameter in PARAMETERS:
        if (parameter.name, parameter.estimator is RBMTransformer) == (name, is_of_machines):
            return f"--{parameter.option}"
    return name


def with_options(message):
    """Return a message with options in place of the parameters that they set."""

    def option_of(found):
        name, value = found["name"], found["value"]
        for option in (_option(name), _option(f"rbm__{name}")):  # a machine names its own
            if option.startswith("--"):
                return f"{option} {value}" if value else option
        return found[0]

    return NAMED.sub(option_of, FOR_PYTHON.sub("", message))


# -- model files


def load_net(path):
    """Load a fitted model that predicts a single target."""
    with warnings_collected() as caught:
        net = load_model(path)
    for message, _ in caught:
        print(f"skdbn: warning: {message}", file=sys.stderr)
    if not hasattr(net, "predict"):
        raise ValueError(
            f"{path} holds a model of type {type(net).__name__}, which cannot predict. Pass a "
            "DBNClassifier, a DBNRegressor, or a Pipeline that ends in one to --load."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zeros may be far from the training data
        predicted = net.predict(np.zeros((1, net.n_features_in_)))
    if predicted.ndim > 1:
        raise ValueError(
            f"{path} predicts several targets for each row, but --load supports only one."
        )
    return net


def bytes_exceed(net):
    """Return the maximum above which a model takes whole numbers for bytes.

    This depends on the training data of the model, not on the new values: they are bytes if it was
    trained on probabilities, but not if it was trained on measurements. A model that starts with a
    scaler gets the values unchanged.
    """
    first = first_of(net)
    if not hasattr(first, "offset_"):
        return np.inf
    offset, scale = first.offset_, first.scale_  # 0 and 1 for binary units
    saw_probabilities = ((offset >= 0.0) & (offset <= 1.0) & (scale <= 1.0)).all()
    return 1 if saw_probabilities else np.inf


def check_that_it_fits(net, options, data):
    """Raise if a loaded model does not match the features or labels of the data."""
    n_features = data.X_train.shape[1]
    if net.n_features_in_ != n_features:
        raise ValueError(
            f"{options.load} was trained on {net.n_features_in_} features, but {options.data} has "
            f"{n_features}."
        )
    names = getattr(net, "feature_names_in_", np.array([])).tolist()
    if names and data.feature_names and names != data.feature_names:
        other = next(i for i, name in enumerate(names) if name != data.feature_names[i])
        raise ValueError(
            f"{options.load} was trained on other columns: column {other + 1} was "
            f"{names[other]!r}, but is {data.feature_names[other]!r} in {options.data}. Pass the "
            "same columns in the same order."
        )
    if is_regressor(net) != data.is_regression:
        raise ValueError(
            f"{options.load} predicts {'numbers' if is_regressor(net) else 'classes'}, but the "
            f"targets of {options.data} are {'numbers' if data.is_regression else 'classes'}."
        )
    if data.is_regression:
        return
    known = net.classes_.tolist()
    if unknown := _unknown([*data.classes.tolist(), *data.y_test.tolist()], known):
        raise ValueError(
            f"{options.load} does not know the labels {_listed(unknown)} of {options.data}. It "
            f"was trained on the labels {_listed(known)}."
        )


def check_other_rows(options, data):
    """Raise if validation rows have labels that no training row has; warn if test rows have."""
    if data.is_regression:
        return
    known = data.classes.tolist()
    if data.y_val is not None and (unknown := _unknown(data.y_val.tolist(), known)):
        raise ValueError(
            f"{options.data}: validation rows have the labels {_listed(unknown)}, which no "
            "training row has. Remove these rows, or add training rows with these labels."
        )
    if len(known) > 1 and (unknown := _unknown(data.y_test.tolist(), known)):
        n_rows = np.isin(data.y_test, unknown).sum()
        warnings.warn(
            f"{options.data}: test rows have the labels {_listed(unknown)}, which no training row "
            f"has: {n_rows} of {len(data.y_test)} count as errors whatever is predicted.",
            stacklevel=2,
        )


def _unknown(labels, known):
    """Return the labels that are not among the known ones."""
    return [label for label in np.unique(labels).tolist() if label not in known]


def _listed(labels):
    """Return the first labels as text, and the number of others."""
    shown = ", ".join(reprlib.repr(label) for label in labels[:N_SHOWN])
    n_others = len(labels) - N_SHOWN
    return f"{shown} and {n_others} more" if n_others > 0 else shown


def load_partial(options, net, data):
    """Return the net in the checkpoint, if any; raise if its options or its labels differ."""
    if options.checkpoint is None or not options.checkpoint.exists():
        return None
    partial = load_checkpoint(options.checkpoint)
    fault = _misfit(partial, net, data)
    if fault is None:
        return partial
    raise ValueError(
        f"--checkpoint {options.checkpoint} already exists and {fault}. Remove it to start again, "
        "or pass another path."
    )


def _misfit(partial, net, data):
    """Return why a net from a checkpoint cannot be trained on, or None."""
    if type(partial) is not type(net):
        return f"holds a model of type {type(partial).__name__}"
    expected, given = net.get_params(), partial.get_params()
    other = [name for name in expected if name != "rbm" and expected[name] != given.get(name)]
    if other:
        return f"was made with other options ({', '.join(map(_option, other))})"
    if hasattr(partial, "classes_") and not np.array_equal(partial.classes_, data.classes):
        return f"was made with the labels {_listed(partial.classes_.tolist())}"
    return None


# -- training


class TopRow:
    """Callback that evaluates the net after the phase of its top layer."""

    def __init__(self, net, data, rows):
        self.phase, self.name = net._top, f"{type(net).__name__}, {net._top} phase"
        self.data, self.rows = data, rows
        self.start, self.seconds = time.perf_counter(), 0.0

    def setup(self, estimator, context):
        """Do nothing when a fit starts."""

    def on_fit_task_begin(self, estimator, context):
        """Do nothing when a task starts."""

    def on_fit_task_end(self, estimator, context):
        """Append a table row at the end of the phase."""
        if context.task_name == self.phase:
            self.add(estimator)

    def teardown(self, estimator, context):
        """Do nothing when a fit ends."""

    def add(self, net):
        """Append the table row; record the time this takes."""
        now = time.perf_counter()
        self.rows.append(evaluate(self.name, net, self.data, now - self.start))
        self.seconds = time.perf_counter() - now


def train(options, net, partial, data, rows):
    """Train with progress on standard error; append the table row of the top layer's phase.

    Returns the net, the seconds of its training, and whether it finished.
    """
    progress, top_row = Progress(net, data), TopRow(net, data, rows)
    with warnings_collected(at_once=UserWarning) as caught, contextlib.redirect_stdout(sys.stderr):
        net = _fit(options, net, partial, data, progress, top_row)
        seconds = time.perf_counter() - top_row.start - top_row.seconds
    if progress.works:
        net.set_callbacks()
    finished = True
    for message, category in caught:
        if issubclass(category, InterruptedTrainingWarning):
            finished = False
        else:
            print(f"skdbn: warning: {with_options(message)}", file=sys.stderr)
    return net, seconds, finished


def _fit(options, net, partial, data, progress, top_row):
    """Fit the net, or resume its training after an interruption."""
    watched = {} if data.X_val is None else {"X_val": data.X_val, "y_val": data.y_val}
    if not progress.works:
        return _fit_twice(net, data, watched, top_row)
    if partial is not None:
        print(f"resuming from {options.checkpoint}", file=sys.stderr)
        callbacks = [progress, top_row]
        rows = data.X_train, data.y_train
        return resume(options.checkpoint, *rows, **watched, callbacks=callbacks)
    checkpoints = [] if options.checkpoint is None else [Checkpoint(options.checkpoint)]
    net.set_callbacks(*checkpoints, progress, top_row)
    return net.fit(data.X_train, data.y_train, **watched)


def _fit_twice(net, data, watched, top_row):
    """Fit in two calls with the result of one, for scikit-learn 1.8, which has no callbacks."""
    asked_for, rows = net.get_params(deep=False), (data.X_train, data.y_train)
    n_passes = f"{net._top}_iter"
    try:
        net.set_params(verbose=1, finetune_iter=0).fit(*rows, **watched)
        if len(top_losses(net)) == asked_for[n_passes]:
            top_row.add(net)
            finetune_iter = asked_for["finetune_iter"]
            net.set_params(**{n_passes: 0, "finetune_iter": finetune_iter, "warm_start": True})
            net.fit(*rows, **watched)
    finally:
        net.set_params(**asked_for)
    return net


def name_features(net, data):
    """Let a net remember the names of its columns, if they have names."""
    if data.feature_names:
        net.feature_names_in_ = np.array(data.feature_names, dtype=object)


def is_fitted(net):
    """Tell whether a net has been trained, fully or in part."""
    return isinstance(net, Pipeline) or hasattr(net, "coefs_")


def reached(net, finished, rows):
    """Return the name of the last table row, after the phase reached; None if it exists already."""
    name = type(net_of(net)).__name__
    if finished or getattr(net, "loss_curve_", []):
        return name
    top_row = f"{name}, {net._top} phase"
    if any(row.name == top_row for row in rows):
        return None
    return top_row if top_losses(net) else f"{name}, pretraining"
