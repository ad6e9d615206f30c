"""Estimators for data on the workers of a dask.distributed cluster.

They train with the code of the plain estimators: the client drives the passes while the rows stay
on the workers (see `skdbn._cluster`). They predict lazily.

The rule: an estimator of this module has the parameters, methods and fitted attributes of its plain
counterpart, which `to_local` returns.
"""

import copy
import inspect

from sklearn.utils.validation import check_is_fitted

from skdbn._dbn_classifier import DBNClassifier
from skdbn._dbn_regressor import DBNRegressor
from skdbn._files.checkpoint import resume as resume_plain
from skdbn._rbm import RBMTransformer
from skdbn._training.callbacks import callbacks_of
from skdbn._training.checks import floats_for
from skdbn._training.loop import LostRowsError

try:
    import dask
    import numpy as np

    from skdbn._cluster.client import cluster_of
    from skdbn._cluster.reading import partitions_of
except ImportError as error:
    raise ImportError(
        f"skdbn.dask needs dask.distributed ({error}): pip install 'dask[array]' distributed."
    ) from error

__all__ = [
    "DaskDBNClassifier",
    "DaskDBNRegressor",
    "DaskRBMTransformer",
    "LostRowsError",
    "resume",
]


def _signature(plain):
    """Return the signature of a plain constructor with a client, for scikit-learn to read."""
    signature = inspect.signature(plain.__init__)
    client = inspect.Parameter("client", inspect.Parameter.KEYWORD_ONLY, default=None)
    return signature.replace(parameters=[*signature.parameters.values(), client])


class _Distributed:
    """Mixin of all estimators of this module."""

    def to_local(self):
        """Return the plain estimator, fitted if this one is.

        Returns
        -------
        RBMTransformer, DBNClassifier or DBNRegressor
            Estimator with the same parameters that shares the fitted attributes.
        """
        parameters = self.get_params(deep=False)
        del parameters["client"]
        local = self._plain(**parameters)
        vars(local).update(self._learned(self))
        return local

    def _learned(self, estimator):
        """Return the attributes of an estimator that a fit has set."""
        own = {*self.get_params(deep=False), "_skl_callbacks"}
        return {name: value for name, value in vars(estimator).items() if name not in own}

    def _fit_on_cluster(self, X, **given):
        """Fit the plain estimator to rows on the workers and take over its fitted attributes."""
        local = self.to_local()
        if callbacks_of(self):
            local.set_callbacks(*callbacks_of(self))
        with cluster_of(self.client) as cluster:
            given = {name: _here(value, cluster.client) for name, value in given.items()}
            try:
                local.fit(partitions_of(X, cluster), **given)
            finally:
                for name in self._learned(self).keys() - self._learned(local).keys():
                    delattr(self, name)  # of an earlier fit
                vars(self).update(self._learned(local))
        return self

    def _lazily(self, method, X):
        """Return the result of a method of the plain estimator, lazily for a collection."""
        if not dask.is_dask_collection(X):
            return getattr(super(), method)(X)
        return _of_collection(self.to_local(), method, X)

    def __sklearn_clone__(self):
        bare = copy.copy(self)  # with client=None: a client cannot be copied
        clone = super(_Distributed, bare).__sklearn_clone__()
        clone.client = self.client
        return clone

    def __getstate__(self):
        return {**super().__getstate__(), "client": None}

    def fit_transform(self, X, y=None, **given):
        """Fit to a collection, and return the result of `transform`.

        Parameters
        ----------
        X : dask array or DataFrame of shape (n_samples, n_features)
            Training data.
        y : dask or plain array, default=None
            Targets, as in `fit`.
        **given : object
            Other arguments of `fit`.

        Returns
        -------
        dask array or DataFrame of shape (n_samples, n_components)
            Expected values of the hidden units, computed lazily.
        """
        return self.fit(X, y, **given).transform(X)

    def transform(self, X):
        """Return the expected hidden units, as the plain estimator does.

        Parameters
        ----------
        X : dask array or DataFrame, or array-like, of shape (n_samples, n_features)
            Data.

        Returns
        -------
        dask array or DataFrame, or ndarray, of shape (n_samples, n_components)
            Expected values, computed lazily for a collection.
        """
        return self._lazily("transform", X)


class _DistributedNet(_Distributed):
    """Mixin of the nets of this module."""

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Pretrain the layers, train the top layer, fine-tune the network.

        Parameters
        ----------
        X : dask array or DataFrame of shape (n_samples, n_features)
            Training data. They stay on the workers.
        y : dask or plain array, Series or DataFrame of length n_samples
            Targets. They are moved to the client.
        sample_weight : dask or plain array of shape (n_samples,), default=None
            Weight of each row.
        X_val : dask or plain array or DataFrame, default=None
            Held-out data to monitor. They are moved to the client.
        y_val : dask or plain array, default=None
            Targets of `X_val`.
        sample_weight_val : dask or plain array, default=None
            Weights of the rows of `X_val`.

        Returns
        -------
        DaskDBNClassifier or DaskDBNRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If X, y, a weight or a parameter is invalid.
        LostRowsError
            If a worker is lost with rows that dask cannot recompute. The estimator then keeps what
            was learned up to the last finished pass.
        """
        return self._fit_on_cluster(
            X,
            y=y,
            sample_weight=sample_weight,
            X_val=X_val,
            y_val=y_val,
            sample_weight_val=sample_weight_val,
        )

    def predict(self, X):
        """Return predictions, as the plain estimator does.

        Parameters
        ----------
        X : dask array or DataFrame, or array-like, of shape (n_samples, n_features)
            Data.

        Returns
        -------
        dask array, Series or DataFrame, or ndarray, of length n_samples
            Predictions, computed lazily for a collection.
        """
        return self._lazily("predict", X)


class DaskRBMTransformer(_Distributed, RBMTransformer):
    """Restricted Boltzmann machine for data on the workers of a cluster.

    In each pass every worker trains a copy of the machine on its own rows; then the copies are
    averaged, weighted by their rows. With one worker and one partition the parameters equal those
    of :class:`~skdbn.RBMTransformer` bit for bit.

    Parameters
    ----------
    *args : object
        `n_components`.
    client : distributed.Client, default=None
        Client of the cluster; by default the current client.
    **parameters : object
        The other parameters of :class:`~skdbn.RBMTransformer`.

    See Also
    --------
    skdbn.RBMTransformer : The parameters, attributes and other methods.

    Notes
    -----
    Neighbouring partitions form groups, one for each worker of the cluster when `fit` starts. The
    result depends on the partitions, the number of groups and `random_state`, but not on which
    worker holds which partition, nor on timing. Neighbouring partitions are joined into parts of up
    to 128 MiB, and rows are shuffled within each part. The data are held on the workers if they
    fill at most a quarter of their memory; otherwise each pass reads or computes them again.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from skdbn.dask import DaskRBMTransformer
    >>> client = Client(processes=False, n_workers=2, dashboard_address=":0")
    >>> X = da.random.default_rng(0).random((1000, 20), chunks=(500, 20))
    >>> rbm = DaskRBMTransformer(10, n_iter=3, random_state=0, client=client).fit(X)
    >>> rbm.transform(X).compute().shape
    (1000, 10)
    >>> rbm.to_local()
    RBMTransformer(n_components=10, n_iter=3, random_state=0)
    >>> client.close()
    """

    _plain = RBMTransformer

    def __init__(self, *args, client=None, **parameters):
        super().__init__(*args, **parameters)
        self.client = client

    __init__.__signature__ = _signature(RBMTransformer)

    def fit(self, X, y=None, sample_weight=None, *, X_val=None, sample_weight_val=None):
        """Train the machine.

        Parameters
        ----------
        X : dask array or DataFrame of shape (n_samples, n_features)
            Training data, NaN where a value is missing. They stay on the workers.
        y : None
            Ignored.
        sample_weight : dask or plain array of shape (n_samples,), default=None
            Weight of each row.
        X_val : dask or plain array or DataFrame, default=None
            Held-out data to monitor. They are moved to the client.
        sample_weight_val : dask or plain array, default=None
            Weights of the rows of `X_val`.

        Returns
        -------
        DaskRBMTransformer
            The fitted machine.

        Raises
        ------
        ValueError
            If X or a parameter is invalid.
        LostRowsError
            If a worker is lost with rows that dask cannot recompute. The estimator then keeps what
            was learned up to the last finished pass.
        """
        held_out = {"X_val": X_val, "sample_weight_val": sample_weight_val}
        return self._fit_on_cluster(X, sample_weight=sample_weight, **held_out)

    def inverse_transform(self, X):
        """Return the expected visible units, as the plain machine does.

        Parameters
        ----------
        X : dask array or DataFrame, or array-like, of shape (n_samples, n_components)
            Values of the hidden units.

        Returns
        -------
        dask array or DataFrame, or ndarray, of shape (n_samples, n_features)
            Expected values, computed lazily for a collection.
        """
        return self._lazily("inverse_transform", X)

    def free_energy(self, X):
        """Return the free energy of the data, as the plain machine does.

        Parameters
        ----------
        X : dask array or DataFrame, or array-like, of shape (n_samples, n_features)
            Data.

        Returns
        -------
        dask array or Series, or ndarray, of shape (n_samples,)
            Free energies in nats, computed lazily for a collection.
        """
        return self._lazily("free_energy", X)

    def score_samples(self, X):
        """Return the pseudo-log-likelihood of the data, as the plain machine does.

        Parameters
        ----------
        X : dask array or DataFrame, or array-like, of shape (n_samples, n_features)
            Data.

        Returns
        -------
        dask array or Series, or ndarray, of shape (n_samples,)
            Pseudo-log-likelihoods in nats, computed lazily for a collection.
        """
        return self._lazily("score_samples", X)


class DaskDBNClassifier(_DistributedNet, DBNClassifier):
    """Deep belief net for classification with data on the workers of a cluster.

    In each pass every worker trains a copy of a layer, or of the network, on its own rows; then the
    copies are averaged, weighted by their rows. The activations of the layers stay on the workers,
    too. With one worker and one partition the parameters equal those of
    :class:`~skdbn.DBNClassifier` bit for bit.

    Parameters
    ----------
    *args : object
        `hidden_layer_sizes`.
    client : distributed.Client, default=None
        Client of the cluster; by default the current client.
    **parameters : object
        The other parameters of :class:`~skdbn.DBNClassifier`. Rows without labels are used for
        pretraining, but not for fine-tuning: `virtual_adversarial` must be 0 if there are any.

    See Also
    --------
    skdbn.DBNClassifier : The parameters, attributes and other methods.
    DaskRBMTransformer : How the rows are grouped, and what the result depends on.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sklearn.datasets import load_iris
    >>> from skdbn.dask import DaskDBNClassifier
    >>> client = Client(processes=False, n_workers=2, dashboard_address=":0")
    >>> X, y = load_iris(return_X_y=True)
    >>> X, y = da.from_array(X, chunks=(75, 4)), da.from_array(y, chunks=75)
    >>> net = DaskDBNClassifier((20,), random_state=0, client=client).fit(X, y)
    >>> net.predict(X)[:3].compute()
    array([0, 0, 0])
    >>> client.close()
    """

    _plain = DBNClassifier

    def __init__(self, *args, client=None, **parameters):
        super().__init__(*args, **parameters)
        self.client = client

    __init__.__signature__ = _signature(DBNClassifier)

    def _fit_on_cluster(self, X, **given):
        """Fit, unless fine-tuning would need rows without labels."""
        step = self.virtual_adversarial
        if step != 0.0 and (self.unlabeled is not None or step != "auto"):
            raise ValueError(
                f"virtual_adversarial == {step!r}: on a cluster, fine-tuning uses only rows with "
                "labels. Set virtual_adversarial=0; rows without labels are still used for "
                "pretraining."
            )
        return super()._fit_on_cluster(X, **given)

    def predict_proba(self, X):
        """Return the probability of each class, as the plain classifier does.

        Parameters
        ----------
        X : dask array or DataFrame, or array-like, of shape (n_samples, n_features)
            Data.

        Returns
        -------
        dask array or DataFrame, or ndarray, of shape (n_samples, n_classes)
            Probabilities, computed lazily for a collection.
        """
        return self._lazily("predict_proba", X)

    def predict_log_proba(self, X):
        """Return the logarithm of the probability of each class, as the plain classifier does.

        Parameters
        ----------
        X : dask array or DataFrame, or array-like, of shape (n_samples, n_features)
            Data.

        Returns
        -------
        dask array or DataFrame, or ndarray, of shape (n_samples, n_classes)
            Logarithms, computed lazily for a collection.
        """
        return self._lazily("predict_log_proba", X)


class DaskDBNRegressor(_DistributedNet, DBNRegressor):
    """Deep belief net for regression with data on the workers of a cluster.

    It is trained like :class:`DaskDBNClassifier`. With one worker and one partition the parameters
    equal those of :class:`~skdbn.DBNRegressor` bit for bit.

    Parameters
    ----------
    *args : object
        `hidden_layer_sizes`.
    client : distributed.Client, default=None
        Client of the cluster; by default the current client.
    **parameters : object
        The other parameters of :class:`~skdbn.DBNRegressor`.

    See Also
    --------
    skdbn.DBNRegressor : The parameters, attributes and other methods.
    DaskRBMTransformer : How the rows are grouped, and what the result depends on.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sklearn.datasets import load_diabetes
    >>> from skdbn.dask import DaskDBNRegressor
    >>> client = Client(processes=False, n_workers=2, dashboard_address=":0")
    >>> X, y = load_diabetes(return_X_y=True)
    >>> X = da.from_array(X, chunks=(221, 10))
    >>> net = DaskDBNRegressor((20,), random_state=0, client=client).fit(X, y)
    >>> net.predict(X).shape
    (442,)
    >>> client.close()
    """

    _plain = DBNRegressor

    def __init__(self, *args, client=None, **parameters):
        super().__init__(*args, **parameters)
        self.client = client

    __init__.__signature__ = _signature(DBNRegressor)


PLAIN = {cls._plain: cls for cls in (DaskRBMTransformer, DaskDBNClassifier, DaskDBNRegressor)}


def resume(path, X, y=None, sample_weight=None, *, client=None, callbacks=(), **held_out):
    """Resume a training on a cluster from its checkpoint, and complete it.

    Parameters
    ----------
    path : str or path-like
        The file. Later passes are written to it as before.
    X : dask array or DataFrame
        The same data that the training started with, in the same partitions.
    y, sample_weight : dask or plain array, default=None
        Targets and weights of the rows, as in `fit`.
    client : distributed.Client, default=None
        Client of a cluster with as many workers as before; by default the current client.
    callbacks : sequence of callback, default=()
        Further callbacks.
    **held_out : dask or plain array
        `X_val`, `y_val` and `sample_weight_val`, if they were given to `fit`.

    Returns
    -------
    DaskRBMTransformer, DaskDBNClassifier or DaskDBNRegressor
        The fitted estimator. Its parameters equal those of an uninterrupted training bit for bit.

    Raises
    ------
    ImportError
        If scikit-learn is older than 1.9.
    OSError
        If the file cannot be read.
    ValueError
        If the file is damaged, holds something else, or belongs to other data or another number of
        workers.

    See Also
    --------
    skdbn.Checkpoint : Write the file, with an example.
    skdbn.resume : The same for rows in memory.
    """
    given = {"y": y, "sample_weight": sample_weight, **held_out}
    with cluster_of(client) as cluster:
        given = {name: _here(value, cluster.client) for name, value in given.items()}
        local = resume_plain(path, partitions_of(X, cluster), **given, callbacks=callbacks)
    estimator = PLAIN[type(local)](**local.get_params(deep=False), client=client)
    vars(estimator).update(estimator._learned(local))
    return estimator


def _here(value, client):
    """Return a value, or the computed content of a collection, in the memory of the client."""
    return client.compute(value).result() if dask.is_dask_collection(value) else value


# -- prediction

# Fitted attributes that no method called here needs, with "ptt" many times the size of the others.
TRAINING_ONLY = ("rbms_", "h_samples_", "_kept")


def _of_collection(estimator, method, X):
    """Return the results of a method for each partition as a collection."""
    check_is_fitted(estimator)
    for name in TRAINING_ONLY:
        vars(estimator).pop(name, None)
    row = _typical_row(estimator, method, X)
    like, lazy = _called(row, estimator, method)[:0], dask.delayed(estimator)
    if hasattr(X, "columns"):
        return X.map_partitions(_called, lazy, method, meta=like)
    shape = {"drop_axis": 1}
    if like.ndim == 2:
        shape = {"chunks": (X.chunks[0], (like.shape[1],))}
    X = X.rechunk({1: -1})
    return X.map_blocks(_called, lazy, method, dtype=like.dtype, meta=like, **shape)


def _typical_row(estimator, method, X):
    """Return a row like those of a collection."""
    if getattr(X, "ndim", None) != 2:
        raise ValueError(
            f"X is a {type(X).__name__} with ndim == {getattr(X, 'ndim', None)}, must be a "
            "two-dimensional dask array or a dask DataFrame."
        )
    values = estimator.offset_[None]
    if method == "inverse_transform":
        values = np.zeros((1, len(estimator.components_)))
    if X.shape[1] != values.shape[1]:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{values.shape[1]} features as input."
        )
    if not hasattr(X, "columns"):
        return values.astype(floats_for(X)[0])
    import pandas as pd  # installed wherever there is a DataFrame

    return pd.DataFrame(values, columns=X.columns).astype(floats_for(X)[0])


def _called(X, estimator, method):
    """Return the result of a method for a partition; for a DataFrame with its index."""
    if X.shape[0] == 0:  # scikit-learn would refuse it
        return _called(_typical_row(estimator, method, X), estimator, method)[:0]
    values = np.asarray(getattr(estimator, method)(X))
    if not hasattr(X, "columns"):
        return values
    import pandas as pd

    if values.ndim == 1:
        return pd.Series(values, X.index, name=method)
    names = None
    if method == "transform":
        names = estimator.get_feature_names_out()
    elif method.endswith("proba"):
        names = estimator.classes_
    return pd.DataFrame(values, X.index, names)
