"""Several threads at once, against the same work one after another."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from skdbn import DBNClassifier, RBMTransformer
from skdbn.datasets import load_digits

pytestmark = pytest.mark.filterwarnings(
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)

X, X_TEST, Y, _ = load_digits()
X, Y = X[:400], Y[:400]
N_THREADS = 4


def fit(seed):
    rbm = RBMTransformer(n_iter=2)
    return DBNClassifier((20, 10), rbm=rbm, softmax_iter=1, finetune_iter=2, random_state=seed).fit(
        X, Y
    )


def in_threads(function, arguments):
    with ThreadPoolExecutor(N_THREADS) as pool:
        return list(pool.map(function, arguments))


def test_fits_of_separate_estimators_do_not_disturb_each_other():
    seeds = range(2 * N_THREADS)
    for one, other in zip(map(fit, seeds), in_threads(fit, seeds), strict=True):
        np.testing.assert_array_equal(one.predict_proba(X_TEST), other.predict_proba(X_TEST))
        np.testing.assert_array_equal(one.rbms_[1].components_, other.rbms_[1].components_)


@pytest.mark.parametrize("method", ["predict_proba", "predict", "transform", "free_energy"])
def test_one_estimator_serves_several_threads(method):
    net = fit(0)
    function = getattr(net if hasattr(net, method) else net.rbms_[0], method)
    parts = [X_TEST[i:] for i in range(5 * N_THREADS)]
    for one, other in zip(map(function, parts), in_threads(function, parts), strict=True):
        np.testing.assert_array_equal(one, other)
