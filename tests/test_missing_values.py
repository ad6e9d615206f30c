"""Rows of which some values are missing, against enumeration and against what is there."""

import warnings

import numpy as np
import pandas as pd
import pytest
from oracles import (
    GRID,
    layer_states,
    log_conditional,
    log_joint,
    make_rbm as make_oracle,
    random_rbm,
)
from scipy.sparse import csr_array, csr_matrix
from scipy.special import logsumexp
from sklearn.datasets import load_digits, load_wine
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from skdbn import DataRangeWarning, DBNClassifier, RBMTransformer
from skdbn._maths.boltzmann import free_energy, hidden_mean
from skdbn._maths.gradients import (
    GRADIENTS,
    likelihood_gradient,
    persistent_contrastive_divergence,
    reserve_phases,
)
from skdbn._maths.missing import (
    conditional_machine,
    fill,
    free_energy_of_observed,
    imputed,
    pseudo_log_likelihood_of_observed,
)
from skdbn._maths.units import layer
from skdbn._training.rows import Rows
from skdbn.inspection import chain_statistics

pytestmark = pytest.mark.filterwarnings("ignore::skdbn.HiddenUnitsWarning")
nan = np.nan
X = load_digits().data[:400] / 16.0


def with_gaps(data=X, share=1 / 3, seed=0):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(data.shape) < share, nan, data).astype(data.dtype)


def make_rbm(**parameters):
    return RBMTransformer(**{"n_components": 12, "n_iter": 3, "random_state": 0, **parameters})


def mixed_rbm(n_hidden=3, hidden="binary"):
    """Two binary and a gaussian visible unit."""
    rbm = random_rbm(3, n_hidden, "gaussian", hidden)
    return rbm._replace(visible_units=layer(np.array(["binary", "gaussian", "binary"]), rbm.engine))


def assert_same_machine(one, other):
    for name in ("components_", "intercept_visible_", "intercept_hidden_", "h_samples_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


# -- the gradient

ROWS = np.array([[1.0, nan, 0.0, nan], [nan, nan, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0], [nan] * 4])


def conditional_log_likelihood(rbm, v, are_free):
    """Mean of the log-probability of the free units given the others, from all their states."""
    total = 0.0
    for row, free in zip(v, are_free, strict=True):
        states = np.repeat(row[None], 2 ** free.sum(), axis=0)
        states[:, free] = layer_states(rbm.visible_units, free.sum())[0]
        total += -free_energy(rbm, row[None])[0] - logsumexp(-free_energy(rbm, states))
    return total / len(v)


def test_gradient_is_that_of_observed_units_given_the_others_as_they_were_filled():
    rbm, n, step = random_rbm(4, 3, seed=3), 100_000, 1e-5
    v = ROWS.copy()
    are_free = ~fill(rbm, v)
    phases = reserve_phases(rbm, n, n)
    phases.v_pos[...] = np.tile(ROWS, (n // 4, 1))
    machine = conditional_machine(rbm, phases.v_pos)
    persistent_contrastive_divergence(machine, phases, np.zeros((n, 3)), 40)
    estimate = likelihood_gradient(rbm, phases, [np.empty_like(part) for part in rbm[:3]])
    for parameter, found in zip(rbm[:3], estimate, strict=True):
        for index in np.ndindex(parameter.shape):
            kept = parameter[index]
            parameter[index] = kept + step
            above = conditional_log_likelihood(rbm, v, are_free)
            parameter[index] = kept - step
            below = conditional_log_likelihood(rbm, v, are_free)
            parameter[index] = kept
            assert abs((above - below) / (2 * step) + found[index]) < 5 * 0.5 / np.sqrt(n)


def log_likelihood_of_observed(rbm):
    """Mean over `ROWS` of the log-probability of the observed units, from all states."""
    states, _ = layer_states(rbm.visible_units, 4)
    log_p = -free_energy(rbm, states)
    agree = [((states == row) | np.isnan(row)).all(axis=1) for row in ROWS]
    return np.mean([logsumexp(log_p[states]) for states in agree]) - logsumexp(log_p)


def learner_of(rbm, rows, **parameters):
    """What trains a machine of these weights on rows, all of them in a minibatch."""
    n_visible, n_hidden = rbm.weights.shape
    fitted = RBMTransformer(n_hidden, n_iter=0, batch_size=len(rows), **parameters)
    fitted.fit(np.eye(n_visible)[np.arange(len(rows)) % n_visible])
    fitted.components_ = rbm.weights.T
    fitted.intercept_visible_, fitted.intercept_hidden_ = rbm[1:3]
    return fitted, lambda: fitted._new_training(Rows(rows), None, 0).learner


def test_persistent_chains_lead_to_the_gradient_of_the_likelihood_of_observed_units():
    rbm, n, step = random_rbm(4, 3, seed=1), 200_000, 1e-5
    fitted, learner = learner_of(rbm, np.tile(ROWS, (n // 4, 1)), gradient="pcd")
    _, h, joint = log_joint(rbm)
    p = np.exp(logsumexp(joint, axis=0) - logsumexp(joint))
    fitted.h_samples_ = h[np.random.default_rng(0).choice(len(p), n, p=p)]
    learner = learner()
    learner.gradient(np.arange(n), 1.0)
    for parameter, found in zip(rbm[:3], learner.gradient_views, strict=True):
        for index in np.ndindex(parameter.shape):
            kept = parameter[index]
            parameter[index] = kept + step
            above = log_likelihood_of_observed(rbm)
            parameter[index] = kept - step
            below = log_likelihood_of_observed(rbm)
            parameter[index] = kept
            assert abs((above - below) / (2 * step) + found[index]) < 5 * 0.5 / np.sqrt(n)


@pytest.mark.parametrize("n_gibbs_steps", [1, 3])
def test_missing_values_do_not_pull_at_their_units(n_gibbs_steps):
    rows = np.array([[nan, 1.0, 0.0, nan], [nan, nan, 1.0, 1.0]])
    _, learner = learner_of(random_rbm(4, 3), rows, n_gibbs_steps=n_gibbs_steps)
    learner = learner()
    learner.gradient(np.arange(2), 1.0)
    assert abs(learner.gradient_views[1][0]) < 1e-15
    assert (learner.gradient_views[1][1:] != 0.0).all()


@pytest.mark.parametrize("kinds", [["binary"] * 4, ["gaussian"] * 4])
def test_row_without_any_value_changes_nothing(kinds):
    rows = np.full((3, 4), nan)
    _, learner = learner_of(random_rbm(4, 3), rows, visible_units=kinds[0])
    learner = learner()
    learner.gradient(np.arange(3), 1.0)
    np.testing.assert_allclose(learner.gradients, 0.0, atol=1e-15)


def test_training_on_complete_rows_of_incomplete_data_is_that_on_complete_data():
    # A gap elsewhere sends every minibatch through the code for gaps.
    rbm, rows = random_rbm(4, 3), np.eye(4)
    results = []
    for data in (rows, np.concatenate([rows, [[nan] * 4]])):
        learner = learner_of(rbm, data)[1]()
        learner.engine.set_state(type(learner.engine)(float, 1).get_state())
        results.append(learner.gradient(np.arange(4), 1.0).copy())
    np.testing.assert_allclose(*results, rtol=1e-12)


# -- what a machine says of incomplete rows


@pytest.mark.parametrize(
    ("visible", "hidden"),  # of gaussian units alone neither layer has few states: refused
    [("binary", "binary"), ("binary", "gaussian"), ("gaussian", "binary")],
)
def test_free_energy_sums_missing_units_out(visible, hidden):
    rbm = random_rbm(3, 2, visible, hidden)
    if visible == "gaussian":
        values, log_volume = GRID, np.log(GRID[1] - GRID[0])
    else:
        values, log_volume = np.array([0.0, 1.0]), 0.0
    v = np.repeat([[0.3, nan, 1.0]], len(values), axis=0)
    v[:, 1] = values
    expected = -logsumexp(-free_energy(rbm, v)) - log_volume
    found = free_energy_of_observed(rbm, np.array([[0.3, nan, 1.0]]))
    np.testing.assert_allclose(found, [expected], rtol=1e-8)


def test_free_energy_sums_missing_units_of_both_kinds_out():
    rbm = mixed_rbm()
    v = np.array([[u, z, 1.0] for u in (0.0, 1.0) for z in GRID])
    expected = -logsumexp(-free_energy(rbm, v)) - np.log(GRID[1] - GRID[0])
    found = free_energy_of_observed(rbm, np.array([[nan, nan, 1.0]]))
    np.testing.assert_allclose(found, [expected], rtol=1e-8)


@pytest.mark.parametrize("n_hidden", [1, 3])  # summed over the hidden, or the missing units
def test_free_energy_is_the_same_summed_over_either_layer(n_hidden):
    rbm = random_rbm(5, n_hidden)
    states = layer_states(rbm.visible_units, 2)[0]
    v = np.tile([1.0, nan, 0.0, nan, 1.0], (4, 1))
    v[:, [1, 3]] = states
    expected = -logsumexp(-free_energy(rbm, v))
    found = free_energy_of_observed(rbm, np.array([[1.0, nan, 0.0, nan, 1.0], v[2]]))
    np.testing.assert_allclose(found, [expected, free_energy(rbm, v[2:3])[0]], rtol=1e-12)


def test_free_energy_of_many_missing_values_is_refused_with_advice():
    rbm = make_rbm(n_components=30).fit(X)
    message = (
        r"X misses 21 values in row 1 \(counted from 0\)\. .* at most 20 are missing, .* this one "
        "has 30, which are binary. Fill X with impute first."
    )
    data = X[:2].copy()
    data[1, :21] = nan
    with pytest.raises(ValueError, match=message):
        rbm.free_energy(data)
    few = make_rbm().fit(X)  # of 12 hidden units
    assert np.isfinite(few.free_energy(data)).all()
    np.testing.assert_allclose(few.free_energy(csr_matrix(data)), few.free_energy(data))


@pytest.mark.parametrize("columns", [[0], [1], [0, 1], [0, 2], [0, 1, 2]])
def test_likelihood_of_observed_values_is_an_integral_in_the_units_of_the_data(columns):
    rng = np.random.default_rng(0)
    data = rng.normal([[150.0, 3.0, 0.0]], [[20.0, 0.5, 0.0]], (200, 3))
    data[:, 2] = data[:, 0] > 150.0
    rbm = make_rbm(n_components=3).fit(data)
    assert rbm.visible_units_.tolist() == ["gaussian", "gaussian", "binary"]
    ends = rbm.offset_ + np.array([[-5.0], [5.0]]) * rbm.scale_  # beyond is cut off
    grids = [*np.linspace(*ends, 41).T[:2], np.array([0.0, 1.0])]
    row, volume = np.array([160.0, 3.2, 1.0]), 1.0
    axes = [grids[i] if i in columns else row[i : i + 1] for i in range(3)]
    for i in set(columns) - {2}:
        volume *= grids[i][1] - grids[i][0]
    rows = np.array(np.meshgrid(*axes)).reshape(3, -1).T
    constant = rbm.log_partition()
    whole = rbm.log_likelihood(rows, constant)
    row[columns] = nan
    found = rbm.log_likelihood([row, rows[0]], constant)
    np.testing.assert_allclose(found, [logsumexp(whole) + np.log(volume), whole[0]], atol=1e-4)
    energies = rbm.free_energy([row, rows[0]])
    np.testing.assert_allclose(energies[0] - energies[1], found[1] - found[0])


def test_likelihood_of_rows_that_miss_too_much_or_are_grey_is_refused():
    data = (X[:3] > 0.5).astype(float)
    data[1, :21] = nan
    rbm = make_rbm(n_components=30, n_iter=1).fit(data)
    with pytest.raises(ValueError, match="X misses 21 values in row 1"):
        rbm.log_likelihood(data, 0.0)
    data[1, 30] = 0.3
    with pytest.raises(ValueError, match="X has the value 0.3 in column 30"):
        rbm.log_likelihood(data, 0.0)


@pytest.mark.parametrize("n_hidden", [14, 30])  # summed over the hidden, or the missing units
def test_sums_over_many_states_are_as_exact_as_their_terms(n_hidden):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(40, n_hidden)).astype(np.float32) / 4.0
    v = rng.random((1, 40), np.float32).round()
    v[0, :15], zeros = nan, np.zeros(40)
    single, double = (
        free_energy_of_observed(make_oracle(weights, zeros, zeros[:n_hidden], dtype=dtype), v)
        for dtype in (np.float32, np.float64)
    )
    assert single.dtype == np.float32
    assert abs(single - double) < 1e-5


def test_binary_unit_that_is_missing_alone_has_its_exact_expectation():
    rbm = random_rbm(4, 3)
    v = np.array([[1.0, nan, 0.0, 1.0]])
    on, off = np.array([[1.0, 1.0, 0.0, 1.0]]), np.array([[1.0, 0.0, 0.0, 1.0]])
    odds = np.exp(free_energy(rbm, off) - free_energy(rbm, on))
    np.testing.assert_allclose(imputed(rbm, v)[0, 1], odds / (1 + odds), rtol=1e-12)


def bimodal_rbm():
    """A gaussian visible unit with two modes, one for each state of its first hidden unit."""
    return make_oracle([[6.0, 0.0]], [-3.0], [0.0, 0.0], "gaussian")


@pytest.mark.parametrize("intercept", [-3.0, -2.9, 0.0])
def test_gaussian_unit_of_two_modes_has_the_mean_of_both(intercept):
    rbm = bimodal_rbm()
    rbm.intercept_visible[0] = intercept
    grid = np.linspace(-20.0, 20.0, 4001)
    log_p = -free_energy(rbm, grid[:, None])
    p = np.exp(log_p - log_p.max())
    assert abs(imputed(rbm, np.array([[nan]]))[0, 0] - p @ grid / p.sum()) < 1e-6


@pytest.mark.parametrize("weight", [0.1, 0.9, -0.99])
def test_gaussian_unit_below_gaussian_ones_has_its_exact_expectation(weight):
    rbm = make_oracle([[weight], [0.5]], [1.0, 0.0], [0.4], "gaussian", "gaussian")
    expected = (1.0 + (0.4 + 0.5 * 2.0) * weight) / (1.0 - weight**2)
    np.testing.assert_allclose(imputed(rbm, np.array([[nan, 2.0]])), [[expected, 2.0]])


@pytest.mark.parametrize(("hidden", "weight"), [("gaussian", 1.1), ("binary", 20_000.0)])
def test_nothing_is_expected_where_the_density_has_no_integral_or_has_run_away(hidden, weight):
    rbm = make_oracle([[weight]], [0.0], [-0.5 * weight**2], "gaussian", hidden)
    with np.errstate(over="ignore"):
        assert np.isnan(imputed(rbm, np.array([[nan]]))).all()


@pytest.mark.parametrize("hidden", ["binary", "gaussian"])
def test_gaussian_unit_that_is_missing_alone_has_its_exact_expectation(hidden):
    rbm = mixed_rbm(hidden=hidden)
    grid = np.linspace(-20.0, 20.0, 4001)
    states = np.repeat([[1.0, nan, 0.0]], len(grid), axis=0)
    states[:, 1] = grid
    p = np.exp(-free_energy(rbm, states))
    found = imputed(rbm, np.array([[1.0, nan, 0.0]]))[0, 1]
    assert abs(found - p @ grid / p.sum()) < 1e-6


@pytest.mark.parametrize("container", [np.array, csr_matrix, csr_array])
def test_impute_leaves_what_is_there_and_does_not_write_into_its_data(container):
    wine = load_wine().data
    rbm, gaps = make_rbm().fit(wine), with_gaps(wine)
    data = container(gaps)
    filled = rbm.impute(data)
    there = ~np.isnan(gaps)
    np.testing.assert_array_equal(filled[there], gaps[there])
    assert np.isfinite(filled).all()
    dense = data.toarray() if hasattr(data, "toarray") else np.asarray(data)
    np.testing.assert_array_equal(dense, gaps)
    np.testing.assert_array_equal(rbm.impute(gaps), filled)


def test_imputed_pixels_are_nearer_than_their_means():
    gaps = with_gaps()
    filled = make_rbm(n_components=64, n_iter=30).fit(gaps).impute(gaps)
    missing = np.isnan(gaps)
    means = np.broadcast_to(np.nanmean(gaps, axis=0), gaps.shape)
    assert ((filled - X)[missing] ** 2).mean() < 0.6 * ((means - X)[missing] ** 2).mean()


def test_transform_of_a_row_depends_on_no_other_row():
    gaps = with_gaps()
    rbm = make_rbm().fit(gaps)
    together = rbm.transform(gaps)
    assert np.isfinite(together).all()
    alone = np.vstack([rbm.transform(gaps[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(alone, together[:20], rtol=1e-12)
    both = rbm.transform(np.vstack([X[:5], gaps[:5]]))
    np.testing.assert_allclose(both[:5], rbm.transform(X[:5]), rtol=1e-12)


def test_missing_values_are_filled_in_from_the_observed_ones():
    rbm = random_rbm(4, 3)
    weights = rbm.weights.copy()
    weights[1] = 0.0  # a unit that has no input, and gives none
    rbm = rbm._replace(weights=weights)
    v = np.array([[1.0, nan, 0.0, 1.0]])
    expected = hidden_mean(rbm, np.array([[1.0, 0.0, 0.0, 1.0]]))
    fill(rbm, v)
    np.testing.assert_allclose(hidden_mean(rbm, v), expected)
    np.testing.assert_allclose(v[0, 1], 1 / (1 + np.exp(-rbm.intercept_visible[1])))


# -- training


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("visible_units", ["auto", "gaussian"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_containers_of_incomplete_data_train_the_same_machine(gradient, visible_units, dtype):
    gaps = with_gaps(X[:150].astype(dtype))
    gaps[:, 0], gaps[5] = 0.0, nan
    weight = np.arange(150) % 3
    parameters = {"gradient": gradient, "visible_units": visible_units, "early_stopping": True}
    rbm = make_rbm(**parameters).fit(gaps, sample_weight=weight)
    assert rbm.components_.dtype == dtype
    assert np.isfinite(rbm.validation_loss_curve_).all()
    sparse = make_rbm(**parameters).fit(csr_matrix(gaps), sample_weight=weight)
    assert_same_machine(rbm, sparse)
    np.testing.assert_array_equal(rbm.transform(gaps), sparse.transform(csr_matrix(gaps)))


def test_missing_values_of_pandas_are_missing():
    frame = pd.DataFrame({"a": pd.array([0, 1, None] * 5, "Int64"), "b": [0.0, None, 0.5] * 5})
    array = np.array([[0.0, 0.0], [1.0, nan], [nan, 0.5]] * 5)
    assert_same_machine(make_rbm().fit(frame), make_rbm().fit(array))


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_fit_on_incomplete_data_goes_on(gradient):
    gaps, complete = with_gaps(), make_rbm(gradient=gradient, warm_start=True).fit(X)
    n_before = len(complete.loss_curve_)
    complete.fit(gaps, X_val=gaps[:50])
    assert len(complete.loss_curve_) == n_before + 3
    parts = make_rbm(gradient=gradient).partial_fit(gaps).partial_fit(X).partial_fit(gaps)
    assert np.isfinite(parts.components_).all()


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_fit_on_incomplete_data_resumes_from_a_checkpoint(gradient, tmp_path):
    pytest.importorskip("sklearn.callback", reason="came with scikit-learn 1.9")
    from test_checkpoint import fit_with_copies

    from skdbn import resume

    gaps = with_gaps()
    rbm = make_rbm(gradient=gradient, early_stopping=True)
    copies = fit_with_copies(rbm, tmp_path, gaps)
    resumed = resume(copies[0], gaps)
    assert_same_machine(resumed, rbm)
    assert resumed.validation_loss_curve_ == rbm.validation_loss_curve_


def test_curves_count_what_is_there():
    gaps = with_gaps(X[:100])
    rbm = make_rbm(n_iter=1, batch_size=100).fit(gaps, X_val=gaps[:40])  # watches all rows
    difference = gaps - rbm.inverse_transform(rbm.transform(gaps))
    np.testing.assert_allclose(rbm.loss_curve_, [np.nanmean(difference**2)], rtol=1e-10)
    held_out = np.nanmean(difference[:40] ** 2)
    np.testing.assert_allclose(rbm.validation_loss_curve_, [held_out], rtol=1e-10)
    weight = 1.0 + np.arange(100) % 2
    rbm = make_rbm(n_iter=1, batch_size=100).fit(gaps, sample_weight=weight)
    squares = (gaps - rbm.inverse_transform(rbm.transform(gaps))) ** 2
    weights = np.where(np.isnan(gaps), 0.0, weight[:, None])
    expected = np.average(np.nan_to_num(squares), weights=weights)
    np.testing.assert_allclose(rbm.loss_curve_, [expected], rtol=1e-10)


def test_columns_are_what_their_values_say():
    wine = load_wine().data
    wine[:, 0] = wine[:, 0] > 13  # a binary column among the others
    gaps, weight = with_gaps(wine), 1.0 + np.arange(len(wine)) % 3
    rbm = make_rbm().fit(gaps, sample_weight=weight)
    assert rbm.visible_units_[0] == "binary"
    for i in range(1, wine.shape[1]):
        there = ~np.isnan(gaps[:, i])
        alone = make_rbm().fit(gaps[there, i : i + 1], sample_weight=weight[there])
        for name in ("offset_", "scale_"):
            np.testing.assert_allclose(getattr(rbm, name)[i], getattr(alone, name)[0], rtol=1e-10)


@pytest.mark.parametrize("n_observed", [5, 200])
def test_scale_of_a_column_with_few_values_does_not_depend_on_the_type(n_observed):
    rng = np.random.default_rng(0)
    rows = rng.uniform(90.0, 110.0, size=(20_000, 2))
    rows[n_observed:, 1] = nan
    weight = np.where(np.arange(20_000) < n_observed, 1e-3, rng.uniform(0.5, 3.0, size=20_000))
    exact, rounded = (
        make_rbm(n_components=2, n_iter=0).fit(rows.astype(kind), sample_weight=weight)
        for kind in (np.float64, np.float32)
    )
    expected = rows[:n_observed, 1].mean(), rows[:n_observed, 1].std()
    for rbm in (exact, rounded):
        assert (rbm.offset_[1], rbm.scale_[1]) == pytest.approx(expected, rel=1e-4)


def test_column_without_a_value_is_harmless_and_told():
    gaps = with_gaps()
    gaps[:, [3, 7]] = nan
    with pytest.warns(DataRangeWarning, match="X has no value in 2 of 64 columns, .* is column 3"):
        rbm = make_rbm().fit(gaps)
    assert np.isfinite(rbm.impute(gaps)).all()
    frame = pd.DataFrame({"a": [nan] * 20, "b": np.arange(20.0) * 50})
    with pytest.warns(DataRangeWarning, match="the first of which is column 'a'"):
        assert np.isfinite(make_rbm(visible_units="gaussian").fit(frame).components_).all()


@pytest.mark.parametrize("weight", [None, np.arange(1.0, 21.0)])
def test_column_without_a_value_starts_from_no_input(weight):
    data = np.column_stack([np.full(20, nan), np.arange(20.0) % 2, np.arange(20.0) * 50])
    for visible_units in ("auto", "gaussian"):
        rbm = make_rbm(centering=True, n_iter=0, visible_units=visible_units)
        with pytest.warns(DataRangeWarning, match="X has no value in 1 of 3 columns"):
            rbm.fit(data, sample_weight=weight)
        assert rbm.intercept_visible_[0] == 0.0


def test_values_out_of_range_are_told_in_spite_of_gaps():
    gaps = with_gaps()
    rbm = make_rbm().fit(gaps)
    with pytest.warns(DataRangeWarning, match="100% of the values of X are far"):
        rbm.transform(gaps * 0.0 + 99.0)
    with pytest.warns(DataRangeWarning, match="X has values from 0 to 16"):
        make_rbm(visible_units="binary", n_iter=0).fit(gaps * 16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rbm.transform(gaps)


# -- the pseudo-log-likelihood


@pytest.mark.parametrize("hidden", ["binary", "gaussian"])
def test_pseudo_log_likelihood_is_that_of_observed_units_with_typical_others(hidden):
    rbm = mixed_rbm(hidden=hidden)
    v = np.array([[1.0, nan, 0.0], [nan, 0.7, nan], [0.2, -0.3, 1.0], [nan] * 3])
    typical, is_missing = np.full((1, 3), nan), np.isnan(v)
    fill(rbm, typical)
    filled = np.where(is_missing, typical, v)
    expected = np.zeros(len(v))
    for i in range(3):
        expected += np.where(is_missing[:, i], 0.0, log_conditional(rbm, filled, i))
    result = pseudo_log_likelihood_of_observed(rbm, v.copy())
    np.testing.assert_allclose(result, expected, atol=1e-7)
    assert result[3] == 0.0


def test_scores_are_densities_of_the_observed_values_in_their_units():
    wines = load_wine().data
    gaps = with_gaps(wines, share=0.1)
    scores, of_thousandths = (
        make_rbm(visible_units="gaussian").fit(data).score_samples(data)
        for data in (gaps, gaps / 1000)
    )
    n_observed = (~np.isnan(gaps)).sum(axis=1)
    np.testing.assert_allclose(of_thousandths - scores, n_observed * np.log(1000), rtol=1e-9)
    rbm = make_rbm(visible_units="gaussian").fit(gaps)
    np.testing.assert_array_equal(rbm.score_samples(csr_matrix(gaps)), rbm.score_samples(gaps))
    is_complete = n_observed == wines.shape[1]
    assert 0 < is_complete.sum() < len(wines)
    together, alone = rbm.score_samples(gaps)[is_complete], rbm.score_samples(gaps[is_complete])
    np.testing.assert_allclose(together, alone, rtol=1e-12)


@pytest.mark.exhaustive
@pytest.mark.parametrize("share", [0.6, 0.9])
def test_machine_that_fitted_noise_does_not_know_held_out_values(share):
    coins = (np.random.default_rng(0).random((600, 20)) < 0.5).astype(float)
    gaps = with_gaps(coins, share, seed=1)
    scores = [
        make_rbm(n_iter=n_iter, n_components=30).fit(gaps[:300]).score(gaps[300:])
        for n_iter in (0, 200)
    ]
    entropy = np.log(2) * (~np.isnan(gaps[300:])).sum(axis=1).mean()
    assert scores[1] < scores[0] < -0.99 * entropy


def test_search_over_machines_on_rows_with_gaps_finds_what_it_finds_on_complete_ones():
    searches = [
        GridSearchCV(make_rbm(n_iter=5), {"learning_rate": [1e-4, 0.1, 1e-3]}, cv=3).fit(data)
        for data in (X, with_gaps())
    ]
    assert [search.best_params_ for search in searches] == 2 * [{"learning_rate": 0.1}]
    for search in searches:
        scores = search.cv_results_["mean_test_score"]
        assert np.isfinite(scores).all()
        assert list(scores.argsort()) == [0, 2, 1]


def test_nets_refuse_missing_values():
    gaps = with_gaps()
    with pytest.raises(ValueError, match=r"X has a missing value .* sklearn.impute.SimpleImputer"):
        DBNClassifier((4,)).fit(gaps, np.arange(len(gaps)) % 2)


def test_what_needs_complete_rows_says_how_to_get_them():
    gaps = with_gaps()
    rbm = make_rbm().fit(gaps)
    with pytest.raises(ValueError, match="Fill such values with impute, or drop these rows"):
        rbm.gibbs(gaps)
    rbm.gibbs(rbm.impute(gaps))
    with pytest.raises(ValueError, match="Fill such values with impute, or pass them as given, or"):
        rbm.sample(len(gaps), 1, start=gaps)
    rbm.sample(len(gaps), 1, given=gaps)
    with pytest.raises(ValueError, match="Fill such values with impute of the first RBM, or"):
        chain_statistics([rbm], gaps)
    with pytest.raises(ValueError, match=r"sklearn\.impute\.SimpleImputer as a step of a Pipeline"):
        chain_statistics(make_pipeline(MaxAbsScaler().fit(gaps), rbm), gaps)
