"""Laws that hold for every kind of unit."""

import numpy as np
import pytest

from skdbn._maths.engines import NumpyEngine
from skdbn._maths.units import UNITS, layer

INPUTS = np.linspace(-4.0, 4.0, 33)


@pytest.fixture(params=UNITS)
def units(request):
    return UNITS[request.param](NumpyEngine(np.float64, 0))


@pytest.mark.parametrize(
    "method", ["base_energy", "log_partition", "mean", "input", "variance", "sample"]
)
@pytest.mark.parametrize("in_place", [False, True])
def test_mixed_layer_is_each_kind_on_its_own_columns(method, in_place):
    kinds = np.array(["gaussian", "binary", "gaussian", "gaussian", "binary"])
    x = np.random.default_rng(0).uniform(size=(40, 5))
    expected = np.empty_like(x)
    engine = NumpyEngine(np.float64, 7)  # which draws for the kinds in the order of the dict
    for kind in UNITS:
        expected[:, kinds == kind] = getattr(UNITS[kind](engine), method)(x[:, kinds == kind])
    mixed = layer(kinds, NumpyEngine(np.float64, 7))
    takes_out = method in ("mean", "variance", "sample")
    given = x.copy()
    result = getattr(mixed, method)(given, **({"out": given} if in_place and takes_out else {}))
    np.testing.assert_array_equal(result, expected)
    assert (result is given) == (in_place and takes_out)
    for i, kind in enumerate(kinds):
        assert isinstance(mixed.of_column(i), UNITS[kind])


@pytest.mark.parametrize("kind", UNITS)
def test_layer_of_one_kind_is_not_mixed(kind):
    units = layer(np.array([kind] * 3), NumpyEngine(np.float64, 0))
    assert type(units) is UNITS[kind]
    assert units.of_column(2) is units


def test_input_leads_to_the_mean(units):
    mean = units.mean(INPUTS.copy())
    np.testing.assert_allclose(units.mean(units.input(mean)), mean, rtol=1e-12)


def levels(units):
    return np.array([0.0, 1.0]) if units.binary else np.linspace(-15.0, 15.0, 3001)


def density(units, x):
    """Probability of each level given the input, from the definition."""
    u = levels(units)
    p = np.exp(x * u - units.base_energy(u))
    return p / p.sum()


def test_log_partition_is_the_log_of_the_summed_density(units):
    u = levels(units)
    volume = 1.0 if units.binary else u[1] - u[0]
    expected = [np.log(volume * np.exp(x * u - units.base_energy(u)).sum()) for x in INPUTS]
    np.testing.assert_allclose(units.log_partition(INPUTS), expected, rtol=1e-10)


def test_mean_is_the_slope_of_log_partition(units):
    step = 1e-5
    slope = (units.log_partition(INPUTS + step) - units.log_partition(INPUTS - step)) / (2 * step)
    np.testing.assert_allclose(units.mean(INPUTS.copy()), slope, atol=1e-9)


def test_variance_is_the_slope_of_mean(units):
    step = 1e-5
    slope = (units.mean(INPUTS + step) - units.mean(INPUTS - step)) / (2 * step)
    np.testing.assert_allclose(units.variance(units.mean(INPUTS.copy())), slope, atol=1e-9)


def test_mean_and_variance_are_those_of_the_density(units):
    u = levels(units)
    for x in INPUTS:
        p = density(units, x)
        mean = units.mean(np.array([x]))
        np.testing.assert_allclose(mean, p @ u, atol=1e-9)
        np.testing.assert_allclose(units.variance(mean), p @ u**2 - (p @ u) ** 2, atol=1e-9)


def test_samples_follow_the_density(units):
    n = 100_000
    for x in (-2.0, 0.3, 1.5):
        sample = units.sample(units.mean(np.full(n, x)))
        mean = units.mean(np.array([x]))[0]
        variance = units.variance(np.array([mean]))[0]
        assert abs(sample.mean() - mean) < 5 * np.sqrt(variance / n)
        assert abs(sample.var() - variance) < 5 * np.sqrt(3 * variance / n)
        if units.binary:
            assert set(np.unique(sample)) <= {0.0, 1.0}


def test_samples_of_two_units_are_independent(units):
    sample = units.sample(units.mean(np.zeros((100_000, 2))))
    assert abs(np.corrcoef(sample.T)[0, 1]) < 5 / np.sqrt(100_000)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_keep_the_dtype_and_may_be_written_in_place(units, dtype):
    units = type(units)(NumpyEngine(dtype, 0))
    x = INPUTS.astype(dtype)
    mean = units.mean(x.copy())
    for result in (mean, units.variance(mean), units.sample(mean), units.log_partition(x)):
        assert result.dtype == dtype
    in_place = x.copy()
    in_place = units.mean(in_place, out=in_place)
    np.testing.assert_array_equal(in_place, mean)
    twin = type(units)(NumpyEngine(dtype, 1))
    units.engine = NumpyEngine(dtype, 1)
    drawn = units.sample(in_place, out=in_place)
    assert drawn is in_place
    np.testing.assert_array_equal(drawn, twin.sample(mean))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_inputs_give_finite_results(units, dtype):
    units = type(units)(NumpyEngine(dtype, 0))
    x = np.array([-1e4, -200.0, 0.0, 200.0, 1e4], dtype)
    with np.errstate(over="ignore"):
        mean = units.mean(x.copy())
    assert np.isfinite(mean).all()
    assert np.isfinite(units.log_partition(x)).all()
    assert np.isfinite(units.variance(mean)).all()


def test_states_lie_in_the_support(units):
    low, high = units.support
    sample = units.sample(units.mean(INPUTS.copy()))
    assert sample.min() >= low
    assert sample.max() <= high
