"""Question: what does a pass of backpropagation cost beside its products and beside the peers.

    python benchmarks/finetune_pass.py

One `fit` without pretraining and softmax phase is timed: 784-500-500-2000-10, Adam, batch 100.
"""

import warnings

from common import (
    N_CLASSES,
    N_PIXELS,
    N_TRAIN,
    backpropagation_products,
    in_turns,
    mnist,
    print_setting,
    print_table,
    ratio,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from skdbn import DBNClassifier

HIDDEN, BATCH_SIZE = (500, 500, 2000), 100


def _skdbn_pass(X, y):
    net = DBNClassifier(
        HIDDEN, pretrain=False, softmax_iter=0, finetune_iter=1, batch_size=BATCH_SIZE
    )
    return lambda: net.fit(X, y)


def _sklearn_pass(X, y):
    peer = MLPClassifier(HIDDEN, activation="logistic", batch_size=BATCH_SIZE, max_iter=1)

    def fit():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # after one pass, of course
            peer.fit(X, y)

    return fit


def _torch_pass(X, y):
    """Return a function that makes the same pass with an nn.Module; None without PyTorch."""
    try:
        import torch
    except ImportError:
        return None
    X, y = torch.from_numpy(X), torch.from_numpy(y).long()

    def train():
        torch.manual_seed(0)
        layers = []
        for n_in, n_out in zip((N_PIXELS, *HIDDEN), HIDDEN, strict=False):
            layers += [torch.nn.Linear(n_in, n_out), torch.nn.Sigmoid()]
        net = torch.nn.Sequential(*layers, torch.nn.Linear(HIDDEN[-1], N_CLASSES))
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
        for rows in torch.randperm(len(X)).split(BATCH_SIZE):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(X[rows]), y[rows]).backward()
            optimizer.step()

    return train


def _products():
    sizes = (N_PIXELS, *HIDDEN, N_CLASSES)
    return backpropagation_products(sizes, BATCH_SIZE, N_TRAIN // BATCH_SIZE)


def _training_data():
    X, _, y, _ = mnist()
    return X, y


def track_finetune_to_products():
    return ratio(*in_turns(_skdbn_pass(*_training_data()), _products()))


def track_mlp_classifier_to_finetune():
    data = _training_data()
    return ratio(*in_turns(_sklearn_pass(*data), _skdbn_pass(*data)))


for _track in (track_finetune_to_products, track_mlp_classifier_to_finetune):
    _track.unit, _track.timeout = "ratio", 1800


def main():
    print_setting()
    data = _training_data()
    torch_pass = _torch_pass(*data)
    products, ours, mlp, *torch_seconds = in_turns(
        _products(),
        _skdbn_pass(*data),
        _sklearn_pass(*data),
        *([torch_pass] if torch_pass else []),
    )
    rows = [
        ("a fine-tuning pass / its products", ratio(ours, products), "<= 1.5"),
        ("MLPClassifier / a fine-tuning pass", ratio(mlp, ours), ">= 2.5"),
    ]
    for seconds in torch_seconds:
        rows.append(("an nn.Module loop in PyTorch / a fine-tuning pass", ratio(seconds, ours), ""))
    print_table(rows)


if __name__ == "__main__":
    main()
