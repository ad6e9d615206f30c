"""What every engine must do."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix
from scipy.special import expit
from scipy.stats import kstest

from skdbn._maths.engines import ENGINES
from skdbn._maths.engines.numpy import PIECE_SIZE

X = np.random.default_rng(0).random((6, 4)) * (np.arange(24).reshape(6, 4) % 3 > 0)


@pytest.fixture(params=ENGINES)
def engine_class(request):
    return ENGINES[request.param]


@pytest.fixture(params=[np.float32, np.float64])
def engine(engine_class, request):
    return engine_class(request.param, 0)


def tolerance(engine):
    return 10 * np.finfo(engine.dtype).eps


@pytest.mark.parametrize("container", [np.asarray, csr_matrix, csr_array])
@pytest.mark.parametrize("indices", [np.array([4, 0, 2]), slice(1, 4)])
def test_rows_are_copied_and_made_dense(engine, container, indices):
    given = X.astype(engine.dtype)
    rows = engine.rows(container(given), indices, np.full((3, 4), 7, engine.dtype))
    np.testing.assert_array_equal(rows, given[indices])
    rows += 1.0
    np.testing.assert_array_equal(given, X.astype(engine.dtype))


def test_a_few_rows_cost_no_copy_of_an_array_that_is_not_aligned(engine):
    given = np.ndarray((1000, 100), engine.dtype, bytearray(1000 * 100 * 8 + 1), offset=1)
    given[...] = np.arange(1000)[:, None]
    assert not given.flags.aligned
    indices, out = np.array([7, 3]), engine.zeros(2, 100)
    tracemalloc.start()
    rows = engine.rows(given, indices, out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(rows, given[indices])
    assert peak < given.nbytes / 10


def test_buffer_of_a_name_is_the_same_memory_until_it_must_grow(engine):
    small = engine.buffer("name", 3, 4)
    assert np.shares_memory(small, engine.buffer("name", 2, 4))
    assert not np.shares_memory(small, engine.buffer("other", 3, 4))
    assert engine.buffer("name", 5, 4).shape == (5, 4)
    assert engine.buffer("name", 5, 3).shape == (5, 3)


def test_copy_has_its_own_memory_and_goes_on_with_the_same_numbers(engine):
    buffer = engine.buffer("name", 100, 100)
    copied = copy.deepcopy(engine)
    assert not np.shares_memory(buffer, copied.buffer("name", 100, 100))
    np.testing.assert_array_equal(engine.permutation(9), copied.permutation(9))
    assert len(pickle.dumps(engine)) < buffer.nbytes  # scratch memory is not sent


def test_packed_arrays_are_copies_that_share_one_vector(engine):
    given = [X.astype(engine.dtype), engine.zeros(3)]
    vector, views = engine.packed(given)
    assert vector.dtype == engine.dtype
    np.testing.assert_array_equal(vector, [*X.astype(engine.dtype).ravel(), 0, 0, 0])
    vector += 1.0
    np.testing.assert_array_equal(views[0], X.astype(engine.dtype) + 1.0)
    np.testing.assert_array_equal(views[1], np.ones(3))
    np.testing.assert_array_equal(given[1], np.zeros(3))


def test_pieces_cover_a_vector_once(engine):
    n = 2 * PIECE_SIZE + 5
    indices = [np.arange(n)[piece] for piece in engine.pieces(n)]
    np.testing.assert_array_equal(np.concatenate(indices), np.arange(n))


def test_logistic_is_accurate(engine):
    x = np.linspace(-80, 80, 1001).astype(engine.dtype)
    np.testing.assert_allclose(engine.logistic(x), expit(x), rtol=tolerance(engine))


def test_logistic_has_its_limits(engine):
    x = np.array([-1e4, 1e4], engine.dtype)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(engine.logistic(x), [0.0, 1.0])


def test_softplus_is_accurate(engine):
    x = np.linspace(-500, 500, 1001).astype(engine.dtype)
    expected = np.logaddexp(0.0, x.astype(float))
    np.testing.assert_allclose(engine.softplus(x), expected, rtol=tolerance(engine), atol=1e-37)


def test_unit_rows_have_length_one_however_small_they_were(engine):
    x = np.array([[3, -4], [0, 0], [0, 2]], engine.dtype)
    expected = [[0.6, -0.8], [0, 0], [0, 1]]
    for scale in (1.0, 1e-25, 1e25):  # squares of which float32 can not hold
        result = engine.unit_rows(x * engine.dtype.type(scale))
        np.testing.assert_allclose(result, expected, rtol=tolerance(engine))


def test_column_sums_add_the_rows(engine):
    given = X.astype(engine.dtype)
    np.testing.assert_allclose(engine.column_sums(given), given.sum(axis=0), rtol=tolerance(engine))


def test_uniform_numbers_are_uniform(engine):
    u = engine.uniform((1000, 101))  # an odd number in all
    assert u.dtype == engine.dtype
    assert kstest(u.ravel(), "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(u[:, :-1].ravel(), u[:, 1:].ravel())[0, 1]) < 5 / np.sqrt(u.size)


def test_uniform_numbers_stay_below_one_and_fill_the_memory_given(engine):
    out = engine.zeros(300, 1001)
    u = engine.uniform(out.shape, out=out)
    assert np.shares_memory(u, out)
    assert (out >= 0.0).all()
    assert (out < 1.0).all()
    assert len(np.unique(out)) > 0.95 * out.size


@pytest.mark.parametrize(("n", "size"), [(1, 1), (7, 3), (7, 7), (7, 9), (10**6, 4)])
def test_subset_has_different_numbers_and_as_many_as_there_are(engine, n, size):
    subset = engine.subset(n, size)
    assert subset.shape == (min(n, size),)
    assert subset.dtype.kind == "i"
    assert len(np.unique(subset)) == len(subset)
    assert subset.min() >= 0
    assert subset.max() < n


def test_subsets_have_every_number_and_pair_equally_often(engine):
    n, size, n_draws = 12, 5, 4000
    is_drawn = np.zeros((n_draws, n))
    for row in is_drawn:
        row[engine.subset(n, size)] = 1.0
    pairs = is_drawn.T @ is_drawn / n_draws
    share, share_of_pairs = size / n, size * (size - 1) / (n * (n - 1))
    for found, p in ((pairs.diagonal(), share), (pairs[np.triu_indices(n, 1)], share_of_pairs)):
        assert abs(found - p).max() < 5 * np.sqrt(p * (1 - p) / n_draws)


def test_noise_has_the_moments_of_the_normal_distribution(engine):
    out = engine.zeros(1001, 301)  # an odd number in all
    noise = engine.noise(1.0, 0.7, out=out)
    assert noise is out
    z, n = (noise.ravel().astype(float) - 1.0) / 0.7, noise.size
    assert abs(z.mean()) < 5 / np.sqrt(n)
    assert abs((z**2).mean() - 1.0) < 5 * np.sqrt(2 / n)
    assert abs((z**3).mean()) < 5 * np.sqrt(15 / n)
    # 32 coins fall short of the normal kurtosis of 3 by 2 / 32.
    assert abs((z**4).mean() - (3 - 2 / 32)) < 5 * np.sqrt(96 / n)
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 5 / np.sqrt(n)


@pytest.mark.parametrize("where", ["apart", "in place", "overlapping"])
def test_bernoulli_draws_go_where_they_are_told(engine, where):
    p = np.repeat(np.array([0.0, 1.0, 0.0, 1.0], engine.dtype), 500)
    out = {"apart": np.empty_like(p), "in place": p, "overlapping": p[:]}[where]
    expected = p.copy()
    np.testing.assert_array_equal(engine.bernoulli(p, out=out), expected)
    np.testing.assert_array_equal(out, expected)


def test_bernoulli_draws_have_their_probabilities(engine):
    p = np.repeat(np.array([0.0, 0.001, 0.3, 0.9, 1.0], engine.dtype), 100_000)
    drawn = engine.bernoulli(p).reshape(5, -1)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    mean, error = drawn.mean(axis=1), 5 * np.sqrt([0, 0.001 * 0.999, 0.21, 0.09, 1e-6]) / 316
    assert (abs(mean - [0.0, 0.001, 0.3, 0.9, 1.0]) <= error + 1e-9).all()


def test_same_seed_gives_the_same_numbers(engine_class):
    one, other, third = (engine_class(np.float32, seed) for seed in (3, 3, 4))
    draws = [
        [e.uniform((4,)), e.normal((4,)), e.permutation(9), e.bernoulli(np.full(9, 0.5))]
        for e in (one, other, third)
    ]
    for a, b in zip(draws[0], draws[1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert (draws[0][0] != draws[2][0]).all()


def test_random_numbers_go_on_from_their_state(engine, engine_class):
    engine.uniform((3,))
    other = engine_class(engine.dtype, 7)
    other.set_state(engine.get_state())
    np.testing.assert_array_equal(other.uniform((5,)), engine.uniform((5,)))
    subsets = [e.subset(10**6, 5) for e in (other, other, engine, engine)]
    np.testing.assert_array_equal(subsets[:2], subsets[2:])
    assert (subsets[0] != subsets[1]).any()


def test_given_array_is_copied_and_one_of_another_shape_or_type_is_refused(engine):
    array = engine.zeros(3)
    np.testing.assert_array_equal(engine.given(array, (3,)), array)
    assert not np.shares_memory(engine.given(array, (3,)), array)
    for wrong in (engine.zeros(4), engine.zeros(1, 3), np.zeros(3, np.float16)):
        with pytest.raises(ValueError, match=r"must have \(3,\) and float"):
            engine.given(wrong, (3,))


def test_views_of_a_vector_have_the_shapes_of_arrays(engine):
    given = [X.astype(engine.dtype), engine.zeros(3)]
    vector, _ = engine.packed(given)
    views = engine.views(vector.copy(), given)
    for view, array in zip(views, given, strict=True):
        np.testing.assert_array_equal(view, array)


def test_finite_check_sees_one_bad_value(engine):
    x = engine.zeros(4)
    assert engine.all_finite(x)
    for value in (np.nan, np.inf, -np.inf):
        x[2] = value
        assert not engine.all_finite(x)
