"""Question: is training as fast as it was at an earlier commit.

    python benchmarks/same_speed.py COMMIT

Both packages are imported into one process, and their fits are timed in turns. A figure is the
time of this checkout as a share of that of COMMIT.
"""

import importlib
import sys
import warnings

import numpy as np
from common import N_CLASSES, checkout, in_turns, mnist, print_setting, print_table, ratio
from sklearn.datasets import load_digits, load_iris

N_ROWS, LAYERS = 10_000, (500, 500, 2000)
REPEATS_OF_SHORT, N_ROUNDS = 5, 9


def package_of(folder):
    """Import the package from a folder, beside the one that is imported already."""
    mine = {name: sys.modules.pop(name) for name in [*sys.modules] if name.startswith("skdbn")}
    sys.path.insert(0, folder)
    try:
        package = importlib.import_module("skdbn")
        importlib.import_module("skdbn.plotting")
    finally:
        sys.path.remove(folder)
        sys.modules.update(mine)
    assert package.__file__.startswith(folder)
    return package


def cases(package, X, y):
    """Return the work of each case, done by a package."""
    rbm, net = package.RBMTransformer, package.DBNClassifier
    digits, iris = load_digits().data / 16, load_iris(return_X_y=True)
    iris = iris[0] / iris[0].max(axis=0), iris[1]
    only_finetuning = {"pretrain": False, "softmax_iter": 0, "finetune_iter": 1}

    def short(fit):
        return lambda: [fit() for _ in range(REPEATS_OF_SHORT)]

    fitted = net((500, 500), pretrain=False, softmax_iter=0, finetune_iter=0).fit(X, y)
    machine = rbm(500, n_iter=0).fit(X)
    digit_rbm = {"batch_size": 10, "n_iter": 10, "random_state": 0}
    return {
        "CD-1, 784 x 500": lambda: rbm(500, n_iter=2, random_state=0).fit(X),
        "PCD-1, 784 x 500": lambda: rbm(500, n_iter=2, gradient="pcd", random_state=0).fit(X),
        "CD-1, digits, 64 x 100": lambda: rbm(100, **digit_rbm).fit(digits),
        "fine-tuning, 784-500-500-2000": lambda: net(LAYERS, **only_finetuning).fit(X, y),
        "DBNClassifier((16,)), iris": short(lambda: net((16,), random_state=0).fit(*iris)),
        "transform": short(lambda: machine.transform(X)),
        "predict_proba": short(lambda: fitted.predict_proba(X)),
    }


def main(commit):
    """Print the ratios."""
    print_setting()
    import skdbn

    X, _, y, _ = mnist()
    X, y = np.ascontiguousarray(X[:N_ROWS], np.float32), np.asarray(y[:N_ROWS]) % N_CLASSES
    warnings.simplefilter("ignore")
    with checkout(commit) as folder:
        before = cases(package_of(folder), X, y)
        rows = []
        for name, function in cases(skdbn, X, y).items():
            seconds = in_turns(function, before[name], repeats=N_ROUNDS)
            rows.append((name, f"{ratio(*seconds):.3f}", "<= 1.03"))
    print_table(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
