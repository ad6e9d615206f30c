"""Nets that learn from a stream of rows: a call of partial_fit is a pass of fit."""

import copy
import pickle
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.class_weight import compute_sample_weight

from skdbn import (
    DataRangeWarning,
    DBNClassifier,
    DBNRegressor,
    DivergenceError,
    InterruptedTrainingWarning,
    RBMTransformer,
    load_model,
    save_model,
)
from skdbn._maths.engines import NumpyEngine
from skdbn._maths.optimizers import OPTIMIZERS, SCHEDULES

# Trainings of a pass or two have learned little.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::skdbn.{category}")
    for category in ("HiddenUnitsWarning", "NotConvergedWarning")
]
RNG = np.random.default_rng(0)
N = 60
X = np.hstack([RNG.normal(size=(N, 3)) * [1.0, 50.0, 1e4], RNG.uniform(size=(N, 3)) < 0.4])
WEIGHT = RNG.uniform(0.2, 3.0, size=N)
TARGETS = {
    "classes": RNG.integers(3, size=N),
    "labels": (RNG.uniform(size=(N, 3)) < 0.4).astype(int),
    "numbers": RNG.normal(size=(N, 2)) * [1.0, 1e6] + [5.0, 2e6],
}


def net(kind, **parameters):
    quick = {
        "rbm": RBMTransformer(n_iter=2),
        "finetune_iter": 3,
        "batch_size": 16,
        "noise": 0.2,
        "dropout": 0.1,
        "input_noise": 0.1,
        "random_state": 0,
    }
    if kind == "numbers":
        return DBNRegressor((6, 5), **{"output_iter": 2, **quick, **parameters})
    return DBNClassifier((6, 5), **{"softmax_iter": 2, **quick, **parameters})


def curve_below(model):
    return vars(model).get("softmax_loss_curve_", vars(model).get("output_loss_curve_"))


def assert_same(one, other):
    arrays = [*one.coefs_, *one.intercepts_, one.offset_, one.scale_]
    others = [*other.coefs_, *other.intercepts_, other.offset_, other.scale_]
    for a, b in zip(arrays, others, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(one.rbms_, other.rbms_, strict=True):
        np.testing.assert_array_equal(a.components_, b.components_)
    assert one.loss_curve_ == other.loss_curve_
    assert curve_below(one) == curve_below(other)


def differ(one, other):
    return any((a != b).any() for a, b in zip(one.coefs_, other.coefs_, strict=True))


# -- a call is a pass


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("pretrain", [True, False])
def test_one_call_is_a_fit_with_one_pass(kind, pretrain):
    model = net(kind, pretrain=pretrain, finetune_iter=1)
    y = TARGETS[kind]
    fitted = clone(model).fit(X, y)
    assert model.partial_fit(X, y) is model
    assert_same(model, fitted)
    assert len(model.rbms_) == 2 * pretrain
    np.testing.assert_array_equal(model.predict(X), fitted.predict(X))


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_as_many_calls_as_passes_are_a_fit(kind, schedule, solver, weight):
    model = net(kind, learning_rate=schedule, solver=solver, learning_rate_init=0.01)
    y = TARGETS[kind]
    fitted = clone(model).fit(X, y, sample_weight=weight)
    for _ in range(3):
        model.partial_fit(X, y, sample_weight=weight)
    assert_same(model, fitted)
    assert model.n_iter_ == 3


def test_first_call_on_frozen_machines_is_a_fit():
    lower = RBMTransformer(6, n_iter=2, random_state=0).fit(X)
    upper = RBMTransformer(5, n_iter=2, random_state=0).fit(lower.transform(X))
    machines = [FrozenEstimator(lower), FrozenEstimator(upper)]
    model = net("classes", rbm=machines, finetune_iter=1)
    fitted = clone(model).fit(X, TARGETS["classes"])
    assert_same(model.partial_fit(X, TARGETS["classes"]), fitted)


def test_dict_of_class_weights_counts_in_each_call():
    y, given = TARGETS["classes"], {0: 4.0, 2: 0.5}
    weight = compute_sample_weight(given, y)
    model = net("classes", class_weight=given, pretrain=False)
    weighted = net("classes", pretrain=False)
    binary = X[:, 3:]  # columns without a scale, in which sample weights would count too
    for part in (slice(None), slice(20)):
        model.partial_fit(binary[part], y[part])
        weighted.partial_fit(binary[part], y[part], sample_weight=weight[part])
    assert_same(model, weighted)


@pytest.mark.parametrize("kind", TARGETS)
def test_rows_count_beside_those_of_other_calls(kind):
    y, models = TARGETS[kind], []
    for weight, rate in ((3.0, 0.01), (1.0, 0.03)):  # what a weight of 3 is to plain descent
        model = net(kind, solver="sgd", learning_rate_init=0.01).partial_fit(X, y)
        model.set_params(learning_rate_init=rate)
        models.append(model.partial_fit(X, y, sample_weight=np.full(N, weight)))
    for one, other in zip(models[0].coefs_, models[1].coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", TARGETS)
def test_chunks_of_a_pass_make_as_many_steps_as_the_pass(kind, monkeypatch):
    steps = []
    step = OPTIMIZERS["adam"].step
    monkeypatch.setattr(
        OPTIMIZERS["adam"], "step", lambda self, *rest: steps.append(len(rest)) or step(self, *rest)
    )
    y = TARGETS[kind]
    model = net(kind, batch_size=10, finetune_iter=6, pretrain=False)
    model.set_params(
        **{name: 0 for name in ("softmax_iter", "output_iter") if hasattr(model, name)}
    )
    for part in np.split(np.arange(N), 6):
        model.partial_fit(X[part], y[part])
    assert len(steps) == 6
    optimizer = model._restored().optimizer
    assert optimizer.n_steps == 6
    whole = net(kind, batch_size=10, finetune_iter=1, pretrain=False)
    whole.set_params(
        **{name: 0 for name in ("softmax_iter", "output_iter") if hasattr(whole, name)}
    )
    whole.partial_fit(X, y)
    assert len(steps) == 12
    assert whole._restored().optimizer.n_steps == 6


@pytest.mark.parametrize("kind", TARGETS)
def test_chunks_in_turn_learn_what_a_fit_learns(kind):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 4))
    y = {
        "classes": (rows[:, 0] > 0).astype(int) + (rows[:, 1] > 0),
        "labels": (rows[:, :3] > 0).astype(int),
        "numbers": rows[:, :2] @ [[1.0, 2.0], [3.0, -1.0]],
    }[kind]
    model = net(kind, noise=0.0, dropout=0.0, input_noise=0.0, learning_rate_init=0.02)
    model.set_params(hidden_layer_sizes=20, finetune_iter=160)
    fitted = clone(model).set_params(finetune_iter=40).fit(rows[:320], y[:320])
    for _ in range(40):
        for part in np.split(np.arange(320), 4):
            model.partial_fit(rows[part], y[part])
    scores = [m.score(rows[320:], y[320:]) for m in (model, fitted)]
    assert min(scores) > 0.7, scores
    assert scores[0] > scores[1] - 0.1, scores


# -- what goes on


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("begins_with_fit", [True, False])
def test_given_batch_size_is_that_of_every_call(kind, begins_with_fit):
    model = net(kind, batch_size=30, pretrain=False)
    begin = model.fit if begins_with_fit else model.partial_fit
    begin(X[-10:], TARGETS[kind][-10:])
    before = model._restored().optimizer.n_steps if not begins_with_fit else 0
    model.partial_fit(X, TARGETS[kind])
    assert model._restored().optimizer.n_steps == before + 2
    model.partial_fit(X[:20], TARGETS[kind][:20])
    assert model._restored().optimizer.n_steps == before + 3


def test_random_numbers_go_on_from_call_to_call(monkeypatch):
    drawn = []
    permutation = NumpyEngine.permutation
    monkeypatch.setattr(
        NumpyEngine,
        "permutation",
        lambda self, n: drawn.append(permutation(self, n)) or drawn[-1],
    )
    model = net("classes", pretrain=False)
    orders = []
    for _ in range(3):
        model.partial_fit(X, TARGETS["classes"])
        orders.append(drawn[-1])
    assert all((orders[i] != orders[j]).any() for i, j in ((0, 1), (0, 2), (1, 2)))


def through_pickle(model, _):
    return pickle.loads(pickle.dumps(model))


def through_a_file(model, folder):
    save_model(model, folder / "net.npz")
    return load_model(folder / "net.npz")


def through_a_deep_copy(model, _):
    return copy.deepcopy(model)


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("way", [through_pickle, through_a_file, through_a_deep_copy])
def test_copy_between_calls_goes_on_with_the_same_bits(kind, solver, way, tmp_path):
    y = TARGETS[kind]
    model = net(kind, solver=solver, learning_rate_init=0.01)
    copied = way(model.partial_fit(X, y), tmp_path)
    for _ in range(2):
        model.partial_fit(X[:20], y[:20])
        copied = way(copied.partial_fit(X[:20], y[:20]), tmp_path)
    assert_same(model, copied)


@pytest.mark.parametrize("kind", TARGETS)
def test_clone_between_calls_is_unfitted_and_leaves_the_model_alone(kind):
    y = TARGETS[kind]
    model, other = (net(kind).partial_fit(X, y) for _ in range(2))
    cloned = clone(model)
    assert not hasattr(cloned, "coefs_")
    assert_same(cloned.partial_fit(X, y), other)
    assert_same(model.partial_fit(X, y), other.partial_fit(X, y))


def test_predicting_between_calls_changes_nothing():
    y = TARGETS["classes"]
    model, other = (net("classes").partial_fit(X, y) for _ in range(2))
    model.predict(X)
    model.transform(X)
    assert_same(model.partial_fit(X, y), other.partial_fit(X, y))


@pytest.mark.parametrize("kind", TARGETS)
def test_call_after_fit_goes_on_from_the_fitted_weights(kind):
    y = TARGETS[kind]
    model = net(kind).fit(X, y)
    before = [coef.copy() for coef in model.coefs_]
    machines, below = list(model.rbms_), list(curve_below(model))
    model.set_params(learning_rate_init=1e-9).partial_fit(X[:30], y[:30])
    assert model.n_iter_ == 4
    assert model.rbms_ == machines
    assert curve_below(model) == below
    assert differ(model, net(kind).fit(X, y))
    for one, other in zip(model.coefs_, before, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_call_after_fit_without_finetuning_trains_nothing_below():
    y = TARGETS["classes"]
    model = net("classes", finetune_iter=0).fit(X, y)
    below, machines = list(curve_below(model)), [rbm.components_.copy() for rbm in model.rbms_]
    model.set_params(finetune_iter=3, learning_rate_init=1e-9).partial_fit(X, y)
    assert curve_below(model) == below
    for rbm, components in zip(model.rbms_, machines, strict=True):
        np.testing.assert_array_equal(rbm.components_, components)


def test_call_never_resumes_pretraining_of_a_net_that_was_finetuned():
    y = TARGETS["classes"]
    model = net("classes").fit(X, y)
    before = [coef.copy() for coef in model.coefs_]
    model.set_params(rbm__n_iter=5, learning_rate_init=1e-9).partial_fit(X, y)
    assert [rbm.n_iter_ for rbm in model.rbms_] == [2, 2]
    for one, other in zip(model.coefs_, before, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_fit_after_calls_starts_anew_or_goes_on_as_warm_start_says():
    y = TARGETS["classes"]
    model = net("classes").partial_fit(X, y)
    assert_same(copy.deepcopy(model).fit(X, y), net("classes").fit(X, y))
    warm = copy.deepcopy(model).set_params(warm_start=True, learning_rate_init=1e-9).fit(X, y)
    assert warm.n_iter_ == 4
    assert len(warm.rbms_) == 2
    assert abs(warm.coefs_[0] - model.coefs_[0]).max() < 1e-6


def test_schedule_begins_again_after_fit():
    y = TARGETS["classes"]
    model = net("classes", finetune_iter=2, warm_start=True)
    model.partial_fit(X, y).partial_fit(X, y)
    model.fit(X, y).partial_fit(X, y).partial_fit(X, y)
    assert model.n_iter_ == 6


def test_another_solver_starts_with_a_state_of_its_own():
    y = TARGETS["classes"]
    model = net("classes").partial_fit(X, y)
    model.set_params(solver="sgd", learning_rate_init=0.01)
    model.partial_fit(X, y).partial_fit(X, y)
    assert model.n_iter_ == 3
    assert np.isfinite(model.coefs_[0]).all()


# -- the schedule


@pytest.mark.parametrize("kind", TARGETS)
def test_call_after_the_schedule_has_ended_gets_advice_that_works(kind):
    y = TARGETS[kind]
    model = net(kind, finetune_iter=2)
    for _ in range(2):
        model.partial_fit(X, y)
    message = r"called 2 times.*finetune_iter == 2 calls\. .*learning_rate='constant' and a small"
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            model.partial_fit(X, y)
    assert model.n_iter_ == 2
    raised = copy.deepcopy(model).set_params(finetune_iter=3).partial_fit(X, y)
    assert differ(raised, model)
    with pytest.raises(ValueError, match="called 3 times"):
        raised.partial_fit(X, y)
    advised = {"learning_rate": "constant", "learning_rate_init": 1e-4}
    constant = copy.deepcopy(model).set_params(**advised)
    for _ in range(3):
        constant.partial_fit(X, y)
    assert constant.n_iter_ == 5
    assert differ(constant, model)


@pytest.mark.parametrize(
    "parameters",
    [
        {"finetune_iter": "auto"},
        {"finetune_iter": 1, "learning_rate": "constant"},
        {"finetune_iter": 0, "learning_rate": "constant"},
    ],
)
def test_constant_rate_never_ends(parameters):
    model, y = net("classes", pretrain=False, solver="sgd", **parameters), TARGETS["classes"]
    model.set_params(learning_rate_init=1e-3, noise=0.0, dropout=0.0, input_noise=0.0)
    for _ in range(30):
        before = [coef.copy() for coef in getattr(model, "coefs_", [])]
        model.partial_fit(X, y)
    assert model.n_iter_ == 30
    assert abs(model.coefs_[-1] - before[-1]).max() > 1e-5


def test_automatic_numbers_are_those_of_the_first_rows():
    many = np.vstack([X] * 10)
    y = np.tile(TARGETS["classes"], 10)
    model = net("classes", batch_size="auto", noise="auto", pretrain=False)
    model.partial_fit(many, y)
    steps = model._restored().optimizer.n_steps
    assert steps == 100  # minibatches of six rows
    model.partial_fit(X, TARGETS["classes"])
    assert model._restored().optimizer.n_steps == steps + 10


def test_early_stopping_plays_no_part():
    y = TARGETS["classes"]
    model = net("classes", early_stopping=True, n_iter_no_change=1, tol=10.0)
    plain = net("classes")
    for _ in range(3):
        model.partial_fit(X, y)
        plain.partial_fit(X, y)
    assert_same(model, plain)
    assert not hasattr(model, "validation_scores_")


def test_curves_of_held_out_rows_of_an_earlier_fit_go():
    y = TARGETS["classes"]
    model = net("classes").fit(X, y, X_val=X, y_val=y)
    assert len(model.validation_loss_curve_) == 3
    model.partial_fit(X, y)
    for name in ("validation_scores_", "validation_loss_curve_", "best_validation_score_"):
        assert not hasattr(model, name)


# -- classes and targets


def test_new_class_is_refused():
    model = net("classes").partial_fit(X, TARGETS["classes"])
    before = copy.deepcopy(model)
    message = r"y has 7, .* the classes: \[0 1 2\].* clone\(model\).partial_fit\(X, y, classes="
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X[:3], [0, 7, 1])
    assert_same(model, before)


def test_all_classes_can_be_named_in_the_first_call():
    names = np.array(["heron", "kestrel", "owl", "wren"])
    y = names[TARGETS["classes"]]
    model = net("classes", finetune_iter="auto").partial_fit(X, y, classes=names[::-1])
    np.testing.assert_array_equal(model.classes_, names)
    assert model.predict_proba(X).shape == (N, 4)
    model.partial_fit(X[:5], ["wren"] * 5)
    for _ in range(60):
        model.partial_fit(X[:20], ["wren"] * 20)
    assert (model.predict(X[:20]) == "wren").all()


def test_first_rows_may_lack_a_class_that_is_named():
    y = TARGETS["classes"]
    few = y < 2
    model = net("classes", pretrain=False).partial_fit(X[few], y[few], classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (N, 3)
    single = net("classes", pretrain=False).partial_fit(X[y == 1], y[y == 1], classes=[0, 1, 2])
    np.testing.assert_array_equal(single.classes_, [0, 1, 2])
    with pytest.raises(ValueError, match=r"y has 2, .* List all classes: partial_fit"):
        net("classes").partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"y has 9, .* Start anew with all classes: clone"):
        model.partial_fit(X[:5], [9] * 5)


@pytest.mark.parametrize("n_classes", [3, 30])
def test_label_of_another_type_than_the_classes_is_named_as_python_writes_it(n_classes):
    y, numbers = TARGETS["classes"], np.arange(n_classes)
    with pytest.raises(ValueError, match=r"y has '0', which is not among the classes: \[ ?0 "):
        net("classes").partial_fit(X, y.astype(str), classes=numbers)
    with pytest.raises(ValueError, match=r"y has 0, which is not among the classes: \['0' "):
        net("classes").partial_fit(X, y, classes=numbers.astype(str))
    with pytest.raises(ValueError, match=r"y_val has '2', .* classes in y: \[0 1 2\]"):
        net("classes").fit(X, y, X_val=X[:1], y_val=["2"])


def test_classes_may_be_named_again_but_not_changed():
    y = TARGETS["classes"]
    model = net("classes").partial_fit(X, y, classes=[0, 1, 2])
    model.partial_fit(X, y, classes=[2, 1, 0])
    net("classes").partial_fit(X, y, classes={0, 1, 2})
    names = np.array(["a", "b", "c"], object)  # as of a DataFrame
    assert net("classes").partial_fit(X, names[y], classes=names).classes_.dtype == object
    with pytest.raises(
        ValueError, match=r"lists the classes \[0 1 2 3\], but .*\[0 1 2\].*clone\(model\)\.partial"
    ):
        model.partial_fit(X, y, classes=[0, 1, 2, 3])
    model.partial_fit(X, y, classes=dict.fromkeys([0, 1, 2]).keys())


@pytest.mark.parametrize("wrong", [np.nan, np.inf, None, pd.NA, pd.NaT])
def test_missing_value_is_no_class(wrong):
    with pytest.raises(ValueError, match=rf"classes contains {wrong!r}, which is no class"):
        net("classes").partial_fit(X, TARGETS["classes"], classes=[0, 1, 2, wrong])


def test_classes_of_two_types_are_refused():
    y = np.array(["a", "b", "1"])[TARGETS["classes"]]
    with pytest.raises(ValueError, match=r"strings and other values: \['a', 'b', 1\]"):
        net("classes").partial_fit(X, y, classes=["a", "b", 1])


def test_loss_of_a_part_does_not_depend_on_the_unit_of_its_weights():
    still = {"learning_rate": "constant", "learning_rate_init": 1e-12, "noise": 0.0}
    model = net("classes", dropout=0.0, input_noise=0.0, **still)
    for factor in (1.0, 10.0, 0.1):
        model.partial_fit(X, TARGETS["classes"], sample_weight=factor * WEIGHT)
    assert model.loss_curve_ == pytest.approx([model.loss_curve_[0]] * 3, rel=1e-6)


def test_rows_of_one_class_are_a_part_but_no_beginning():
    y = TARGETS["classes"]
    with pytest.raises(ValueError, match="y has only one class"):
        net("classes").partial_fit(X[y == 1], y[y == 1])
    model = net("classes").partial_fit(X, y).partial_fit(X[y == 1], y[y == 1])
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])


@pytest.mark.parametrize(
    ("first", "later", "message"),
    [
        ("classes", "labels", r"3 labels in an indicator matrix, .* has the classes \[0 1 2\]"),
        ("labels", "classes", r"the classes \[0 1 2\], .* has 3 labels in an indicator matrix"),
    ],
)
def test_classes_and_labels_do_not_follow_each_other(first, later, message):
    model = net(first).partial_fit(X, TARGETS[first])
    before = copy.deepcopy(model)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, TARGETS[later])
    assert_same(model, before)
    anew = clone(model).partial_fit(X, TARGETS[later], classes=range(3))  # as the advice says
    assert_same(anew, net(later).partial_fit(X, TARGETS[later]))


def test_another_number_of_labels_or_targets_is_refused():
    model = net("labels").partial_fit(X, TARGETS["labels"])
    with pytest.raises(ValueError, match="2 labels in an indicator matrix, .* has 3 labels"):
        model.partial_fit(X, TARGETS["labels"][:, :2])
    model = net("numbers").partial_fit(X, TARGETS["numbers"])
    with pytest.raises(
        ValueError, match="has loss == 'squared_error' and 2 targets, not 'squared_error' and 1"
    ):
        model.partial_fit(X, TARGETS["numbers"][:, 0])


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
def test_scale_of_targets_is_that_of_the_first_call(loss):
    y = abs(TARGETS["numbers"][:, 1])
    model = net("numbers", loss=loss, finetune_iter="auto").partial_fit(X, y)
    offset, scale = model.target_offset_.copy(), model.target_scale_.copy()
    model.partial_fit(X[:5], 100.0 * y[:5])
    np.testing.assert_array_equal(model.target_offset_, offset)
    np.testing.assert_array_equal(model.target_scale_, scale)
    before = model.predict(X).mean()
    for _ in range(30):
        model.partial_fit(X, 3.0 * y)
    assert model.predict(X).mean() > before + y.mean() / 2


# -- rows


@pytest.mark.parametrize("container", [csr_matrix, pd.DataFrame, np.asfortranarray])
def test_rows_in_every_container_give_the_same_net(container):
    y = TARGETS["classes"]
    model, other = net("classes"), net("classes")
    for part in (X, X[:20]):
        model.partial_fit(part, y[: len(part)])
        other.partial_fit(container(part), y[: len(part)])
    assert_same(model, other)


def test_type_of_the_first_rows_stays():
    model = net("numbers", finetune_iter="auto").partial_fit(
        X.astype(np.float32), TARGETS["numbers"]
    )
    model.partial_fit(X, TARGETS["numbers"], sample_weight=WEIGHT)
    assert {array.dtype for array in model.coefs_ + model.intercepts_} == {np.dtype(np.float32)}


@pytest.mark.parametrize("kind", TARGETS)
def test_rows_of_a_memory_map_are_not_copied(kind, tmp_path):
    n, n_features = 20_000, 100
    table = np.lib.format.open_memmap(
        tmp_path / "X.npy", "w+", dtype=np.float32, shape=(n, n_features)
    )
    table[...] = np.random.default_rng(0).uniform(size=(n, n_features))
    y = np.resize(TARGETS[kind], (n, *TARGETS[kind].shape[1:]))
    model = net(kind, pretrain=False, batch_size=500, finetune_iter="auto")
    rows = np.load(tmp_path / "X.npy", mmap_mode="r")
    model.partial_fit(rows, y, sample_weight=np.resize(WEIGHT, n))
    tracemalloc.start()
    model.partial_fit(rows, y, sample_weight=np.resize(WEIGHT, n))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < rows.nbytes / 2


def test_first_call_with_few_rows_warns():
    y = TARGETS["classes"]
    with pytest.warns(DataRangeWarning, match="first call of partial_fit has 9 rows") as caught:
        net("classes").partial_fit(X[:9], y[:9])
    assert [w.filename for w in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net("classes").partial_fit(X, y).partial_fit(X[:9], y[:9])


def test_later_rows_of_another_scale_warn():
    y = TARGETS["classes"]
    model = net("classes").partial_fit(X, y)
    with pytest.warns(DataRangeWarning, match="of X are far from the training data"):
        model.partial_fit(X * 1000, y)


# -- when something goes wrong


@pytest.mark.parametrize("kind", TARGETS)
def test_call_that_diverges_gives_the_net_back(kind):
    y = TARGETS[kind]
    model = net(kind, solver="sgd", learning_rate_init=0.01).partial_fit(X, y)
    other = copy.deepcopy(model)
    model.set_params(learning_rate_init=1e300)
    with pytest.raises(DivergenceError, match=r"Lower learning_rate_init"):
        model.partial_fit(X, y)
    assert_same(model, other)
    model.set_params(learning_rate_init=0.01)
    assert_same(model.partial_fit(X, y), other.partial_fit(X, y))


def test_first_call_that_diverges_leaves_nothing():
    model = net("classes", solver="sgd", learning_rate_init=1e300, pretrain=False)
    model.set_params(softmax_iter=0)
    with pytest.raises(DivergenceError, match=r"Lower learning_rate_init"):
        model.partial_fit(X, TARGETS["classes"])
    assert not hasattr(model, "coefs_")


class Interrupting:
    """Let a method of the engine end in Ctrl-C at its n-th call."""

    def __init__(self, monkeypatch, name, n):
        original = getattr(NumpyEngine, name)
        self.left = n

        def interrupted(engine, *rest, **options):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return original(engine, *rest, **options)

        monkeypatch.setattr(NumpyEngine, name, interrupted)


@pytest.mark.parametrize("kind", TARGETS)
def test_interrupted_call_keeps_the_state_before(kind, monkeypatch):
    y = TARGETS[kind]
    model = net(kind).partial_fit(X, y)
    other = copy.deepcopy(model)
    with monkeypatch.context() as patch:
        Interrupting(patch, "noise", 5)  # in the second minibatch
        message = r"0 of 1 passes .* call partial_fit again with the same rows"
        with pytest.warns(InterruptedTrainingWarning, match=message):
            model.partial_fit(X, y)
    assert_same(model, other)
    assert_same(model.partial_fit(X, y), other.partial_fit(X, y))


@pytest.mark.parametrize("phase", ["pretrain layer 1", "pretrain layer 2", "softmax"])
def test_first_call_that_was_interrupted_below_is_made_up_for_by_the_next(phase, monkeypatch):
    y = TARGETS["classes"]
    model = net("classes", verbose=1, finetune_iter="auto")

    def interrupting(text, **_):
        if f"{phase}: pass 1 of 2" in text:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("builtins.print", interrupting)
        with pytest.warns(InterruptedTrainingWarning, match="call partial_fit again"):
            model.partial_fit(X, y)
    assert model.n_iter_ == 0
    model.set_params(verbose=0).partial_fit(X, y)
    assert [rbm.n_iter_ for rbm in model.rbms_] == [2, 2]
    assert len(model.softmax_loss_curve_) == 2
    assert model.n_iter_ == 1
    model.partial_fit(X, y)
    assert len(model.softmax_loss_curve_) == 2


def test_first_call_that_was_interrupted_in_finetuning_ends_with_the_same_bits(monkeypatch):
    y = TARGETS["classes"]
    model = net("classes")
    with monkeypatch.context() as patch:
        Interrupting(patch, "noise", 5)
        with pytest.warns(InterruptedTrainingWarning):
            model.partial_fit(X, y)
    assert_same(model.partial_fit(X, y), net("classes").partial_fit(X, y))


@pytest.mark.parametrize("name", ["hidden_layer_sizes", "rbm"])
def test_other_layers_are_refused_with_advice_that_works(name):
    y = TARGETS["classes"]
    other = {"hidden_layer_sizes": (6, 4), "rbm": RBMTransformer(hidden_units="gaussian")}[name]
    model = net("classes").partial_fit(X, y).set_params(**{name: other})
    with pytest.raises(
        ValueError, match=r"To start anew, call set_params\(warm_start=False\) and fit\."
    ):
        model.partial_fit(X, y)
    model.set_params(rbm__n_iter=0, warm_start=False).fit(X, y)
