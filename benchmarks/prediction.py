"""Question: what does prediction cost beside its products and beside nearest neighbours.

    python benchmarks/prediction.py

`predict_proba` of 10,000 rows by a network 784-500-500-2000-10.
"""

from common import (
    N_CLASSES,
    N_PIXELS,
    N_TEST,
    forward_products,
    in_turns,
    mnist,
    print_setting,
    print_table,
    ratio,
)
from sklearn.neighbors import KNeighborsClassifier

from skdbn import DBNClassifier

HIDDEN = (500, 500, 2000)
BLOCK_SIZE = 1000  # of the products: more rows at once make them no faster


def _predictions():
    """Return functions that predict with the network, with its products, and with neighbours."""
    X, X_test, y, _ = mnist()
    net = DBNClassifier(HIDDEN, pretrain=False, softmax_iter=0, finetune_iter=1).fit(X, y)
    neighbors = KNeighborsClassifier(3).fit(X, y)
    products = forward_products((N_PIXELS, *HIDDEN, N_CLASSES), BLOCK_SIZE, N_TEST // BLOCK_SIZE)
    return (
        lambda: net.predict_proba(X_test),
        products,
        lambda: neighbors.predict_proba(X_test),
    )


def track_prediction_to_products():
    ours, products, _ = _predictions()
    return ratio(*in_turns(ours, products))


def track_neighbors_to_prediction():
    ours, _, neighbors = _predictions()
    return ratio(*in_turns(neighbors, ours))


for _track in (track_prediction_to_products, track_neighbors_to_prediction):
    _track.unit, _track.timeout = "ratio", 1800


def main():
    print_setting()
    ours, products, neighbors = in_turns(*_predictions())
    print_table(
        [
            ("predict_proba of 10,000 rows / its products", ratio(ours, products), "<= 1.3"),
            ("KNeighborsClassifier / predict_proba", ratio(neighbors, ours), ">= 20"),
        ]
    )


if __name__ == "__main__":
    main()
