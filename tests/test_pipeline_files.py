"""Pipelines in files: scikit-learn's steps before estimators of skdbn."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from test_models import NETS, RBM, WRONG, X_TEST, X, Y, make_net, make_regressor, places, replaced

from skdbn import VersionWarning, load_model, save_model
from skdbn._files.steps import STEPS
from skdbn._files.storage import read, write
from skdbn._training.checks import flat_steps

pytestmark = pytest.mark.filterwarnings(
    "ignore::skdbn.DataRangeWarning",
    "ignore::skdbn.HiddenUnitsWarning",
    "ignore::skdbn.NotConvergedWarning",
)
DATA, TEST = 16.0 * X + 1.0, 16.0 * X_TEST + 1.0
WITH_GAPS = np.where(np.random.default_rng(0).random(DATA.shape) < 0.1, np.nan, DATA)
SCALERS = [
    Binarizer(threshold=8.0),
    MaxAbsScaler(),
    MinMaxScaler(),
    MinMaxScaler((0.1, 0.9), clip=True),
    Normalizer("l1"),
    PowerTransformer(),
    PowerTransformer("box-cox", standardize=False),
    QuantileTransformer(n_quantiles=50, random_state=0),
    QuantileTransformer(n_quantiles=50, output_distribution="normal"),
    RobustScaler(),
    RobustScaler(with_centering=False),
    SimpleImputer(),
    SimpleImputer(strategy="constant", fill_value=3.0, add_indicator=True),
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
]


@pytest.fixture(autouse=True)
def short_trials_of_a_step(monkeypatch):
    """Where some rows have no label, two nets make this many steps before fine-tuning."""
    monkeypatch.setattr("skdbn._dbn.N_STEPS_OF_TRIAL", 100)


def saved_and_loaded(model, tmp_path):
    save_model(model, tmp_path / "model.npz")
    return load_model(tmp_path / "model.npz")


def fitted(*steps):
    return make_pipeline(*map(clone, steps), clone(RBM)).fit(DATA)


def test_every_step_is_tried():
    assert {type(step).__name__ for step in SCALERS} == set(STEPS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scaler", SCALERS, ids=repr)
def test_pipeline_comes_back_with_its_scaler(scaler, dtype, tmp_path):
    data = WITH_GAPS if isinstance(scaler, SimpleImputer) else DATA
    data = data[:, :8]  # the first is constant; PowerTransformer takes its time for each
    if getattr(scaler, "method", None) == "box-cox":  # takes no constant column
        data = data + np.random.default_rng(0).random(data.shape)
    data = data.astype(dtype)
    model = make_pipeline(clone(scaler), make_net()).fit(data, Y)
    loaded = saved_and_loaded(model, tmp_path)
    rows = data[:50]
    for method in ("predict", "predict_proba", "transform"):
        expected = getattr(model, method)(rows)
        np.testing.assert_array_equal(getattr(loaded, method)(rows), expected, strict=True)
    assert repr(loaded) == repr(model)
    one, other = loaded[0], model[0]
    assert sorted(vars(one)) == sorted(set(vars(other)) - {"_sklearn_output_config"})
    if hasattr(other, "partial_fit"):
        expected = other.partial_fit(data[:9]).transform(rows)
        np.testing.assert_array_equal(one.partial_fit(data[:9]).transform(rows), expected)


@pytest.mark.parametrize(("make", "y"), NETS.values(), ids=NETS)
def test_every_net_comes_back_behind_a_scaler(make, y, tmp_path):
    model = make_pipeline(StandardScaler(), make()).fit(DATA, y)
    loaded = saved_and_loaded(model, tmp_path)
    np.testing.assert_array_equal(loaded.predict(TEST), model.predict(TEST), strict=True)
    np.testing.assert_array_equal(loaded.fit(DATA, y).predict(TEST), model.predict(TEST))


def test_pipeline_of_machines_and_of_pipelines_comes_back(tmp_path):
    second = clone(RBM).set_params(n_components=5)
    inner = Pipeline([("nothing", "passthrough"), ("scale", MinMaxScaler()), ("rbm", clone(RBM))])
    model = Pipeline([("first", inner), ("none", None), ("second", second), ("net", make_net())])
    model.fit(DATA, Y)
    loaded = saved_and_loaded(model, tmp_path)
    assert [name for name, _ in loaded.steps] == ["first", "none", "second", "net"]
    assert loaded.steps[1][1] is None
    assert loaded["first"].steps[0][1] == "passthrough"
    np.testing.assert_array_equal(loaded.predict_proba(TEST), model.predict_proba(TEST))


def test_steps_that_store_nothing_for_a_column_come_back(tmp_path):
    model = make_pipeline(Normalizer(), Binarizer(threshold=0.1)).fit(DATA)
    loaded = saved_and_loaded(model, tmp_path)
    np.testing.assert_array_equal(loaded.transform(TEST), model.transform(TEST))


@pytest.mark.parametrize("strategy", ["most_frequent", "constant"])
def test_imputer_of_integers_comes_back(strategy, tmp_path):
    whole = DATA.astype(int)
    whole[::7, 20] = -1
    imputer = SimpleImputer(missing_values=-1, strategy=strategy, fill_value=2)
    model = make_pipeline(imputer, clone(RBM)).fit(whole)
    loaded = saved_and_loaded(model, tmp_path)
    np.testing.assert_array_equal(loaded.transform(whole), model.transform(whole))


def test_names_of_columns_and_containers_come_back(tmp_path):
    frame = pd.DataFrame(DATA, columns=[f"pixel {i}" for i in range(64)])
    model = make_pipeline(StandardScaler(), clone(RBM)).set_output(transform="pandas").fit(frame)
    loaded = saved_and_loaded(model, tmp_path)
    pd.testing.assert_frame_equal(loaded.transform(frame), model.transform(frame))
    assert loaded[0].get_feature_names_out()[3] == "pixel 3"


def test_parameters_of_a_pipeline_come_back(tmp_path):
    model = make_pipeline(
        QuantileTransformer(n_quantiles=9, random_state=np.random.RandomState(0)),
        clone(RBM),
        memory=str(tmp_path / "cache"),
        transform_input=["X_val"],
        verbose=True,
    )
    with sklearn.config_context(enable_metadata_routing=True):
        loaded = saved_and_loaded(model.fit(DATA), tmp_path)
    assert loaded.get_params(deep=False)["transform_input"] == ["X_val"]
    assert loaded.verbose is True
    assert loaded.memory is None
    assert loaded[0].random_state is None


def test_scaler_of_columns_with_gaps_keeps_a_count_for_each(tmp_path):
    model = make_pipeline(StandardScaler(), clone(RBM)).fit(WITH_GAPS)
    loaded = saved_and_loaded(model, tmp_path)
    assert loaded[0].n_samples_seen_.shape == (64,)
    np.testing.assert_array_equal(loaded.transform(WITH_GAPS), model.transform(WITH_GAPS))


# -- what is refused


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (
            PCA(3),
            "The step 'pca' is a PCA, which a model file cannot contain. Allowed are RBM",
        ),
        (LogisticRegression(), "'logisticregression' is a LogisticRegression, which .* with skops"),
    ],
)
def test_step_that_no_file_can_hold_is_named(last, message, tmp_path):
    model = make_pipeline(MinMaxScaler(), clone(RBM), last).fit(DATA, Y)
    with pytest.raises(TypeError, match=message):
        save_model(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()
    save_model(model[:-1], tmp_path / "model")  # as the message says


class OtherScaler(StandardScaler):
    """A scaler of somebody else."""


def test_scaler_of_another_class_is_refused(tmp_path):
    with pytest.raises(TypeError, match="The step 'otherscaler' is a OtherScaler"):
        save_model(make_pipeline(OtherScaler(), clone(RBM)).fit(DATA), tmp_path / "model")


def test_pipeline_that_is_not_fitted_is_refused(tmp_path):
    with pytest.raises(ValueError, match="This StandardScaler is not fitted: call fit first"):
        save_model(make_pipeline(StandardScaler(), RBM), tmp_path / "model")
    with pytest.raises(ValueError, match="This RBMTransformer is not fitted: call fit first"):
        save_model(make_pipeline(StandardScaler().fit(DATA), clone(RBM)), tmp_path / "model")


def test_scaler_that_could_not_be_loaded_is_not_saved(tmp_path):
    model = fitted(StandardScaler())
    model[0].mean_ = model[0].mean_.copy()
    model[0].mean_[3] = np.nan
    with pytest.raises(ValueError, match="The step StandardScaler is damaged.*mean_ has a type, "):
        save_model(model, tmp_path / "model")
    model = fitted(MinMaxScaler()).set_params(minmaxscaler__feature_range=(1, 0))
    with pytest.raises(ValueError, match="Minimum of desired feature range"):
        save_model(model, tmp_path / "model")


def test_pipeline_of_another_version_of_scikit_learn_says_so(tmp_path, monkeypatch):
    model = fitted(StandardScaler())
    monkeypatch.setattr(sklearn, "__version__", "1.2.3")
    save_model(model, tmp_path / "model")
    monkeypatch.undo()
    message = "saved by scikit-learn 1.2.3, but this is scikit-learn .* Fit it anew"
    with pytest.warns(VersionWarning, match=message) as caught:
        load_model(tmp_path / "model")
    assert caught[0].filename == __file__


def edited(whole, path, *place, value):
    """Write a file whose checksum is right, with another part."""
    write(path, "model", {**whole, "model": replaced(whole["model"], place, value)})


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("steps", 0, 1, "class"), "FunctionTransformer"),
        (("steps", 0, 1, "class"), "Popen"),
        (("steps", 0, 1, "attributes", "n_features_in_"), 10**9),
        (("steps", 0, 1, "attributes", "n_features_in_"), 63),
        (("steps", 0, 1, "attributes", "mean_"), np.zeros(63)),
        (("steps", 0, 1, "attributes", "mean_"), np.zeros((2, 64))),
        (("steps", 0, 1, "attributes", "mean_"), np.full(64, "a")),
        (("steps", 0, 1, "attributes", "mean_"), np.full(64, np.inf)),
        (("steps", 0, 1, "attributes", "mean_"), None),
        (("steps", 0, 1, "attributes", "var_"), np.zeros(63)),
        (("steps", 0, 1, "attributes", "scale_"), np.zeros(64)),
        (("steps", 0, 1, "attributes", "n_samples_seen_"), "x"),
        (("steps", 0, 1, "attributes", "n_samples_seen_"), np.zeros(3)),
        (("steps", 0, 1, "attributes"), {"transform": 1}),
        (("steps", 0, 1, "steps"), {"transform": {"attributes": {}, "types": {}, "steps": {}}}),
        (("steps", 0, 1, "types"), {"transform": "<f8"}),
        (("steps", 0, 1, "parameters"), {"with_mean": "x"}),
        (("steps", 0, 1, "parameters"), {"unknown": 1}),
        (("steps", 0, 2), "x"),
        (("steps", 0, 0), "a__b"),
        (("steps", 0, 0), 3),
        (("steps", 0, 0), "rbmtransformer"),
        (("steps", 0), ["scale", "drop", None]),
        (("steps", 1, 1, "attributes", "n_iter_"), "x"),
        (("steps",), []),
        (("steps",), None),
        (("parameters", "verbose"), 2),
        (("parameters", "transform_input"), [1]),
        (("parameters", "transform_input"), "X_val"),
        (("parameters",), {}),
    ],
)
def test_edited_pipeline_is_refused_when_it_is_loaded(place, value, tmp_path):
    path = tmp_path / "model"
    save_model(fitted(StandardScaler()), path)
    edited(read(path, "model"), path, *place, value=value)
    with pytest.raises(ValueError, match="is damaged"):
        load_model(path)


def test_scale_of_zero_is_refused(tmp_path):
    path = tmp_path / "model"
    save_model(fitted(MinMaxScaler()), path)
    place = ("steps", 0, 1, "attributes", "scale_")
    edited(read(path, "model"), path, *place, value=np.zeros(64))
    with pytest.raises(ValueError, match="is damaged.*scale_ has a type, shape or value"):
        load_model(path)


def test_file_can_not_name_a_folder_of_pickles(tmp_path):
    path = tmp_path / "model"
    save_model(fitted(StandardScaler()), path)
    whole = read(path, "model")
    edited(whole, path, "parameters", value={**whole["model"]["parameters"], "memory": "folder"})
    assert load_model(path).memory is None


def test_steps_that_do_not_fit_each_other_are_refused(tmp_path):
    path = tmp_path / "model"
    save_model(fitted(StandardScaler()), path)
    whole = read(path, "model")
    save_model(make_pipeline(StandardScaler(), clone(RBM)).fit(DATA[:, :9]), path)
    other = read(path, "model")["model"]["steps"][0]
    edited(whole, path, "steps", 0, value=other)
    with pytest.raises(ValueError, match="RBMTransformer takes another number of features than St"):
        load_model(path)


SMALL_DATA = DATA[:60, 3:6]
SMALL = [  # each kind of attribute is in one of them
    (SimpleImputer(add_indicator=True), PowerTransformer()),
    (QuantileTransformer(n_quantiles=5), MinMaxScaler(), Normalizer()),
]


@pytest.mark.parametrize("steps", SMALL, ids=repr)
def test_pipeline_with_a_wrong_part_is_refused_or_works(steps, tmp_path, monkeypatch):
    path = tmp_path / "model"
    rows = SMALL_DATA
    if isinstance(steps[0], SimpleImputer):
        rows = np.where(np.random.default_rng(0).random(rows.shape) < 0.1, np.nan, rows)
    save_model(make_pipeline(*map(clone, steps), clone(RBM)).fit(rows), path)
    whole = read(path, "model")
    n_refused = 0
    for place in places(whole["model"]):
        if place[:2] == ("steps", len(steps)):  # the machine has a test of its own
            continue
        for value in WRONG[2::3]:
            content = copy.deepcopy({**whole, "model": replaced(whole["model"], place, value)})
            monkeypatch.setattr("skdbn._files.models.read", lambda *_, content=content: content)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", VersionWarning)
                    loaded = load_model(path)
            except ValueError:
                n_refused += 1
            else:
                n_features = flat_steps(loaded)[0].n_features_in_  # less a step there may be others
                assert loaded.transform(np.ones((3, n_features))).shape == (3, 8)
    assert n_refused > 60


def test_regressor_comes_back_behind_several_steps(tmp_path):
    model = make_pipeline(SimpleImputer(), RobustScaler(), make_regressor()).fit(WITH_GAPS, Y)
    loaded = saved_and_loaded(model, tmp_path)
    np.testing.assert_array_equal(loaded.predict(WITH_GAPS), model.predict(WITH_GAPS))
