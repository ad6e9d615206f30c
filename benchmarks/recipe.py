"""Question: what does the whole recipe cost beside all of its products.

    python benchmarks/recipe.py [N_ROWS]

30 passes for each machine of 784-500-500-2000, 10 softmax passes and 10 of backpropagation, on the
first N_ROWS rows (6,000 unless told): `scaling.py` shows that time is linear in the rows. All
60,000 rows take about ten times as long, six times for the rounds.
"""

import sys

from common import (
    N_CLASSES,
    N_PIXELS,
    backpropagation_products,
    forward_products,
    in_turns,
    mnist,
    print_setting,
    print_table,
    ratio,
    rbm_products,
)

from skdbn import DBNClassifier, RBMTransformer

HIDDEN, BATCH_SIZE, N_ROWS = (500, 500, 2000), 100, 6_000
PRETRAIN, SOFTMAX, FINETUNE = 30, 10, 10


def _recipe(n_rows):
    X, _, y, _ = mnist()
    net = DBNClassifier(
        HIDDEN,
        rbm=RBMTransformer(n_iter=PRETRAIN, batch_size=BATCH_SIZE),
        softmax_iter=SOFTMAX,
        finetune_iter=FINETUNE,
        batch_size=BATCH_SIZE,
        noise=0.0,  # as of 60,000 rows
        random_state=0,
    )
    return lambda: net.fit(X[:n_rows], y[:n_rows])


def _products(n_rows):
    """Return a function that makes all products of the recipe and nothing else."""
    n_batches = n_rows // BATCH_SIZE
    sizes = (N_PIXELS, *HIDDEN)
    parts = [
        rbm_products(n_in, n_out, BATCH_SIZE, PRETRAIN * n_batches)
        for n_in, n_out in zip(sizes, HIDDEN, strict=False)
    ]
    # Up to the second machine, from there to the third, and all the way to the softmax layer.
    for passed in (sizes[:2], sizes[1:3], sizes):
        parts.append(forward_products(passed, BATCH_SIZE, n_batches))
    parts.append(backpropagation_products((HIDDEN[-1], N_CLASSES), BATCH_SIZE, SOFTMAX * n_batches))
    parts.append(backpropagation_products((*sizes, N_CLASSES), BATCH_SIZE, FINETUNE * n_batches))

    def products():
        for part in parts:
            part()

    return products


def track_recipe_to_products(n_rows=N_ROWS):
    return ratio(*in_turns(_recipe(n_rows), _products(n_rows)))


track_recipe_to_products.unit, track_recipe_to_products.timeout = "ratio", 3600


def main():
    print_setting()
    n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else N_ROWS
    what = f"recipe 30/10/10, {n_rows} rows / its products"
    print_table([(what, track_recipe_to_products(n_rows), "<= 1.5")])


if __name__ == "__main__":
    main()
