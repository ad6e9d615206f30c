"""Saved models."""

import contextlib
import copy
import io
import warnings

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import LabelEncoder

from skdbn import (
    DBNClassifier,
    DBNRegressor,
    RBMTransformer,
    VersionWarning,
    load_model,
    save_model,
)
from skdbn._files.storage import read, write
from skdbn.datasets import load_digits

pytestmark = pytest.mark.filterwarnings(
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)

X, X_TEST, Y, _ = load_digits()
X, Y = X[:300], Y[:300]
RBM = RBMTransformer(8, n_iter=2, random_state=0)


def make_net(**parameters):
    quick = {"rbm": RBM, "softmax_iter": 1, "finetune_iter": 1, "random_state": 0}
    return DBNClassifier(**{"hidden_layer_sizes": (12, 8), **quick, **parameters})


def make_regressor(**parameters):
    quick = {"rbm": RBM, "output_iter": 1, "finetune_iter": 1, "random_state": 0}
    return DBNRegressor(**{"hidden_layer_sizes": (12, 8), **quick, **parameters})


NETS = {  # and what they learn
    "classes": (make_net, Y),
    "labels": (make_net, np.column_stack([Y > 4, Y % 2 == 0, Y == 3]).astype(int)),
    "few labels": (
        lambda **parameters: make_net(unlabeled=-1, **parameters),
        np.where(np.arange(len(Y)) % 2, Y, -1),
    ),
    "target": (make_regressor, 1e3 * Y + 0.1),
    "targets": (make_regressor, np.column_stack([Y, -0.01 * Y])),
    "medians": (lambda **parameters: make_regressor(loss="absolute_error", **parameters), Y),
    "counts": (lambda **parameters: make_regressor(loss="poisson", **parameters), Y),
}
every_net = pytest.mark.parametrize(("make", "y"), NETS.values(), ids=NETS)


@pytest.fixture(autouse=True)
def short_trials_of_a_step(monkeypatch):
    """Where some rows have no label, two nets make this many steps before fine-tuning."""
    monkeypatch.setattr("skdbn._dbn.N_STEPS_OF_TRIAL", 100)


def through_own_file(model, tmp_path):
    save_model(model, tmp_path / "model.npz")
    return load_model(tmp_path / "model.npz")


def through_joblib(model, tmp_path):
    joblib.dump(model, tmp_path / "model.joblib")
    return joblib.load(tmp_path / "model.joblib")


def through_skops(model, tmp_path):
    content = skops.io.dumps(model)
    untrusted = skops.io.get_untrusted_types(data=content)
    assert all(name.startswith("skdbn.") for name in untrusted)
    return skops.io.loads(content, trusted=untrusted)


WAYS = [through_own_file, through_joblib, through_skops]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_net
def test_loaded_net_predicts_the_same_bits(make, y, way, dtype, tmp_path):
    net = make().fit(X.astype(dtype), y)
    loaded = way(net, tmp_path)
    for method in ("predict", "predict_proba", "predict_log_proba", "transform"):
        if not hasattr(net, method):
            continue
        expected = getattr(net, method)(X_TEST.astype(dtype))
        result = getattr(loaded, method)(X_TEST.astype(dtype))
        np.testing.assert_array_equal(result, expected, strict=True)
    assert loaded.loss_curve_ == net.loss_curve_
    assert [rbm.n_iter_ for rbm in loaded.rbms_] == [2, 2]


@pytest.mark.parametrize("way", WAYS)
@every_net
def test_loaded_net_goes_on_as_the_saved_one(make, y, way, tmp_path):
    net = make(warm_start=True).fit(X, y, X_val=X, y_val=y)
    loaded = way(net, tmp_path)
    assert loaded.validation_loss_curve_ == net.validation_loss_curve_
    assert loaded.validation_scores_ == net.validation_scores_
    np.testing.assert_array_equal(loaded.fit(X, y).predict(X), net.fit(X, y).predict(X))


@pytest.mark.parametrize("way", WAYS)
@every_net
def test_loaded_net_takes_further_parts_of_the_rows_as_the_saved_one(make, y, way, tmp_path):
    net = make(finetune_iter=9)
    for part in (slice(0, 150), slice(150, 300)):
        net.partial_fit(X[part], y[part])
    loaded = way(net, tmp_path)
    for part in (slice(0, 150), slice(150, 300)):
        net.partial_fit(X[part], y[part])
        loaded.partial_fit(X[part], y[part])
    np.testing.assert_array_equal(loaded.predict(X_TEST), net.predict(X_TEST), strict=True)
    for one, other in zip(loaded.coefs_, net.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("way", WAYS)
def test_loaded_classifier_keeps_its_frozen_machines(way, tmp_path):
    machine = clone(RBM).set_params(n_components=12).fit(X)
    net = make_net(rbm=[FrozenEstimator(machine), RBM]).fit(X, Y)
    loaded = way(net, tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(X_TEST), net.predict_proba(X_TEST))
    np.testing.assert_array_equal(loaded.rbm[0].transform(X_TEST), machine.transform(X_TEST))
    again = clone(loaded).fit(X, Y)
    np.testing.assert_array_equal(again.coefs_[0], net.coefs_[0])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("options", [{}, {"gradient": "pcd"}, {"hidden_units": "gaussian"}])
def test_loaded_machine_transforms_and_goes_on_as_the_saved_one(way, options, tmp_path):
    rbm = clone(RBM).set_params(learning_rate=0.01, **options).fit(X)
    loaded = way(rbm, tmp_path)
    np.testing.assert_array_equal(loaded.transform(X_TEST), rbm.transform(X_TEST), strict=True)
    np.testing.assert_array_equal(loaded.partial_fit(X).components_, rbm.partial_fit(X).components_)


@pytest.mark.parametrize(
    "labels",
    [
        Y - 5,
        Y.astype(float),
        Y > 4,
        np.array([f"digit {y}" for y in Y]),
        np.array([f"digit {y}" for y in Y], object),
    ],
)
def test_labels_of_every_kind_come_back(labels, tmp_path):
    net = make_net().fit(X, labels)
    loaded = through_own_file(net, tmp_path)
    np.testing.assert_array_equal(loaded.predict(X), net.predict(X), strict=True)


@pytest.mark.parametrize(
    ("labels", "weights"),
    [
        (Y, {3: 2.5, 4: 1}),
        (Y, {np.int64(3): np.float64(2.5)}),
        (Y.astype(float), {3.0: 2.0}),
        (Y > 4, {True: 3.0, False: 1.0}),
        (Y.astype(str), {"3": 2.0}),
        (Y, "balanced"),
        (np.where(Y > 4, "a", "__array__"), {"__array__": 2.0}),
        (np.where(Y > 4, "a", "__tuple__"), {"__tuple__": 2.0}),
    ],
)
def test_weights_of_classes_of_every_kind_come_back(labels, weights, tmp_path):
    net = make_net(class_weight=weights).fit(X, labels)
    loaded = through_own_file(net, tmp_path)
    assert loaded.class_weight == weights
    np.testing.assert_array_equal(clone(loaded).fit(X, labels).coefs_[0], net.coefs_[0])


TWO = RBM, clone(RBM).set_params(gradient="pcd")


@pytest.mark.parametrize("rbm", [None, RBM, list(TWO), TWO])
def test_parameters_come_back_with_their_templates(rbm, tmp_path):
    net = make_net(rbm=rbm, learning_rate_init=0.01)
    loaded = through_own_file(net.fit(X, Y), tmp_path)
    assert repr(loaded) == repr(net)
    assert type(loaded.rbm) is type(rbm)
    assert clone(loaded).hidden_layer_sizes == (12, 8)


def test_names_of_features_come_back(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"pixel {i}" for i in range(64)])
    rbm = clone(RBM).fit(frame)
    loaded = through_own_file(rbm, tmp_path)
    np.testing.assert_array_equal(loaded.transform(frame), rbm.transform(frame))
    with pytest.raises(ValueError, match="feature names"):
        loaded.transform(frame[frame.columns[::-1]])


def test_seed_that_is_a_numpy_integer_comes_back(tmp_path):
    rbm = clone(RBM).set_params(random_state=np.int64(3)).fit(X)
    assert through_own_file(rbm, tmp_path).random_state == 3


def test_random_state_instance_is_left_out(tmp_path):
    rbm = clone(RBM).set_params(random_state=np.random.RandomState(0)).fit(X)
    assert through_own_file(rbm, tmp_path).random_state is None


@pytest.mark.parametrize("way", WAYS)
def test_model_of_another_version_says_so(way, tmp_path, monkeypatch):
    net = make_net().fit(X, Y)
    monkeypatch.setattr("skdbn._version.__version__", "0.0.9")
    buffer = io.BytesIO()
    if way is through_own_file:
        save_model(net, tmp_path / "old")
    elif way is through_joblib:
        joblib.dump(net, buffer)
    content = skops.io.dumps(net)
    monkeypatch.undo()
    load = {
        through_own_file: lambda: load_model(tmp_path / "old"),
        through_joblib: lambda: joblib.load(buffer),
        through_skops: lambda: skops.io.loads(
            content, trusted=skops.io.get_untrusted_types(data=content)
        ),
    }[way]
    buffer.seek(0)
    with pytest.warns(VersionWarning, match=r"saved by skdbn 0.0.9, but this is skdbn \d.*Fit it"):
        load()


def test_labels_that_files_cannot_contain_can_be_encoded(tmp_path):
    labels, net, encoder = np.datetime64("2020-01-01") + Y, make_net(), LabelEncoder()
    with pytest.raises(TypeError, match=r"class labels have the type .*LabelEncoder: fit"):
        save_model(net.fit(X, labels), tmp_path / "net.npz")
    with pytest.raises(TypeError, match=r"class labels have the type .*LabelEncoder: fit"):
        save_model(net.fit(X, Y.astype(np.longdouble)), tmp_path / "net.npz")
    save_model(net.fit(X, encoder.fit_transform(labels)), tmp_path / "net.npz")
    predicted = load_model(tmp_path / "net.npz").predict(X_TEST)
    assert encoder.inverse_transform(predicted).dtype == labels.dtype


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_labels_that_are_short_floats_come_back(dtype, tmp_path):
    save_model(make_net().fit(X, Y.astype(dtype)), tmp_path / "net.npz")
    assert load_model(tmp_path / "net.npz").predict(X_TEST).dtype == dtype


@pytest.mark.parametrize("model", [RBM, make_net()])
def test_model_that_is_not_fitted_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="not fitted: call fit first"):
        save_model(clone(model), tmp_path / "model")


def test_other_models_are_refused(tmp_path):
    from sklearn.neural_network import BernoulliRBM

    with pytest.raises(TypeError, match="BernoulliRBM cannot be saved. Pass a fitted RBMT"):
        save_model(BernoulliRBM(), tmp_path / "model")
    with pytest.raises(TypeError, match=r"for a FrozenEstimator, model\.estimator\."):
        save_model(FrozenEstimator(clone(RBM).fit(X)), tmp_path / "model")


def test_files_that_lack_parts_or_name_other_classes_are_refused(tmp_path):
    path = tmp_path / "model"
    save_model(clone(RBM).fit(X), path)
    whole = read(path, "model")
    for broken in (
        {},
        {**whole, "model": {**whole["model"], "class": "Popen"}},
        {**whole, "model": {**whole["model"], "attributes": {}}},
        {**whole, "model": {**whole["model"], "parameters": {"unknown": 1}}},
        {**whole, "model": [1]},
    ):
        write(path, "model", broken)
        with pytest.raises(ValueError, match="is damaged: a part is missing"):
            load_model(path)


class OtherMachine(RBMTransformer):
    """A machine of which the package knows nothing."""


def test_templates_of_other_classes_are_refused_when_the_model_is_saved(tmp_path):
    net = make_net(rbm=OtherMachine(n_iter=1)).fit(X, Y)
    with pytest.raises(TypeError, match="cannot contain a OtherMachine, only RBMTransformer and"):
        save_model(net, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_parameter_that_fit_would_refuse_is_refused_when_the_model_is_saved(tmp_path):
    rbm = clone(RBM).fit(X).set_params(n_iter=-1)
    with pytest.raises(ValueError, match="n_iter == -1"):
        save_model(rbm, tmp_path / "model")


def places(tree, path=()):
    """Yield the way to every part of nested dicts, lists and tuples."""
    if isinstance(tree, dict | list | tuple):
        for key in tree if isinstance(tree, dict) else range(len(tree)):
            yield (*path, key)
            yield from places(tree[key], (*path, key))


def replaced(tree, path, value):
    """Return a tree with another part."""
    if not path:
        return value
    key, *rest = path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    new = {k: replaced(item, rest, value) if k == key else item for k, item in items}
    return new if isinstance(tree, dict) else type(tree)(new.values())


def goes_on_or_says_why(net, X, y):
    """Take a further part of the rows: parameters that are read are those of any user."""
    with warnings.catch_warnings(), contextlib.suppress(TypeError, ValueError):
        warnings.simplefilter("ignore")
        net.partial_fit(X, y)
    assert np.isfinite(net.predict(X[:2])).all()


WRONG = [None, -1, 10**30, "x", [], {}, float("nan"), np.zeros(0), np.zeros((3, 3)), np.array("a")]


def test_wrong_parts_are_read_from_a_file_as_they_are(tmp_path):
    # so that the tests below need not write a file for each
    write(tmp_path / "file", "model", {"wrong": WRONG})
    assert repr(read(tmp_path / "file", "model")["wrong"]) == repr(WRONG)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("model", "y", "fit"),
    [
        (RBM, Y, "fit"),
        (make_net(hidden_layer_sizes=(5, 4)), Y, "fit"),
        (make_net(hidden_layer_sizes=5, pretrain=False), NETS["labels"][1], "partial_fit"),
        (make_regressor(hidden_layer_sizes=5, pretrain=False), NETS["targets"][1], "fit"),
        (make_regressor(hidden_layer_sizes=5, pretrain=False), Y, "partial_fit"),
    ],
)
def test_model_with_a_wrong_part_is_refused_or_works(model, y, fit, tmp_path, monkeypatch):
    path = tmp_path / "model"
    save_model(getattr(clone(model), fit)(X[:60], y[:60]), path)
    whole = read(path, "model")
    n_refused = 0
    for place in places(whole["model"]):
        for value in WRONG:
            # The checksum would be right: who wants to deceive can compute it.
            content = copy.deepcopy({**whole, "model": replaced(whole["model"], place, value)})
            monkeypatch.setattr("skdbn._files.models.read", lambda *_, content=content: content)
            try:
                loaded = load_model(path)
            except ValueError:
                n_refused += 1
            else:
                predict = getattr(loaded, "predict", None) or loaded.transform
                assert np.isfinite(predict(X_TEST[:2])).all()
                if fit == "partial_fit":
                    goes_on_or_says_why(loaded, X[:60], y[:60])
    assert n_refused > 300


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_largest_weights", [None]),
        ("_largest_weights", [[1.0]]),
        ("loss_curve_", [1]),
        ("loss_curve_", (0.5,)),
        ("_stopped", np.zeros(3)),
        ("_stopped", 1),
        ("components_", np.full((8, 64), np.nan, np.float32)),
    ],
)
def test_attribute_that_would_fail_later_is_refused(name, value, tmp_path):
    path = tmp_path / "model"
    save_model(clone(RBM).fit(X), path)
    whole = read(path, "model")
    whole["model"]["attributes"][name] = value
    write(path, "model", whole)
    with pytest.raises(ValueError, match="is damaged"):
        load_model(path)


def test_classes_that_are_not_sorted_are_refused(tmp_path):
    path = tmp_path / "model"
    save_model(make_net().fit(X, Y), path)
    whole = read(path, "model")
    whole["model"]["attributes"]["classes_"] = np.arange(10)[::-1]
    write(path, "model", whole)
    with pytest.raises(ValueError, match="are not sorted"):
        load_model(path)


KEPT = {"n_calls": 1, "n_samples": 60, "n_labelled": 60, "share": 1.0, "has_tried": False}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("target_scale_", np.zeros(2), "target_scale_ is not positive"),
        ("target_scale_", np.array([1.0, np.nan]), "values that are not finite"),
        ("target_offset_", np.zeros(3), r"an array of shape \(2,\)"),
        ("target_offset_", np.zeros(2, np.float32), "type float64"),
        ("_head", "softmax", "the head of a regressor == 'softmax'"),
        ("output_loss_curve_", [1], "not a list of numbers"),
        ("_kept", {**KEPT, "n_calls": -1}, "-1 is out of range"),
        ("_kept", {**KEPT, "n_samples": 1.5}, "1.5 is not an integer"),
        ("_kept", {**KEPT, "n_labelled": 0}, "0 is out of range"),
        ("_kept", {**KEPT, "has_tried": 2}, "has_tried == 2, must be"),
        ("_kept", {**KEPT, "share": 0.0}, "share == 0.0, must be > 0"),
        ("_kept", {}, "KeyError"),
    ],
)
def test_part_of_a_regressor_that_would_fail_later_is_refused(name, value, message, tmp_path):
    path = tmp_path / "model"
    save_model(make_regressor().partial_fit(X, NETS["targets"][1]), path)
    whole = read(path, "model")
    whole["model"]["attributes"][name] = value
    write(path, "model", whole)
    with pytest.raises(ValueError, match=f"is damaged.*{message}"):
        load_model(path)


@pytest.mark.parametrize("head", ["linear", "other", None, ["softmax"]])
def test_classifier_with_the_head_of_another_estimator_is_refused(head, tmp_path):
    path = tmp_path / "model"
    save_model(make_net().fit(X, Y), path)
    whole = read(path, "model")
    whole["model"]["attributes"]["_head"] = head
    write(path, "model", whole)
    with pytest.raises(ValueError, match="is damaged.*the head of a classifier == "):
        load_model(path)


@pytest.mark.parametrize("name", ["predict", "transform", "__class__", "fit"])
def test_file_can_not_replace_methods(tmp_path, name):
    path = tmp_path / "model"
    save_model(clone(RBM).fit(X), path)
    whole = read(path, "model")
    whole["model"]["attributes"][name] = "text"
    write(path, "model", whole)
    with pytest.raises(ValueError, match=f"RBMTransformer has no attributes {name}"):
        load_model(path)
