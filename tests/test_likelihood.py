"""Partition functions and likelihoods against enumeration, integration and known values."""

import pickle
import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
from oracles import GRID, bars_and_stripes, sine_rbm
from scipy.sparse import csr_matrix
from scipy.special import expit, gammaln, logsumexp
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from skdbn import DBNClassifier, LogPartition, MixingWarning, RBMTransformer
from skdbn._maths import likelihood
from skdbn._maths.engines import NumpyEngine

pytestmark = pytest.mark.filterwarnings(
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)
PAIRS = list(product(["binary", "gaussian", "mixed"], ["binary", "gaussian"]))
ESTIMATED = {"n_temperatures": 300, "random_state": 0}


def fitted(weights, a, b, visible="binary", hidden="binary", dtype=float):
    """A fitted machine with these parameters; of mixed visible units the first half is binary."""
    n_visible, n_hidden = weights.shape
    X = np.random.default_rng(0).normal(size=(100, n_visible))
    n_binary = {"binary": n_visible, "gaussian": 0, "mixed": (n_visible + 1) // 2}[visible]
    X[:, :n_binary] = X[:, :n_binary] > 0.0
    kind = "auto" if visible == "mixed" else visible
    rbm = RBMTransformer(n_hidden, visible_units=kind, hidden_units=hidden, n_iter=0)
    rbm.set_params(random_state=0).fit(X.astype(dtype))
    rbm.components_ = np.array(weights.T, dtype)
    rbm.intercept_visible_, rbm.intercept_hidden_ = np.array(a, dtype), np.array(b, dtype)
    rbm.offset_, rbm.scale_ = rbm.offset_ * 0, rbm.scale_ * 0 + 1
    rbm._limits = np.repeat(np.array([[-np.inf], [np.inf]], dtype), n_visible, axis=1)
    return rbm


def sine_machine(n_visible, n_hidden, visible="binary"):
    rbm = sine_rbm(n_visible, n_hidden)
    return fitted(rbm.weights, rbm.intercept_visible, rbm.intercept_hidden, visible)


def random_machine(n_visible, n_hidden, visible="binary", hidden="binary", scale=1.0, dtype=float):
    """A machine with random parameters; gaussian layers are kept from driving each other away."""
    rng = np.random.default_rng(n_visible + n_hidden)
    weights = scale * rng.normal(size=(n_visible, n_hidden))
    if visible != "binary" and hidden == "gaussian":
        weights *= min(1.0, 0.9 / np.linalg.norm(weights, 2))
    a, b = rng.normal(size=n_visible), rng.normal(size=n_hidden)
    return fitted(weights, a, b, visible, hidden, dtype)


def log_z_by_hand(rbm):
    """Sum over all states of both layers, real units on a grid."""

    def layer(kinds):
        values = [GRID if kind == "gaussian" else np.array([0.0, 1.0]) for kind in kinds]
        base = np.array([0.5 if kind == "gaussian" else 0.0 for kind in kinds])
        states = np.array(list(product(*values)))
        n_gaussian = np.count_nonzero(base)
        return states, n_gaussian * np.log(GRID[1] - GRID[0]) - states**2 @ base

    v, log_volume_v = layer(rbm.visible_units_)
    h, log_volume_h = layer([rbm.hidden_units] * rbm.n_components)
    visible, hidden = v @ rbm.intercept_visible_, h @ rbm.intercept_hidden_
    joint = (visible + log_volume_v)[:, None] + hidden + log_volume_h + v @ rbm.components_.T @ h.T
    return logsumexp(joint)


def all_states(n_units):
    return np.array(list(product([0.0, 1.0], repeat=n_units)))


# -- exact


@pytest.mark.parametrize(
    ("n_visible", "n_hidden", "log_z"),
    [
        (4, 3, 5.147443445304912),
        (6, 4, 7.283814248596416),
        (9, 6, 16.662142564135145),
        (16, 8, 26.328370637592),
    ],
)
def test_exact_log_z_agrees_with_known_values(n_visible, n_hidden, log_z):
    result = sine_machine(n_visible, n_hidden).log_partition()
    np.testing.assert_allclose(result.value, log_z, rtol=1e-13)
    assert result == (result.value, result.value, result.value, 0.0, "exact")


def test_exact_log_z_of_a_gaussian_machine_agrees_with_the_known_value():
    # The known value has the energy |v - a|^2 / 2, ours v^2 / 2 - a.v: a constant apart.
    rbm = sine_machine(4, 3, "gaussian")
    value = rbm.log_partition().value - (rbm.intercept_visible_**2).sum() / 2
    np.testing.assert_allclose(value, 10.89240552717295, rtol=1e-13)


def test_log_likelihood_agrees_with_known_values():
    patterns = bars_and_stripes(3)
    log_p = sine_machine(9, 6).log_likelihood(patterns)
    np.testing.assert_allclose(log_p.mean(), -8.3633621116542, rtol=1e-12)
    v = np.array([[1.0, 0.0, 1.0, 1.0, 0.0, 0.0]])
    log_p = sine_machine(6, 4).log_likelihood(v)
    np.testing.assert_allclose(log_p, -3.56719844601486, rtol=1e-12)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_exact_log_z_is_the_sum_over_all_states_of_both_layers(visible, hidden):
    rbm = random_machine(2, 2, visible, hidden, scale=0.3)  # keeps the mass on the grid
    np.testing.assert_allclose(rbm.log_partition().value, log_z_by_hand(rbm), rtol=1e-8)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS[:4])
@pytest.mark.parametrize("shape", [(7, 5), (5, 7), (6, 6)])
def test_exact_log_z_is_the_same_for_the_machine_turned_upside_down(visible, hidden, shape):
    rbm = random_machine(*shape, visible, hidden)
    turned = fitted(rbm.components_, rbm.intercept_hidden_, rbm.intercept_visible_, hidden, visible)
    np.testing.assert_allclose(rbm.log_partition().value, turned.log_partition().value, rtol=1e-12)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_exact_log_z_is_the_same_in_blocks_of_any_size(visible, hidden, monkeypatch):
    rbm = random_machine(7, 6, visible, hidden)
    at_once = rbm.log_partition().value
    for n_values in (1, 40):
        monkeypatch.setattr(likelihood, "N_VALUES", n_values)
        np.testing.assert_allclose(rbm.log_partition().value, at_once, rtol=1e-12)


def test_probabilities_of_all_rows_sum_to_one():
    rbm = random_machine(8, 5, scale=2.0)
    assert np.exp(rbm.log_likelihood(all_states(8))).sum() == pytest.approx(1.0, rel=1e-12)


def test_auto_is_exact_up_to_twenty_units_of_the_smaller_layer_and_exact_up_to_25():
    for shape, method in (((20, 21), "exact"), ((21, 20), "exact"), ((21, 22), "ais")):
        rbm = random_machine(*shape, scale=0.1)
        assert rbm.log_partition(n_temperatures=20, n_chains=5).method == method
    exact = random_machine(22, 21, scale=0.1).log_partition("exact")
    assert exact.method == "exact"
    with pytest.raises(ValueError, match="has 26 units, more than 25. Set method='ais'."):
        random_machine(26, 27).log_partition("exact")


@pytest.mark.parametrize("method", ["auto", "exact", "ais"])
@pytest.mark.parametrize("visible", ["gaussian", "mixed"])
def test_density_without_an_integral_is_refused(visible, method):
    rbm = random_machine(6, 4, visible, "gaussian")
    are_gaussian = rbm.visible_units_ == "gaussian"
    rbm.components_ *= 1.01 / np.linalg.norm(rbm.components_[:, are_gaussian], 2)
    with pytest.raises(
        ValueError, match="no finite integral.* factor of 1.0.*hidden_units='binary'"
    ):
        rbm.log_partition(method)
    with pytest.raises(ValueError, match="no finite integral"):
        rbm.log_likelihood(np.zeros((1, 6)))


@pytest.mark.parametrize(("method", "dtype"), [("exact", np.float64), ("ais", np.float32)])
def test_weights_that_overflow_are_refused(method, dtype):
    rbm = random_machine(6, 4, dtype=dtype)
    rbm.components_ = np.full((4, 6), 0.9 * np.finfo(dtype).max, dtype)
    message = f"Overflow in the partition function.*for {dtype.__name__}"
    with pytest.raises(ValueError, match=message):
        rbm.log_partition(method, n_temperatures=5, random_state=0)


@pytest.mark.parametrize("kind", ["binary", "gaussian"])
def test_float32_machine_has_the_exact_value_of_its_parameters(kind):
    rbm = random_machine(6, 5, kind, kind, dtype=np.float32)
    arrays = rbm.components_.T, rbm.intercept_visible_, rbm.intercept_hidden_
    wide = fitted(*arrays, kind, kind)
    assert rbm.log_partition() == wide.log_partition()
    log_p = rbm.log_likelihood(all_states(6).astype(np.float32))
    assert log_p.dtype == np.float32
    np.testing.assert_allclose(log_p, wide.log_likelihood(all_states(6)), rtol=1e-5)


# -- annealed


def assert_agrees(estimate, exact):
    assert estimate.method == "ais"
    assert estimate.standard_error < 0.25
    assert abs(estimate.value - exact.value) < 4 * estimate.standard_error + 1e-9
    assert estimate.lower - 1e-9 <= exact.value <= estimate.upper + 1e-9


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scale", [0.2, 1.5], ids=["weak", "strong"])
@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_estimate_agrees_with_enumeration(visible, hidden, scale, dtype):
    rbm = random_machine(8, 6, visible, hidden, scale, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixingWarning)  # chains that start at chance may be stuck
        estimate = rbm.log_partition("ais", **ESTIMATED)
    exact = rbm.log_partition()
    assert estimate.lower <= exact.value + 1e-4
    assert estimate.upper >= exact.value - 1e-4
    assert abs(estimate.value - exact.value) < min(0.1, 4 * estimate.standard_error + 1e-4)


def skipped_step(annealed):
    """Annealing that forgets how much the log mass differs over one step."""

    def broken(path, v, betas):
        half = len(betas) // 2
        return annealed(path, v, betas[:half]) + annealed(path, v, betas[half:])

    return broken


def elsewhere(annealed):
    """Annealing between other machines than the chains and log Z of the start belong to."""

    def broken(path, v, betas):
        return annealed(path._replace(visible=path.rbm.intercept_visible), v, betas)

    return broken


FAULTS = {
    "a step is skipped": ("annealed", skipped_step(likelihood.annealed)),
    "the start is forgotten": ("Path.log_partition", lambda self: 0.0),
    "the way down is taken for a way up": (
        "from_both_ends",
        lambda path, up, down, held: from_both_ends(path, up, -down, -held),
    ),
    "annealing starts elsewhere than the chains": ("annealed", elsewhere(likelihood.annealed)),
}
from_both_ends = likelihood.from_both_ends


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_estimate_does_not_agree(fault, monkeypatch):
    rbm, effort = random_machine(6, 4), {"n_temperatures": 20, "n_chains": 4000}
    exact = rbm.log_partition()
    assert_agrees(rbm.log_partition("ais", random_state=0, **effort), exact)
    name, broken = FAULTS[fault]
    owner = likelihood.Path if "." in name else likelihood
    monkeypatch.setattr(owner, name.split(".")[-1], broken)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixingWarning)
        estimate = rbm.log_partition("ais", random_state=0, **effort)
    with pytest.raises(AssertionError):
        assert_agrees(estimate, exact)


def test_machine_of_independent_units_needs_no_luck():
    rbm = random_machine(30, 25)
    rbm.components_ *= 0.0
    estimate = rbm.log_partition(n_temperatures=3, n_chains=2, random_state=0)
    expected = np.logaddexp(0.0, np.append(rbm.intercept_visible_, rbm.intercept_hidden_)).sum()
    np.testing.assert_allclose(estimate[:3], expected, rtol=1e-12)


def test_more_temperatures_bring_the_bounds_together():
    rbm = random_machine(12, 10, scale=0.8)
    widths = []
    for n_temperatures in (10, 1000):
        estimate = rbm.log_partition("ais", n_temperatures=n_temperatures, random_state=0)
        widths.append(estimate.upper - estimate.lower)
    assert widths[1] < 0.5 * widths[0]


def two_modes(share_of_chains):
    """All units on or all off, and log Z; a share of the chains of training is on."""
    n_visible, n_hidden, w, a = 30, 22, 0.5, -5.4
    b = a * n_visible / n_hidden
    rbm = fitted(np.full((n_visible, n_hidden), w), np.full(n_visible, a), np.full(n_hidden, b))
    rbm.h_samples_ = np.ones((100, n_hidden)) * (np.arange(100)[:, None] < 100 * share_of_chains)
    n_on = np.arange(n_visible + 1)
    ways = gammaln(n_visible + 1) - gammaln(n_on + 1) - gammaln(n_visible + 1 - n_on)
    return rbm, logsumexp(ways + a * n_on + n_hidden * np.logaddexp(0.0, b + w * n_on))


def test_mode_that_only_some_chains_of_training_know_makes_a_warning():
    # Nearly all of the mass is on, which annealing from chains that are off does not find.
    rbm, log_z = two_modes(share_of_chains=0.2)
    with pytest.warns(MixingWarning, match="nats apart.*Raise n_temperatures tenfold"):
        estimate = rbm.log_partition(**ESTIMATED)
    assert estimate.lower <= log_z <= estimate.upper
    assert abs(estimate.value - log_z) < 4 * estimate.standard_error


def test_modes_that_the_chains_of_training_know_in_equal_parts_are_found():
    rbm, log_z = two_modes(share_of_chains=0.5)
    estimate = rbm.log_partition(**ESTIMATED)
    assert estimate.lower <= log_z <= estimate.upper
    assert abs(estimate.value - log_z) < 4 * estimate.standard_error


@pytest.mark.exhaustive
def test_likelihood_without_a_given_log_z_warns_too():
    rbm, _ = two_modes(0.2)
    with pytest.warns(MixingWarning):
        rbm.log_likelihood(np.zeros((1, 30)))


def test_trained_chains_in_equilibrium_make_no_warning():
    rbm = random_machine(30, 22, scale=0.3)
    assert rbm.log_partition(**ESTIMATED).standard_error < 0.1


def test_estimate_is_reproducible_with_random_state():
    rbm = random_machine(8, 6)
    effort = {"n_temperatures": 20, "n_chains": 10}
    one, same, other = (rbm.log_partition("ais", random_state=s, **effort) for s in (0, 0, 1))
    assert one == same
    assert one.value != other.value
    drawn = [
        rbm.log_partition("ais", random_state=np.random.RandomState(0), **effort) for _ in range(2)
    ]
    assert drawn[0] == drawn[1]


def test_estimate_leaves_the_machine_as_it_was():
    rbm = random_machine(8, 6)
    before = pickle.dumps(rbm)
    rbm.log_partition("ais", **ESTIMATED)
    assert pickle.dumps(rbm) == before


def test_verbose_prints_a_line_for_each_part(capsys):
    rbm = random_machine(8, 6)
    rbm.log_partition("ais", n_temperatures=7)
    assert capsys.readouterr().out == ""
    rbm.log_partition("ais", n_temperatures=7, verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[-1].startswith("[RBMTransformer] log_partition: 7 temperatures down, 0.")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"method": "bogus"}, "method == 'bogus', must be one of: 'auto', 'exact', 'ais'."),
        ({"method": None}, "method == None, must be one of"),
        ({"n_temperatures": 0}, "n_temperatures == 0, must be >= 1"),
        ({"n_chains": 1}, "n_chains == 1, must be >= 2"),
        ({"verbose": -1}, "verbose == -1, must be >= 0"),
    ],
)
def test_wrong_parameters_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        random_machine(3, 2).log_partition(**parameters)


def test_unfitted_machine_has_no_likelihood():
    for call in (RBMTransformer().log_partition, lambda: RBMTransformer().log_likelihood([[0.0]])):
        with pytest.raises(NotFittedError):
            call()


def test_result_survives_pickle_and_says_what_it_is():
    result = random_machine(3, 2).log_partition("ais", n_temperatures=5, random_state=0)
    copy = pickle.loads(pickle.dumps(result))
    assert type(copy) is LogPartition
    assert copy == result
    assert all(type(value) is float for value in result[:4])
    for word in ("LogPartition(value=", "lower=", "upper=", "standard_error=", "method='ais'"):
        assert word in repr(result)


def test_resampling_takes_each_state_as_often_as_its_weight_says():
    shares = np.array([0.6, 0.3, 0.1, 0.0])
    with np.errstate(divide="ignore"):
        log_weights = 7.0 + np.log(shares)
    v = np.arange(4.0)[:, None]
    counts = np.zeros(4)
    for seed in range(200):
        drawn = likelihood.resampled(NumpyEngine(float, seed), v, log_weights)[:, 0]
        counts += np.bincount(drawn.astype(int), minlength=4)
    np.testing.assert_allclose(counts / 800, shares, atol=0.03)


def works(rng, n_chains, deviation):
    """Log mass gained and lost by chains that obey Crooks' law for a ratio of e^3."""
    up, down = rng.normal(size=(2, n_chains)) * deviation
    return 3.0 + up - deviation**2 / 2, 3.0 + down + deviation**2 / 2


def test_acceptance_ratio_finds_the_ratio_and_its_own_error():
    rng, engine = np.random.default_rng(0), NumpyEngine(float, 0)
    results = [likelihood.acceptance_ratio(engine, *works(rng, 200, 2.0)) for _ in range(300)]
    values, errors = np.array(results).T
    assert abs(values.mean() - 3.0) < 4 * values.std() / np.sqrt(300)
    assert errors.mean() == pytest.approx(values.std(), rel=0.2)


def test_acceptance_ratio_of_directions_without_overlap_lies_between_and_is_uncertain():
    up, down = np.array([-900.0, -899.0]), np.array([900.0, 899.0])
    value, error = likelihood.acceptance_ratio(NumpyEngine(float, 0), up, down)
    assert -899.0 <= value <= 899.0
    assert error > 100.0


# -- the likelihood of data


def test_rows_of_any_container_have_the_same_likelihood():
    rbm = random_machine(6, 4)
    X = all_states(6)[::3]
    expected = rbm.log_likelihood(X)
    np.testing.assert_array_equal(rbm.log_likelihood(csr_matrix(X)), expected)
    in_float32 = rbm.log_likelihood(X.astype(np.float32))
    np.testing.assert_array_equal(rbm.log_likelihood(X.astype(bool)), in_float32)
    np.testing.assert_allclose(in_float32, expected, rtol=1e-6)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    named = RBMTransformer(4, n_iter=1, random_state=0).fit(frame)
    np.testing.assert_array_equal(
        named.log_likelihood(frame), named.log_likelihood(frame.astype(float))
    )


def test_log_z_can_be_given_and_its_bounds_bound_the_likelihood():
    rbm, X = random_machine(6, 4), all_states(6)
    log_z = rbm.log_partition("ais", n_temperatures=20, random_state=0)
    given = rbm.log_likelihood(X, log_z)
    np.testing.assert_array_equal(given, rbm.log_likelihood(X, log_z.value))
    np.testing.assert_array_equal(given, rbm.log_likelihood(X, np.float64(log_z.value)))
    low, high = rbm.log_likelihood(X, log_z.upper), rbm.log_likelihood(X, log_z.lower)
    assert ((low < given) & (given < high)).all()
    for wrong in ("auto", [1.0]):
        with pytest.raises(TypeError, match="log_partition"):
            rbm.log_likelihood(X, wrong)
    with pytest.raises(ValueError, match="log_partition == nan, must be finite"):
        rbm.log_likelihood(X, np.nan)


def test_likelihood_computes_log_z_itself_in_the_same_way_each_time(monkeypatch):
    rbm, X, asked = random_machine(24, 22, scale=0.1), np.zeros((2, 24)), []

    def log_partition(self, **parameters):
        asked.append(parameters)
        return LogPartition(3.0, 2.0, 4.0, 0.1, "ais")

    monkeypatch.setattr(RBMTransformer, "log_partition", log_partition)
    np.testing.assert_array_equal(rbm.log_likelihood(X), rbm.log_likelihood(X, 3.0))
    assert asked == [{"random_state": 0}]


@pytest.mark.parametrize("container", [np.array, csr_matrix])
def test_grey_values_are_refused_with_advice_that_works(container):
    rng = np.random.default_rng(0)
    X = rng.random((8, 6))
    rbm = random_machine(6, 4)
    almost = (X > 0.5).astype(float)
    almost[5, 2] = 0.75
    with pytest.raises(ValueError, match=r"the value 0.75 in column 2 .*zeros and ones"):
        rbm.log_likelihood(container(almost))
    with pytest.raises(ValueError, match="zeros and ones"):
        rbm.log_likelihood(container(X))
    with pytest.raises(ValueError, match=r"the value 2 .* Scale X in the same way"):
        rbm.log_likelihood(container(2.0 * np.rint(X)))  # np.rint would change nothing
    for states in (np.rint(X), rng.random(X.shape) < X):
        assert np.isfinite(rbm.log_likelihood(container(states.astype(float)))).all()


def test_real_values_of_gaussian_columns_are_welcome_beside_zeros_and_ones():
    rbm = random_machine(4, 3, "mixed")
    X = np.array([[0.0, 1.0, 0.3, -1.7]])
    assert np.isfinite(rbm.log_likelihood(X)).all()
    with pytest.raises(ValueError, match="value -1.7 in column 1"):
        rbm.log_likelihood(X[:, ::-1][:, [1, 0, 2, 3]] + [[0.7, 0.0, 0.0, 0.0]])


@pytest.mark.parametrize("container", [np.array, csr_matrix])
@pytest.mark.parametrize("visible", ["mixed", "binary"])
def test_code_that_is_advised_rounds_the_columns_of_binary_units(visible, container):
    rbm = random_machine(4, 3, visible)
    X = np.array([[0.3, 1.0, 0.3, -1.7], [np.nan, 0.6, np.nan, 0.2]])
    expected = np.where(rbm.visible_units_ == "gaussian", X, np.rint(X))
    X[0, 3] = expected[0, 3] = expected[0, 3] if visible == "mixed" else 1.0
    X = container(X)
    with pytest.raises(ValueError, match="value 0.3 in column 0") as error:
        rbm.log_likelihood(X)
    advice = str(error.value).partition("Pass ")[2].partition(", or")[0]
    rounded = eval(advice, {"np": np, "model": rbm, "X": X})  # what a reader would paste
    dense = rounded.toarray() if hasattr(rounded, "toarray") else rounded
    np.testing.assert_array_equal(dense, expected)
    assert np.isfinite(rbm.log_likelihood(rounded)).all()


def heights(n_rows=500):
    rng = np.random.default_rng(0)
    is_tall = rng.integers(2, size=n_rows)
    return np.column_stack([rng.normal(150.0 + 40.0 * is_tall, 5.0), is_tall])


@pytest.mark.parametrize("hidden", ["binary", "gaussian"])
def test_density_of_measurements_integrates_to_one_in_the_units_of_the_data(hidden):
    X = heights()[:, :1]
    rbm = RBMTransformer(3, hidden_units=hidden, n_iter=5, random_state=0).fit(X)
    grid = np.linspace(rbm._limits[0, 0], rbm._limits[1, 0], 4001)
    density = np.exp(rbm.log_likelihood(grid[:, None]))
    assert density.sum() * (grid[1] - grid[0]) == pytest.approx(1.0, abs=1e-3)


def test_density_of_a_measurement_and_a_flag_sums_and_integrates_to_one():
    rbm = RBMTransformer(3, n_iter=5, random_state=0).fit(heights())
    assert rbm.visible_units_.tolist() == ["gaussian", "binary"]
    grid = np.linspace(rbm._limits[0, 0], rbm._limits[1, 0], 4001)
    total = sum(
        np.exp(rbm.log_likelihood(np.column_stack([grid, np.full(len(grid), flag)]))).sum()
        for flag in (0.0, 1.0)
    )
    assert total * (grid[1] - grid[0]) == pytest.approx(1.0, abs=1e-3)


def test_density_in_other_units_differs_by_the_log_of_their_ratio():
    X = heights()
    rbm = RBMTransformer(3, n_iter=2, random_state=0)
    in_cm = rbm.fit(X).log_likelihood(X)
    in_mm = rbm.fit(X * [10.0, 1.0]).log_likelihood(X * [10.0, 1.0])
    np.testing.assert_allclose(in_mm, in_cm - np.log(10.0), rtol=1e-6)


def test_likelihood_ranks_machines_by_what_they_know():
    X = bars_and_stripes(3).repeat(20, axis=0)
    parameters = {"gradient": "pcd", "n_gibbs_steps": 5, "weight_decay": 0, "random_state": 0}
    trained = [
        RBMTransformer(9, learning_rate=0.05, n_iter=n_iter, **parameters).fit(X)
        for n_iter in (0, 200)
    ]
    untrained, better = (rbm.log_likelihood(X).mean() for rbm in trained)
    assert untrained == pytest.approx(-9 * np.log(2), abs=0.05)
    assert untrained + 2.0 < better <= -np.log(14) + 1e-9


# -- the bound of a stack


def net_of(*machines):
    """A net of these machines, which fine-tuning did not touch."""
    sizes = [len(machine.components_) for machine in machines]
    X = np.zeros((10, machines[0].n_features_in_))
    X[::2] = 1.0
    net = DBNClassifier(
        sizes, rbm=[FrozenEstimator(m) for m in machines], finetune_iter=0, softmax_iter=0
    )
    return net.fit(X, np.arange(10) % 2)


def log_bernoulli(states, mean):
    """Log-probabilities of states, one per row, under each row of means."""
    return states @ np.log(mean).T + (1.0 - states) @ np.log(1.0 - mean).T


def exact_and_bound(v, first, second):
    """Log p(v) of a stack of two binary machines, and the exact bound, from all hidden states."""
    h = all_states(len(first.components_))
    prior = second.log_likelihood(h)
    likelihood_of_v = log_bernoulli(v, first.inverse_transform(h))  # rows by hidden states
    q = log_bernoulli(h, first.transform(v)).T
    return (
        logsumexp(likelihood_of_v + prior, axis=1),
        (np.exp(q) * (likelihood_of_v + prior - q)).sum(axis=1),
    )


def test_bound_of_two_layers_is_that_of_enumeration_and_below_the_likelihood():
    first, second = random_machine(5, 4), random_machine(4, 3)
    v = all_states(5)
    exact, expected = exact_and_bound(v, first, second)
    assert np.exp(exact).sum() == pytest.approx(1.0)
    net = net_of(first, second)
    draws = [net.log_likelihood_bound(v, n_samples=20, random_state=s) for s in range(50)]
    bound, error = np.mean(draws, axis=0), np.std(draws, axis=0) / np.sqrt(50)
    assert (abs(bound - expected) < 4.5 * error).all()
    assert (bound < exact + 4.5 * error).all()
    assert (exact - expected).max() > 0.1  # or there would be nothing to tell apart


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_stack_with_transposed_weights_has_the_likelihood_of_its_first_machine(visible, hidden):
    # The intercepts match too, so the second machine's p(h) is the first one's: nothing is lost.
    first = random_machine(4, 3, visible, hidden)
    if visible == "mixed":
        first.components_[:, :2] *= 0.5
    kinds = hidden, "gaussian" if visible == "gaussian" else "binary"
    second = fitted(first.components_, first.intercept_hidden_, first.intercept_visible_, *kinds)
    v = np.random.default_rng(1).integers(2, size=(20, 4)).astype(float)
    bound = net_of(first, second).log_likelihood_bound(v, n_samples=1, random_state=0)
    if visible == "mixed":  # the layers are of other kinds, so that it is only a bound
        assert np.isfinite(bound).all()
    else:
        np.testing.assert_allclose(bound, first.log_likelihood(v), rtol=1e-9)


def test_bound_of_one_machine_is_its_likelihood():
    rbm, v = random_machine(6, 4), all_states(6)
    bound = net_of(rbm).log_likelihood_bound(v, random_state=0)
    np.testing.assert_allclose(bound, rbm.log_likelihood(v), rtol=1e-12)


def test_third_machine_that_mirrors_the_second_changes_nothing():
    first, second = random_machine(5, 4), random_machine(4, 3)
    third = fitted(second.components_, second.intercept_hidden_, second.intercept_visible_)
    v = all_states(5)
    two, three = (
        net.log_likelihood_bound(v, n_samples=1000, random_state=0)
        for net in (net_of(first, second), net_of(first, second, third))
    )
    assert two.mean() == pytest.approx(three.mean(), abs=0.1)


def test_bound_with_a_scaled_gaussian_layer_is_that_of_integration():
    first = fitted(
        np.array([[1.2], [-0.7]]), np.array([0.3, -0.2]), np.array([0.4]), "binary", "gaussian"
    )
    second = fitted(np.array([[0.8, -0.5]]), np.array([0.2]), np.array([0.1, 0.6]), "gaussian")
    second.offset_, second.scale_ = np.array([0.3]), np.array([1.7])
    v, h = all_states(2), np.linspace(-12.0, 12.0, 4001)[:, None]
    p_v = expit(h @ first.components_ + first.intercept_visible_)
    log_p = log_bernoulli(v, p_v) + second.log_likelihood(h)
    log_q = -0.5 * (h[:, 0] - first.transform(v)) ** 2 - 0.5 * np.log(2 * np.pi)
    step = h[1, 0] - h[0, 0]
    expected = (np.exp(log_q) * (log_p - log_q)).sum(axis=1) * step
    draws = [
        net_of(first, second).log_likelihood_bound(v, n_samples=100, random_state=s)
        for s in range(20)
    ]
    error = np.std(draws, axis=0) / np.sqrt(20)
    assert (abs(np.mean(draws, axis=0) - expected) < 4.5 * error + 1e-6).all()
    assert (expected < logsumexp(log_p, axis=1) + np.log(step)).all()


def test_bound_takes_log_z_of_the_top_machine_and_is_reproducible():
    net, v = net_of(random_machine(5, 4), random_machine(4, 3)), all_states(5)
    log_z = net.rbms_[-1].log_partition()
    given = net.log_likelihood_bound(v, log_z, random_state=0)
    np.testing.assert_array_equal(net.log_likelihood_bound(v, random_state=0), given)
    np.testing.assert_allclose(
        net.log_likelihood_bound(csr_matrix(v), log_z.value + 2.0, random_state=0), given - 2.0
    )
    assert (net.log_likelihood_bound(v, random_state=1) != given).any()
    with pytest.raises(ValueError, match="n_samples == 0"):
        net.log_likelihood_bound(v, n_samples=0)
    with pytest.raises(ValueError, match="zeros and ones"):
        net.log_likelihood_bound(0.5 * v)


def test_fine_tuning_leaves_the_bound_as_it_is():
    X = all_states(5)
    net = DBNClassifier((4, 3), rbm=RBMTransformer(n_iter=3), finetune_iter=0, random_state=0)
    before = net.fit(X, X[:, 0]).log_likelihood_bound(X, random_state=0)
    after = net.set_params(finetune_iter=20).fit(X, X[:, 0]).log_likelihood_bound(X, random_state=0)
    np.testing.assert_array_equal(before, after)


def test_net_without_machines_or_with_other_kinds_has_no_bound():
    X = all_states(5)
    net = DBNClassifier((4,), pretrain=False, random_state=0).fit(X, X[:, 0])
    assert not hasattr(net, "log_likelihood_bound")
    mismatched = net_of(random_machine(5, 4), random_machine(4, 3, "gaussian"))
    with pytest.raises(ValueError, match="below layer 2 are binary, but"):
        mismatched.log_likelihood_bound(X)
