"""Checkpoints: the whole state of a training on the disk, and going on from it.

The rule: what a checkpoint holds is enough to end with the same bits as a training that was never
interrupted, given the same data, machine and number of threads.
"""

import zlib
from numbers import Integral
from pathlib import Path

import numpy as np
import sklearn
from scipy.sparse import issparse
from sklearn.utils import check_scalar

from skdbn._dbn import PHASES, DBNClassifier
from skdbn._files.models import CLASSES, DAMAGES, describe, rebuild
from skdbn._files.storage import read, write
from skdbn._maths.engines import ENGINES
from skdbn._training.checks import MAX_SEED
from skdbn._version import __version__, warn_of_other_version


class Checkpoint:
    """Callback that writes the state of training to a file after every few passes.

    Set it on the estimator itself, also when that is a step of a Pipeline:
    ``DBNClassifier().set_callbacks(Checkpoint("net.ckpt"))``. The file is replaced at once when
    the new state is safe on the disk, so that a crash at any moment leaves a file that loads. It
    holds no pickle. Use one file for one training.

    Parameters
    ----------
    path : str or path-like
        The file.
    every : int, default=1
        Passes from one writing to the next.

    See Also
    --------
    resume : Go on from the file.

    Notes
    -----
    scikit-learn 1.9 or newer is needed, which brought callbacks.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skdbn import Checkpoint, RBMTransformer, resume
    >>> from skdbn.datasets import load_digits
    >>> X = load_digits()[0]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "rbm.ckpt"
    ...     rbm = RBMTransformer(20, n_iter=5, random_state=0).set_callbacks(Checkpoint(path, 2))
    ...     rbm = rbm.fit(X)  # suppose that the power failed in pass 5
    ...     resumed = resume(path, X)
    >>> bool((resumed.components_ == rbm.components_).all())
    True
    """

    def __init__(self, path, every=1):
        if not hasattr(DBNClassifier, "set_callbacks"):
            raise ImportError(
                "Checkpoints need scikit-learn 1.9 or newer, which brought callbacks; this is "
                f"scikit-learn {sklearn.__version__}."
            )
        check_scalar(every, "every", Integral, min_val=1)
        self.path = Path(path)
        self.every = int(every)
        self.expected_data = None

    def setup(self, estimator, context):
        """Begin a training.

        Parameters
        ----------
        estimator : RBMTransformer or DBNClassifier
            What is trained.
        context : CallbackContext
            The task.

        Raises
        ------
        TypeError
            When the estimator is something else.
        """
        if type(estimator) not in CLASSES.values():
            raise TypeError(
                f"Checkpoint is set on a {type(estimator).__name__}: set it on the "
                f"{' or '.join(CLASSES)} itself."
            )
        self._n_passes = 0

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        """Look at the data when a training begins.

        Parameters
        ----------
        estimator : RBMTransformer or DBNClassifier
            What is trained.
        context : CallbackContext
            The task.
        X, y : array-like
            The training data.

        Raises
        ------
        ValueError
            When training goes on with other data than it began with.
        """
        if context.task_name != "fit":
            return
        self._data = _fingerprint(X, y)
        if self.expected_data not in (None, self._data):
            raise ValueError(
                f"{self.path} belongs to a training on other data ({self.expected_data}; now "
                f"{self._data}). Hand in the same X and y, or remove the file to start anew."
            )

    def on_fit_task_end(self, estimator, context):
        """Write the file when enough passes were made.

        Parameters
        ----------
        estimator : RBMTransformer or DBNClassifier
            What is trained.
        context : CallbackContext
            The task.
        """
        if context.task_name != "pass":
            return
        self._n_passes += 1
        if self._n_passes % self.every == 0:
            content = {"version": __version__, "every": self.every, "data": self._data}
            write(self.path, "checkpoint", {**content, **_training(estimator)})

    def teardown(self, estimator, context):
        """End a training.

        Parameters
        ----------
        estimator : RBMTransformer or DBNClassifier
            What was trained.
        context : CallbackContext
            The task.
        """


def resume(path, X, y=None, *, X_val=None, y_val=None, callbacks=()):
    """Go on with a training from its checkpoint, to its end.

    Parameters
    ----------
    path : str or path-like
        The file, to which later passes are written as before.
    X, y, X_val, y_val : array-like
        The same data that the training began with.
    callbacks : sequence of callback, default=()
        Further callbacks.

    Returns
    -------
    RBMTransformer or DBNClassifier
        The fitted estimator. On the same machine, with the same number of threads, its parameters
        have the same bits as those of a training that was not interrupted.

    Raises
    ------
    ImportError
        When scikit-learn is older than 1.9.
    OSError
        When the file can not be read.
    ValueError
        When the file is damaged, holds something else, or belongs to other data.

    Warns
    -----
    VersionWarning
        When another version of the package wrote the file.

    See Also
    --------
    Checkpoint : What writes the file, with an example.
    """
    estimator, content = _load(path)
    checkpoint = Checkpoint(path, content["every"])
    checkpoint.expected_data = content["data"]
    estimator.set_callbacks(checkpoint, *callbacks)
    return estimator._resume(X, y, X_val, y_val, content["state"])


def load_checkpoint(path):
    """Return the estimator of a checkpoint as it was at that moment, to look at or to use.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    RBMTransformer or DBNClassifier
        The estimator, partly trained.

    Raises
    ------
    OSError
        When the file can not be read.
    ValueError
        When the file is damaged or holds something else.

    Warns
    -----
    VersionWarning
        When another version of the package wrote the file.

    See Also
    --------
    resume : Go on with the training.
    """
    estimator, content = _load(path)
    if "rebuilt" in content["state"]:
        estimator._start_from_machines()
    return estimator


def _load(path):
    """Return the estimator of a checkpoint and the whole content."""
    content = read(path, "checkpoint")
    try:
        warn_of_other_version(content["version"], str(path))
        estimator, state = rebuild(content["model"]), content["state"]
        if state.get("machine") is not None:
            state["rebuilt"] = rebuild(state["machine"])
            estimator.rbms_[state["layer"] : state["layer"] + 1] = [state["rebuilt"]]
        _check_content(estimator, content)
        return estimator, content
    except DAMAGES as error:
        raise ValueError(
            f"{path} is damaged: a part of the state is missing or does not fit the others "
            f"({type(error).__name__}: {error})."
        ) from error


def _check_content(estimator, content):
    """Raise when a training could not go on from what a file says, whoever wrote the file."""
    state = content["state"]
    _check_integer(content["every"], 1)
    if not isinstance(content["data"], str):
        raise TypeError("what is said of the data is no text")
    if not isinstance(estimator, DBNClassifier):
        _check_run_of_machine(estimator, state)
        return
    n_layers = len(estimator.intercepts_) - 1
    if len(state["seeds"]) != n_layers + 4:
        raise ValueError("a seed is missing")
    for seed in state["seeds"]:
        _check_integer(seed, 0, MAX_SEED)
    if PHASES.index(state["phase"]) == 0:
        _check_integer(state["layer"], 0, n_layers - 1)
        machine = state["rebuilt"]
        if len(machine.components_) != len(estimator.intercepts_[state["layer"]]):
            raise ValueError("a machine is not of its layer")
        _check_run_of_machine(machine, state["machine"])
    else:
        _check_run_of_network(estimator, state)


def _check_run_of_machine(machine, state):
    """Raise when the training of a machine could not go on."""
    _check_integer(state["of"], 0, machine.n_iter)
    _check_integer(state["n_passes"], 0, state["of"])
    _check_integer(state["split_seed"], 0, MAX_SEED)
    watched = state["watched"]
    if watched.ndim != 1 or watched.dtype.kind != "i" or watched.min() < 0:
        raise ValueError("the rows that are watched are none")
    n_parameters = machine.components_.size + sum(machine.components_.shape)
    _check_best(state["best"], n_parameters, machine.components_.dtype)


def _check_run_of_network(net, state):
    """Raise when the softmax phase or fine-tuning could not go on."""
    first, of = (-1, net.softmax_iter) if state["phase"] == "softmax" else (0, net.finetune_iter)
    arrays = [*net.coefs_[first:], *net.intercepts_[first:]]
    n_parameters, dtype = sum(array.size for array in arrays), arrays[0].dtype
    _check_integer(state["n_passes"], 0, of)
    ENGINES["numpy"](dtype, 0).set_state(state["engine"])
    n_steps = state["optimizer"].get("n_steps", 0)
    _check_integer(n_steps, 0)
    names = {"sgd": ("velocity",), "adam": ("means", "squares")}[net.solver]
    vectors = [state["optimizer"][name] for name in names]
    if len({vector is None for vector in vectors}) > 1:
        raise ValueError("a part of the state of the optimizer is missing")
    for vector in vectors:
        _check_vector(vector, n_parameters, dtype)
    if state["phase"] == "fine-tuning":
        _check_best(state["best"], n_parameters, dtype)


def _check_best(best, n_parameters, dtype):
    """Raise when what early stopping keeps is not that."""
    _check_integer(best["n_passes"], 0)
    if not isinstance(best["loss"], float):
        raise TypeError("a loss is no number")
    _check_vector(best["best"], n_parameters, dtype)


def _check_vector(vector, size, dtype):
    """Raise when something is neither None nor a vector of parameters."""
    if vector is not None and (vector.shape, vector.dtype) != ((size,), dtype):
        raise ValueError(f"there is no vector of {size} parameters of type {dtype}")


def _check_integer(value, minimum, maximum=None):
    """Raise when something is no integer in a range."""
    if type(value) is not int:
        raise TypeError(f"{value!r} is no integer")
    if value < minimum or (maximum is not None and value > maximum):
        raise ValueError(f"{value} is out of range")


def _training(estimator):
    """Return an estimator in the midst of a fit, and all that the rest depends on but the data."""
    run = estimator._run
    if not isinstance(estimator, DBNClassifier):
        return {"model": describe(estimator), "state": _state_of_machine(run)}
    state = {"seeds": run["seeds"], "phase": run["phase"]}
    if run["phase"] == PHASES[0]:
        machine = {**describe(run["machine"]), **_state_of_machine(run["machine"]._run)}
        return {
            "model": describe(estimator),
            "state": {**state, "layer": run["layer"], "machine": machine},
        }
    state |= {
        "n_passes": run["n_passes"],
        "engine": run["engine"].get_state(),
        "optimizer": run["optimizer"].get_state(),
        "best": None if run["best"] is None else run["best"].get_state(),
    }
    return {"model": describe(estimator), "state": state}


def _state_of_machine(run):
    """Return what the rest of a machine's training depends on, beside the machine."""
    names = ("n_passes", "of", "split_seed", "watched")
    return {**{name: run[name] for name in names}, "best": run["best"].get_state()}


def _fingerprint(X, y):
    """Return a short text that other data hardly share."""
    parts = [X.data, X.indices, X.indptr] if issparse(X) else [X]
    if y is not None:
        y = np.asarray(y)
        parts.append(y.astype(np.str_) if y.dtype == object else y)
    check = 0
    for part in parts:
        check = zlib.crc32(np.ascontiguousarray(part).view(np.uint8).data, check)
    return f"{X.shape[0]} rows, {X.shape[1]} features, {X.dtype}, checksum {check:08x}"
