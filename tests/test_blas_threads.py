"""Small products on one BLAS thread, large ones on all."""

import os
import threading
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
    assert not threads._of_process.kept


def test_number_of_threads_comes_back_when_fits_overlap():
    X = np.random.default_rng(0).random((100, 5))

    def fit(seed):
        return RBMTransformer(4, n_iter=seed % 7, random_state=0).fit(X).n_iter_

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(fit, range(40))) == [seed % 7 for seed in range(40)]
    assert n_threads() == {2}
    assert not threads._of_process.kept


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


class InThread:
    """A thread that enters a block and leaves it when it is told to."""

    def __init__(self, seen=n_threads):
        self.entered, self.told = threading.Event(), threading.Event()
        self.seen = None
        self.thread = threading.Thread(target=self.run, args=(seen,))
        self.thread.start()
        assert self.entered.wait(60)

    def run(self, seen):
        with threads_for(1):
            self.seen = seen()
            self.entered.set()
            assert self.told.wait(60)
        self.left = seen()

    def leave(self):
        self.told.set()
        self.thread.join()
        return self.left


@pytest.mark.parametrize("first_leaves_first", [True, False])
def test_number_of_threads_comes_back_whichever_thread_leaves_last(first_leaves_first):
    one, other = InThread(), InThread()
    assert one.seen == other.seen == {1}
    first, last = (one, other) if first_leaves_first else (other, one)
    assert first.leave() == {1}
    assert last.leave() == {2}
    assert n_threads() == {2}


def test_a_model_predicts_in_several_threads_at_once():
    X = np.random.default_rng(0).random((600, 20))
    net = DBNClassifier((30,), pretrain=False, finetune_iter=1, random_state=0)
    net.fit(X, np.arange(600) % 3)
    parts = [X[i : i + 200 + i] for i in range(24)]
    expected = [net.predict_proba(part) for part in parts]
    with ThreadPoolExecutor(6) as pool:
        for part, p in zip(expected * 5, pool.map(net.predict_proba, parts * 5), strict=True):
            np.testing.assert_array_equal(part, p)


def test_a_fit_in_one_thread_leaves_the_number_to_the_others():
    with threads_for(1):
        pass
    limited = []

    def limit():
        with threadpool_limits(1, user_api="blas"):
            limited.append(n_threads())

    thread = threading.Thread(target=limit)
    thread.start()
    thread.join()
    assert limited == [{1}]
    assert n_threads() == {2}


class OfThread(threading.local):
    """A library with a number of its own in each thread, like MKL or OpenBLAS with OpenMP."""

    num_threads = 8

    def set_num_threads(self, n):
        self.num_threads = n


def test_each_thread_restores_its_own_number_where_it_has_one(monkeypatch):
    library = OfThread()
    monkeypatch.setattr(threads, "_libraries", lambda: ([], [library]))
    library.num_threads = 4
    with threads_for(1):
        other = InThread(lambda: library.num_threads)
        assert (library.num_threads, other.seen) == (1, 1)
    assert library.num_threads == 4
    assert other.leave() == 8
    assert library.num_threads == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # from Python 3.12 on
def test_process_forked_while_another_thread_is_in_a_block_is_free_of_it():
    held, forked = threading.Event(), threading.Event()

    def hold():  # as if the thread were just entering
        with threads._lock:
            held.set()
            forked.wait(60)

    other, holder = InThread(), threading.Thread(target=hold)
    holder.start()
    assert held.wait(60)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with threads_for(1):
                inside = n_threads()
            status = 0 if (inside, n_threads()) == ({1}, {2}) else 1
        finally:
            os._exit(status)
    forked.set()
    deadline = threading.Timer(60, os.kill, (child, 9))
    deadline.start()
    status = os.waitpid(child, 0)[1]
    deadline.cancel()
    holder.join()
    other.leave()
    assert status == 0


def test_a_block_that_the_garbage_collector_ends_while_another_begins_holds_nothing_up(monkeypatch):
    def block():
        with threads_for(1):
            yield

    abandoned = block()
    next(abandoned)
    limits, left = threads._limits, []

    def limits_after_collection():
        if not left:
            left.append(True)
            abandoned.close()
        return limits()

    monkeypatch.setattr(threads, "_limits", limits_after_collection)

    def enter():
        with threads_for(1):
            pass
        left.append("without waiting")

    thread = threading.Thread(target=enter, daemon=True)
    thread.start()
    thread.join(60)
    assert left[-1] == "without waiting"
