"""The classifier."""

import io
import pickle
import re
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, csr_matrix
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_iris,
    load_wine,
    make_blobs,
    make_circles,
)
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skdbn import (
    DataRangeWarning,
    DBNClassifier,
    DivergenceError,
    GrowingWeightsWarning,
    HiddenUnitsWarning,
    InterruptedTrainingWarning,
    RBMTransformer,
)
from skdbn._dbn import PERTURBATIONS
from skdbn._maths.optimizers import OPTIMIZERS, SCHEDULES
from skdbn._training.checks import resolve_batch_size
from skdbn.datasets import load_digits

pytestmark = pytest.mark.filterwarnings(  # most trainings here are short on purpose
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)
X, X_TEST, Y, Y_TEST = load_digits()
FEW = slice(0, 300)
QUICK = RBMTransformer(n_iter=2)


def make_net(**parameters):
    quick = {"rbm": QUICK, "softmax_iter": 2, "finetune_iter": 2, "random_state": 0}
    return DBNClassifier(**{"hidden_layer_sizes": (15, 10), **quick, **parameters})


def interrupt_at_line(monkeypatch, beginning):
    """Let the line of progress that says this end in Ctrl-C."""

    def interrupting(text, **_):
        if beginning in text:
            raise KeyboardInterrupt

    monkeypatch.setattr("builtins.print", interrupting)


def assert_same_network(one, other):
    for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_array_equal(a, b)


# -- what training learns


@pytest.mark.exhaustive
def test_classifier_learns_digits():
    net = DBNClassifier((100, 100), random_state=0).fit(X, Y)
    assert net.score(X_TEST, Y_TEST) > 0.95
    assert net.loss_curve_[-1] < net.loss_curve_[0]
    assert net.softmax_loss_curve_[-1] < net.softmax_loss_curve_[0]


@pytest.mark.exhaustive
@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_solver_and_schedule_learns(solver, schedule):
    rate = {"adam": 3e-3, "sgd": 0.03}[solver]
    net = DBNClassifier(
        (50,),
        rbm=RBMTransformer(n_iter=5),
        solver=solver,
        learning_rate=schedule,
        learning_rate_init=rate,
        finetune_iter=15,
        random_state=0,
    ).fit(X, Y)
    assert net.score(X_TEST, Y_TEST) > 0.9


def test_pretraining_is_on_by_default_with_thirty_and_ten_passes_and_3000_steps():
    net = DBNClassifier((4,), random_state=0).fit(X[FEW], Y[FEW])
    assert [rbm.n_iter_ for rbm in net.rbms_] == [30]
    assert (len(net.softmax_loss_curve_), len(net.loss_curve_)) == (10, 30)


def test_network_without_pretraining_is_the_control():
    net = DBNClassifier((50,), pretrain=False, finetune_iter=20, random_state=0).fit(X, Y)
    assert net.rbms_ == []
    assert net.score(X_TEST, Y_TEST) > 0.9


def test_layers_are_pretrained_on_the_probabilities_of_the_layer_below():
    net = make_net(softmax_iter=0, finetune_iter=0).fit(X, Y)
    below, above = net.rbms_
    again = clone(above).fit(below.transform(X))
    np.testing.assert_array_equal(again.components_, above.components_)
    for rbm, coef in zip(net.rbms_, net.coefs_, strict=False):
        factors = coef / rbm.components_.T  # other than 1 if the units are spread
        np.testing.assert_allclose(factors, factors[0, 0], rtol=1e-4)


def test_softmax_phase_trains_the_top_layer_alone():
    start = make_net(softmax_iter=0, finetune_iter=0).fit(X, Y)
    after = make_net(finetune_iter=0).fit(X, Y)
    for i in (0, 1):
        np.testing.assert_array_equal(start.coefs_[i], after.coefs_[i])
        np.testing.assert_array_equal(start.intercepts_[i], after.intercepts_[i])
    assert (start.coefs_[2] != after.coefs_[2]).any()
    assert after.softmax_loss_curve_[1] < after.softmax_loss_curve_[0]
    *_, inputs = inputs_of_layers(after, X)
    scores = expit(inputs) @ after.coefs_[2] + after.intercepts_[2]
    np.testing.assert_array_equal(scores.argmax(axis=1), after.predict(X))


def test_fine_tuning_changes_every_layer_and_leaves_the_machines_as_pretrained():
    start = make_net(finetune_iter=0).fit(X, Y)
    after = make_net().fit(X, Y)
    for i in range(3):
        assert (start.coefs_[i] != after.coefs_[i]).mean() > 0.9
    for one, other in zip(start.rbms_, after.rbms_, strict=True):
        np.testing.assert_array_equal(one.components_, other.components_)
        assert one.intercept_visible_.any()


def test_fitted_attributes_have_the_shapes_of_mlp_classifier():
    net, peer = make_net().fit(X, Y), MLPClassifier((15, 10), max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.fit(X, Y)
    assert [c.shape for c in net.coefs_] == [c.shape for c in peer.coefs_]
    assert [c.shape for c in net.intercepts_] == [c.shape for c in peer.intercepts_]
    assert net.n_layers_ == peer.n_layers_
    np.testing.assert_array_equal(net.classes_, peer.classes_)
    assert net.n_iter_ == len(net.loss_curve_) == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_computation_keeps_the_dtype(dtype):
    net = make_net().fit(X.astype(dtype), Y)
    assert {a.dtype for a in net.coefs_ + net.intercepts_} == {np.dtype(dtype)}
    assert {rbm.components_.dtype for rbm in net.rbms_} == {np.dtype(dtype)}
    assert net.predict_proba(X.astype(dtype)).dtype == dtype


# -- templates


def test_template_is_cloned_for_each_layer_and_never_fitted():
    template = RBMTransformer(n_iter=2, learning_rate=0.03, gradient="pcd")
    before = template.get_params()
    net = make_net(rbm=template).fit(X[FEW], Y[FEW])
    assert template.get_params() == before
    assert not hasattr(template, "components_")
    assert [rbm.learning_rate for rbm in net.rbms_] == [0.03, 0.03]
    assert [rbm.n_components for rbm in net.rbms_] == [15, 10]
    assert net.rbms_[0].random_state != net.rbms_[1].random_state


def test_sequence_gives_each_layer_its_template():
    gaussian = RBMTransformer(visible_units="gaussian", learning_rate=0.001, n_iter=20)
    iris = load_iris()
    data = (iris.data - iris.data.mean(axis=0)) / iris.data.std(axis=0)
    net = make_net(
        rbm=[gaussian, RBMTransformer()], finetune_iter=50, batch_size=5, learning_rate_init=0.01
    )
    net.fit(data, iris.target)  # and no warning about its range
    assert [rbm.visible_units for rbm in net.rbms_] == ["gaussian", "binary"]
    assert net.score(data, iris.target) > 0.9
    assert clone(net).rbm[0].visible_units == "gaussian"


def test_visible_units_of_a_template_are_those_of_the_data():
    data = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-6)
    net = make_net(rbm=RBMTransformer(visible_units="gaussian", n_iter=2)).fit(data, Y)
    assert [rbm.visible_units for rbm in net.rbms_] == ["gaussian", "binary"]
    both = [RBMTransformer(visible_units="gaussian", n_iter=2), RBMTransformer(n_iter=2)]
    assert_same_network(net, make_net(rbm=both).fit(data, Y))


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("sizes", "n_nets", "score"), [((500, 500), 1, 0.83), ((100,), 3, 0.88), ((4,), 3, 0.88)]
)
def test_defaults_learn_a_small_table(sizes, n_nets, score):
    data, labels = make_blobs(150, random_state=0)
    data = MinMaxScaler().fit_transform(data)
    nets = [DBNClassifier(sizes, random_state=seed).fit(data, labels) for seed in range(n_nets)]
    # Guessing is at 0.33, logistic regression at 0.91.
    assert np.median([net.score(data, labels) for net in nets]) > score


def test_gaussian_hidden_units_are_linear_units_of_the_network():
    templates = [RBMTransformer(hidden_units="gaussian", learning_rate=1e-3, n_iter=1), QUICK]
    net = make_net(rbm=templates).fit(X, Y)
    assert [rbm.visible_units for rbm in net.rbms_] == ["auto", "gaussian"]
    h = X @ net.coefs_[0] + net.intercepts_[0]
    h = 1 / (1 + np.exp(-(h @ net.coefs_[1] + net.intercepts_[1])))
    scores = h @ net.coefs_[2] + net.intercepts_[2]
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    np.testing.assert_allclose(
        net.predict_proba(X), p / p.sum(axis=1, keepdims=True), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(
    ("rbm", "message"),
    [
        (MLPClassifier(), r"rbm == MLPClassifier\(\), must be an RBMTransformer, a fitted"),
        ("rbm", r"rbm == 'rbm', must be an RBMTransformer"),
        ([RBMTransformer(), None], r"rbm == None, must be an RBMTransformer"),
        (RBMTransformer, r"must be an RBMTransformer"),
        ([RBMTransformer()], r"rbm is a list of length 1, but .* has length 2"),
        ([], r"rbm is a list of length 0"),
        (FrozenEstimator(MLPClassifier()), r"must be an RBMTransformer, a fitted"),
        ([QUICK, FrozenEstimator(RBMTransformer(10))], r"not fitted yet"),
    ],
)
def test_wrong_template_is_refused(rbm, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make_net(rbm=rbm).fit(X, Y)


def test_wrong_parameter_of_a_template_is_refused():
    with pytest.raises(ValueError, match=r"gradient == 'exact'"):
        make_net(rbm=RBMTransformer(gradient="exact")).fit(X, Y)


# -- machines that were trained before


def frozen_stack(data=X, sizes=(15, 10)):
    machines = []
    for n_components in sizes:
        machine = RBMTransformer(n_components, n_iter=2, random_state=1).fit(data)
        data = machine.transform(data)
        machines.append(FrozenEstimator(machine))
    return machines


def test_frozen_machines_of_a_net_give_the_same_bits_as_its_own_pretraining():
    net = make_net().fit(X, Y)
    again = make_net(rbm=[FrozenEstimator(machine) for machine in net.rbms_]).fit(X, Y)
    assert_same_network(net, again)


def test_columns_of_a_frozen_machine_must_have_the_same_names():
    frame = pd.DataFrame(X[:, :4], columns=list("abcd"))
    rbm = RBMTransformer(15, n_iter=1).fit(frame)
    net = make_net(hidden_layer_sizes=(15,), rbm=FrozenEstimator(rbm))
    other = frame[list("abdc")]
    with pytest.raises(ValueError, match=r"column 2 \(counted from 0\) is 'd', but was 'c'"):
        net.fit(other, Y)
    net.fit(other[rbm.feature_names_in_], Y)  # as the message advises
    np.testing.assert_array_equal(net.rbms_[0].transform(frame), rbm.transform(frame))
    net.fit(frame.to_numpy(), Y)
    with pytest.raises(ValueError, match=r"is 'e', but was 'a'. Rename .* X.to_numpy\(\)"):
        net.fit(frame.rename(columns={"a": "e"}), Y)
    own = make_net(hidden_layer_sizes=(15,)).fit(frame, Y)
    assert own.rbms_[0].feature_names_in_.tolist() == [*"abcd"]
    with pytest.raises(ValueError, match="is 'd', but was 'c'"):
        make_net(hidden_layer_sizes=(15,), rbm=FrozenEstimator(own.rbms_[0])).fit(other, Y)


def test_warm_start_with_another_frozen_machine_is_refused():
    one, other = frozen_stack(), frozen_stack(X[:100])
    net = make_net(rbm=one, warm_start=True).fit(X, Y)
    net.fit(X, Y)
    with pytest.raises(ValueError, match="another frozen RBM for layer 1 .*warm_start=False"):
        net.set_params(rbm=other).fit(X, Y)
    net.set_params(warm_start=False).fit(X, Y)
    np.testing.assert_array_equal(net.rbms_[0].components_, other[0].components_)
    net.set_params(rbm=one).partial_fit(X, Y)  # which does not look at the machines again


def test_warm_start_with_a_frozen_machine_of_another_scale_is_refused():
    rbm = RBMTransformer(15, visible_units="gaussian", n_iter=1, random_state=0)
    scales = [clone(rbm).fit(factor * X) for factor in (16.0, 1024.0)]
    np.testing.assert_array_equal(scales[0].components_, scales[1].components_)
    parameters = {"hidden_layer_sizes": (15,), "warm_start": True}
    net = make_net(rbm=FrozenEstimator(scales[0]), **parameters).fit(16.0 * X, Y)
    with pytest.raises(ValueError, match="another frozen RBM for layer 1"):
        net.set_params(rbm=FrozenEstimator(scales[1])).fit(16.0 * X, Y)


def test_machine_that_stopped_early_goes_on_if_it_shall_no_longer_stop():
    stops = RBMTransformer(n_iter=50, early_stopping=True, n_iter_no_change=1, tol=1.0)
    net = make_net(rbm=stops, warm_start=True).fit(X, Y)
    n_passes = net.rbms_[0].n_iter_
    assert n_passes < 20
    assert net.fit(X, Y).rbms_[0].n_iter_ == n_passes
    net.set_params(rbm__early_stopping=False, rbm__n_iter=20).fit(X, Y)
    assert net.rbms_[0].n_iter_ == 20


def test_machine_that_stopped_early_goes_on_if_its_passes_were_raised():
    stops = RBMTransformer(n_iter=50, early_stopping=True, n_iter_no_change=1, tol=1.0)
    net = make_net(rbm=stops, warm_start=True).fit(X, Y)
    n_passes = net.rbms_[0].n_iter_
    patient = {"rbm__n_iter_no_change": 50, "rbm__tol": 0.0}
    net.set_params(**patient).fit(X, Y)
    assert net.rbms_[0].n_iter_ == n_passes  # it has ended
    net.set_params(rbm__n_iter=60).fit(X, Y)
    assert net.rbms_[0].n_iter_ == 60


def test_frozen_machines_are_used_as_they_are_and_never_trained():
    machines = frozen_stack()
    net = make_net(rbm=machines, finetune_iter=0).fit(X[FEW], Y[FEW])
    for machine, used, coef in zip(machines, net.rbms_, net.coefs_, strict=False):
        np.testing.assert_array_equal(used.components_, machine.components_)
        factors = coef / machine.components_.T
        np.testing.assert_allclose(factors, factors[0, 0], rtol=1e-4)
        assert used is not machine.estimator
    before = [machine.components_.copy() for machine in machines]
    net.set_params(finetune_iter=2).fit(X[FEW], Y[FEW])
    for machine, components in zip(machines, before, strict=True):
        np.testing.assert_array_equal(machine.components_, components)


def test_templates_are_trained_on_the_output_of_frozen_machines():
    first = frozen_stack(sizes=(15,))[0]
    net = make_net(rbm=[first, QUICK]).fit(X[FEW], Y[FEW])
    seed = net.rbms_[1].random_state
    second = RBMTransformer(10, n_iter=2, random_state=seed).fit(first.transform(X[FEW]))
    np.testing.assert_array_equal(net.rbms_[1].components_, second.components_)


def test_warm_start_does_not_start_frozen_machines_again():
    net = make_net(rbm=frozen_stack(), warm_start=True).fit(X[FEW], Y[FEW])
    net.rbm[0].estimator.set_params(n_iter=50)  # more than it made
    coefs = [coef.copy() for coef in net.coefs_]
    net.set_params(softmax_iter=0, finetune_iter=0).fit(X[FEW], Y[FEW])
    assert [machine.n_iter_ for machine in net.rbms_] == [2, 2]
    for coef, kept in zip(net.coefs_, coefs, strict=True):
        np.testing.assert_array_equal(coef, kept)


def test_frozen_machines_pass_through_clone_pipeline_and_grid_search():
    machines = frozen_stack()
    assert clone(make_net(rbm=machines)).rbm == machines
    pipeline = make_pipeline(MinMaxScaler(), make_net(rbm=machines))
    grid = {"dbnclassifier__finetune_iter": [0, 3]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X[FEW], Y[FEW])
    net = search.best_estimator_["dbnclassifier"]
    np.testing.assert_array_equal(net.rbms_[0].components_, machines[0].components_)


def test_frozen_machine_warns_of_values_outside_its_range():
    with pytest.warns(DataRangeWarning, match="of X are far from the training data") as caught:
        make_net(rbm=frozen_stack()).fit(X[FEW] * 16, Y[FEW])
    caught = [warning for warning in caught if warning.category is DataRangeWarning]
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(
    "name", ["dropout", "input_dropout", "noise", "input_noise", "adversarial", "alpha"]
)
def test_numpy_scalars_give_the_same_bits_as_python_floats(name):
    nets = [make_net(**{name: kind(0.3)}).fit(X[FEW], Y[FEW]) for kind in (float, np.float64)]
    assert_same_network(*nets)


def test_machines_that_do_not_fit_are_refused_with_both_numbers():
    with pytest.raises(ValueError, match=r"layer 2 has 10 hidden units, but .* has 12 there"):
        make_net(rbm=frozen_stack(), hidden_layer_sizes=(15, 12)).fit(X, Y)
    changed = frozen_stack()
    changed[0].estimator.set_params(n_components=9)
    with pytest.raises(ValueError, match=r"layer 1 has 9 hidden units, but .* has 15 there"):
        make_net(rbm=changed).fit(X, Y)
    with pytest.raises(ValueError, match=r"layer 1 was trained on 64 features, .* has 63"):
        make_net(rbm=frozen_stack()).fit(X[:, 1:], Y)
    with pytest.raises(ValueError, match=r"layer 2 was trained on 15 features, .* has 9"):
        make_net(rbm=[QUICK, frozen_stack()[1]], hidden_layer_sizes=(9, 10)).fit(X, Y)


# -- early stopping, warm start, dropout


def test_early_stopping_keeps_the_weights_of_the_best_pass():
    net = make_net(early_stopping=True, finetune_iter=6, learning_rate_init=0.03).fit(X, Y)
    assert len(net.validation_scores_) == net.n_iter_
    assert net.best_validation_score_ == max(net.validation_scores_)
    best = int(np.argmax(net.validation_scores_)) + 1
    shorter = make_net(
        early_stopping=True, finetune_iter=best, learning_rate="constant", learning_rate_init=0.03
    ).fit(X, Y)
    longer = clone(shorter).set_params(finetune_iter=best + 3).fit(X, Y)
    if longer.best_validation_score_ == shorter.best_validation_score_:
        assert_same_network(shorter, longer)


def loss_of(net):
    """Cross-entropy of the test digits."""
    p = net.predict_proba(X_TEST).astype(float)
    return log_loss(Y_TEST, p / p.sum(axis=1, keepdims=True))  # float32 sums to nearly 1


def test_losses_of_held_out_rows_are_those_of_the_probabilities():
    net = make_net(finetune_iter=3).fit(X[FEW], Y[FEW], X_val=X_TEST, y_val=Y_TEST)
    assert len(net.validation_loss_curve_) == len(net.validation_scores_) == 3
    assert net.validation_loss_curve_[-1] == pytest.approx(loss_of(net), rel=1e-5)
    assert net.validation_scores_[-1] == net.score(X_TEST, Y_TEST)


def test_early_stopping_that_watches_the_loss_keeps_the_pass_with_the_lowest_one():
    # At this rate the net grows too sure of itself: its loss rises while its accuracy still does.
    options = {"finetune_iter": 40, "learning_rate": "constant", "n_iter_no_change": 40}
    stopping = {**options, "learning_rate_init": 0.03, "noise": 0.0, "pretrain": False}
    held_out = {"X_val": X_TEST, "y_val": Y_TEST}
    net = make_net(early_stopping="loss", **stopping).fit(X[FEW], Y[FEW], **held_out)
    other = make_net(early_stopping=True, **stopping).fit(X[FEW], Y[FEW], **held_out)
    losses, scores = net.validation_loss_curve_, net.validation_scores_
    assert losses == other.validation_loss_curve_
    assert np.argmin(losses) != np.argmax(scores)
    assert net.best_validation_loss_ == min(losses)
    assert other.best_validation_score_ == max(scores)
    assert loss_of(net) == pytest.approx(min(losses), rel=1e-5)
    assert not hasattr(net, "best_validation_score_")
    assert not hasattr(other, "best_validation_loss_")


def test_of_passes_with_the_same_accuracy_the_one_with_the_lowest_loss_is_kept():
    data, labels = load_iris(return_X_y=True)
    held_out = {"X_val": data[::10], "y_val": labels[::10]}
    net = make_net(early_stopping=True, finetune_iter=60).fit(data, labels, **held_out)
    scores, losses = np.array(net.validation_scores_), np.array(net.validation_loss_curve_)
    is_best = scores == net.best_validation_score_
    assert is_best.sum() > 1
    p = net.predict_proba(data[::10])
    lowest = losses[is_best].min()
    assert lowest < losses[np.argmax(is_best)]
    assert log_loss(labels[::10], p) == pytest.approx(lowest, rel=1e-6)
    since = len(scores) - 1 - np.argmax(is_best)  # of a rise, which a lower loss is not
    assert since == 10 or (since < 10 and len(scores) == 60)


def test_warm_start_forgets_what_an_earlier_fit_watched():
    net = make_net(early_stopping=True, warm_start=True).fit(X[FEW], Y[FEW])
    assert net.best_validation_score_ == max(net.validation_scores_)
    net.set_params(early_stopping="loss").fit(X[FEW], Y[FEW])
    assert net.best_validation_loss_ == min(net.validation_loss_curve_[2:])
    assert not hasattr(net, "best_validation_score_")


def test_parts_after_a_fit_do_not_spoil_what_it_learned():
    net = DBNClassifier((50,), random_state=0).fit(X[:700], Y[:700])
    score = net.score(X_TEST, Y_TEST)
    for start in range(700, 1400, 100):
        part = slice(start, start + 100)
        net.partial_fit(X[part], Y[part])
        assert net.score(X_TEST, Y_TEST) > score - 0.01


def test_early_stopping_names_the_class_that_is_too_small():
    labels = np.array(["common"] * 29 + ["rare"])
    with pytest.raises(ValueError, match="cannot hold out some of 30 rows: .*class") as caught:
        make_net(early_stopping=True).fit(X[:30], labels)
    assert "[1]" not in str(caught.value)  # which would be its index
    net = make_net(early_stopping=True, pretrain=False).fit(X[:31], [*labels, "rare"])
    assert np.isfinite(net.validation_scores_).all()


def test_early_stopping_watches_nothing_else():
    with pytest.raises(TypeError, match="early_stopping == 'accuracy', must be True or False or"):
        make_net(early_stopping="accuracy").fit(X[FEW], Y[FEW])


def test_early_stopping_stops_when_nothing_rises():
    net = make_net(
        early_stopping=True, finetune_iter=50, n_iter_no_change=2, tol=1.0, learning_rate="constant"
    ).fit(X[FEW], Y[FEW])
    assert net.n_iter_ == 3


def test_held_out_rows_are_not_trained_on():
    marked = np.vstack([X[FEW], X[FEW]])
    labels = np.concatenate([Y[FEW], Y[FEW]])
    seen = []

    class Recording(RBMTransformer):
        def _new_training(self, rows, held_out, seed):
            seen.append((len(rows.X), len(held_out.X)))
            return super()._new_training(rows, held_out, seed)

    make_net(rbm=Recording(n_iter=1), early_stopping=True, validation_fraction=0.25).fit(
        marked, labels
    )
    assert seen == [(450, 150), (450, 150)]


def test_warm_start_goes_on_with_the_network_and_keeps_the_machines():
    net = make_net(warm_start=True).fit(X, Y)
    machines, losses = net.rbms_, list(net.loss_curve_)
    net.fit(X, Y)
    assert [one is other for one, other in zip(net.rbms_, machines, strict=True)] == [True, True]
    assert net.n_iter_ == len(net.loss_curve_) == 4
    assert net.loss_curve_[2] < losses[0]
    cold = make_net().fit(X, Y).fit(X, Y)
    assert_same_network(cold, make_net().fit(X, Y))


def test_warm_start_refuses_other_classes_and_layers():
    net = make_net(warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match=r"y has the classes \[0 1 2\], but the fitted network"):
        net.fit(X[Y < 3], Y[Y < 3])
    with pytest.raises(ValueError, match=r"hidden_layer_sizes == \(9,\), but .* \(15, 10\)"):
        net.set_params(hidden_layer_sizes=(9,)).fit(X, Y)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_what_perturbs_the_rows_changes_training_and_not_prediction(name):
    plain, net = (make_net(**{"noise": 0.0, name: x}).fit(X, Y) for x in (0.0, 0.3))
    assert (net.coefs_[0] != plain.coefs_[0]).any()
    plain.coefs_, plain.intercepts_ = net.coefs_, net.intercepts_
    np.testing.assert_array_equal(net.predict_proba(X), plain.predict_proba(X))
    np.testing.assert_array_equal(net.predict_proba(X)[5:7], net.predict_proba(X[5:7]))
    np.testing.assert_array_equal(X, load_digits()[0])


def test_softmax_phase_is_not_perturbed():
    perturbed = dict.fromkeys(PERTURBATIONS, 0.3)
    plain, net = (make_net(finetune_iter=0, **some).fit(X, Y) for some in ({}, perturbed))
    assert_same_network(net, plain)


@pytest.mark.parametrize(
    ("n_rows", "sizes", "rate"),
    [
        (9_999, (2,), 1e-2),
        (9_999, (200, 2), 5e-3),
        (9_999, (600,), 2e-3),
        (10_000, (2,), 1e-3),
    ],
)
def test_automatic_rate_is_higher_for_few_rows_and_narrow_layers(n_rows, sizes, rate):
    rng = np.random.default_rng(0)
    data, labels = rng.random((n_rows, 2)), rng.integers(0, 2, n_rows)
    options = {"hidden_layer_sizes": sizes, "pretrain": False, "finetune_iter": 1}
    automatic = make_net(**options).fit(data, labels)
    assert_same_network(automatic, make_net(**options, learning_rate_init=rate).fit(data, labels))


def test_automatic_batch_makes_a_hundred_minibatches_within_its_limits():
    sizes = {n: resolve_batch_size("auto", n, 5) for n in (3, 120, 1437, 60_000)}
    assert sizes == {3: 3, 120: 5, 1437: 14, 60_000: 100}
    assert resolve_batch_size("auto", 120, 2) == 2
    assert resolve_batch_size(500, 120, 2) == 120


def test_alpha_shrinks_the_weights():
    norms = [
        sum((coef**2).sum() for coef in make_net(alpha=alpha, pretrain=False).fit(X, Y).coefs_)
        for alpha in (0.0, 0.1)
    ]
    assert norms[1] < 0.9 * norms[0]


# -- labels and input


@pytest.mark.parametrize(
    "names",
    [np.arange(10) * 7 - 20, np.array(list("abcdefghij")), np.array(list("jihgfedcba"), object)],
)
def test_labels_of_every_kind_are_predicted(names):
    reference, net = make_net().fit(X, Y), make_net().fit(X, names[Y])
    np.testing.assert_array_equal(net.classes_, np.unique(names))
    predicted = net.predict(X_TEST)
    assert set(predicted) <= set(names)
    if (np.sort(names) == names).all():
        np.testing.assert_array_equal(predicted, names[reference.predict(X_TEST)])
    best = net.predict_proba(X_TEST).argmax(axis=1)
    np.testing.assert_array_equal(net.classes_[best], predicted)


def test_probabilities_sum_to_one_and_have_their_logarithm():
    net = make_net().fit(X, Y)
    p = net.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_array_equal(net.predict_log_proba(X), np.log(p))
    net.coefs_[-1] *= 1e6
    assert np.isneginf(net.predict_log_proba(X)).any()  # and no warning


@pytest.mark.parametrize("container", [csr_matrix, csr_array, pd.DataFrame, np.asfortranarray])
def test_every_container_gives_the_same_network(container):
    net = make_net().fit(container(X[FEW]), Y[FEW])
    assert_same_network(net, make_net().fit(X[FEW], Y[FEW]))
    np.testing.assert_allclose(
        net.predict_proba(container(X_TEST)),
        make_net().fit(X[FEW], Y[FEW]).predict_proba(X_TEST),
        rtol=1e-6,
    )


def test_sparse_input_with_early_stopping_and_without_pretraining():
    net = make_net(early_stopping=True, pretrain=False).fit(csr_matrix(X), Y)
    assert net.predict(csr_matrix(X_TEST)).shape == Y_TEST.shape


@pytest.mark.parametrize(
    ("data", "labels", "message"),
    [
        (X[FEW], np.zeros(300), r"y has only one class, .*0.0.*needs at least two classes"),
        (X[FEW], Y[:299], r"inconsistent numbers of samples: \[300, 299\]"),
        (X[FEW], np.linspace(0, 1, 300), r"Unknown label type: continuous"),
        (np.where(X[FEW] == 1, np.nan, X[FEW]), Y[FEW], "has a missing value"),
        (np.where(X[FEW] == 1, np.inf, X[FEW]), Y[FEW], "infinite or too large"),
        (X[0], Y[:64], "Expected 2D array, got 1D array"),
        (np.empty((0, 64)), np.empty(0), "0 sample"),
        (X[FEW].astype(str)[:, :1] + "x", Y[FEW], "could not convert string to float"),
        (X[FEW], None, "requires y to be passed"),
        (
            X[FEW],
            np.column_stack([Y[FEW]] * 2),
            r"y has shape \(300, 2\) and values other than 0 and 1",
        ),
    ],
)
def test_wrong_data_are_refused(data, labels, message):
    net = make_net()
    with pytest.raises(ValueError, match=message):
        net.fit(data, labels)
    with pytest.raises(NotFittedError):
        net.predict(X)


def test_wrong_width_is_refused_with_both_numbers():
    with pytest.raises(ValueError, match="X has 63 features, but DBNClassifier is expecting 64"):
        make_net().fit(X, Y).predict(X[:, 1:])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden_layer_sizes": ()}, r"hidden_layer_sizes == \(\), must have at least one"),
        ({"hidden_layer_sizes": (10, 0)}, r"each of hidden_layer_sizes == 0, must be >= 1"),
        ({"hidden_layer_sizes": -5}, r"each of hidden_layer_sizes == -5, must be >= 1"),
        ({"hidden_layer_sizes": (2.5,)}, r"must be an instance of int, not float"),
        ({"hidden_layer_sizes": "ten"}, r"must be an instance of int, not str"),
        ({"softmax_iter": -1}, r"softmax_iter == -1, must be >= 0"),
        ({"finetune_iter": 1.5}, r"finetune_iter must be an instance of int"),
        ({"solver": "lbfgs"}, r"solver == 'lbfgs', must be one of: 'sgd', 'adam'"),
        ({"learning_rate": "step"}, r"learning_rate == 'step', must be one of: 'constant'"),
        ({"learning_rate_init": 0}, r"learning_rate_init == 0, must be > 0"),
        ({"learning_rate_init": "fast"}, r"learning_rate_init == 'fast', must be one of: 'auto'"),
        ({"alpha": -0.1}, r"alpha == -0.1, must be >= 0"),
        ({"dropout": 1.0}, r"dropout == 1.0, must be < 1"),
        ({"input_dropout": -0.1}, r"input_dropout == -0.1, must be >= 0"),
        ({"noise": -0.1}, r"noise == -0.1, must be >= 0"),
        ({"adversarial": -1}, r"adversarial == -1, must be >= 0"),
        ({"label_smoothing": 1.0}, r"label_smoothing == 1.0, must be < 1"),
        ({"input_noise": float("nan")}, r"input_noise == nan, must be finite"),
        ({"batch_size": -2}, r"batch_size == -2, must be >= 1"),
        ({"validation_fraction": 0.0}, r"validation_fraction == 0.0, must be > 0"),
        ({"n_iter_no_change": 0}, r"n_iter_no_change == 0, must be >= 1"),
        ({"tol": -1e-3}, r"tol == -0.001, must be >= 0"),
    ],
)
def test_wrong_parameter_is_named_with_what_is_allowed(parameters, message):
    net = make_net(**parameters)
    with pytest.raises((ValueError, TypeError), match=message):
        net.fit(X, Y)
    with pytest.raises(NotFittedError):
        net.predict(X)


# -- warnings and failures


@pytest.mark.exhaustive
@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_advice_on_values_outside_the_range_can_be_followed(load):
    data, labels = load(return_X_y=True)
    net = DBNClassifier((100,), rbm=RBMTransformer(visible_units="binary"), random_state=0)
    with pytest.warns(DataRangeWarning, match=r" set_params\(rbm__visible_units='auto'\)"):
        clone(net).set_params(rbm__n_iter=0, finetune_iter=0).fit(data, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scaled = MinMaxScaler().fit_transform(data)
        assert clone(net).fit(scaled, labels).score(scaled, labels) > 0.95
        net.set_params(rbm__visible_units="auto").fit(data, labels)
    assert net.score(data, labels) > 0.95


@pytest.mark.parametrize("container", [np.array, pd.DataFrame])
def test_column_of_labels_warns_once_at_the_users_line(container):
    y, net = container(Y[FEW, None]), make_net(finetune_iter=1, pretrain=False)
    with pytest.warns(DataConversionWarning, match=r"y was .* \(300, 1\). Pass y.sq") as caught:
        net.fit(X[FEW], y)
    assert [warning.filename for warning in caught] == [__file__]
    assert_same_network(net, clone(net).fit(X[FEW], y.squeeze()))
    assert_same_network(net, clone(net).fit(X[FEW], csr_matrix(y)))  # for which no advice works
    with pytest.warns(DataConversionWarning, match="y_val was .* Pass y_val.squeeze") as caught:
        net.fit(X[FEW], Y[FEW], X_val=X[FEW], y_val=y)
    assert [warning.filename for warning in caught] == [__file__]


def test_values_outside_the_range_of_binary_units_warn_once_per_fit():
    template = RBMTransformer(visible_units="binary", n_iter=0)
    with pytest.warns(DataRangeWarning, match="rbm__visible_units='auto'") as caught:
        make_net(rbm=template, finetune_iter=1).fit(X[FEW] * 16, Y[FEW])
    assert len(caught) == 1


def test_divergence_of_pretraining_names_the_layer():
    template = RBMTransformer(visible_units="gaussian", learning_rate=10.0)
    net = make_net(rbm=[template, QUICK])
    with pytest.raises(DivergenceError, match=r"layer 1 of 2: .* pass \d+: .* Lower rbm__learn"):
        net.fit(1e3 * (X - 0.5), Y)
    with pytest.raises(NotFittedError):
        net.predict(X)


@pytest.mark.parametrize("is_list", [False, True])
@pytest.mark.parametrize(
    ("rate", "units", "scale", "what"),
    [
        (10.0, "gaussian", 1, DivergenceError),
        (0.1, "binary", 16, GrowingWeightsWarning),
        (3.0, "binary", 1, HiddenUnitsWarning),
    ],
)
def test_advice_on_pretraining_can_be_followed(rate, units, scale, what, is_list):
    template = RBMTransformer(n_iter=5, learning_rate=rate, visible_units=units)
    net = make_net(hidden_layer_sizes=20, rbm=[template] if is_list else template)
    remedies = {"learning_rate": 0.01, "weight_decay": 1e-3, "visible_units": "auto"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if issubclass(what, Warning):
            warnings.simplefilter("error", what)
        with pytest.raises(what, match=r"Pretraining of layer 1 of 1: ") as caught:
            net.fit(scale * X, Y)
        advice = str(caught.value).split(" If rbm is a list, rbm__0__learning_rate is that of")[0]
        named = re.findall(rf"rbm__({'|'.join(remedies)})\b", advice)
        assert named == re.findall("|".join(remedies), advice) != []
        prefix = "rbm__0__" if is_list else "rbm__"
        net.set_params(**{prefix + name: remedies[name] for name in named}).fit(scale * X, Y)


def test_divergence_of_fine_tuning_gives_the_fitted_network_back():
    net = make_net(solver="sgd", warm_start=True).fit(X, Y)
    before = [coef.copy() for coef in net.coefs_]
    net.set_params(learning_rate_init=1e38)
    with pytest.raises(DivergenceError, match=r"Lower learning_rate_init"):
        net.fit(X, Y)
    for one, other in zip(net.coefs_, before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("layer", [1, 2])
def test_interruption_of_pretraining_keeps_what_was_learned(layer, monkeypatch):
    net = make_net(rbm=RBMTransformer(n_iter=4), verbose=1)
    interrupt_at_line(monkeypatch, f"pretrain layer {layer}: pass 2 of 4")
    with pytest.warns(
        InterruptedTrainingWarning, match=f"2 of 4 .* 'pretrain layer {layer}'"
    ) as caught:
        net.fit(X, Y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert [rbm.n_iter_ for rbm in net.rbms_] == [4, 2][2 - layer :]
    np.testing.assert_array_equal(net.coefs_[layer - 1], net.rbms_[-1].components_.T)
    assert net.predict_proba(X).shape == (len(X), 10)
    assert net.n_iter_ == 0


@pytest.mark.parametrize("frozen", [False, True])
def test_interruption_before_the_units_are_spread_makes_no_difference(frozen, monkeypatch):
    def interrupted(net, rows):
        raise KeyboardInterrupt

    rng = np.random.default_rng(0)
    narrow, y = 0.5 + 0.01 * rng.uniform(size=(60, 4)), rng.integers(2, size=60)
    rbm = RBMTransformer(5, n_iter=2, visible_units="binary", random_state=0)
    rbm = [FrozenEstimator(rbm.fit(narrow))] if frozen else rbm
    options = {"rbm": rbm, "finetune_iter": 2, "random_state": 0, "warm_start": True}
    with monkeypatch.context() as patch:
        patch.setattr("skdbn._dbn._spread_units", interrupted)
        with pytest.warns(InterruptedTrainingWarning, match="call fit again"):
            net = DBNClassifier((5,), **options).fit(narrow, y)
    assert_same_network(net.fit(narrow, y), DBNClassifier((5,), **options).fit(narrow, y))
    spread = (narrow @ net.rbms_[0].components_.T).std(axis=0).max()
    assert (narrow @ net.coefs_[0]).std(axis=0).max() > 10.0 * spread


def test_interruption_of_fine_tuning_keeps_the_last_finished_pass(monkeypatch):
    net = DBNClassifier((10,), rbm=QUICK, learning_rate="constant", random_state=0, verbose=1)
    interrupt_at_line(monkeypatch, "finetune: pass 2 of ")
    with pytest.warns(InterruptedTrainingWarning, match="last finished pass"):
        net.fit(X, Y)
    expected = DBNClassifier(
        (10,), rbm=QUICK, learning_rate="constant", finetune_iter=2, random_state=0
    )
    assert_same_network(net, expected.fit(X, Y))


def test_verbose_prints_a_line_for_each_pass_of_each_phase(capsys):
    make_net(verbose=1).fit(X, Y)
    out = capsys.readouterr().out
    assert out.splitlines()[3] == "[DBNClassifier] pretrain layer 2: 15 to 10 units"
    for phase in ("pretrain layer 1", "pretrain layer 2", "softmax", "finetune"):
        assert out.count(f"[DBNClassifier] {phase}: pass ") == 2
        assert f"[DBNClassifier] {phase}: pass 2 of 2: loss " in out
    make_net().fit(X, Y)
    assert capsys.readouterr().out == ""
    make_net(rbm=RBMTransformer(n_iter=2, verbose=1)).fit(X, Y)  # the machines alone
    assert capsys.readouterr().out.count("pass") == 4
    make_net(early_stopping=True, verbose=1).fit(X, Y)
    out = capsys.readouterr().out
    assert out.count("validation loss") == 6  # of both machines and of fine-tuning
    assert out.count("validation score") == 2


# -- copies


def test_same_seed_gives_the_same_network_and_another_seed_another():
    assert_same_network(make_net().fit(X, Y), make_net().fit(X, Y))
    other = make_net(random_state=1).fit(X, Y)
    assert (other.coefs_[0] != make_net().fit(X, Y).coefs_[0]).any()


@pytest.mark.parametrize("module", [pickle, joblib])
def test_copy_predicts_the_same(module):
    net, file = make_net().fit(X, Y), io.BytesIO()
    module.dump(net, file)
    file.seek(0)
    np.testing.assert_array_equal(module.load(file).predict_proba(X), net.predict_proba(X))


def test_clone_keeps_every_parameter():
    net = make_net(dropout=0.1, rbm=RBMTransformer(learning_rate=0.02))
    copied = clone(net)
    assert copied.get_params()["rbm__learning_rate"] == 0.02
    assert repr(copied) == repr(net)


def test_automatic_noise_is_that_of_few_rows():
    parameters = {"pretrain": False, "finetune_iter": 1, "softmax_iter": 0, "batch_size": 5000}
    for data, labels, noise in (
        (X, Y, 0.3),
        (np.tile(X, (10_000 // len(X) + 1, 1)), np.tile(Y, 10_000 // len(Y) + 1), 0.0),
    ):
        nets = [make_net(**parameters, noise=x).fit(data, labels) for x in ("auto", noise)]
        assert_same_network(*nets)
    with pytest.raises(ValueError, match="noise == 'much', must be one of: 'auto'"):
        make_net(noise="much").fit(X, Y)


# -- units that are spread before fine-tuning

STILL = {"finetune_iter": 1, "learning_rate_init": 1e-30}  # fine-tuning that changes nothing


def inputs_of_layers(net, data):
    """Inputs of the hidden units of each layer of the network."""
    h = (data - net.offset_) / net.scale_
    for coef, intercept in zip(net.coefs_[:-1], net.intercepts_[:-1], strict=True):
        x = h @ coef + intercept
        yield x
        h = expit(x)


@pytest.mark.parametrize("weight", [None, np.arange(len(X)) % 3])
def test_units_that_hardly_differ_between_rows_are_spread_and_keep_their_means(weight):
    data = 0.5 + 0.02 * (X - X.mean(axis=0))
    net = make_net(rbm=RBMTransformer(visible_units="binary", n_iter=2), **STILL)
    net.fit(data, Y, sample_weight=weight)
    whole = make_net(rbm=net.rbm, softmax_iter=0, finetune_iter=0)
    np.testing.assert_array_equal(whole.fit(data, Y, weight).coefs_[0], net.coefs_[0])
    inputs = list(inputs_of_layers(net, data))
    for i, x in enumerate(inputs):
        variance = np.average((x - np.average(x, 0, weight)) ** 2, 0, weight)
        assert np.sqrt(variance.mean()) == pytest.approx(1.0, rel=1e-3)
        ratio = net.coefs_[i] / net.rbms_[i].components_.T
        assert ratio.min() == pytest.approx(ratio.max())
        assert ratio.max() > 1.0
    before = data @ net.rbms_[0].components_.T + net.rbms_[0].intercept_hidden_
    after = np.average(inputs[0], 0, weight)
    np.testing.assert_allclose(after, np.average(before, 0, weight), rtol=0.0, atol=1e-4)


def test_layers_whose_units_differ_between_rows_start_from_their_machines():
    machine = RBMTransformer(15, n_iter=1, random_state=0).fit(X)
    machine.components_ *= 100.0
    net = make_net(hidden_layer_sizes=(15,), rbm=[FrozenEstimator(machine)], **STILL).fit(X, Y)
    np.testing.assert_array_equal(net.coefs_[0], machine.components_.T)
    np.testing.assert_array_equal(net.intercepts_[0], machine.intercept_hidden_)


def test_constant_columns_are_not_spread():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = DBNClassifier((5,), random_state=0, **STILL).fit(np.ones((40, 3)), np.arange(40) % 2)
    np.testing.assert_array_equal(net.coefs_[0], net.rbms_[0].components_.T)


def test_warm_start_does_not_spread_units_that_were_fine_tuned():
    data = 0.5 + 0.02 * (X - X.mean(axis=0))
    net = make_net(finetune_iter=3, warm_start=True).fit(data, Y)
    net.coefs_ = [0.01 * coef for coef in net.coefs_]
    before = [coef.copy() for coef in net.coefs_]
    net.set_params(softmax_iter=0, **STILL).fit(data, Y)
    for one, other in zip(before, net.coefs_, strict=True):
        np.testing.assert_allclose(one, other)


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()])
def test_defaults_bend_where_the_classes_need_it(scaler):
    data, labels = make_circles(300, noise=0.1, factor=0.5, random_state=0)
    data = scaler.fit_transform(data)
    net = DBNClassifier(random_state=0).fit(data[::2], labels[::2])
    assert net.score(data[1::2], labels[1::2]) > 0.95  # 0.5 without spread units
