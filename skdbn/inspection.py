"""What a model has learned, in numbers.

Every function takes a fitted `RBMTransformer`, a list of them from the bottom up, a Pipeline of
them, or a `DBNClassifier` or `DBNRegressor`. Layers are counted from 1, next to the data.

For a net, they use its RBMs, `rbms_`, as pretraining left them. To see what the network itself
computes, pass the result of `finetuned`, the RBMs with fine-tuned weights.

In a Pipeline, the steps before the first RBM prepare the data: X is the input of the Pipeline, and
their `inverse_transform` maps reconstructions back to it. Probes are on the scale that the first
RBM sees.

The rule: numbers in, numbers out, in the type of the data or of the model. `skdbn.plotting`
draws them.
"""

from itertools import islice
from typing import NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, check_random_state, check_scalar
from sklearn.utils.validation import check_is_fitted, validate_data

from skdbn._training.checks import IMPUTER, check_values, flat_steps, flattened, floats_for
from skdbn._training.diagnosis import DEAD, SATURATED

__all__ = [
    "ChainStatistics",
    "LayerStatistics",
    "VisibleColumns",
    "bias_probe",
    "chain_statistics",
    "finetuned",
    "hidden_activations",
    "machine_input",
    "machines",
    "predictor",
    "reconstruct",
    "unit_probe",
    "unit_statistics",
    "visible_columns",
]


class LayerStatistics(NamedTuple):
    """How the hidden units of a layer respond to data.

    Attributes
    ----------
    layer : int
        Layer, counted from 1.
    n_units : int
        Number of hidden units.
    mean_activation : float
        Mean activation over rows and units.
    fraction_saturated : float
        Share of activations, over rows and units, below 0.05 or above 0.95, which is no fault;
        NaN unless the units are binary. (`saturated_units_curve_` counts units that are so in
        every row.)
    n_dead : int
        Number of units whose activation varies by less than 0.05 over all rows: they tell rows
        apart no better than an intercept does.
    """

    layer: int
    n_units: int
    mean_activation: float
    fraction_saturated: float
    n_dead: int


class ChainStatistics(NamedTuple):
    """How Gibbs chains move away from their start.

    Attributes
    ----------
    start : str
        Where the chains started, "data" or "noise".
    free_energy : ndarray of shape (1 + n_gibbs_steps, n_chains)
        Free energy of each chain in nats, at the start and after each step.
    overlap : ndarray of shape (1 + n_gibbs_steps,)
        Correlation of the states with those at the start, over chains and units, around the mean of
        each unit over the chains: 1 at the start, about 0 once the chains have forgotten it; NaN if
        all chains are in the same state.
    """

    start: str
    free_energy: object
    overlap: object


class VisibleColumns(NamedTuple):
    """How the first RBM of a model sees the columns of the data.

    Attributes
    ----------
    names : ndarray of str of shape (n_features,) or None
        Names of the columns, if the model was fitted on a DataFrame and the steps before the RBM
        pass names on.
    visible_units : ndarray of str of shape (n_features,)
        Kind of unit of each column, "binary" or "gaussian".
    offset, scale : ndarray of shape (n_features,)
        Mean and standard deviation of each column with a gaussian unit; 0 and 1 for the others.
    """

    names: object
    visible_units: object
    offset: object
    scale: object


# -- models


def machines(model):
    """Return the restricted Boltzmann machines (RBMs) of a model.

    Parameters
    ----------
    model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
        A fitted model.

    Returns
    -------
    list of RBMTransformer
        The RBMs, the one next to the data first.

    Raises
    ------
    TypeError
        If the model has no RBM, or another step between two RBMs.
    ValueError
        If an RBM does not fit on top of the one below.

    Examples
    --------
    >>> from skdbn import DBNClassifier
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.inspection import machines
    >>> X, _, y, _ = load_digits()
    >>> net = DBNClassifier((20, 10), random_state=0).fit(X, y)
    >>> [rbm.n_components for rbm in machines(net)]
    [20, 10]
    """
    return _split(model)[1]


def finetuned(model):
    """Return the RBMs of a net with fine-tuned weights.

    Every other function of this module and every Display of `skdbn.plotting` takes the result as
    its model. On the way up it computes what the network does: the activations of the top layer are
    what `transform` of the net returns. The way down uses the same weights, with the visible
    intercepts from pretraining, since the network has none.

    Parameters
    ----------
    model : DBNClassifier, DBNRegressor or Pipeline
        A fitted net that was pretrained, or a Pipeline with one.

    Returns
    -------
    list of RBMTransformer or Pipeline
        Copies of the RBMs, the one next to the data first; for a Pipeline, a Pipeline in which they
        replace the net.

    Raises
    ------
    TypeError
        If the model has no net.
    ValueError
        If a hidden layer of the net was not pretrained.

    Examples
    --------
    >>> from skdbn import DBNClassifier
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.inspection import finetuned, hidden_activations
    >>> X, _, y, _ = load_digits()
    >>> net = DBNClassifier((20, 10), random_state=0).fit(X, y)
    >>> bool(abs(hidden_activations(finetuned(net), X) - net.transform(X)).max() < 1e-5)
    True
    """
    _refuse_search(model)
    if hasattr(model, "_finetuned_machines"):
        return model._finetuned_machines()
    model, steps, has_net = flattened(model), [], False
    for name, step in getattr(model, "steps", []):
        if hasattr(step, "_finetuned_machines"):
            rbms, has_net = step._finetuned_machines(), True
            steps += [(f"{name} layer {layer}", rbm) for layer, rbm in enumerate(rbms, 1)]
        else:
            steps.append((name, step))
    if not has_net:
        raise TypeError(
            f"model == {model!r} has no net with fine-tuned weights. Pass a fitted DBNClassifier "
            "or DBNRegressor, or a Pipeline with one."
        )
    return Pipeline(steps)


def visible_columns(model):
    """Return how the first RBM of a model sees the columns of the data.

    Parameters
    ----------
    model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
        A fitted model.

    Returns
    -------
    VisibleColumns
        Names, kinds of units, and scales.

    Raises
    ------
    TypeError, ValueError
        If the model is invalid.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skdbn import RBMTransformer
    >>> from skdbn.inspection import visible_columns
    >>> columns = visible_columns(RBMTransformer(5).fit(load_wine(as_frame=True).data))
    >>> str(columns.names[-1]), int(columns.offset[-1])
    ('proline', 746)
    """
    before, rbms = _split(model)
    first = _steps(model)[len(before)]
    names = getattr(first, "feature_names_in_", None)
    if names is None and before:
        names = getattr(before[0], "feature_names_in_", None)
        for step in before:
            has_names = names is not None and hasattr(step, "get_feature_names_out")
            names = step.get_feature_names_out(names) if has_names else None
    return VisibleColumns(names, rbms[0].visible_units_, rbms[0].offset_, rbms[0].scale_)


def predictor(model):
    """Return the part of a model that predicts from rows as its first RBM sees them.

    These are rows such as ``sample`` of an RBM or a net draws.

    Parameters
    ----------
    model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
        A fitted model.

    Returns
    -------
    estimator or None
        A net, or a Pipeline of RBMs and the steps above them. None if no step predicts, or if no
        pass has trained the top layer of the net.

    Raises
    ------
    TypeError, ValueError
        If the model is invalid.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import MinMaxScaler
    >>> from skdbn import DBNClassifier
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.inspection import predictor
    >>> X, _, y, _ = load_digits()
    >>> model = make_pipeline(MinMaxScaler(), DBNClassifier((20,), random_state=0)).fit(X, y)
    >>> predictor(model).predict_proba(model[-1].sample(5, random_state=0)).shape
    (5, 10)
    """
    first = _steps(model)[len(_split(model)[0])]
    model = flattened(model)
    if hasattr(model, "steps"):
        model = model[[step for _, step in model.steps].index(first) :]
    net = model.steps[-1][1] if hasattr(model, "steps") else model
    if hasattr(net, "_top") and not (getattr(net, f"{net._top}_loss_curve_") or net.loss_curve_):
        return None
    return model if hasattr(model, "predict") else None


def _steps(model):
    """Return the steps of a model, from the bottom up."""
    return list(model) if isinstance(model, list | tuple) else flat_steps(model)


def _refuse_search(model):
    """Raise if a model is a search, or ends in one."""
    for step in _steps(model)[-1:]:
        if hasattr(step, "refit") and hasattr(step, "estimator"):
            is_part = hasattr(model, "steps")
            best = "make_pipeline(model[:-1], model[-1].best_estimator_)" if is_part else ""
            fit = "" if hasattr(step, "best_estimator_") else "fit it with refit=True, then "
            raise TypeError(
                f"model {'ends in' if is_part else 'is'} a {type(step).__name__}, which has no "
                f"RBMs of its own: {fit}pass {best or 'its best_estimator_'}."
            )


def _split(model):
    """Return the steps before the RBMs, and the RBMs."""
    _refuse_search(model)
    steps = _steps(model)
    first = next((i for i, step in enumerate(steps) if _is_model(step)), None)
    if first is None:
        raise TypeError(
            f"model == {model!r} has no restricted Boltzmann machine. Pass a fitted "
            "RBMTransformer, a list or a Pipeline of them, or a DBNClassifier or DBNRegressor "
            "with pretrain=True."
        )
    found = []
    for step in steps[first:]:
        if not _is_model(step):
            break  # for example at a classifier on top
        check_is_fitted(step)
        found += step.rbms_ if hasattr(step, "rbms_") else [step]
    if not found:
        raise TypeError(
            "The network was trained with pretrain=False, so it has no RBMs to inspect."
        )
    for below, above in zip(found, found[1:], strict=False):
        if above.n_features_in_ != below.components_.shape[0]:
            raise ValueError(
                f"An RBM with {below.components_.shape[0]} hidden units lies below one that was "
                f"trained on {above.n_features_in_} features. Pass the RBMs of one stack, the one "
                "next to the data first."
            )
    return steps[:first], found


def _is_model(step):
    """Tell whether an estimator is an RBM or a stack of them."""
    return (
        hasattr(step, "hidden_layer_sizes")
        and hasattr(step, "rbm")
        or (hasattr(step, "inverse_transform") and hasattr(step, "n_gibbs_steps"))
    )


def _check_layer(layer, name, n_layers):
    """Return a valid number of layers; None stands for all of them."""
    if layer is None:
        return n_layers
    return check_scalar(layer, name, (int, np.integer), min_val=1, max_val=n_layers)


def _prepare(model, X):
    """Return data as the first RBM sees them."""
    steps, rbms = _split(model)
    for step in steps:
        X = step.transform(X)
    if hasattr(X, "columns"):  # compare the names
        validate_data(_steps(model)[len(steps)], X, reset=False, skip_check_array=True)
    rules = {"accept_sparse": "csr", "order": "C", "ensure_all_finite": False}
    X = check_array(X, dtype=floats_for(X), **rules)
    check_values(X, filler=IMPUTER if steps else "impute of the first RBM")
    if X.shape[1] != rbms[0].n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but the model was trained on {rbms[0].n_features_in_}."
        )
    return X


def _back(steps, X):
    """Return rows as the first RBM sees them in the units of the data."""
    for step in reversed(steps):
        is_imputer = hasattr(step, "add_indicator")
        if is_imputer and X.shape[1] == step.n_features_in_:
            continue  # with no value missing, it changes nothing
        if is_imputer or not hasattr(step, "inverse_transform"):
            raise TypeError(
                f"{step!r} before the RBMs has no way back. Pass the RBMs, machines(model), and "
                "the data as they see them, machine_input(model, X)."
            )
        X = step.inverse_transform(X)
    return np.asarray(X)


def _up(rbms, X):
    """Return the activations of the top RBM."""
    for rbm in rbms:
        X = rbm._hidden_mean(X)  # not `transform`, which may return a DataFrame
    return X


def _down(rbms, H):
    """Return the visible pattern that activations of the top RBM generate."""
    for rbm in reversed(rbms):
        H = rbm.inverse_transform(H)
    return H


# -- numbers


def machine_input(model, X):
    """Return data as the first RBM sees them.

    Parameters
    ----------
    model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
        A fitted model.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data; for a Pipeline, its input.

    Returns
    -------
    ndarray or CSR matrix of shape (n_samples, n_visible)
        Output of the steps before the RBM, or X if there are none, in the units of the data.

    Raises
    ------
    TypeError, ValueError
        If the model or X is invalid.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import MinMaxScaler
    >>> from skdbn import RBMTransformer
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.inspection import machine_input
    >>> X = 16 * load_digits()[0]
    >>> model = make_pipeline(MinMaxScaler(), RBMTransformer(5, n_iter=1)).fit(X)
    >>> float(machine_input(model, X).max())
    1.0
    """
    return _prepare(model, X)


def reconstruct(model, X, n_layers=None):
    """Return data after their way up through the layers and back down.

    Parameters
    ----------
    model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
        A fitted model.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data.
    n_layers : int, default=None
        Number of layers to go up, by default all. The way down uses the visible intercepts of the
        RBMs.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        Reconstructions.

    Raises
    ------
    TypeError, ValueError
        If the model, X or n_layers is invalid.

    References
    ----------
    Hinton and Salakhutdinov (2006), "Reducing the dimensionality of data with neural networks".

    Examples
    --------
    >>> from skdbn import RBMTransformer
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.inspection import reconstruct
    >>> X, X_test, _, _ = load_digits()
    >>> rbm = RBMTransformer(100, random_state=0).fit(X)
    >>> error = ((reconstruct(rbm, X_test) - X_test) ** 2).mean()
    >>> bool(error < ((X.mean(axis=0) - X_test) ** 2).mean() / 3)
    True
    """
    steps, rbms = _split(model)
    rbms = rbms[: _check_layer(n_layers, "n_layers", len(rbms))]
    return _back(steps, _down(rbms, _up(rbms, _prepare(model, X))))


def bias_probe(model):
    """Return the visible pattern of each layer with all its hidden units off.

    Without input from the hidden units, only the intercepts act: the probe of a trained model
    resembles the mean of the data.

    Parameters
    ----------
    model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
        A fitted model.

    Returns
    -------
    ndarray of shape (n_layers, n_features)
        A visible pattern for each layer, the one next to the data first.

    Raises
    ------
    TypeError, ValueError
        If the model is invalid.

    Examples
    --------
    >>> from skdbn import RBMTransformer
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.inspection import bias_probe
    >>> rbm = RBMTransformer(20, random_state=0).fit(load_digits()[0])
    >>> bias_probe(rbm).shape
    (1, 64)
    """
    rbms = machines(model)
    probes = [
        _down(rbms[:i], np.zeros((1, rbms[i - 1].components_.shape[0]), rbms[0].components_.dtype))
        for i in range(1, len(rbms) + 1)
    ]
    return np.concatenate(probes)


def unit_probe(model, layer=1, subtract_bias=True):
    """Return the visible pattern of each hidden unit of a layer with only this unit on.

    Parameters
    ----------
    model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
        A fitted model.
    layer : int, default=1
        Layer, counted from 1 next to the data.
    subtract_bias : bool, default=True
        Whether to subtract the bias probe of the layer, which leaves what the unit adds (above 0)
        or removes (below 0).

    Returns
    -------
    ndarray of shape (n_units, n_features)
        A visible pattern for each unit.

    Raises
    ------
    TypeError, ValueError
        If the model or the layer is invalid.

    Examples
    --------
    >>> from skdbn import RBMTransformer
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.inspection import unit_probe
    >>> rbm = RBMTransformer(20, random_state=0).fit(load_digits()[0])
    >>> unit_probe(rbm, layer=1).shape
    (20, 64)
    """
    rbms = machines(model)
    rbms = rbms[: _check_layer(layer, "layer", len(rbms))]
    probes = _down(rbms, np.eye(rbms[-1].components_.shape[0], dtype=rbms[0].components_.dtype))
    return probes - bias_probe(rbms)[-1] if subtract_bias else probes


def hidden_activations(model, X, layer=None):
    """Return the activations of the hidden units of a layer.

    Parameters
    ----------
    model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
        A fitted model.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data.
    layer : int, default=None
        Layer, counted from 1 next to the data; by default the top one.

    Returns
    -------
    ndarray of shape (n_samples, n_units)
        Means of the hidden units given the layer below; for a net those of its pretrained RBMs, for
        ``finetuned(net)`` those that the network computes.

    Raises
    ------
    TypeError, ValueError
        If the model, X or the layer is invalid.

    Examples
    --------
    >>> from skdbn import RBMTransformer
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.inspection import hidden_activations
    >>> X = load_digits()[0]
    >>> rbm = RBMTransformer(20, random_state=0).fit(X)
    >>> hidden_activations(rbm, X).shape
    (1437, 20)
    """
    steps, rbms = _split(model)
    rbms = rbms[: _check_layer(layer, "layer", len(rbms))]
    return _up(rbms, _prepare(model, X))


def unit_statistics(model, X):
    """Return how the hidden units of each layer respond to data.

    Parameters
    ----------
    model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
        A fitted model.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data.

    Returns
    -------
    list of LayerStatistics
        One for each layer; ``pandas.DataFrame`` turns the list into a table.

    Raises
    ------
    TypeError, ValueError
        If the model or X is invalid.

    Examples
    --------
    >>> from skdbn import RBMTransformer
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.inspection import unit_statistics
    >>> X = load_digits()[0]
    >>> statistics = unit_statistics(RBMTransformer(20, random_state=0).fit(X), X)[0]
    >>> statistics.layer, statistics.n_units, statistics.n_dead
    (1, 20, 0)
    """
    rbms, H = machines(model), _prepare(model, X)
    result = []
    for layer, rbm in enumerate(rbms, 1):
        H = _up([rbm], H)
        saturated = np.nan
        if rbm._units[1] == "binary":
            saturated = float(((H < SATURATED) | (H > 1 - SATURATED)).mean())
        n_dead = int((np.ptp(H, axis=0) < DEAD).sum())
        result.append(LayerStatistics(layer, H.shape[1], float(H.mean()), saturated, n_dead))
    return result


def chain_statistics(model, X=None, n_chains=20, n_gibbs_steps=1000, random_state=None):
    """Return how Gibbs chains of the top RBM move, from data and from noise.

    The RBM mixes only if the overlaps fall to 0 and chains from both starts reach the same free
    energies. Samples after fewer steps than that depend on where they start.

    Parameters
    ----------
    model : RBMTransformer, DBNClassifier, DBNRegressor, Pipeline, or sequence of RBMTransformer
        A fitted model.
    X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
        Data, at least 2 rows; chains start at rows drawn from them, whose expected activations are
        passed up to the top RBM. Without data, chains start only at noise.
    n_chains : int, default=20
        Number of chains from each start, at least 2; from data at most one for each row.
    n_gibbs_steps : int, default=1000
        Number of steps of each chain.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows and states that are drawn.

    Returns
    -------
    list of ChainStatistics
        Statistics of the chains from data, if X is given, and of those from noise: states drawn
        without input from the hidden units.

    Raises
    ------
    TypeError, ValueError
        If the model, X or a number is invalid.

    Examples
    --------
    >>> from skdbn import RBMTransformer
    >>> from skdbn.datasets import load_digits
    >>> from skdbn.inspection import chain_statistics
    >>> X = load_digits()[0]
    >>> rbm = RBMTransformer(20, random_state=0).fit(X)
    >>> of_data, of_noise = chain_statistics(rbm, X, n_gibbs_steps=10, random_state=0)
    >>> of_data.start, of_data.free_energy.shape, of_data.overlap.shape
    ('data', (11, 20), (11,))
    """
    check_scalar(n_chains, "n_chains", (int, np.integer), min_val=2)
    check_scalar(n_gibbs_steps, "n_gibbs_steps", (int, np.integer), min_val=1)
    random_state = check_random_state(random_state)
    *below, top = machines(model)
    starts = {"noise": None}
    if X is not None:
        X = _prepare(model, X)
        if X.shape[0] < 2:
            raise ValueError(
                "X has 1 row, but overlaps compare chains with their mean. Pass at least 2 rows, "
                "or X=None to start only at noise."
            )
        rows = random_state.permutation(X.shape[0])[:n_chains]
        starts = {"data": _up(below, X[rows]), **starts}
    result = []
    for name, start in starts.items():
        chains = top._trace(n_chains, start, random_state)
        result.append(_statistics_of_chains(name, chains, n_gibbs_steps))
    return result


def _statistics_of_chains(name, chains, n_gibbs_steps):
    """Return statistics of chains, given as an iterator of states and free energies."""
    first, energy = next(chains)
    overlaps, energies = [_overlap(first, first)], [energy]
    for v, energy in islice(chains, n_gibbs_steps):
        overlaps.append(_overlap(first, v))
        energies.append(energy)
    return ChainStatistics(name, np.array(energies), np.array(overlaps))


def _overlap(first, v):
    """Return the correlation of states, each unit minus its mean over the chains."""
    first, v = first - first.mean(axis=0), v - v.mean(axis=0)
    with np.errstate(invalid="ignore"):
        return float((first * v).sum() / np.sqrt((first**2).sum() * (v**2).sum()))
