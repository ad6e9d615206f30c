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

from skdbn import _version
from skdbn._files.estimators import CLASSES, describe, describe_parameters, rebuild
from skdbn._files.storage import check_can_write, read, write
from skdbn._training.callbacks import HAS_CALLBACKS
from skdbn._training.diagnosis import warn_of_other_version
from skdbn._training.fitting import Run, damages_told
from skdbn._training.rows import blocks

VALUES_AT_ONCE = 2**20  # whose checksum is taken together


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
        if not HAS_CALLBACKS:
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
        estimator : RBMTransformer, DBNClassifier or DBNRegressor
            What is trained.
        context : CallbackContext
            The task.

        Raises
        ------
        TypeError
            When the estimator is something else, or has a parameter that the file cannot hold.
        ValueError
            When there is a folder, a device or a pipe at the path.
        OSError
            When the file could not be written.
        """
        if type(estimator) not in CLASSES.values():
            raise TypeError(
                f"Checkpoint is set on a {type(estimator).__name__}: set it on the "
                f"{' or '.join(CLASSES)} itself."
            )
        check_can_write(self.path, describe_parameters(estimator))
        self._n_passes = 0

    def on_fit_task_begin(self, estimator, context):
        """Look at the data when a training begins.

        Parameters
        ----------
        estimator : RBMTransformer, DBNClassifier or DBNRegressor
            What is trained.
        context : CallbackContext
            The task.

        Raises
        ------
        ValueError
            When training goes on with other data than it began with.
        """
        if context.task_name != "fit":
            return
        self._data = _fingerprint(estimator._run)
        if self.expected_data not in (None, self._data):
            raise ValueError(
                f"{self.path} belongs to a training on other data ({self.expected_data}; now "
                f"{self._data}). Pass the same X, y, weights and held-out rows, or remove the file "
                "to start anew."
            )

    def on_fit_task_end(self, estimator, context):
        """Write the file when enough passes were made.

        Parameters
        ----------
        estimator : RBMTransformer, DBNClassifier or DBNRegressor
            What is trained.
        context : CallbackContext
            The task.
        """
        if context.task_name != "pass":
            return
        self._n_passes += 1
        if self._n_passes % self.every == 0:
            content = {
                "version": _version.__version__,
                "every": self.every,
                "data": self._data,
                "model": describe(estimator),
                "state": estimator._run.get_state(),
            }
            write(self.path, "checkpoint", content)

    def teardown(self, estimator, context):
        """End a training.

        Parameters
        ----------
        estimator : RBMTransformer, DBNClassifier or DBNRegressor
            What was trained.
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
    """Go on with a training from its checkpoint, to its end.

    Parameters
    ----------
    path : str or path-like
        The file, to which later passes are written as before.
    X, y, sample_weight, X_val, y_val, sample_weight_val : array-like
        The same data that the training began with.
    callbacks : sequence of callback, default=()
        Further callbacks.

    Returns
    -------
    RBMTransformer, DBNClassifier or DBNRegressor
        The fitted estimator. On the same machine, with the same number of threads, its parameters
        have the same bits as those of a training that was not interrupted.

    Raises
    ------
    ImportError
        When scikit-learn is older than 1.9.
    OSError
        When the file cannot be read.
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
    with Run(estimator, content["state"]) as run:
        estimator._fit(run, X, y, sample_weight, X_val, y_val, sample_weight_val)
    checkpoint.expected_data = None  # a later fit may have other data
    return estimator


def load_checkpoint(path):
    """Return the estimator of a checkpoint as it was at that moment, to look at or to use.

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
        When the file cannot be read.
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
    return _load(path)[0]


def _load(path):
    """Return the estimator of a checkpoint and the whole content."""
    content = read(path, "checkpoint")
    with damages_told(path):
        warn_of_other_version(content["version"], str(path))
        check_scalar(content["every"], "every", int, min_val=1)
        if not isinstance(content["data"], str):
            raise TypeError("the checksum of the data is not a string")
        if not isinstance(content["state"], dict):
            raise TypeError("the state of the training is not a dict")
        return rebuild(content["model"]), content


def _fingerprint(run):
    """Return a short text that other data hardly share."""
    rows, check = run.rows, 0
    for X, y, weight, _ in (rows, run.held_out or (None, None, None, None)):
        parts = [X.data, X.indices, X.indptr] if issparse(X) else [X]
        for part in (*parts, y, weight):
            if part is None:
                continue
            for block in blocks(len(part), max(1, VALUES_AT_ONCE // part[:1].size)):
                content = np.ascontiguousarray(part[block]).view(np.uint8)
                check = zlib.crc32(content.data, check)
    n_samples, n_features = rows.X.shape
    return f"{n_samples} rows, {n_features} features, {rows.X.dtype}, checksum {check:08x}"
