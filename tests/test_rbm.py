"""The transformer."""

import copy
import io
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from oracles import log_likelihood, make_rbm as exact_rbm
from scipy.sparse import csc_matrix, csr_array, csr_matrix
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import BernoulliRBM
from sklearn.preprocessing import scale

from skdbn import DataRangeWarning, DivergenceError, InterruptedTrainingWarning, RBMTransformer
from skdbn._learners import MachineLearner
from skdbn._maths.gradients import GRADIENTS

pytestmark = pytest.mark.filterwarnings(  # most trainings here are short on purpose
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)
X = load_digits().data / 16.0
FITTED = ["components_", "intercept_visible_", "intercept_hidden_", "h_samples_"]


def make_rbm(**parameters):
    return RBMTransformer(**{"n_components": 12, "n_iter": 3, "random_state": 0, **parameters})


def assert_same_machine(one, other):
    for name in FITTED:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def exact_log_likelihood(machine, data):
    """Mean over the rows, from all states of a small machine."""
    arrays = machine.components_.T, machine.intercept_visible_, machine.intercept_hidden_
    return log_likelihood(exact_rbm(*arrays), data).mean()


# -- what training learns


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_training_raises_the_pseudo_likelihood_and_lowers_the_error(gradient):
    untrained = make_rbm(n_components=64, n_iter=0, gradient=gradient).fit(X)
    rbm = make_rbm(n_components=64, n_iter=15, gradient=gradient).fit(X)
    assert rbm.score(X) > untrained.score(X) + 10
    assert rbm.loss_curve_[-1] < rbm.loss_curve_[0]


@pytest.mark.parametrize(("name", "value"), [("learning_rate", 0.05), ("momentum", 0.7)])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_numpy_scalars_train_the_same_machine_as_python_floats(name, value, kind):
    value = float(kind(value))
    data = X[:200].astype(np.float32)
    rbms = [make_rbm(n_iter=7, **{name: given}).fit(data) for given in (value, kind(value))]
    assert_same_machine(*rbms)


def test_numpy_scalar_of_the_weight_decay_keeps_the_arithmetic_in_float32():
    data = X[:200].astype(np.float32)
    rbms = [make_rbm(weight_decay=kind(0.125)).fit(data) for kind in (float, np.float64)]
    assert_same_machine(*rbms)


def test_gaussian_visible_units_learn_the_direction_of_the_data():
    rng = np.random.default_rng(0)
    z = rng.choice([-2.0, 2.0], (2000, 1))
    data = z * [1.0, -1.0, 0.0] + rng.normal(size=(2000, 3))
    rbm = make_rbm(n_components=2, visible_units="gaussian", learning_rate=0.01, n_iter=60)
    rbm.fit(data)
    error = ((data - rbm.inverse_transform(rbm.transform(data))) ** 2).mean(axis=0)
    assert (error[:2] < 0.5 * data.var(axis=0)[:2]).all()


def test_loss_curve_is_the_error_of_the_reconstruction():
    rbm = make_rbm().fit(X[:100])
    small = make_rbm(n_iter=1, batch_size=100).fit(X[:100])  # watches all rows
    error = ((X[:100] - small.inverse_transform(small.transform(X[:100]))) ** 2).mean()
    np.testing.assert_allclose(small.loss_curve_, [error], rtol=1e-10)
    assert len(rbm.loss_curve_) == rbm.n_iter_ == 3


def test_transform_is_the_logistic_of_the_affine_map():
    rbm = make_rbm().fit(X)
    h = expit(X @ rbm.components_.T + rbm.intercept_hidden_)
    np.testing.assert_allclose(rbm.transform(X), h, rtol=1e-10)
    v = expit(h @ rbm.components_ + rbm.intercept_visible_)
    np.testing.assert_allclose(rbm.inverse_transform(h), v, rtol=1e-10)


def test_transform_is_deterministic_and_does_not_depend_on_the_other_rows():
    rbm = make_rbm(n_components=200).fit(X)
    together = rbm.transform(X)
    np.testing.assert_array_equal(together, rbm.transform(X))
    alone = np.vstack([rbm.transform(X[i : i + 1]) for i in range(50)])
    np.testing.assert_allclose(alone, together[:50], rtol=1e-12)


def test_results_in_blocks_equal_results_at_once():
    rbm = make_rbm().fit(X)
    many = np.vstack([X, X])  # more rows than a block
    for method in (rbm.transform, rbm.free_energy, rbm.score_samples):
        np.testing.assert_allclose(method(many)[1797:], method(X), rtol=1e-12)


# -- the place of BernoulliRBM


def test_bernoulli_rbm_can_be_swapped():
    parameters = {
        "n_components": 20,
        "learning_rate": 0.05,
        "batch_size": 10,
        "n_iter": 2,
        "verbose": 0,
        "random_state": 0,
    }
    peer, rbm = BernoulliRBM(**parameters).fit(X), RBMTransformer(**parameters).fit(X)
    names = [name for name in vars(peer) if name.endswith("_") and name != "random_state_"]
    for name in names:
        assert np.shape(getattr(rbm, name)) == np.shape(getattr(peer, name)), name
    np.testing.assert_array_equal(peer.get_feature_names_out()[0], "bernoullirbm0")
    np.testing.assert_array_equal(rbm.get_feature_names_out()[0], "rbmtransformer0")
    for name in ("transform", "score_samples", "gibbs"):
        assert getattr(rbm, name)(X).shape == getattr(peer, name)(X).shape
    public = [name for name in dir(peer) if not name.startswith("_")]
    assert [name for name in public if not hasattr(rbm, name)] == ["random_state_"]


def test_transform_and_free_energy_agree_with_bernoulli_rbm():
    rbm, peer = make_rbm().fit(X), BernoulliRBM(12, n_iter=1).fit(X)
    for name in FITTED[:3]:
        setattr(peer, name, getattr(rbm, name))
    np.testing.assert_allclose(rbm.transform(X), peer.transform(X), rtol=1e-10)
    np.testing.assert_allclose(rbm.free_energy(X), peer._free_energy(X), rtol=1e-10)


@pytest.mark.exhaustive
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer, load_diabetes])
def test_automatic_rate_of_gaussian_units_learns(load):
    data = scale(load().data)

    def error(**parameters):
        rbm = make_rbm(n_components=50, n_iter=30, visible_units="gaussian", **parameters).fit(data)
        return ((data - rbm.inverse_transform(rbm.transform(data))) ** 2).mean()

    assert error() < 0.23
    assert error() < 0.95 * error(learning_rate=0.1)
    assert error() < 1.15 * error(learning_rate=0.01)


@pytest.mark.parametrize("gradient", ["cd", "pcd"])
def test_automatic_rate_of_a_linear_machine_suits_columns_that_move_together(gradient):
    rng = np.random.default_rng(0)
    walks = rng.normal(size=(200, 400)).cumsum(axis=1)
    rbm = make_rbm(n_components=10, n_iter=30, hidden_units="gaussian", gradient=gradient)
    assert rbm.fit(walks).loss_curve_[-1] < 0.25 < 0.6 < rbm.loss_curve_[0]


def test_crisp_units_are_no_fault():
    rng = np.random.RandomState(0)
    k, centres = rng.randint(4, size=1000), rng.rand(4, 30) > 0.5
    data = np.abs(centres[k] - (rng.rand(1000, 30) < 0.01).astype(float))
    rbm = RBMTransformer(8, learning_rate=0.05, n_iter=60, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        h = rbm.fit(data).transform(data)
    assert np.ptp(h, axis=0).min() > 0.9
    assert rbm.saturated_units_curve_[-1] == 0.0


def test_gibbs_goes_on_with_other_random_numbers():
    rbm = make_rbm().fit(X)
    assert (rbm.gibbs(X) != rbm.gibbs(X)).any()


@pytest.mark.exhaustive
def test_pcd_reaches_the_likelihood_of_bernoulli_rbm_with_its_parameters():
    data = np.repeat([[0.0] * 4, [1.0] * 4], 100, axis=0)
    parameters = {"n_components": 4, "learning_rate": 0.02, "n_iter": 200, "batch_size": 10}

    def reached(machine, **more):
        return [
            exact_log_likelihood(machine(**parameters, **more, random_state=seed).fit(data), data)
            for seed in range(5)
        ]

    expected, found = reached(BernoulliRBM), reached(RBMTransformer, gradient="pcd")
    error = np.std(expected, ddof=1) * np.sqrt(2 / 5)  # of the difference of two means
    assert np.mean(found) > np.mean(expected) - 3 * error


@pytest.mark.parametrize(("gradient", "momentum"), [("cd", 0.9), ("pcd", 0.0)])
def test_automatic_momentum_is_the_documented_one(gradient, momentum):
    # Five passes have a lower one, so that seven show it.
    automatic = make_rbm(n_iter=7, gradient=gradient).fit(X)
    assert_same_machine(automatic, make_rbm(n_iter=7, gradient=gradient, momentum=momentum).fit(X))


# -- partial_fit


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_partial_fit_on_all_rows_goes_on_where_fit_stood(gradient):
    whole = make_rbm(n_iter=3, gradient=gradient).fit(X)
    parts = make_rbm(n_iter=1, gradient=gradient).fit(X)
    first = make_rbm(n_iter=7, gradient=gradient)  # n_iter does not count here
    for _ in range(2):
        assert parts.partial_fit(X) is parts
    for _ in range(3):
        first.partial_fit(X)
    assert parts.n_iter_ == first.n_iter_ == whole.n_iter_ == 3
    assert_same_machine(parts, first)
    # The reconstruction error is watched on rows drawn anew for each call, so that fit and
    # partial_fit use up different random numbers; what they reach is the same.
    np.testing.assert_allclose(parts.loss_curve_[-1], whole.loss_curve_[-1], rtol=0.3)


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_warm_start_with_centering_goes_on_with_what_a_pass_left(gradient):
    rbm = make_rbm(gradient=gradient, centering=True, learning_rate=0.01, warm_start=True).fit(X)
    again = pickle.loads(pickle.dumps(rbm))
    offsets = [offset.copy() for offset in rbm._kept["offsets"]]
    assert_same_machine(rbm.fit(X), again.fit(X))
    after = rbm._kept["offsets"]
    assert all((abs(a - b) < 0.1).all() for a, b in zip(offsets, after, strict=True))
    assert any((a != b).any() for a, b in zip(offsets, after, strict=True))


@pytest.mark.parametrize(("schedule", "factor"), [("linear", 0.5), ("cosine", 0.5)])
def test_rate_falls_over_the_passes_of_a_fit_and_not_from_part_to_part(schedule, factor):
    parameters = {"batch_size": len(X), "momentum": 0.0, "weight_decay": 0.0, "n_iter": 2}
    first = make_rbm(**{**parameters, "n_iter": 1}).fit(X)
    constant = make_rbm(**parameters).fit(X)
    falling = make_rbm(**parameters, learning_rate_schedule=schedule).fit(X)
    steps = [rbm.components_ - first.components_ for rbm in (constant, falling)]
    np.testing.assert_allclose(steps[1], factor * steps[0], rtol=1e-6, atol=1e-12)
    parts = [make_rbm(**parameters, learning_rate_schedule=s) for s in ("constant", schedule)]
    assert_same_machine(*(rbm.partial_fit(X).partial_fit(X) for rbm in parts))


def test_data_are_drawn_as_zeros_and_ones_where_units_are_binary():
    rng = np.random.default_rng(0)
    data = np.column_stack([rng.random((500, 3)), 5.0 + rng.normal(size=500)])
    rbm = make_rbm(sample_visible=True, n_iter=1).fit(data)
    assert rbm.visible_units_.tolist() == ["binary"] * 3 + ["gaussian"]
    learner = MachineLearner(rbm, rbm._rows(data), None, *rbm._restored())
    seen = []
    learner.complete = lambda _, phases, chain, __: seen.append(phases.v_pos.copy())
    for _ in range(200):
        learner.gradient(np.arange(20), 1.0)
    states = np.array(seen)
    assert set(np.unique(states[:, :, :3])) == {0.0, 1.0}
    np.testing.assert_allclose(
        states[:, :, :3].mean(axis=0), data[:20, :3], atol=5 * 0.5 / 200**0.5
    )
    expected = ((data[:20, 3] - rbm.offset_[3]) / rbm.scale_[3])[None].repeat(200, axis=0)
    np.testing.assert_allclose(states[:, :, 3], expected)


def test_machine_with_centering_starts_from_the_means_of_the_data():
    rng = np.random.default_rng(0)
    data = np.column_stack([rng.random((800, 3)) < [0.2, 0.9, 0.0], 7.0 * rng.normal(size=800)])
    rbm = make_rbm(centering=True, n_iter=0).fit(data)
    expected = [np.log(p / (1 - p)) for p in (*data[:, :2].mean(axis=0), 0.001)]
    np.testing.assert_allclose(rbm.intercept_visible_, [*expected, 0.0], atol=0.05)
    assert not make_rbm(n_iter=0).fit(data).intercept_visible_.any()


def test_likelihood_reached_with_centering_is_that_of_the_flipped_data():
    # Sparse bits, which the flipped machine has to unlearn at every step.
    rng = np.random.default_rng(0)
    data = (rng.random((1000, 4, 3)) < 0.05).max(axis=2).repeat(3, axis=1).astype(float)

    def reached(centering, is_flipped):
        given = 1.0 - data if is_flipped else data
        rbm = make_rbm(
            n_components=4,
            gradient="pcd",
            centering=centering,
            learning_rate=0.1,
            learning_rate_schedule="linear",
            batch_size=50,
            n_iter=20,
        )
        return exact_log_likelihood(rbm.fit(given), given)

    assert abs(reached(True, False) - reached(True, True)) < 0.1
    assert reached(False, False) - reached(False, True) > 0.2


def test_partial_fit_keeps_velocity_and_chains():
    rbm = make_rbm(gradient="pcd", momentum=0.9).fit(X)
    velocity, chains = rbm._kept["optimizer"]["velocity"], rbm.h_samples_
    rbm.set_params(learning_rate=1e-12).partial_fit(X[:1])
    np.testing.assert_allclose(rbm._kept["optimizer"]["velocity"], 0.5 * velocity, rtol=1e-6)
    assert (rbm.h_samples_ == chains).mean() > 0.5  # one step further, not begun anew


def test_partial_fit_over_parts_of_any_size_does_not_saturate():
    rbm = RBMTransformer(n_components=100, random_state=0)
    for _ in range(10):
        rbm.partial_fit(X)  # what drove every unit of BernoulliRBM to 1
        for part in np.array_split(X, [1, 3, 100, 900]):
            rbm.partial_fit(part)
    h = rbm.transform(X)
    assert 0.02 < h.mean() < 0.95
    assert (h.std(axis=0) > 0.01).mean() > 0.9
    assert rbm.loss_curve_[-1] < 0.02


def test_momentum_is_low_for_five_passes():
    # A step without a gradient shrinks the velocity by the momentum.
    def shrinkage(n_iter, momentum=0.9):
        rbm = make_rbm(n_iter=n_iter, momentum=momentum, batch_size=len(X), weight_decay=0.0).fit(X)
        before = rbm._kept["optimizer"]["velocity"]
        rbm.set_params(learning_rate=1e-12).partial_fit(X)
        after = rbm._kept["optimizer"]["velocity"]
        return np.median(after / before)

    expected = [0.5] * 4 + [0.9] * 2
    np.testing.assert_allclose([shrinkage(n) for n in range(1, 7)], expected, rtol=1e-6)
    assert shrinkage(2, momentum=0.2) == pytest.approx(0.2)
    assert shrinkage(7, momentum=0.2) == pytest.approx(0.2)


def test_more_rows_in_a_minibatch_than_before_get_more_chains():
    for gradient in GRADIENTS:
        rbm = make_rbm(gradient=gradient, batch_size=5).fit(X)
        assert rbm.h_samples_.shape == (5, 12)
        rbm.set_params(batch_size=50).partial_fit(X)
        assert rbm.h_samples_.shape == (50, 12)


def test_warm_start_goes_on_and_fit_starts_anew():
    rbm = make_rbm(warm_start=True).fit(X).fit(X)
    assert rbm.n_iter_ == len(rbm.loss_curve_) == 6
    again = make_rbm().fit(X).fit(X)
    assert again.n_iter_ == len(again.loss_curve_) == 3
    assert_same_machine(again, make_rbm().fit(X))
    with pytest.raises(ValueError, match=r"n_components == 7, but the fitted machine has 12"):
        rbm.set_params(n_components=7).fit(X)


# -- what comes in


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_computation_keeps_the_dtype(dtype):
    rbm = make_rbm().fit(X.astype(dtype))
    for name in FITTED:
        assert getattr(rbm, name).dtype == dtype
    results = [
        rbm.transform(X.astype(dtype)),
        rbm.inverse_transform(rbm.transform(X.astype(dtype))),
        rbm.free_energy(X.astype(dtype)),
        rbm.score_samples(X.astype(dtype)),
        rbm.sample(2, 3),
        rbm.partial_fit(X.astype(dtype)).components_,
    ]
    assert [result.dtype for result in results] == [dtype] * 6


@pytest.mark.parametrize(
    "container",
    [
        csr_matrix,
        csr_array,
        csc_matrix,
        np.asfortranarray,
        pd.DataFrame,
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: np.array(X.tolist(), dtype=object),
    ],
)
def test_every_container_gives_the_same_machine(container):
    expected, rbm = make_rbm().fit(X), make_rbm().fit(container(X))
    assert_same_machine(rbm, expected)
    for method in ("transform", "free_energy", "score_samples"):
        result = np.asarray(getattr(rbm, method)(container(X)))
        np.testing.assert_array_equal(result, getattr(expected, method)(X))


def test_read_only_memory_map_is_taken_as_it_is(tmp_path):
    path = tmp_path / "X.npy"
    np.save(path, X.astype(np.float32))
    mapped = np.load(path, mmap_mode="r")
    assert_same_machine(make_rbm().fit(mapped), make_rbm().fit(X.astype(np.float32)))


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_input_is_never_changed(gradient):
    given = X.copy()
    rbm = make_rbm(gradient=gradient).fit(given)
    rbm.transform(given), rbm.score_samples(given), rbm.sample(len(X), 2, start=given)
    rbm.gibbs(given)
    np.testing.assert_array_equal(given, X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, r"n_components == 0, must be >= 1"),
        ({"n_components": -3}, r"n_components == -3, must be >= 1"),
        ({"n_components": 2.5}, r"n_components must be an instance of int, not float"),
        ({"visible_units": "poisson"}, r"visible_units == 'poisson', .*'binary', 'gaussian'"),
        ({"hidden_units": 3}, r"hidden_units == 3, must be one of: 'binary', 'gaussian'"),
        ({"gradient": "exact"}, r"gradient == 'exact', must be one of: 'cd', 'pcd'"),
        ({"n_gibbs_steps": 0}, r"n_gibbs_steps == 0, must be >= 1"),
        ({"learning_rate_schedule": "step"}, r"'step', must be one of: 'constant', 'linear', 'cos"),
        ({"centering": "yes"}, r"centering == 'yes', must be True or False"),
        ({"sample_visible": 2}, r"sample_visible == 2, must be True or False"),
        ({"learning_rate": 0.0}, r"learning_rate == 0.0, must be > 0"),
        ({"learning_rate": float("inf")}, r"learning_rate == inf, must be finite"),
        ({"learning_rate": float("nan")}, r"learning_rate == nan, must be finite"),
        ({"momentum": 1.0}, r"momentum == 1.0, must be < 1"),
        ({"momentum": "high"}, r"momentum == 'high', must be one of: 'auto'"),
        ({"momentum": None}, r"momentum must be an instance of float, not NoneType"),
        ({"weight_decay": -1.0}, r"weight_decay == -1.0, must be >= 0"),
        ({"batch_size": 0}, r"batch_size == 0, must be >= 1"),
        ({"batch_size": "all"}, r"batch_size == 'all', must be one of: 'auto'"),
        ({"n_iter": -1}, r"n_iter == -1, must be >= 0"),
    ],
)
def test_wrong_parameter_is_named_with_what_is_allowed(parameters, message):
    rbm = make_rbm(**parameters)
    with pytest.raises((ValueError, TypeError), match=message):
        rbm.fit(X)
    with pytest.raises(NotFittedError):
        rbm.transform(X)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.where(np.eye(4), np.inf, 0.5), "infinite or too large"),
        (np.ones(4), "Expected 2D array, got 1D array"),
        (np.empty((0, 4)), "0 sample"),
        (np.empty((4, 0)), "0 feature"),
        (np.array([["a", "b"], ["c", "d"]]), "could not convert string to float"),
        (pd.DataFrame({"text": ["a", "b"], "number": [0.0, 1.0]}), "could not convert string"),
        (np.ones((2, 2, 2)), "dim 3"),
    ],
)
def test_wrong_data_are_refused(data, message):
    rbm = make_rbm()
    with pytest.raises(ValueError, match=message):
        rbm.fit(data)
    with pytest.raises(NotFittedError):
        rbm.transform(X)


def test_wrong_width_is_refused_with_both_numbers():
    rbm = make_rbm().fit(X)
    for method in (rbm.transform, rbm.partial_fit, rbm.free_energy, rbm.score_samples):
        with pytest.raises(ValueError, match="X has 63 features, but .* expecting 64"):
            method(X[:, 1:])
    with pytest.raises(ValueError, match="X has 13 columns, but RBMTransformer has 12 hidden"):
        rbm.inverse_transform(np.ones((2, 13)))


# -- warnings and failures


def test_values_outside_the_range_of_binary_units_warn_once_per_fit():
    advice = r"from 0 to 1. Set visible_units='auto', .* or scale X to that range\."
    for data in (X * 2, X - 0.5, csr_matrix(X * 2), csr_matrix(-X)):
        with pytest.warns(DataRangeWarning, match=advice) as caught:
            make_rbm(visible_units="binary", n_iter=0).fit(data)
        assert len(caught) == 1
        assert caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # the advice, followed
            make_rbm(visible_units="auto", n_iter=20).fit(data)
    make_rbm(visible_units="binary").fit(X * (1 + 1e-12))  # what scaling may miss the range by


def test_divergence_raises_and_leaves_nothing_half_fitted():
    data = 100 * np.random.default_rng(0).normal(size=(200, 5))
    rbm = make_rbm(visible_units="gaussian", learning_rate=1.0, n_iter=50)
    message = r"diverged in pass \d+: .* is not finite. Lower learning_rate tenfold or more"
    with pytest.raises(DivergenceError, match=message):
        rbm.fit(data)
    assert not [name for name in vars(rbm) if name.endswith("_")]
    with pytest.raises(NotFittedError):
        rbm.transform(data)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_failure_gives_the_fitted_machine_back(method):
    data = 100 * np.random.default_rng(0).normal(size=(200, 5))
    rbm = make_rbm(visible_units="gaussian", learning_rate=1e-6, warm_start=True).fit(data)
    before = copy.deepcopy(rbm)
    rbm.set_params(learning_rate=1e30)
    with pytest.raises(DivergenceError):
        getattr(rbm, method)(data)
    assert_same_machine(rbm, before)
    rbm.set_params(learning_rate=1e-6)  # the velocity and the random numbers are back too
    assert_same_machine(rbm.partial_fit(data), before.partial_fit(data))


def test_interruption_keeps_the_machine_of_the_last_finished_pass(monkeypatch):
    expected = make_rbm(n_iter=2).fit(X)

    def interrupt(text, **_):
        if "pass 2" in text:
            raise KeyboardInterrupt

    monkeypatch.setattr("builtins.print", interrupt)
    rbm = make_rbm(n_iter=9, verbose=1)
    with pytest.warns(InterruptedTrainingWarning, match="after 2 of 9 .* last finished pass"):
        rbm.fit(X)
    assert rbm.n_iter_ == 2
    np.testing.assert_array_equal(rbm.components_, expected.components_)


def test_interruption_before_the_first_pass_leaves_the_machine_as_it_was():
    class Interrupting(RBMTransformer):
        def _starting(self, *arguments):
            raise KeyboardInterrupt

    rbm = Interrupting(n_components=12)
    with pytest.raises(KeyboardInterrupt):
        rbm.fit(X)
    assert vars(rbm) == vars(Interrupting(n_components=12))


def test_verbose_prints_a_line_for_each_pass(capsys):
    make_rbm(verbose=1).fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("[RBMTransformer] fit: pass 3 of 3: loss 0.")
    make_rbm().fit(X)
    assert capsys.readouterr().out == ""


# -- sampling


def test_samples_follow_the_trained_model():
    # Two bits that are always equal, learned, are equal in the samples.
    data = np.repeat(np.random.default_rng(0).integers(0, 2, (500, 1)), 2, axis=1)
    rbm = make_rbm(n_components=4, n_iter=100, batch_size=5).fit(data.astype(float))
    drawn = rbm.sample(1000, 50, random_state=0)
    assert (drawn[:, 0] == drawn[:, 1]).mean() > 0.9
    assert 0.2 < drawn.mean() < 0.8


def test_sample_starts_where_it_is_told_and_repeats_with_its_seed():
    rbm = make_rbm().fit(X)
    start = (X[:5] > 0.5).astype(float)
    np.testing.assert_array_equal(rbm.sample(5, 0, start=start), start)
    one, other = (rbm.sample(5, 3, start=start, random_state=4) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert set(np.unique(one)) <= {0.0, 1.0}
    assert (rbm.sample(5, 3, start=start, random_state=5) != one).any()
    with pytest.raises(ValueError, match=r"start has shape \(4, 64\), must be .*\(5, 64\)"):
        rbm.sample(5, 3, start=start[:4])
    with pytest.raises(ValueError, match="n_samples == 0, must be >= 1"):
        rbm.sample(0)


# -- copies


def test_same_seed_gives_the_same_machine_and_another_seed_another():
    assert_same_machine(make_rbm().fit(X), make_rbm().fit(X))
    state = np.random.RandomState(0)
    make_rbm(random_state=state).fit(X)
    other = make_rbm(random_state=1).fit(X)
    assert (other.components_ != make_rbm().fit(X).components_).any()


@pytest.mark.parametrize("module", [pickle, joblib])
def test_copy_predicts_the_same_and_trains_on_the_same(module):
    rbm, file = make_rbm(gradient="pcd").fit(X), io.BytesIO()
    module.dump(rbm, file)
    file.seek(0)
    loaded = module.load(file)
    np.testing.assert_array_equal(loaded.transform(X), rbm.transform(X))
    assert_same_machine(loaded.partial_fit(X), rbm.partial_fit(X))


def test_read_only_memory_mapped_machine_can_be_used_and_trained_on(tmp_path):
    rbm = make_rbm().fit(X)
    joblib.dump(rbm, tmp_path / "rbm.joblib")
    mapped = joblib.load(tmp_path / "rbm.joblib", mmap_mode="r")
    assert not mapped.components_.flags.writeable
    np.testing.assert_array_equal(mapped.transform(X), rbm.transform(X))
    assert_same_machine(mapped.partial_fit(X), rbm.partial_fit(X))


def test_clone_keeps_parameters_and_forgets_the_fit():
    rbm = make_rbm(gradient="pcd", momentum=0.3).fit(X)
    copied = clone(rbm)
    assert copied.get_params() == rbm.get_params()
    with pytest.raises(NotFittedError):
        copied.transform(X)
