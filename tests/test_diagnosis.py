"""What is watched during training, and what is said when it ends."""

import re
import warnings

import numpy as np
import pytest
from scipy.special import expit
from sklearn.datasets import load_iris, load_wine, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import MinMaxScaler

from skdbn import (
    DBNClassifier,
    DivergenceError,
    GrowingWeightsWarning,
    HiddenUnitsWarning,
    NotConvergedWarning,
    RBMTransformer,
)
from skdbn._training.diagnosis import warn_unless_converged
from skdbn.datasets import load_digits

X, X_TEST, Y, Y_TEST = load_digits()


def fit_quietly(estimator, *data, **held_out):
    """Fit; warnings are the subject of other tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(*data, **held_out)


# -- warnings


@pytest.mark.exhaustive
def test_defaults_on_the_digits_warn_of_nothing():
    RBMTransformer(100, random_state=0).fit(X)
    DBNClassifier((60, 60), rbm=RBMTransformer(n_iter=15), random_state=0).fit(X, Y)


@pytest.mark.exhaustive
@pytest.mark.parametrize("load", [load_iris, load_wine])
def test_defaults_on_small_tables_warn_of_nothing(load):
    data, labels = load(return_X_y=True)
    DBNClassifier(random_state=0).fit(MinMaxScaler().fit_transform(data), labels)


def test_rate_that_saturates_the_hidden_units_warns():
    with pytest.warns(HiddenUnitsWarning, match=r"\d+% of the hidden units are saturated .* Lower"):
        RBMTransformer(50, learning_rate=3.0, n_iter=5, random_state=0).fit(X)


def test_rate_or_passes_too_few_to_move_the_hidden_units_warn():
    with pytest.warns(HiddenUnitsWarning, match=r"layer is constant: .* Raise n_iter or learning"):
        RBMTransformer(50, learning_rate=1e-5, n_iter=1, random_state=0).fit(X)


def test_data_that_do_not_vary_warn():
    with pytest.warns(HiddenUnitsWarning, match="hidden layer is constant"):
        RBMTransformer(5, random_state=0).fit(np.full((50, 4), 0.5))


def test_weights_that_grow_without_bound_warn_before_they_are_infinite():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rbm = RBMTransformer(20, visible_units="binary", n_iter=3, random_state=0)
        rbm.fit(16 * X)  # scaling was forgotten
    growing = [w for w in caught if w.category is GrowingWeightsWarning]
    assert len(growing) == 1
    assert "largest weight is" in str(growing[0].message)
    assert "raise weight_decay, or set visible_units='auto'" in str(growing[0].message)
    assert growing[0].filename == __file__


def test_warning_of_a_layer_names_it():
    template = RBMTransformer(learning_rate=3.0, n_iter=3)
    net = DBNClassifier((20, 20), rbm=[RBMTransformer(n_iter=5), template], random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net.fit(X, Y)
    found = [w for w in caught if w.category is HiddenUnitsWarning]
    assert len(found) == 1
    assert str(found[0].message).startswith("Pretraining of layer 2 of 2: ")
    assert all(warning.filename == __file__ for warning in caught)


GREYS = 0.4 + 0.3 * np.random.default_rng(0).random((300, 8))
FACTORS, LOADINGS = (np.random.default_rng(seed).normal(size=(300, 2)) for seed in (0, 1))
WIDE = FACTORS @ LOADINGS.T
LINEAR = {"visible_units": "gaussian", "hidden_units": "gaussian"}


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("data", "parameters", "advice", "remedy"),
    [
        (X, {"learning_rate": 3.0}, "which was 3, tenfold", {"learning_rate": 0.3}),
        (X, {"learning_rate": 30.0}, "tenfold or more", {"learning_rate": 0.03}),
        (
            load_wine().data,
            {"visible_units": "binary"},
            r"If X is not within \[0, 1\], set visible_units='auto' instead",
            {"visible_units": "auto"},
        ),
        (
            GREYS,
            {},
            "visible_units='gaussian' if X has measurements within",
            {"visible_units": "gaussian"},
        ),
        (WIDE, {**LINEAR, "learning_rate": 0.1}, "set it to 'auto'", {"learning_rate": "auto"}),
        (
            WIDE,
            {**LINEAR, "momentum": 0.999, "n_iter": 100},
            r"Set learning_rate to 1.67e-05 or less\.",
            {"learning_rate": 1.67e-5},
        ),
    ],
)
def test_advice_on_a_machine_can_be_followed(data, parameters, advice, remedy):
    rbm = RBMTransformer(50, random_state=0, **parameters)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            rbm.fit(data)
        except DivergenceError as error:
            caught = [*caught, error]
    messages = [str(getattr(found, "message", found)) for found in caught]
    assert any(re.search(advice, message) for message in messages), messages
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rbm.set_params(**remedy).fit(data)


def test_loss_that_still_falls_warns_and_a_settled_one_does_not():
    net = DBNClassifier((30,), pretrain=False, softmax_iter=0, random_state=0)
    with pytest.warns(NotConvergedWarning, match=r"not converged: .* Raise finetune_iter"):
        net.set_params(finetune_iter=2, learning_rate="constant").fit(X, Y)
    net.set_params(finetune_iter=40, learning_rate="cosine").fit(X, Y)
    assert issubclass(NotConvergedWarning, ConvergenceWarning)


def test_network_that_only_guesses_warns():
    labels = np.random.default_rng(0).integers(0, 2, len(X))
    net = DBNClassifier((5,), pretrain=False, learning_rate_init=1e-6, random_state=0)
    with pytest.warns(NotConvergedWarning, match="that of guessing, .* learned next to nothing"):
        net.fit(X, labels)


@pytest.mark.parametrize("is_list", [False, True])
def test_advice_on_narrow_measurements_can_be_followed(is_list):
    rng = np.random.default_rng(0)
    narrow = 0.001 * rng.uniform(size=300)
    data, labels = np.column_stack([rng.uniform(size=(300, 3)), narrow]), narrow > 0.0005
    templates = [RBMTransformer(), RBMTransformer()] if is_list else None
    net = DBNClassifier((30, 30), rbm=templates, finetune_iter=10, random_state=0)
    advice = "set rbm__visible_units='gaussian'. .* set rbm__0__"
    with pytest.warns(NotConvergedWarning, match=advice):
        net.fit(data, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.set_params(**{f"rbm__{'0__' * is_list}visible_units": "gaussian"}).fit(data, labels)
    assert net.score(data, labels) > 0.95


def test_advice_on_steps_that_are_too_long_can_be_followed():
    net = DBNClassifier((5,), rbm=RBMTransformer(n_iter=1), finetune_iter=30, random_state=0)
    with pytest.warns(NotConvergedWarning, match="far above that of guessing, .*: its steps are"):
        net.set_params(learning_rate_init=1e6).fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.set_params(learning_rate_init="auto").fit(X, Y)


# -- curves


def test_curves_of_held_out_rows_are_what_the_machine_says_of_them():
    rows = X[:900]
    rbm = RBMTransformer(30, n_iter=3, batch_size=len(rows), random_state=0)  # all are watched
    fit_quietly(rbm, rows, X_val=X_TEST)
    assert len(rbm.validation_loss_curve_) == len(rbm.free_energy_gap_curve_) == 3
    error = ((X_TEST - rbm.inverse_transform(rbm.transform(X_TEST))) ** 2).mean()
    assert rbm.validation_loss_curve_[-1] == pytest.approx(error, rel=1e-4)
    gap = rbm.free_energy(X_TEST).mean() - rbm.free_energy(rows).mean()
    assert rbm.free_energy_gap_curve_[-1] == pytest.approx(gap, rel=1e-3)


def test_curves_of_hidden_units_count_what_they_say():
    rbm = fit_quietly(RBMTransformer(40, learning_rate=1.0, n_iter=4, random_state=0), X[:50])
    # 5 rows are watched, not known here: bounds from all rows and from none
    h = expit(X[:50] @ rbm.components_.T + rbm.intercept_hidden_)
    dead = (np.ptp(h, axis=0) < 0.05).mean()
    saturated = ((h < 0.05).all(axis=0) | (h > 0.95).all(axis=0)).mean()
    assert dead <= rbm.dead_units_curve_[-1] <= 1.0
    assert saturated <= rbm.saturated_units_curve_[-1] <= 1.0
    all_watched = fit_quietly(
        RBMTransformer(40, learning_rate=1.0, n_iter=4, batch_size=50, random_state=0), X[:50]
    )
    h = expit(X[:50] @ all_watched.components_.T + all_watched.intercept_hidden_)
    assert all_watched.dead_units_curve_[-1] == (np.ptp(h, axis=0) < 0.05).mean()
    always = (h < 0.05).all(axis=0) | (h > 0.95).all(axis=0)
    assert all_watched.saturated_units_curve_[-1] == always.mean()


def test_gap_grows_when_a_machine_learns_few_rows_by_heart():
    rbm = RBMTransformer(200, n_iter=300, random_state=0)
    fit_quietly(rbm, X[:40], X_val=X_TEST)
    gaps = rbm.free_energy_gap_curve_
    assert gaps[-1] > gaps[len(gaps) // 10] + 1.0
    rbm = fit_quietly(RBMTransformer(20, n_iter=10, random_state=0), X, X_val=X_TEST)
    assert rbm.free_energy_gap_curve_[-1] < 0.5 * gaps[-1]


def test_held_out_rows_that_are_only_watched_change_nothing():
    one = fit_quietly(RBMTransformer(20, n_iter=2, random_state=0), X)
    other = fit_quietly(RBMTransformer(20, n_iter=2, random_state=0), X, X_val=X_TEST)
    np.testing.assert_array_equal(one.components_, other.components_)
    assert one.validation_loss_curve_ == []
    quick = {"rbm": RBMTransformer(n_iter=2), "random_state": 0}
    net = fit_quietly(DBNClassifier((20,), **quick), X, Y)
    watching = fit_quietly(DBNClassifier((20,), **quick), X, Y, X_val=X_TEST, y_val=Y_TEST)
    np.testing.assert_array_equal(net.coefs_[0], watching.coefs_[0])
    assert watching.validation_scores_[-1] == watching.score(X_TEST, Y_TEST)
    assert len(watching.rbms_[0].validation_loss_curve_) == 2


# -- early stopping


def test_machine_stops_and_keeps_its_best_pass():
    rbm = RBMTransformer(
        50, n_iter=60, early_stopping=True, n_iter_no_change=3, learning_rate=0.5, random_state=0
    )
    fit_quietly(rbm, X[:200])
    assert rbm.n_iter_ < 60
    losses = rbm.validation_loss_curve_
    best = int(np.argmin(losses)) + 1
    shorter = fit_quietly(RBMTransformer(**{**rbm.get_params(), "n_iter": best}), X[:200])
    np.testing.assert_array_equal(shorter.components_, rbm.components_)


def test_given_held_out_rows_stop_training_and_none_are_taken_from_the_others():
    options = {"n_iter": 50, "early_stopping": True, "tol": 1.0, "n_iter_no_change": 2}
    rbm = fit_quietly(RBMTransformer(10, random_state=0, **options), X, X_val=X_TEST)
    assert rbm.n_iter_ == 3
    best = int(np.argmin(rbm.validation_loss_curve_)) + 1
    whole = fit_quietly(RBMTransformer(10, n_iter=best, random_state=0), X)
    np.testing.assert_array_equal(rbm.components_, whole.components_)


def test_held_out_rows_are_checked():
    rbm, net = RBMTransformer(5), DBNClassifier((5,), rbm=RBMTransformer(n_iter=1))
    with pytest.raises(ValueError, match="X has 63 features, but RBMTransformer is expecting 64"):
        rbm.fit(X, X_val=X_TEST[:, 1:])
    with pytest.raises(ValueError, match="Only one of X_val and y_val is given"):
        net.fit(X, Y, X_val=X_TEST)
    with pytest.raises(ValueError, match="y_val has 77, which is not among the classes in y"):
        net.fit(X, Y, X_val=X_TEST[:2], y_val=[1, 77])
    with pytest.raises(ValueError, match=r"cannot hold out some of 1 rows: .* or set early_stop"):
        RBMTransformer(5, early_stopping=True).fit(X[:1])
    with pytest.raises(ValueError, match=r"some of 6 rows: .* = 3\. Pass .*pass held-out rows"):
        net.set_params(early_stopping=True).fit(X[:6], [0, 1, 2] * 2)
    assert not hasattr(rbm, "components_")
    assert not hasattr(net, "coefs_")


# -- going on


def test_warm_start_makes_the_passes_that_machines_lack():
    net = DBNClassifier((20, 10), rbm=RBMTransformer(n_iter=2), warm_start=True, random_state=0)
    fit_quietly(net, X, Y)
    before = net.rbms_
    net.set_params(rbm__n_iter=5, softmax_iter=0, finetune_iter=0)
    fit_quietly(net, X, Y)
    assert [rbm.n_iter_ for rbm in net.rbms_] == [5, 5]
    assert [rbm.n_iter_ for rbm in before] == [2, 2]
    np.testing.assert_array_equal(net.coefs_[0], net.rbms_[0].components_.T)
    once = RBMTransformer(**net.rbms_[0].get_params()).set_params(n_iter=5)
    np.testing.assert_allclose(  # the rows that are watched are drawn anew
        fit_quietly(once, X).loss_curve_[:2], net.rbms_[0].loss_curve_[:2]
    )


def test_layer_that_pretraining_leaves_constant_is_no_fault_of_a_net_that_learns():
    data, labels = make_blobs(150, random_state=0)
    data = MinMaxScaler().fit_transform(data)  # two columns say little to binary units
    net = DBNClassifier(random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert net.fit(data, labels).score(data, labels) > 0.88
    assert net.rbms_[1].dead_units_curve_[-1] == 1.0


def test_scatter_of_noisy_passes_is_no_lack_of_convergence():
    guessing = np.log(2.0)
    settled = 0.3 + 0.04 * np.random.default_rng(0).normal(size=60)
    falling = np.linspace(2.0, 0.3, 60)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_unless_converged(settled, guessing)
        warn_unless_converged([*settled[:21], 0.36, 0.30, 0.32, 0.26], guessing)
        warn_unless_converged(np.linspace(0.3, 0.29, 60), guessing)
    for losses in (falling, falling + 0.02 * np.random.default_rng(1).normal(size=60), [0.4, 0.3]):
        with pytest.warns(NotConvergedWarning, match="has not converged"):
            warn_unless_converged(losses, guessing)
