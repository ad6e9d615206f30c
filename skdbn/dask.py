"""Estimators whose rows lie on the workers of a cluster of dask.distributed.

They train with the code of the plain estimators, pass by pass on the client, while the rows stay
where they lie: see `skdbn._cluster`. They predict lazily.

The rule: an estimator of this module has the parameters, the methods and the fitted attributes of
its plain one, which `to_local` returns.
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
    from distributed import get_client

    from skdbn._cluster.client import Cluster
    from skdbn._cluster.reading import partitions_of
except ImportError as error:
    raise ImportError(
        f"skdbn.dask needs dask.distributed ({error}). Install it with pip install 'skdbn[dask]'."
    ) from error

__all__ = [
    "DaskDBNClassifier",
    "DaskDBNRegressor",
    "DaskRBMTransformer",
    "LostRowsError",
    "resume",
]


def _signature(plain):
    """Return the signature of a plain constructor and a client, which scikit-learn reads."""
    signature = inspect.signature(plain.__init__)
    client = inspect.Parameter("client", inspect.Parameter.KEYWORD_ONLY, default=None)
    return signature.replace(parameters=[*signature.parameters.values(), client])


class _Distributed:
    """What the estimators of this module have in common."""

    def to_local(self):
        """Return the plain estimator, fitted if this one is.

        Returns
        -------
        RBMTransformer, DBNClassifier or DBNRegressor
            It has the same parameters and shares the fitted attributes.
        """
        parameters = self.get_params(deep=False)
        del parameters["client"]
        local = self._plain(**parameters)
        vars(local).update(self._learned(self))
        return local

    def _learned(self, estimator):
        """Return what a fit leaves in an estimator."""
        own = {*self.get_params(deep=False), "_skl_callbacks"}
        return {name: value for name, value in vars(estimator).items() if name not in own}

    def _fit_on_cluster(self, X, **given):
        """Fit the plain estimator to rows on the workers, and take over what it learned."""
        cluster, local = Cluster(self.client or get_client()), self.to_local()
        if callbacks_of(self):
            local.set_callbacks(*callbacks_of(self))
        given = {name: _here(value, cluster.client) for name, value in given.items()}
        try:
            local.fit(partitions_of(X, cluster), **given)
        finally:
            vars(self).update(self._learned(local))
        return self

    def _lazily(self, method, X):
        """Return what a method of the plain estimator makes of rows; lazily of a collection."""
        if not dask.is_dask_collection(X):
            return getattr(super(), method)(X)
        return _of_collection(self.to_local(), method, X)

    def __sklearn_clone__(self):
        bare = copy.copy(self)  # whose client is None: a client cannot be copied
        clone = super(_Distributed, bare).__sklearn_clone__()
        clone.client = self.client
        return clone

    def __getstate__(self):
        return {**super().__getstate__(), "client": None}

    def transform(self, X):
        """Return the hidden units, as the plain estimator does.

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
    """What the nets of this module have in common."""

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Pretrain the layers, train the top layer, fine-tune the network.

        Parameters
        ----------
        X : dask array or DataFrame of shape (n_samples, n_features)
            Training data, which stay on the workers.
        y : dask or plain array, Series or DataFrame of length n_samples
            What is to be predicted, which comes to the client.
        sample_weight : dask or plain array of shape (n_samples,), default=None
            How much each row counts.
        X_val : dask or plain array or DataFrame, default=None
            Held-out data that are watched, which come to the client.
        y_val : dask or plain array, default=None
            What is to be predicted of them.
        sample_weight_val : dask or plain array, default=None
            How much each of them counts.

        Returns
        -------
        DaskDBNClassifier or DaskDBNRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            When X, y, a weight or a parameter is not what is allowed.
        LostRowsError
            When a worker was lost with rows that dask cannot make again. The estimator then holds
            what the last finished pass left.
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
        """Return what is predicted, as the plain estimator does.

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
    """Restricted Boltzmann machine whose rows lie on several machines.

    Each worker trains its own copy of the machine on its rows for a pass; then the copies are
    averaged, weighted by their rows. With one worker and one partition the parameters have the bits
    of :class:`~skdbn.RBMTransformer`.

    Parameters
    ----------
    *args : object
        `n_components`.
    client : distributed.Client, default=None
        The cluster; by default that of the current client.
    **parameters : object
        The other parameters of :class:`~skdbn.RBMTransformer`.

    See Also
    --------
    skdbn.RBMTransformer : The parameters, attributes and other methods.

    Notes
    -----
    Neighbouring partitions make a group, one for each worker that the cluster has when `fit`
    begins. The result depends on the partitions, the number of groups and `random_state`, not on
    which worker has which, nor on timing. Partitions are joined up to 128 MiB, and rows are
    shuffled within what was joined. Rows that fill less than a quarter of the memory of all workers
    are held there; others are read or computed anew in each pass.

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
            Training data, NaN where a value is missing, which stay on the workers.
        y : None
            Ignored.
        sample_weight : dask or plain array of shape (n_samples,), default=None
            How much each row counts.
        X_val : dask or plain array or DataFrame, default=None
            Held-out data that are watched, which come to the client.
        sample_weight_val : dask or plain array, default=None
            How much each of them counts.

        Returns
        -------
        DaskRBMTransformer
            The fitted machine.

        Raises
        ------
        ValueError
            When X or a parameter is not what is allowed.
        LostRowsError
            When a worker was lost with rows that dask cannot make again. The estimator then holds
            what the last finished pass left.
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
    """Deep belief net for classes whose rows lie on several machines.

    Each worker trains its own copy of a layer, or of the network, on its rows for a pass; then the
    copies are averaged, weighted by their rows. The activations of a layer stay on the workers,
    too. With one worker and one partition the parameters have the bits of
    :class:`~skdbn.DBNClassifier`.

    Parameters
    ----------
    *args : object
        `hidden_layer_sizes`.
    client : distributed.Client, default=None
        The cluster; by default that of the current client.
    **parameters : object
        The other parameters of :class:`~skdbn.DBNClassifier`. Rows that have no label help to
        pretrain, but fine-tuning leaves them out: `virtual_adversarial` must be 0 where there are
        any.

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
        """Fit, unless rows without a label are to be moved."""
        step = self.virtual_adversarial
        if step != 0.0 and (self.unlabeled is not None or step != "auto"):
            raise ValueError(
                f"virtual_adversarial == {step!r}: on a cluster, rows are fine-tuned with their "
                "labels alone. Set virtual_adversarial=0; rows without a label still help to "
                "pretrain."
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
    """Deep belief net for numbers whose rows lie on several machines.

    It is trained as :class:`DaskDBNClassifier` is. With one worker and one partition the parameters
    have the bits of :class:`~skdbn.DBNRegressor`.

    Parameters
    ----------
    *args : object
        `hidden_layer_sizes`.
    client : distributed.Client, default=None
        The cluster; by default that of the current client.
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
    """Go on with a training on a cluster from its checkpoint, to its end.

    Parameters
    ----------
    path : str or path-like
        The file, to which later passes are written as before.
    X : dask array or DataFrame
        The same data, in the same partitions, that the training began with.
    y, sample_weight : dask or plain array, default=None
        What belonged to the rows.
    client : distributed.Client, default=None
        A cluster with as many workers; by default that of the current client.
    callbacks : sequence of callback, default=()
        Further callbacks.
    **held_out : dask or plain array
        `X_val`, `y_val` and `sample_weight_val`, where there were any.

    Returns
    -------
    DaskRBMTransformer, DaskDBNClassifier or DaskDBNRegressor
        The fitted estimator, with the bits of one whose training was not interrupted.

    Raises
    ------
    ImportError
        When scikit-learn is older than 1.9.
    OSError
        When the file cannot be read.
    ValueError
        When the file is damaged, holds something else, or belongs to other data or another number
        of workers.

    See Also
    --------
    skdbn.Checkpoint : What writes the file.
    skdbn.resume : The same for rows in memory.
    """
    cluster = Cluster(client or get_client())
    given = {"y": y, "sample_weight": sample_weight, **held_out}
    given = {name: _here(value, cluster.client) for name, value in given.items()}
    local = resume_plain(path, partitions_of(X, cluster), **given, callbacks=callbacks)
    estimator = PLAIN[type(local)](**local.get_params(deep=False), client=client)
    vars(estimator).update(estimator._learned(local))
    return estimator


def _here(value, client):
    """Return a value, or the content of a collection, in the memory of the client."""
    return client.compute(value).result() if dask.is_dask_collection(value) else value


# -- prediction


def _of_collection(estimator, method, X):
    """Return the collection of what a method makes of each partition."""
    check_is_fitted(estimator)
    vars(estimator).pop("rbms_", None)  # which no method needs that comes here
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
    """Return a row that is like those of a collection."""
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
    import pandas as pd  # which comes with a DataFrame

    return pd.DataFrame(values, columns=X.columns).astype(floats_for(X)[0])


def _called(X, estimator, method):
    """Return what a method makes of a partition; of a DataFrame in a container with its index."""
    if len(X) == 0:  # which scikit-learn refuses
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
