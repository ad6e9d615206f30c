"""Question: is there a size of layer or minibatch at which training falls behind its products.

    python benchmarks/sizes.py

CD-1 on 784 visible units: a fit of one pass beside its five products, as a table of ratios.
"""

import itertools

from common import N_PIXELS, in_turns, mnist, print_setting, ratio, rbm_products

from skdbn import RBMTransformer

N_HIDDEN = (125, 250, 500, 1000, 2000)
BATCH_SIZES = (10, 32, 100, 256, 1000)
WORK = 6e9  # products of one fit: rows times weights


def _fit(X, n_hidden, batch_size):
    rbm = RBMTransformer(n_hidden, batch_size=batch_size, n_iter=1, random_state=0)
    return lambda: rbm.fit(X)


def track_cd_to_products(n_hidden, batch_size):
    # As few rows as measure well: small minibatches take long beside their products.
    n_batches = max(2, round(WORK / (N_PIXELS * n_hidden * max(batch_size, 100))))
    n_batches = min(n_batches, 60_000 // batch_size)
    X = mnist()[0][: n_batches * batch_size]
    products = rbm_products(N_PIXELS, n_hidden, batch_size, n_batches)
    return ratio(*in_turns(_fit(X, n_hidden, batch_size), products))


track_cd_to_products.params = [N_HIDDEN, BATCH_SIZES]
track_cd_to_products.param_names = ["n_hidden", "batch_size"]
track_cd_to_products.unit, track_cd_to_products.timeout = "ratio", 600


def main():
    print_setting()
    print(f"{'hidden':>8}" + "".join(f"{f'batch {size}':>12}" for size in BATCH_SIZES))
    figures = itertools.starmap(track_cd_to_products, itertools.product(N_HIDDEN, BATCH_SIZES))
    for n_hidden in N_HIDDEN:
        print(f"{n_hidden:8}", end="")
        for _ in BATCH_SIZES:
            print(f"{next(figures):12.2f}", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
