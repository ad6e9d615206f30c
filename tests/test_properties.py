"""Hostile input: a documented error, or results that are finite and valid."""

import copy
import functools
import os
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from scipy import sparse

from skdbn import DBNClassifier, DBNRegressor, RBMTransformer

LONG_RUN = "SKDBN_EXAMPLES" in os.environ  # of benchmarks/properties.py
N_EXAMPLES = int(os.environ.get("SKDBN_EXAMPLES", 500))  # of each of four properties
PROFILE = settings(
    max_examples=N_EXAMPLES,
    deadline=None,
    derandomize=not LONG_RUN,
    database=None,
    suppress_health_check=list(HealthCheck),
)
EXTREMES = [0.0, -0.0, 1.0, 0.5, 1e-300, 5e-324, 1e300, -1e300, 1e-40, 1e30, 255.0, -3.0]
BROKEN = [np.nan, np.inf, -np.inf]
DTYPES = ["f8", "f4", "f2", "i8", "i4", "u1", "?", "O"]
FORMATS = ["csr_matrix", "csc_matrix", "coo_matrix", "lil_matrix", "dok_matrix", "csr_array"]


@st.composite
def tables(draw):
    """Tables of every kind, most of them sane."""
    n_rows = draw(st.sampled_from([24, 24, 24, 12, 8, 3, 2, 1, 0]))
    n_columns = draw(st.sampled_from([6, 6, 6, 2, 1, 0]))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    X = rng.random((n_rows, n_columns))
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        if X.size:
            values = EXTREMES + (BROKEN if draw(st.booleans()) else [])
            X.flat[rng.integers(X.size)] = draw(st.sampled_from(values))
    kind = draw(st.sampled_from(["as it is", "equal rows", "constant columns", "binary"]))
    if kind == "equal rows" and n_rows:
        X[:] = X[0]
    elif kind == "constant columns" and n_columns:
        X[:, 0] = 1.0
    elif kind == "binary":
        X = (X > 0.5).astype(float)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X = X.astype(draw(st.sampled_from(DTYPES)))
    layout = draw(st.sampled_from(["C", "F", "reversed", "strided", "sparse", "list"]))
    if layout == "F":
        X = np.asfortranarray(X)
    elif layout == "reversed":
        X = X[::-1]
    elif layout == "strided":
        X = np.repeat(X, 2, axis=0)[::2]
    elif layout == "sparse" and X.dtype.kind in "fiu" and X.dtype != np.float16:
        X = getattr(sparse, draw(st.sampled_from(FORMATS)))(X)
    elif layout == "list":
        X = X.tolist()
    return X


@st.composite
def labels(draw, n_rows):
    """Labels of every kind."""
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    y = rng.integers(0, draw(st.sampled_from([2, 2, 2, 3, 1])), n_rows)
    kind = draw(
        st.sampled_from(
            ["int"] * 8
            + ["negative", "float", "bool", "str", "object", "continuous", "column"]
            + ["nan", "none", "short", "mixed", "indicator", "one-hot", "sparse indicator"]
        )
    )
    return {
        "int": lambda: y,
        "negative": lambda: -y,
        "float": lambda: y.astype(float),
        "bool": lambda: y > 0,
        "str": lambda: y.astype(str),
        "object": lambda: y.astype(str).astype(object),
        "continuous": lambda: y + rng.random(n_rows),
        "column": lambda: y[:, None],
        "nan": lambda: np.where(y == 0, np.nan, y),
        "none": lambda: None,
        "short": lambda: y[:-1],
        "mixed": lambda: np.array([int(v) if v else "none" for v in y], object),
        "indicator": lambda: rng.integers(0, 2, (n_rows, 3)),
        "one-hot": lambda: np.eye(3)[y],
        "sparse indicator": lambda: sparse.csr_matrix(rng.integers(0, 2, (n_rows, 3))),
    }[kind]()


@st.composite
def targets(draw, n_rows):
    """Targets of every kind."""
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    y = rng.normal(size=n_rows)
    kind = draw(
        st.sampled_from(
            ["numbers"] * 4
            + ["two", "column", "counts", "constant", "extreme", "broken", "sparse", "object"]
            + ["text", "none", "short", "empty", "complex"]
        )
    )
    extreme = np.where(rng.random(n_rows) < 0.2, draw(st.sampled_from(EXTREMES)), y)
    return {
        "numbers": lambda: y * draw(st.sampled_from([1.0, 1e-6, 1e6, 1e-300, 1e100])),
        "two": lambda: np.column_stack([y, 1e6 + y]),
        "column": lambda: y[:, None],
        "counts": lambda: rng.poisson(1.0, n_rows),
        "constant": lambda: np.full(n_rows, draw(st.sampled_from(EXTREMES))),
        "extreme": lambda: extreme,
        "broken": lambda: np.where(rng.random(n_rows) < 0.2, draw(st.sampled_from(BROKEN)), y),
        "sparse": lambda: sparse.csr_matrix(rng.poisson(0.5, (n_rows, 2))),
        "object": lambda: y.astype(object),
        "text": lambda: np.where(y > 0, "high", "low"),
        "none": lambda: None,
        "short": lambda: y[:-1],
        "empty": lambda: np.zeros((n_rows, 0)),
        "complex": lambda: y + 1j,
    }[kind]()


@st.composite
def row_weights(draw, n_rows):
    """Weights of rows of every kind; mostly none."""
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    weight = rng.integers(0, 3, n_rows)
    kind = draw(
        st.sampled_from(
            ["none"] * 6
            + ["whole", "real", "bool", "number", "huge", "tiny", "list"]
            + ["zero", "negative", "nan", "short", "matrix", "text"]
        )
    )
    return {
        "none": lambda: None,
        "whole": lambda: weight,
        "real": lambda: rng.random(n_rows),
        "bool": lambda: weight > 0,
        "number": lambda: 2.0,
        "huge": lambda: 8e307 * weight,
        "tiny": lambda: 5e-324 * weight,
        "list": lambda: weight.tolist(),
        "zero": lambda: 0 * weight,
        "negative": lambda: weight - 1,
        "nan": lambda: np.where(weight, np.nan, 1.0),
        "short": lambda: weight[:-1],
        "matrix": lambda: weight[:, None],
        "text": lambda: np.where(weight, "a", "b"),
    }[kind]()


def options(sane, hostile):
    """Parameters of an estimator: sane ones, now and then with a hostile one."""
    return st.tuples(
        st.fixed_dictionaries({name: st.sampled_from(values) for name, values in sane.items()}),
        st.sampled_from([{}] * (2 * len(hostile)) + hostile),
    ).map(lambda pair: {**pair[0], **pair[1]})


RBMS = options(
    {
        "n_components": [1, 3, 7],
        "visible_units": ["binary", "gaussian"],
        "hidden_units": ["binary", "gaussian"],
        "gradient": ["cd", "pcd"],
        "n_gibbs_steps": [1, 2],
        "learning_rate": [0.1, 1e-3],
        "momentum": [0.9, 0.0, 0.999],
        "weight_decay": [0.0, 2e-4],
        "batch_size": ["auto", 1, 100],
        "n_iter": [0, 1, 2],
        "early_stopping": [False, False, True],
        "random_state": [0, 1],
    },
    [
        {"learning_rate": 1e300},
        {"learning_rate": 10.0},
        {"learning_rate": "high"},
        {"learning_rate": -1.0},
        {"momentum": 1.0},
        {"weight_decay": 1e300},
        {"batch_size": 0},
        {"n_iter": -1},
        {"n_components": 2.5},
        {"gradient": None},
        {"random_state": "seed"},
    ],
)
NETS = options(
    {
        "hidden_layer_sizes": [3, (3,), (4, 2)],
        "pretrain": [True, False],
        "softmax_iter": [0, 1],
        "finetune_iter": [0, 1, 2],
        "solver": ["adam", "sgd"],
        "learning_rate_init": ["auto", 0.01],
        "learning_rate": ["cosine", "constant"],
        "alpha": [0.0, 1e-3],
        "dropout": [0.0, 0.5],
        "input_dropout": [0.0, 0.3],
        "noise": [0.0, 0.5],
        "input_noise": [0.0, 0.3],
        "adversarial": [0.0, 1.0],
        "label_smoothing": [0.0, 0.1],
        "batch_size": ["auto", 1, 5],
        "early_stopping": [False, False, True],
        "random_state": [0, 1],
    },
    [
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": (3, 0)},
        {"learning_rate_init": 1e300},
        {"learning_rate_init": 0.0},
        {"solver": "newton"},
        {"dropout": 1.0},
        {"noise": 1e300},
        {"input_noise": -1.0},
        {"adversarial": 1e300},
        {"label_smoothing": 1.0},
        {"alpha": -1.0},
        {"finetune_iter": 1.5},
        {"validation_fraction": 1.0},
    ],
)
LOSSES = st.sampled_from(["squared_error", "squared_error", "absolute_error", "poisson", "hinge"])


def fingerprint(X):
    """Content of a table, to see that it was not changed."""
    if sparse.issparse(X):
        return X.tocoo().toarray().tobytes(), X.dtype, X.format
    return np.asarray(X).tobytes() if not isinstance(X, list) else repr(X)


def n_rows_of(X):
    """Rows of a table of any kind."""
    return X.shape[0] if hasattr(X, "shape") else len(X)


def outcome(function, *arguments):
    """Return the result, or None after a documented error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)  # those of the library; not numpy's
        # scikit-learn's own sum over float16 that are not finite, before it refuses them
        warnings.filterwarnings("ignore", "invalid value encountered in reduce")
        try:
            return function(*arguments)
        except (ValueError, TypeError):
            return None


def assert_finite(*arrays):
    for array in arrays:
        assert np.isfinite(array).all()


def check_machine(options, X, weight=None):
    """Fit a machine and ask it everything; return whether it could be fitted."""
    rbm, before = RBMTransformer(**options), fingerprint(X)
    fitted = outcome(rbm.fit, X, None, weight)
    assert fingerprint(X) == before
    if fitted is None:
        assert not hasattr(rbm, "components_")
        return False
    assert_finite(rbm.components_, rbm.intercept_visible_, rbm.intercept_hidden_)
    h = outcome(rbm.transform, X)
    assert_in_support(h, options["hidden_units"])
    if h is not None:
        assert_in_support(outcome(rbm.inverse_transform, h), options["visible_units"])
    for name in ("free_energy", "score_samples"):
        values = outcome(getattr(rbm, name), X) if hasattr(rbm, name) else None
        assert values is None or np.isfinite(values).all()
    assert_finite(rbm.loss_curve_)
    assert_in_support(outcome(rbm.sample, 2, 2), options["visible_units"])
    components = rbm.components_.copy()
    if outcome(rbm.partial_fit, X) is None:
        np.testing.assert_array_equal(rbm.components_, components)
    assert_finite(rbm.components_)
    assert fingerprint(X) == before
    return True


def assert_in_support(values, units):
    if values is None:
        return
    assert_finite(values)
    if units == "binary":
        assert (values >= 0.0).all()
        assert (values <= 1.0).all()


def check_classifier(options, rbm, X, y, weight=None):
    """Fit a classifier and predict; return whether it could be fitted."""
    template = outcome(lambda: RBMTransformer(**{**rbm, "early_stopping": False}))
    net, before = DBNClassifier(rbm=template, **options), fingerprint(X)
    fitted = outcome(net.fit, X, y, weight)
    assert fingerprint(X) == before
    if fitted is None:
        assert not hasattr(net, "coefs_")
        return False
    assert_finite(*net.coefs_, *net.intercepts_)
    p = outcome(net.predict_proba, X)
    if p is not None:
        assert_finite(p)
        assert (p >= 0.0).all()
        assert (p <= 1.0).all()
        if p.ndim == np.ndim(net.predict(X)):
            assert set(np.unique(net.predict(X))) <= {0, 1}
        else:
            np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-4)
            assert set(net.predict(X)) <= set(net.classes_)
    return True


def check_regressor(options, rbm, loss, X, y, weight):
    """Fit a regressor and predict; return whether it could be fitted."""
    template = outcome(lambda: RBMTransformer(**{**rbm, "early_stopping": False}))
    n_passes = options["softmax_iter"]
    options = {name: value for name, value in options.items() if name in REGRESSOR}
    net = DBNRegressor(rbm=template, loss=loss, output_iter=n_passes, **options)
    before = fingerprint(X)
    fitted = outcome(net.fit, X, y, weight)
    assert fingerprint(X) == before
    if fitted is None:
        assert not hasattr(net, "coefs_")
        return False
    assert_finite(*net.coefs_, *net.intercepts_, net.target_offset_, net.target_scale_)
    assert (net.target_scale_ > 0.0).all()
    predicted = outcome(net.predict, X)
    if predicted is not None:
        assert_finite(predicted)
        assert loss != "poisson" or (predicted >= 0.0).all()
    return True


REGRESSOR = set(DBNRegressor().get_params(deep=False))


@pytest.mark.exhaustive
@PROFILE
@given(RBMS, tables(), st.data())
def test_machine_raises_a_documented_error_or_is_valid(options, X, data):
    check_machine(options, X, data.draw(row_weights(n_rows_of(X))))


@PROFILE
@given(NETS, RBMS, tables(), st.data())
def test_classifier_raises_a_documented_error_or_is_valid(options, rbm, X, data):
    y, weight = data.draw(labels(n_rows_of(X))), data.draw(row_weights(n_rows_of(X)))
    check_classifier(options, rbm, X, y, weight)


@pytest.mark.exhaustive
@PROFILE
@given(NETS, RBMS, LOSSES, tables(), st.data())
def test_regressor_raises_a_documented_error_or_is_valid(options, rbm, loss, X, data):
    y, weight = data.draw(targets(n_rows_of(X))), data.draw(row_weights(n_rows_of(X)))
    check_regressor(options, rbm, loss, X, y, weight)


GOOD = np.random.default_rng(0).random((12, 6))
GOOD_LABELS = np.arange(12) % 3


@functools.cache
def fitted_estimators():
    """Return a machine and a net; each example takes copies of them."""
    rbm = RBMTransformer(3, n_iter=1, random_state=0)
    net = DBNClassifier((3,), rbm=RBMTransformer(n_iter=1), finetune_iter=2, random_state=0)
    return outcome(rbm.fit, GOOD), outcome(net.fit, GOOD, GOOD_LABELS)


@pytest.mark.exhaustive
@PROFILE
@given(NETS, RBMS, tables(), st.data())
def test_failing_fit_leaves_a_fitted_estimator_as_it_was(options, rbm_options, X, data):
    rbm, net = copy.deepcopy(fitted_estimators())
    n_rows = n_rows_of(X)
    warm = data.draw(st.booleans())
    for estimator, parameters, arguments in (
        (rbm, rbm_options, (X,)),
        (net, {**options, "rbm": RBMTransformer(**rbm_options)}, (X, data.draw(labels(n_rows)))),
    ):
        expected = estimator.transform(GOOD) if estimator is rbm else estimator.predict_proba(GOOD)
        kept = estimator.get_params(deep=False)
        estimator.set_params(**{**parameters, "warm_start": warm})
        if outcome(estimator.fit, *arguments) is None:
            estimator.set_params(**kept)
            given_back = (
                estimator.transform(GOOD) if estimator is rbm else estimator.predict_proba(GOOD)
            )
            np.testing.assert_array_equal(given_back, expected)


def test_profile_tries_as_many_examples_as_it_says():
    tried = []

    @PROFILE
    @given(st.integers())
    def example(number):
        tried.append(number)

    example()
    assert len(tried) == N_EXAMPLES
    assert 4 * N_EXAMPLES >= 2000


@pytest.mark.exhaustive
def test_many_examples_can_be_fitted_and_many_can_not():
    machines, nets, regressors = [], [], []

    @settings(PROFILE, max_examples=120)
    @given(NETS, RBMS, tables(), st.data())
    def fit(options, rbm, X, data):
        n_rows = n_rows_of(X)
        machines.append(check_machine(rbm, X))
        nets.append(check_classifier(options, rbm, X, data.draw(labels(n_rows))))
        y, loss = data.draw(targets(n_rows)), data.draw(LOSSES)
        regressors.append(check_regressor(options, rbm, loss, X, y, None))

    fit()
    assert 0.15 < np.mean(machines) < 0.85
    assert 0.05 < np.mean(nets) < 0.85
    assert 0.05 < np.mean(regressors) < 0.85


def test_outcome_lets_other_errors_pass():
    with pytest.raises(ZeroDivisionError):
        outcome(lambda: 1 / 0)
