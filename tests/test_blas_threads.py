"""Small products on one BLAS thread, large ones on all."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from skdbn import DBNClassifier, RBMTransformer
from skdbn._training import threads
from skdbn._training.threads import SMALL, threads_for

pytestmark = pytest.mark.filterwarnings(
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)


def n_threads():
    """Threads of each BLAS library of this process."""
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_threads():
    with threadpool_limits(2, user_api="blas"):
        if n_threads() != {2}:
            pytest.skip("this BLAS has a fixed number of threads")
        yield


@pytest.mark.parametrize(("n", "expected"), [(1, 1), (SMALL, 1), (SMALL + 1, 2)])
def test_small_products_run_on_one_thread_and_large_ones_on_all(n, expected):
    with threads_for(n):
        assert n_threads() == {expected}
    assert n_threads() == {2}


def test_number_of_threads_comes_back_after_an_error_and_after_nested_blocks():
    with pytest.raises(KeyError), threads_for(1), threads_for(1):
        raise KeyError
    assert n_threads() == {2}
    with threads_for(1):
        with threads_for(1):
            pass
        assert n_threads() == {1}
    assert n_threads() == {2}
    assert not threads._kept


def test_number_of_threads_comes_back_when_fits_overlap():
    X = np.random.default_rng(0).random((100, 5))

    def fit(seed):
        return RBMTransformer(4, n_iter=seed % 7, random_state=0).fit(X).n_iter_

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(fit, range(40))) == [seed % 7 for seed in range(40)]
    assert n_threads() == {2}
    assert not threads._kept


@pytest.mark.parametrize(("n_hidden", "expected"), [(4, {1}), (2000, {2})])
def test_fits_and_predictions_of_small_layers_use_one_thread(n_hidden, expected, monkeypatch):
    seen = []
    dot = np.dot

    def watched(*arguments, **options):
        seen.append(frozenset(n_threads()))
        return dot(*arguments, **options)

    X = np.random.default_rng(0).random((60, 100), dtype=np.float32)
    rbm = RBMTransformer(n_hidden, n_iter=1, batch_size=30, random_state=0)
    net = DBNClassifier((n_hidden,), pretrain=False, softmax_iter=0, finetune_iter=1, batch_size=30)
    monkeypatch.setattr(np, "dot", watched)
    rbm.fit(X).transform(X)
    net.fit(X, np.arange(60) % 2).predict(X)
    assert set(seen) == {frozenset(expected)}


def test_number_of_threads_comes_back_after_a_block_that_was_never_left():
    abandoned = threads_for(1)
    abandoned.__enter__()  # and an interruption before the block begins
    assert n_threads() == {1}
    del abandoned
    with threads_for(SMALL + 1):
        assert n_threads() == {2}
