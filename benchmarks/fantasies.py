"""Question: do the fantasies of a machine, and of a stack, look like digits to a classifier.

    python benchmarks/fantasies.py --n-rows 10000 --passes 3 --out fantasies
    python benchmarks/fantasies.py --data digits --recipes default

1000 fantasies on MNIST, or on the digits that come with the package, from chains that start at
noise, of a machine and of a stack of two, each trained in the ways of `RECIPES`; then the same with
the top machine that the command line trains for its figure. A net that is fine-tuned on all
training digits, with machines of its own, judges them, and real ones of the test set, as many if it
has them: how sure it is of its class, and which classes come up. Beside that, the overlap with
their start of chains that start at data: near 0 where they mix.
"""

import argparse
from pathlib import Path

import numpy as np
from common import mnist, print_setting

from skdbn import DBNClassifier, RBMTransformer
from skdbn._cli.samplers import FOR_SAMPLES, sampler_of
from skdbn.datasets import load_digits
from skdbn.inspection import chain_statistics
from skdbn.plotting import SampleDisplay

RECIPES = {  # parameters of the machines below the top one, and of the top one, which has the chain
    "default": ({}, {}),
    "persistent": (
        {},
        {"gradient": "pcd", "n_gibbs_steps": 5, "learning_rate": 0.02, "weight_decay": 1e-4},
    ),
    "tempered": ({}, {"batch_size": 100, **FOR_SAMPLES}),
}
DATA = {"mnist": (mnist, 500), "digits": (load_digits, 300)}  # and the units of each layer
LAYERS = {"machine": 1, "stack": 2}
N_FANTASIES = 1000
SURE = 0.9


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=DATA, default="mnist", help="default: %(default)s")
    parser.add_argument("--n-rows", type=int, default=60_000, help="training digits")
    parser.add_argument("--passes", type=int, default=30, help="of each machine")
    parser.add_argument(
        "--recipes", nargs="+", choices=RECIPES, default=[*RECIPES], help="default: all"
    )
    parser.add_argument("--n-gibbs-steps", type=int, default=1000, help="of each chain")
    parser.add_argument("--out", type=Path, help="folder for a picture of each model")
    return parser.parse_args()


def trained(sizes, recipe, X, y, passes):
    """Return a net whose machines are pretrained, with a softmax layer of one pass."""
    below, top = ({"n_iter": passes, **parameters} for parameters in recipe)
    rbm = [RBMTransformer(**below) for _ in sizes[1:]] + [RBMTransformer(**top)]
    net = DBNClassifier(sizes, rbm=rbm, softmax_iter=1, finetune_iter=0, random_state=0)
    return net.fit(X, y)


def print_row(name, p, overlap=""):
    """Print what a classifier says of images."""
    sure, shares = p.max(axis=1), np.bincount(p.argmax(axis=1), minlength=p.shape[1]) / len(p)
    shares = " ".join(f"{share:5.1%}" for share in shares)
    print(
        f"{name:22}{(sure > SURE).mean():8.1%}{sure.mean():8.3f}  {shares}  {overlap}", flush=True
    )


def main():
    chosen = options()
    print_setting()
    load, n_hidden = DATA[chosen.data]
    X, X_test, y, y_test = load()
    judge = DBNClassifier((n_hidden, n_hidden), random_state=1).fit(X, y)
    print(f"{chosen.data}: accuracy of the judge on the test set {judge.score(X_test, y_test):.2%}")
    print(f"{'':22}{'sure':>8}{'mean':>8}  share of each class, overlap with the start")
    rows = np.random.default_rng(0).permutation(len(X_test))[:N_FANTASIES]
    print_row("real digits", judge.predict_proba(X_test[rows]))
    X, y, steps = X[: chosen.n_rows], y[: chosen.n_rows], chosen.n_gibbs_steps
    for layers, n_layers in LAYERS.items():
        sizes = (n_hidden,) * n_layers
        nets = {
            recipe: trained(sizes, RECIPES[recipe], X, y, chosen.passes)
            for recipe in chosen.recipes
        }
        if "default" in nets:
            nets["command line"] = sampler_of(nets["default"], X)
        for recipe, net in nets.items():
            display = SampleDisplay.from_estimator(
                net, n_samples=N_FANTASIES, n_gibbs_steps=steps, random_state=0
            )
            of_data, _ = chain_statistics(net, X, n_gibbs_steps=steps, random_state=0)
            overlap = f"{of_data.overlap[-1]:.2f}"
            print_row(f"{layers}, {recipe}", judge.predict_proba(display.samples), overlap)
            if chosen.out is not None:
                chosen.out.mkdir(exist_ok=True)
                drawn = SampleDisplay.from_estimator(
                    net, n_samples=60, n_gibbs_steps=steps, random_state=0
                )
                drawn.figure_.savefig(chosen.out / f"{layers}_{recipe}.png")


if __name__ == "__main__":
    main()
