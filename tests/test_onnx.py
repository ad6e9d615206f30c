"""Models as ONNX: what onnxruntime makes of them is what the models predict."""

import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingRegressor, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    LabelEncoder,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import LinearSVC
from test_models import NETS, RBM, X_TEST, X, Y, make_net, make_regressor

from skdbn import RBMTransformer, to_onnx
from skdbn._files.converters import ACTIVATIONS, OUTPUTS
from skdbn._maths.heads import HEADS
from skdbn._maths.units import UNITS

pytestmark = pytest.mark.filterwarnings(
    "ignore::skdbn.DataRangeWarning",
    "ignore::skdbn.HiddenUnitsWarning",
    "ignore::skdbn.NotConvergedWarning",
)
X, X_TEST = X.astype(np.float32), X_TEST.astype(np.float32)
TOLERANCE = 1e-5


@pytest.fixture(autouse=True)
def short_trials_of_a_step(monkeypatch):
    """Where some rows have no label, two nets make this many steps before fine-tuning."""
    monkeypatch.setattr("skdbn._dbn.N_STEPS_OF_TRIAL", 100)


def run(model, rows):
    """Return what onnxruntime makes of rows, by name."""
    proto = to_onnx(model)
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": rows.astype(np.float32)}), strict=True))


def assert_same(model, rows):
    """Compare what onnxruntime makes of rows with what the model predicts."""
    rows = rows.astype(np.float32)
    outputs = run(model, rows)
    if hasattr(model, "predict_proba"):
        assert list(outputs) == ["labels", "probabilities"]
        expected = model.predict_proba(rows)
        np.testing.assert_allclose(outputs["probabilities"], expected, rtol=0, atol=TOLERANCE)
        assert outputs["labels"].shape == model.predict(rows).shape
        assert (outputs["labels"] == model.predict(rows)).all()
    elif hasattr(model, "predict"):
        expected = model.predict(rows)
        largest = abs(expected).max()
        np.testing.assert_allclose(outputs["values"], expected, rtol=0, atol=TOLERANCE * largest)
        assert outputs["values"].dtype == expected.dtype
    else:
        expected = model.transform(rows)
        np.testing.assert_allclose(outputs["features"], expected, rtol=0, atol=TOLERANCE)


def test_every_kind_of_unit_and_every_head_can_be_converted():
    assert set(ACTIVATIONS) == set(UNITS)
    assert set(OUTPUTS) == set(HEADS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("make", "y"), NETS.values(), ids=NETS)
def test_every_net_predicts_the_same(make, y, dtype):
    assert_same(make().fit(X.astype(dtype), y), X_TEST)


@pytest.mark.parametrize(
    "labels",
    [
        Y - 5,
        Y.astype(np.uint8),
        Y.astype(np.uint64),
        Y.astype(float),
        Y > 4,
        np.array([f"digit {y} ä" for y in Y]),
        np.array([f"digit {y} ä" for y in Y], object),
    ],
    ids=["int", "uint8", "uint64", "float", "bool", "string", "object"],
)
def test_labels_of_every_kind_are_the_same(labels):
    net = make_net().fit(X, labels)
    assert_same(net, X_TEST)
    kind = net.predict(X_TEST).dtype.kind
    assert run(net, X_TEST)["labels"].dtype.kind == {"u": "i", "U": "O"}.get(kind, kind)


def test_a_label_of_probability_one_half_is_not_predicted():
    net = make_net().fit(X, np.column_stack([Y > 4, Y % 2]))
    net.coefs_[-1][:], net.intercepts_[-1][:] = 0.0, 0.0
    assert not net.predict(X_TEST).any()
    assert_same(net, X_TEST)


SPREAD = np.random.default_rng(0).normal(size=64)
MEASUREMENTS = 2000.0 + 5.0 * SPREAD + 10.0 ** (SPREAD / 2.0) * X  # no digit of them is lost
MIXED = np.where(np.arange(64) % 2, X, MEASUREMENTS)
OUTLIERS = np.where(np.arange(len(X))[:, None] == 0, 1e6, MEASUREMENTS)


@pytest.mark.parametrize(
    "data", [X, MEASUREMENTS, MIXED, OUTLIERS], ids=["0-1", "raw", "mixed", "cut"]
)
@pytest.mark.parametrize(
    "options", [{}, {"visible_units": "gaussian"}, {"hidden_units": "gaussian"}]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_machine_of_every_kind_of_unit_expects_the_same(data, options, dtype):
    rbm = clone(RBM).set_params(**options).fit(data.astype(dtype))
    assert_same(rbm, data)


@pytest.mark.parametrize("data", [MEASUREMENTS, MIXED, OUTLIERS], ids=["raw", "mixed", "cut"])
def test_net_on_columns_of_every_scale_predicts_the_same(data):
    assert_same(make_net().fit(data, Y), data)
    assert_same(
        make_regressor(rbm=clone(RBM).set_params(hidden_units="gaussian")).fit(data, Y), data
    )


def test_net_on_a_machine_of_raw_features_predicts_the_same():
    first = clone(RBM).set_params(n_components=12, hidden_units="gaussian").fit(MEASUREMENTS)
    second = clone(RBM).fit(first.transform(MEASUREMENTS))  # has offsets and scales of its own
    net = make_net(rbm=[FrozenEstimator(first), FrozenEstimator(second)])
    assert_same(net.fit(MEASUREMENTS, Y), MEASUREMENTS)


def test_large_net_predicts_the_same():
    quick = {"finetune_iter": 20, "batch_size": 10, "rbm": RBMTransformer(n_iter=2)}
    assert_same(make_net(hidden_layer_sizes=(500, 500), **quick).fit(X, Y), X_TEST)


@pytest.mark.parametrize("others", [X, MIXED], ids=["0-1", "mixed"])
def test_outlier_is_clipped_whatever_the_other_columns_are(others):
    outlying = others.copy()
    outlying[0, 20] = 255.0
    for model in (clone(RBM).fit(others), make_net().fit(others, Y)):
        assert_same(model, outlying)


def test_value_far_from_zero_keeps_its_digits():
    net = make_regressor().fit(X, 1e9 + Y)
    np.testing.assert_allclose(run(net, X)["values"], net.predict(X), rtol=0, atol=1e-4)


# -- Pipelines

SECOND = clone(RBM).set_params(n_components=5)


@pytest.mark.parametrize(
    "steps",
    [
        (MinMaxScaler(), RBM),
        (MinMaxScaler(clip=True), RBM, SECOND),
        (StandardScaler(), make_net()),
        (StandardScaler(with_mean=False), make_net()),
        (RobustScaler(), make_regressor()),
        (MaxAbsScaler(), RBM, SECOND, make_net(hidden_layer_sizes=5)),
        (Normalizer(), make_net()),
        (SimpleImputer(), StandardScaler(), make_net()),
        (PCA(10, random_state=0), make_net()),
        (MinMaxScaler(), RBM, LogisticRegression()),
        (MinMaxScaler(), make_net(), LogisticRegression()),
        (MinMaxScaler(), make_net(), SECOND),
        ("passthrough", MinMaxScaler(), Pipeline([("none", None), ("rbm", RBM)]), make_net()),
    ],
    ids=str,
)
def test_pipeline_predicts_the_same(steps):
    steps = [step if isinstance(step, str) else clone(step) for step in steps]
    assert_same(make_pipeline(*steps).fit(16 * X, Y), 16 * X_TEST)


def test_pipeline_fills_gaps_as_its_imputer_does():
    rows = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, 16 * X)
    assert_same(make_pipeline(SimpleImputer(), MinMaxScaler(), make_net()).fit(rows, Y), rows)


def test_pipeline_of_several_columns_predicts_the_same():
    scale = ColumnTransformer([("a", MinMaxScaler(), [0, 1, 2]), ("b", StandardScaler(), [3, 4])])
    assert_same(make_pipeline(scale, make_net()).fit(16 * X, Y), 16 * X_TEST)


def test_any_number_of_rows_can_be_predicted_at_once():
    proto = to_onnx(make_net().fit(X, Y))
    for tensor in (*proto.graph.input, *proto.graph.output):
        assert tensor.type.tensor_type.shape.dim[0].dim_param == "n_samples"
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    whole = session.run(None, {"X": X_TEST})[1]
    for n in (0, 1, 7):
        part = session.run(None, {"X": X_TEST[:n]})[1]
        np.testing.assert_allclose(part, whole[:n], rtol=0, atol=1e-6)


# -- what is refused


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        (np.datetime64("2020-01-01") + Y, r"the type datetime64\[D\]"),
        (np.uint64(2**63) + Y.astype(np.uint64), "values above those of int64"),
    ],
)
def test_labels_that_onnx_cannot_contain_can_be_encoded(labels, what):
    net, encoder = make_net(finetune_iter=1), LabelEncoder()
    with pytest.raises(TypeError, match=f"class labels have {what}.*LabelEncoder: fit"):
        to_onnx(net.fit(X, labels))
    expected = net.predict(X_TEST)
    numbers = run(net.fit(X, encoder.fit_transform(labels)), X_TEST)["labels"]
    assert (encoder.inverse_transform(numbers) == expected).all()


def test_search_is_refused_with_what_to_convert():
    search = GridSearchCV(clone(RBM), {"n_components": [3]}, cv=2).fit(X)
    with pytest.raises(
        TypeError, match=r"GridSearchCV is a search.*to_onnx\(search.best_estimator_"
    ):
        to_onnx(search)
    assert_same(search.best_estimator_, X_TEST)


@pytest.mark.parametrize("model", [RBM, make_net(), make_pipeline(MinMaxScaler(), RBM)])
def test_model_that_is_not_fitted_is_refused(model):
    with pytest.raises(NotFittedError):
        to_onnx(clone(model))


@pytest.mark.parametrize("factor", [1e45, 1e-50])
def test_column_that_does_not_fit_into_float32_is_refused(factor):
    measured = np.random.default_rng(0).normal(size=(len(X), 3))
    model = make_net().fit(measured * [1.0, factor, 1.0], Y)
    with pytest.raises(ValueError, match="^Column 1 of .* too large or too small for float32"):
        to_onnx(model)
    assert_same(make_net().fit(measured, Y), measured[:9])


def test_column_whose_limits_alone_do_not_fit_into_float32_is_converted():
    measured = 1e38 * np.random.default_rng(0).normal(size=(len(X), 3)).clip(-3.0, 3.0)
    assert_same(make_net().fit(measured, Y), measured[:9].astype(np.float32))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (SplineTransformer(), r"SplineTransformer cannot be converted to ONNX.*to_onnx\(model\[1:"),
        (FunctionTransformer(np.sqrt), r"skl2onnx cannot convert the steps.*to_onnx\(model\[1:"),
    ],
)
def test_step_that_has_no_converter_is_named(step, message):
    model = make_pipeline(step, clone(RBM)).fit(X)
    with pytest.raises(TypeError, match=message):
        to_onnx(model)
    assert_same(model[1:], step.transform(X)[:9])


@pytest.mark.parametrize(
    "union",
    [
        FeatureUnion([("net", make_regressor()), ("rbm", clone(RBM))]),
        FeatureUnion(
            [("net", make_pipeline(StandardScaler(), make_net())), ("all", "passthrough")]
        ),
        ColumnTransformer([("net", make_net(), list(range(30)))], remainder="passthrough"),
    ],
    ids=["union", "pipeline", "columns"],
)
def test_nets_side_by_side_pass_on_their_top_layers(union):
    assert_same(make_pipeline(clone(union), LogisticRegression(max_iter=1000)).fit(X, Y), X_TEST)
    assert_same(clone(union).fit(X, Y), X_TEST)


def test_what_skl2onnx_mixes_up_is_refused():
    for model in (
        BaggingRegressor(make_regressor(), 2, random_state=0).fit(X, Y),
        MultiOutputRegressor(make_regressor()).fit(X, np.column_stack([Y, Y])),
    ):
        with pytest.raises(TypeError, match=r"one by one, such as model.estimators_\[0\]"):
            to_onnx(model)
        assert_same(model.estimators_[0], X_TEST)
    for last in (KMeans(2, n_init=1), LinearSVC()):
        model = make_pipeline(clone(RBM), last).fit(X, Y)
        with pytest.raises(TypeError, match=r"model\[:-1\]"):
            to_onnx(model)
        assert_same(model[:-1], X_TEST)


def test_last_step_that_has_no_converter_gets_advice_of_its_own():
    net = FixedThresholdClassifier(make_net()).fit(X, Y > 4)
    with pytest.raises(TypeError, match="FixedThresholdClassifier .*, such as model.estimator_"):
        to_onnx(net)
    assert_same(net.estimator_, X_TEST)
    voting = VotingClassifier([("net", make_net())], voting="soft").fit(X, Y)
    with pytest.raises(TypeError, match="skl2onnx cannot convert VotingClassifier: "):
        to_onnx(voting)


def test_step_that_takes_no_matrix_is_named():
    words = np.array([f"pixel{i} pixel{i % 7} pixel{i % 5}" for i in range(60)])
    model = make_pipeline(CountVectorizer(binary=True), clone(RBM)).fit(words)
    with pytest.raises(TypeError, match="CountVectorizer does not take a matrix of numbers"):
        to_onnx(model)
    assert_same(model[1:], model[0].transform(words).toarray())


def test_classifier_before_the_last_step_is_refused():
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    noisy = X + np.random.default_rng(0).normal(size=X.shape)
    model = make_pipeline(LinearDiscriminantAnalysis(), clone(RBM)).fit(noisy, Y)
    with pytest.raises(TypeError, match="LinearDiscriminantAnalysis is a classifier before the"):
        to_onnx(model)


def test_something_else_is_refused():
    with pytest.raises(TypeError, match="'str'|estimator instance"):
        to_onnx("net")


def test_importing_the_package_does_not_import_onnx():
    code = "import skdbn, sys; sys.exit('onnx' in sys.modules or 'skl2onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("package", ["onnx", "skl2onnx"])
def test_package_that_is_missing_is_named(package, monkeypatch):
    rbm = clone(RBM).fit(X)
    monkeypatch.delitem(sys.modules, "skdbn._files.converters", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match="pip install onnx skl2onnx"):
        to_onnx(rbm)


def test_categories_are_encoded_as_they_are_learned():
    codes = np.round(4 * X[:, 20:24])
    model = make_pipeline(OneHotEncoder(sparse_output=False), make_net()).fit(codes, Y)
    assert_same(model, codes)
