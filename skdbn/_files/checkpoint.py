"""Checkpoints: save the whole state of a training to disk, and resume from it.

The rule: a checkpoint contains enough to end with the same bits as a training that was never
interrupted, given the same data, computer and number of threads.
"""

import zlib
from functools import partial
from numbers import Integral
from pathlib import Path

import numpy as np
import sklearn
from scipy.sparse import issparse
from sklearn.utils import check_scalar

from skdbn import _version
from skdbn._files.estimators import CLASSES, describe, describe_parameters, rebuild
from skdbn._files.storage import check_can_write, read, write
from skdbn._training.callbacks import HAS_CALLBACKS
from skdbn._training.diagnosis import warn, warn_of_other_version
from skdbn._training.fitting import Run, damages_told
from skdbn._training.rows import blocks

VALUES_AT_ONCE = 2**20  # in a block for the checksum
REMEDY = "Pass the same X, y, weights and held-out rows, or remove the file to start anew."


class Checkpoint:
    """Callback that writes the state of training to a file every few passes.

    Set it on the estimator itself, even if that is a step of a Pipeline:
    ``DBNClassifier().set_callbacks(Checkpoint("net.ckpt"))``. The file is replaced in one step once
    the new state is safe on the disk, so a crash at any moment leaves a file that loads. It
    contains no pickle. Use a separate file for each training. Like all callbacks it follows `fit`:
    after calls of `partial_fit`, use `save_model`, which keeps the state that the next call needs.

    Parameters
    ----------
    path : str or path-like
        The file.
    every : int, default=1
        Number of passes from one write to the next.

    See Also
    --------
    resume : Resume training from the file.

    Notes
    -----
    Needs scikit-learn 1.9 or newer, which introduced callbacks.

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
        if not HAS_CALLBACKS:
            raise ImportError(
                "Checkpoints need scikit-learn 1.9 or newer, which introduced callbacks, but this "
                f"is scikit-learn {sklearn.__version__}."
            )
        check_scalar(every, "every", Integral, min_val=1)
        self.path = Path(path)
        self.every = int(every)
        self.expected_data = self.expected_groups = None

    def setup(self, estimator, context):
        """Start a training.

        Parameters
        ----------
        estimator : RBMTransformer, DBNClassifier or DBNRegressor
            Estimator to train.
        context : CallbackContext
            The task.

        Raises
        ------
        TypeError
            If the estimator is of another class, or has a parameter that cannot be stored in the
            file.
        ValueError
            If the path is that of a folder, a device or a pipe.
        OSError
            If the file cannot be written.
        """
        if type(estimator) not in CLASSES.values():
            raise TypeError(
                f"Checkpoint is set on a {type(estimator).__name__}. Set it on the "
                f"{' or '.join(CLASSES)} itself."
            )
        check_can_write(self.path, describe_parameters(estimator))
        self._n_passes, self._has_warned = 0, False

    def on_fit_task_begin(self, estimator, context):
        """Check the data when a training starts.

        Parameters
        ----------
        estimator : RBMTransformer, DBNClassifier or DBNRegressor
            Estimator to train.
        context : CallbackContext
            The task.

        Raises
        ------
        ValueError
            If training resumes with other data than it started with, or on another number of
            workers.
        """
        if context.task_name != "fit":
            return
        self._n_groups = len(getattr(estimator._run.rows.X, "groups", [None]))  # on a cluster
        if self.expected_groups not in (None, self._n_groups):
            raise ValueError(
                f"{self.path}: the training started with {self.expected_groups} group(s) of rows, "
                f"one on each worker, but now there are {self._n_groups}. Resume with as many "
                "workers as before."
            )
        self._data = _fingerprint(estimator._run)
        if self.expected_data not in (None, self._data):
            raise ValueError(
                f"{self.path} belongs to a training on other data ({self.expected_data}; now "
                f"{self._data}). {REMEDY}"
            )

    def on_fit_task_end(self, estimator, context):
        """Write the file if enough passes were made.

        Parameters
        ----------
        estimator : RBMTransformer, DBNClassifier or DBNRegressor
            Estimator to train.
        context : CallbackContext
            The task.

        Warns
        -----
        UserWarning
            If the file cannot be written.
        """
        if context.task_name != "pass":
            return
        self._n_passes += 1
        if self._n_passes % self.every == 0:
            content = {
                "version": _version.__version__,
                "every": self.every,
                "data": self._data,
                "groups": self._n_groups,
                "model": describe(estimator),
                "state": estimator._run.get_state(),
            }
            try:
                write(self.path, "checkpoint", content)
            except OSError as error:  # such as a full disk; what was learned is worth more
                self._warn_once(error)

    def _warn_once(self, error):
        """Warn that a state could not be written, once in a training."""
        if not self._has_warned:
            self._has_warned = True
            warn(
                f"{self.path} could not be written: {error.strerror or error}. Training goes on, "
                "and later passes try again. Until then the file, if any, stays as it was.",
                UserWarning,
            )

    def teardown(self, estimator, context):
        """End a training.

        Parameters
        ----------
        estimator : RBMTransformer, DBNClassifier or DBNRegressor
            Estimator that was trained.
        context : CallbackContext
            The task.
        """


def resume(
    path,
    X,
    y=None,
    sample_weight=None,
    *,
    X_val=None,
    y_val=None,
    sample_weight_val=None,
    callbacks=(),
):
    """Resume a training from its checkpoint, and complete it.

    Parameters
    ----------
    path : str or path-like
        The file. Later passes are written to it as before.
    X, y, sample_weight, X_val, y_val, sample_weight_val : array-like
        The same data that the training started with.
    callbacks : sequence of callback, default=()
        Further callbacks.

    Returns
    -------
    RBMTransformer, DBNClassifier or DBNRegressor
        The fitted estimator. On the same computer with the same number of threads, its parameters
        equal those of an uninterrupted training bit for bit.

    Raises
    ------
    ImportError
        If scikit-learn is older than 1.9.
    OSError
        If the file cannot be read.
    ValueError
        If the file is damaged, contains something else, or belongs to other data.

    Warns
    -----
    VersionWarning
        If another version of the package wrote the file.

    See Also
    --------
    Checkpoint : Write the file, with an example.
    """
    estimator, content = _load(path)
    _check_width(path, estimator, X)
    checkpoint = Checkpoint(path, content["every"])
    checkpoint.expected_data, checkpoint.expected_groups = content["data"], content["groups"]
    estimator.set_callbacks(checkpoint, *callbacks)
    with Run(estimator, content["state"]) as run:
        estimator._fit(run, X, y, sample_weight, X_val, y_val, sample_weight_val)
    checkpoint.expected_data = checkpoint.expected_groups = None  # a later fit may have others
    return estimator


def _check_width(path, estimator, X):
    """Raise if rows have another number of features than those of a checkpoint."""
    shape, n_features = np.shape(X), estimator.n_features_in_
    if len(shape) == 2 and shape[1] != n_features:
        raise ValueError(
            f"{path} belongs to a training on other data ({n_features} features; now {shape[1]}). "
            f"{REMEDY}"
        )


def load_checkpoint(path):
    """Return the estimator of a checkpoint as it was at that moment, to inspect or use it.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    RBMTransformer, DBNClassifier or DBNRegressor
        The estimator, partly trained.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the file is damaged or contains something else.

    Warns
    -----
    VersionWarning
        If another version of the package wrote the file.

    See Also
    --------
    resume : Resume the training.
    """
    return _load(path)[0]


def _load(path):
    """Return the estimator of a checkpoint and the whole content."""
    content = read(path, "checkpoint")
    with damages_told(path):
        warn_of_other_version(content["version"], str(path))
        check_scalar(content["every"], "every", int, min_val=1)
        check_scalar(content["groups"], "groups", int, min_val=1)
        if not isinstance(content["data"], str):
            raise TypeError("the checksum of the data is not a string")
        if not isinstance(content["state"], dict):
            raise TypeError("the state of the training is not a dict")
        return rebuild(content["model"]), content


def _fingerprint(run):
    """Return a short string that other data are unlikely to share."""
    rows, check = run.rows, 0
    for some in filter(None, (rows, run.held_out)):
        check = some.reduced(partial(_checksum, check=check), _joined)
        for part in (some.y, some.weight):
            check = check if part is None else _checksum_of(part, check)
    n_samples, n_features = rows.X.shape
    return f"{n_samples} rows, {n_features} features, {rows.X.dtype}, checksum {check:08x}"


def _checksum(rows, check):
    """Return a checksum of X that goes on from another one."""
    X = rows.X
    for part in [X.data, X.indices, X.indptr] if issparse(X) else [X]:
        check = _checksum_of(part, check)
    return check


def _checksum_of(array, check):
    """Return a checksum of an array that goes on from another one."""
    for block in blocks(len(array), max(1, VALUES_AT_ONCE // max(1, array[:1].size))):
        check = zlib.crc32(np.ascontiguousarray(array[block]).view(np.uint8).data, check)
    return check


def _joined(one, other):
    """Return a checksum of two."""
    return zlib.crc32(other.to_bytes(4, "little"), one)
