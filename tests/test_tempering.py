"""Parallel trajectory tempering: what swaps leave as it is, and what they reach."""

from itertools import product

import numpy as np
import pytest
from oracles import (
    bars_and_stripes,
    log_partition_function,
    make_rbm,
    random_rbm,
    visible_distribution,
)
from scipy.special import expit, softmax

from skdbn import RBMTransformer, load_model, save_model
from skdbn._maths import gradients
from skdbn._maths.boltzmann import RBM, hidden_input, hidden_mean
from skdbn._maths.engines import NumpyEngine
from skdbn._maths.gradients import Link, ParallelTrajectoryTempering, Rung, reserve_phases
from skdbn._maths.units import UNITS

KINDS = ["binary", "gaussian"]


def small_rbm(visible, hidden, seed):
    """A machine that can be enumerated, on a grid where its units are gaussian."""
    n_visible, n_hidden = (4 if kind == "binary" else 2 for kind in (visible, hidden))
    return random_rbm(n_visible, n_hidden, visible, hidden, seed)


def at_the_distribution(rbm, n_rows, seed=0):
    """Visible states drawn from the exact distribution."""
    v, p = visible_distribution(rbm)
    return v[np.random.default_rng(seed).choice(len(v), n_rows, p=p)]


def ladder(machines, n_chains):
    """The estimator with frozen machines and a last one, all chains at their distributions."""
    *frozen, last = machines
    tempering = ParallelTrajectoryTempering(last)
    for i, rbm in enumerate(frozen):
        parameters, views = last.engine.packed(rbm[:3])
        v = at_the_distribution(rbm, n_chains, seed=i)
        link = Link(0.0) if i else None
        tempering.rungs.append(Rung(RBM(*views, *last[3:]), parameters, v, link))
    return tempering


def scaled(rbm, factor):
    """A machine with weaker or stronger weights and intercepts, of the same engine."""
    return RBM(*(factor * part for part in rbm[:3]), *rbm[3:])


def run(tempering, rbm, chain, n_minibatches):
    """Make minibatches; return the phases of the last one."""
    phases = reserve_phases(rbm, 1, len(chain))
    phases.v_pos[...] = 0.0
    for _ in range(n_minibatches):
        tempering(rbm, phases, chain)
    return phases


# -- exactness


@pytest.mark.exhaustive
@pytest.mark.parametrize("visible", KINDS)
@pytest.mark.parametrize("hidden", KINDS)
def test_swaps_leave_the_distribution_of_every_machine_as_it_is(visible, hidden):
    last, n = small_rbm(visible, hidden, seed=1), 40_000
    machines = [scaled(last, 0.0), scaled(last, 0.5), last]
    tempering = ladder(machines, n)
    v = at_the_distribution(last, n, seed=9)
    chain = last.hidden_units.sample(hidden_mean(last, v))
    phases = run(tempering, last, chain, 20)
    for rbm, states in zip(machines, [*(r.v for r in tempering.rungs), phases.v_neg], strict=True):
        known, p = visible_distribution(rbm)
        mean = p @ known
        deviation = np.sqrt(p @ (known - mean) ** 2)
        assert (abs(states.mean(axis=0) - mean) < 4.5 * deviation / np.sqrt(n)).all()
        second = np.einsum("k,ki,kj->ij", p, known, known)
        spread = np.sqrt(np.einsum("k,ki,kj->ij", p, known**2, known**2) - second**2)
        assert (abs(states.T @ states / n - second) < 4.5 * spread / np.sqrt(n) + 1e-9).all()


@pytest.mark.parametrize("visible", KINDS)
@pytest.mark.parametrize("hidden", KINDS)
def test_log_partition_along_the_way_is_that_of_enumeration(visible, hidden):
    last, n = small_rbm(visible, hidden, seed=2), 20_000
    first = RBM(0.0 * last.weights, *last[1:])
    machines = [first, RBM(0.6 * last.weights, *last[1:]), last]
    tempering = ladder(machines, n)
    chain = last.hidden_units.sample(hidden_mean(last, at_the_distribution(last, n, seed=9)))
    run(tempering, last, chain, 30)
    found = tempering.log_partition(last, chain)
    assert abs(found - log_partition_function(last)) < 0.05


@pytest.mark.parametrize("visible", KINDS)
@pytest.mark.parametrize("hidden", KINDS)
def test_swapped_states_keep_their_inputs_and_none_is_lost(visible, hidden, monkeypatch):
    last, n = small_rbm(visible, hidden, seed=1), 200
    tempering = ladder([scaled(last, factor) for factor in (0.0, 0.5, 0.8, 1.0)], n)
    v_top = at_the_distribution(last, n, seed=9)
    v_top += 0.001 * np.arange(n)[:, None]  # so that rows differ
    before = np.stack([*(rung.v for rung in tempering.rungs), v_top])
    moved = []

    def see(rbm, v, x):
        np.testing.assert_allclose(x, hidden_input(rbm, v), atol=1e-12)
        moved.append(v.copy())
        return v

    monkeypatch.setattr(gradients, "gibbs_step", see)
    x = tempering._swap_with_rungs(last, v_top)
    np.testing.assert_allclose(x, hidden_input(last, v_top), atol=1e-12)
    after = np.stack([*moved, v_top])
    np.testing.assert_array_equal(np.sort(before, axis=0), np.sort(after, axis=0))
    assert (before != after).any(axis=(1, 2)).all()


def test_short_minibatches_do_not_keep_the_machine_from_being_frozen():
    X, _, _ = four_clusters()
    rbm = RBMTransformer(12, gradient="ptt", batch_size=100, n_iter=30, learning_rate=0.3)
    rbm.set_params(random_state=0).fit(X[:250])  # every third minibatch has 50 rows
    assert len(rbm._kept["estimator"]["rungs"]) > 1


def test_machine_that_has_gone_far_is_frozen_with_its_chains():
    last = random_rbm(6, 5, seed=3)
    tempering = ParallelTrajectoryTempering(last)
    chain = np.zeros((200, 5))
    run(tempering, scaled(last, 0.0), chain, 20)
    assert len(tempering.rungs) == 1  # the first, which has no weights: every swap is accepted
    phases = run(tempering, scaled(last, 3.0), chain, 5)
    assert len(tempering.rungs) > 1
    np.testing.assert_array_equal(tempering.rungs[-1].rbm.weights, 3.0 * last.weights)
    assert tempering.rungs[-1].v.shape == phases.v_neg.shape


def test_state_goes_on_to_the_same_bits_and_that_of_another_machine_is_refused():
    def begun():
        rbm = random_rbm(6, 5, seed=3)
        tempering = ParallelTrajectoryTempering(rbm)
        chain = np.zeros((50, 5))
        run(tempering, scaled(rbm, 0.0), chain, 3)
        run(tempering, rbm, chain, 3)
        return rbm, tempering, chain

    rbm, tempering, chain = begun()
    state = tempering.get_state()
    phases = run(tempering, rbm, chain, 7)
    rbm, _, chain = begun()
    other = ParallelTrajectoryTempering(rbm)
    other.set_state(state)
    phases_of_other = run(other, rbm, chain, 7)
    assert len(other.rungs) > 1
    np.testing.assert_array_equal(phases.v_neg, phases_of_other.v_neg)
    for one, two in zip(tempering.rungs, other.rungs, strict=True):
        np.testing.assert_array_equal(one.v, two.v)
    with pytest.raises(ValueError, match="must have"):
        ParallelTrajectoryTempering(random_rbm(6, 4)).set_state(state)


def test_machines_without_common_states_have_no_estimate():
    rbm = make_rbm(np.zeros((6, 5)), np.full(6, -50.0), np.zeros(5))
    far = make_rbm(np.zeros((6, 5)), np.full(6, 800.0), np.zeros(5))
    tempering, chain = ParallelTrajectoryTempering(rbm), np.zeros((50, 5))
    with np.errstate(over="ignore"):
        run(tempering, rbm, chain, 3)
        assert np.isfinite(tempering.log_partition(rbm, chain))
        assert np.isnan(tempering.log_partition(far, chain))


def test_rung_that_its_neighbours_do_not_need_is_dropped():
    last, n = random_rbm(4, 3, seed=2), 20_000
    factors = [0.0, 0.1, 0.2, 0.3, 0.4]
    machines = [RBM(factor * last.weights, *last[1:]) for factor in factors]
    tempering = ladder([*machines, last], n)
    chain = last.hidden_units.sample(hidden_mean(last, at_the_distribution(last, n, seed=9)))
    tempering._drop_needless()
    weights = [rung.rbm.weights for rung in tempering.rungs]
    np.testing.assert_array_equal(weights, [machines[0].weights, machines[-1].weights])
    expected = log_partition_function(machines[-1]) - log_partition_function(machines[0])
    assert abs(tempering.rungs[-1].link.difference - expected) < 0.05
    run(tempering, last, chain, 20)
    assert abs(tempering.log_partition(last, chain) - log_partition_function(last)) < 0.05
    far = ladder([scaled(last, factor) for factor in (0.0, 2.0, 8.0, 9.0)], 1000)
    far._drop_needless()
    assert len(far.rungs) == 3  # each of them is far from the next but one


def test_larger_minibatch_later_adds_chains_to_every_rung(tmp_path):
    X, _, _ = four_clusters()
    rbm = RBMTransformer(12, gradient="ptt", batch_size=50, learning_rate=0.3, random_state=0)
    rbm.partial_fit(X[:10])
    for _ in range(3):
        rbm.partial_fit(X)
    rungs = rbm._kept["estimator"]["rungs"]
    assert len(rungs) > 1
    assert {rung["v"].shape for rung in rungs} == {(50, 60)}
    save_model(rbm, tmp_path / "rbm.npz")
    loaded = load_model(tmp_path / "rbm.npz").partial_fit(X)
    np.testing.assert_array_equal(loaded.components_, rbm.partial_fit(X).components_)


DAMAGES = {
    "number that is no integer": lambda state: state.update(paid=np.zeros(3)),
    "link of text": lambda state: state["rungs"][1]["link"].update(shift="x"),
    "link that is not finite": lambda state: state["rungs"][1]["link"].update(below=np.nan),
    "no chains": lambda state: [rung.update(v=rung["v"][:0]) for rung in state["rungs"]],
    "chains that are not finite": lambda state: state["rungs"][0]["v"].fill(np.nan),
    "parameters that are not finite": lambda state: state["rungs"][1].update(
        parameters=np.nan * state["rungs"][1]["parameters"]
    ),
    "weights where there are none": lambda state: state["rungs"][0].update(
        parameters=1.0 + state["rungs"][0]["parameters"]
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_state_is_refused(damage):
    rbm = random_rbm(6, 5, seed=3)
    tempering = ParallelTrajectoryTempering(rbm)
    run(tempering, scaled(rbm, 0.0), np.zeros((50, 5)), 3)
    run(tempering, scaled(rbm, 2.0), np.zeros((50, 5)), 5)
    state = tempering.get_state()
    ParallelTrajectoryTempering(rbm).set_state(state)
    DAMAGES[damage](state)
    with pytest.raises(ValueError, match="must|damaged"):
        ParallelTrajectoryTempering(rbm).set_state(state)


def test_short_minibatch_moves_the_first_chains_alone():
    rbm = random_rbm(6, 5, seed=3)
    tempering = ParallelTrajectoryTempering(rbm)
    run(tempering, rbm, np.zeros((20, 5)), 2)
    before = tempering.rungs[0].v.copy()
    run(tempering, rbm, np.zeros((8, 5)), 10)
    np.testing.assert_array_equal(tempering.rungs[0].v[8:], before[8:])
    assert (tempering.rungs[0].v[:8] != before[:8]).any()


# -- what it is for: every mode keeps its share


def clusters(centres, shares, n_rows, flip):
    """Rows near some centres, in given shares."""
    rng = np.random.default_rng(0)
    of = rng.choice(len(centres), n_rows, p=shares)
    return (centres[of] != (rng.random((n_rows, centres.shape[1])) < flip)).astype(float)


def two_modes():
    centres = np.array([np.zeros(40), np.ones(40)])
    return clusters(centres, [0.7, 0.3], 3000, 0.03), centres, 6


def four_clusters():
    centres = np.random.default_rng(1).integers(0, 2, (4, 60)).astype(float)
    return clusters(centres, [0.5, 0.25, 0.15, 0.1], 4000, 0.03), centres, 12


def patterns_of_bars_and_stripes():
    centres = np.repeat(bars_and_stripes(3), 4, axis=1)  # four times each pixel: modes far apart
    shares = np.linspace(1.0, 3.0, 14) / 28.0
    return clusters(centres, shares, 3000, 0.02), centres, 12


def shares_of(v, centres):
    """Share of the states that are nearest to each centre."""
    distances = abs(v[:, None] - centres).sum(axis=2)
    return np.bincount(distances.argmin(axis=1), minlength=len(centres)) / len(v)


def shares_of_model(rbm, centres):
    """The same of draws from the exact distribution, by enumeration of the hidden states."""
    h = np.array(list(product([0.0, 1.0], repeat=len(rbm.components_))))
    x = h @ rbm.components_ + rbm.intercept_visible_
    p = softmax(h @ rbm.intercept_hidden_ + np.logaddexp(0.0, x).sum(axis=1))
    rng = np.random.default_rng(0)
    mean = expit(x[rng.choice(len(h), 20_000, p=p)])
    return shares_of((rng.random(mean.shape) < mean).astype(float), centres)


GENTLE = {  # rate and passes with which chains that swap keep up, while those of "pcd" do not
    two_modes: {"learning_rate": 0.02, "n_iter": 75},
    four_clusters: {"learning_rate": 0.02, "n_iter": 90},
    patterns_of_bars_and_stripes: {"learning_rate": 0.06, "n_iter": 100},
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("data", GENTLE)
def test_every_mode_keeps_its_share_where_pcd_loses_it(data):
    X, centres, n_components = data()
    expected = shares_of(X, centres)
    error = np.sqrt(expected * (1.0 - expected) / 100)  # of a gradient from 100 chains

    def farthest(gradient, seed):
        rbm = RBMTransformer(
            n_components,
            gradient=gradient,
            centering=True,
            learning_rate_schedule="linear",
            weight_decay=0.0,
            batch_size=100,
            random_state=seed,
            **GENTLE[data],
        ).fit(X)
        return max(abs(shares_of_model(rbm, centres) - expected) / error)

    assert max(farthest("ptt", seed) for seed in range(3)) < 3.5
    assert min(farthest("pcd", seed) for seed in range(2)) > 4.0


def test_learned_log_partition_is_that_of_enumeration():
    X, _, n_components = four_clusters()
    rbm = RBMTransformer(
        n_components,
        gradient="ptt",
        centering=True,
        learning_rate=0.05,
        learning_rate_schedule="linear",
        batch_size=100,
        n_iter=20,
        random_state=0,
    ).fit(X)
    engine = NumpyEngine(np.float64, 0)
    units = UNITS["binary"](engine)
    h = np.array(list(product([0.0, 1.0], repeat=n_components)))
    x = h @ rbm.components_ + rbm.intercept_visible_
    terms = h @ rbm.intercept_hidden_ + units.log_partition(x).sum(axis=1)
    exact = terms.max() + np.log(np.exp(terms - terms.max()).sum())
    assert len(rbm.log_partition_curve_) == 20
    assert abs(rbm.log_partition_curve_[-1] - exact) < 0.5


def test_other_estimators_have_no_curve_of_log_partition_functions():
    X, _, _ = two_modes()
    assert RBMTransformer(4, n_iter=1).fit(X).log_partition_curve_ == []
