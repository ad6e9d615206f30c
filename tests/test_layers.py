"""What the layers of a deep belief net start from; most of it is tested with the classifier."""

import numpy as np
import pytest

from skdbn._layers import random_arrays, sizes_of_layers
from skdbn._maths.engines import NumpyEngine


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_random_weights_fill_the_interval_of_glorot_and_intercepts_are_zero(dtype):
    weights, intercepts = random_arrays(NumpyEngine(dtype, 0), [300, 200, 2])
    assert [w.shape for w in weights] == [(300, 200), (200, 2)]
    for w, intercept in zip(weights, intercepts, strict=True):
        bound = np.sqrt(6.0 / sum(w.shape))
        assert 0.97 * bound < np.abs(w).max() <= bound * (1.0 + np.finfo(dtype).eps)
        # the variance that keeps a signal's size on the way up and on the way down
        np.testing.assert_allclose(w.var(), 2.0 / sum(w.shape), rtol=0.2)
        assert abs(w.mean()) < 5.0 * bound / np.sqrt(3.0 * w.size)
        assert w.dtype == intercept.dtype == dtype
        np.testing.assert_array_equal(intercept, np.zeros(w.shape[1]))


@pytest.mark.parametrize(
    ("given", "sizes"),
    [(3, [3]), (np.int64(3), [3]), ((4, 2), [4, 2]), (np.array([4, 2]), [4, 2]), ([5], [5])],
)
def test_sizes_are_python_integers_however_they_are_given(given, sizes):
    result = sizes_of_layers(given)
    assert result == sizes
    assert {type(size) for size in result} == {int}
