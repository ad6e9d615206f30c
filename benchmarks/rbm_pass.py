"""Question: what does a pass of RBM training cost beside its products and beside the peers.

    python benchmarks/rbm_pass.py

One `fit` with n_iter=1 is timed, so validation and set-up count as well.
"""

import numpy as np
from common import (
    N_PIXELS,
    N_TRAIN,
    in_turns,
    mnist,
    print_setting,
    print_table,
    ratio,
    rbm_products,
)
from sklearn.neural_network import BernoulliRBM

from skdbn import RBMTransformer
from skdbn.datasets import load_digits

N_HIDDEN, BATCH_SIZE = 500, 100
N_HIDDEN_DIGITS, BATCH_SIZE_DIGITS, N_PASSES_DIGITS = 100, 10, 10


def _pass(estimator_class, X, n_hidden=N_HIDDEN, batch_size=BATCH_SIZE, n_iter=1, **parameters):
    """Return a function that fits an estimator to X."""
    estimator = estimator_class(
        n_hidden, batch_size=batch_size, n_iter=n_iter, random_state=0, **parameters
    )
    return lambda: estimator.fit(X)


def _torch_pass(X):
    """Return a function that makes a pass of a plain CD-1 loop in PyTorch; None without it."""
    try:
        import torch
    except ImportError:
        return None
    X = torch.from_numpy(X)

    def train():
        torch.manual_seed(0)
        weights = 0.01 * torch.randn(X.shape[1], N_HIDDEN)
        visible, hidden = torch.zeros(X.shape[1]), torch.zeros(N_HIDDEN)
        velocity = torch.zeros_like(weights)
        for rows in torch.randperm(len(X)).split(BATCH_SIZE):
            v0 = X[rows]
            h0 = torch.sigmoid(torch.addmm(hidden, v0, weights))
            v1 = torch.sigmoid(torch.addmm(visible, torch.bernoulli(h0), weights.T))
            h1 = torch.sigmoid(torch.addmm(hidden, v1, weights))
            rate = 0.1 / len(rows)
            velocity.mul_(0.5).add_(weights, alpha=-0.1 * 2e-4)
            velocity.addmm_(v0.T, h0, alpha=rate).addmm_(v1.T, h1, alpha=-rate)
            weights += velocity
            visible += rate * (v0 - v1).sum(0)
            hidden += rate * (h0 - h1).sum(0)

    return train


def _products():
    return rbm_products(N_PIXELS, N_HIDDEN, BATCH_SIZE, N_TRAIN // BATCH_SIZE)


def _digits():
    return np.ascontiguousarray(load_digits()[0])


def track_cd_to_products():
    return ratio(*in_turns(_pass(RBMTransformer, mnist()[0]), _products()))


def track_pcd_to_products():
    return ratio(*in_turns(_pass(RBMTransformer, mnist()[0], gradient="pcd"), _products()))


def track_bernoulli_rbm_to_cd():
    X = mnist()[0]
    return ratio(*in_turns(_pass(BernoulliRBM, X), _pass(RBMTransformer, X)))


def track_bernoulli_rbm_to_cd_digits():
    sizes = (_digits(), N_HIDDEN_DIGITS, BATCH_SIZE_DIGITS, N_PASSES_DIGITS)
    return ratio(*in_turns(_pass(BernoulliRBM, *sizes), _pass(RBMTransformer, *sizes)))


for _track in (
    track_cd_to_products,
    track_pcd_to_products,
    track_bernoulli_rbm_to_cd,
    track_bernoulli_rbm_to_cd_digits,
):
    _track.unit, _track.timeout = "ratio", 600


def main():
    print_setting()
    X = mnist()[0]
    torch_pass = _torch_pass(X)
    products, cd, pcd, bernoulli, *torch_seconds = in_turns(
        _products(),
        _pass(RBMTransformer, X),
        _pass(RBMTransformer, X, gradient="pcd"),
        _pass(BernoulliRBM, X),
        *([torch_pass] if torch_pass else []),
    )
    rows = [
        ("CD-1, 784 x 500, batch 100 / its products", ratio(cd, products), "<= 1.5"),
        ("PCD-1, the same / its products", ratio(pcd, products), "<= 1.6"),
        ("BernoulliRBM (PCD-1) / CD-1", ratio(bernoulli, cd), ">= 1.8"),
    ]
    for seconds in torch_seconds:
        rows.append(("a plain CD-1 loop in PyTorch / CD-1", ratio(seconds, cd), ""))
    rows.append(
        (
            "digits, 64 x 100, batch 10: BernoulliRBM / CD-1",
            track_bernoulli_rbm_to_cd_digits(),
            ">= 1.5",
        )
    )
    print_table(rows)


if __name__ == "__main__":
    main()
