"""Question: does training still give the same bits as it did at an earlier commit.

    python benchmarks/same_numbers.py COMMIT

A fixed set of fits runs twice on one machine, with the package of this checkout and with that of
COMMIT in a temporary worktree. A line for each fit gives the start of the SHA-256 of its
parameters, curves and predictions, and whether both agree. The exit status is 1 where they do not.
Without COMMIT the digests of this checkout are printed.
"""

import hashlib
import os
import subprocess
import sys
import warnings

import numpy as np
from common import checkout
from scipy.sparse import csr_matrix
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator

from skdbn import DBNClassifier, RBMTransformer

ARRAYS = ("components_", "intercept_visible_", "intercept_hidden_", "h_samples_")
LISTS = ("coefs_", "intercepts_")
CURVES = (
    "loss_curve_",
    "validation_loss_curve_",
    "free_energy_gap_curve_",
    "dead_units_curve_",  # that of saturated units has been defined anew
    "softmax_loss_curve_",
    "validation_scores_",
    "best_validation_score_",
    "n_iter_",
)
LATER = {"validation_loss_curve_"}  # that nets did not have at first
STOPPING = {"early_stopping": True, "n_iter_no_change": 2, "tol": 1e-3}

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
X, X_VAL, Y, Y_VAL = X[:600], X[600:900], Y[:600], Y[600:900]


def digest(estimator):
    """Return the SHA-256 of all that training left in an estimator."""
    result = hashlib.sha256()
    arrays = [getattr(estimator, name) for name in ARRAYS if hasattr(estimator, name)]
    for name in LISTS:
        arrays += getattr(estimator, name, [])
    names = [name for name in CURVES if name not in LATER or not hasattr(estimator, "coefs_")]
    arrays += [np.array(getattr(estimator, name, []), float) for name in names]
    if estimator.n_features_in_ == X.shape[1]:
        predict = getattr(estimator, "predict_proba", getattr(estimator, "transform", None))
        arrays.append(predict(X_VAL))
    for array in arrays:
        result.update(f"{array.dtype} {array.shape}".encode())
        result.update(np.ascontiguousarray(array).tobytes())
    for rbm in getattr(estimator, "rbms_", []):
        result.update(digest(rbm).encode())
    return result.hexdigest()


# -- the fits


def rbm(**parameters):
    fixed = {"n_components": 30, "n_iter": 7, "momentum": 0.9, "batch_size": 14}
    fixed["random_state"] = 0
    return RBMTransformer(**{**fixed, **parameters})


def net(**parameters):
    # Nothing is left to "auto", which may come to mean something else.
    template = RBMTransformer(n_iter=6, batch_size=14)
    quick = {"rbm": template, "softmax_iter": 3, "finetune_iter": 4, "noise": 0.0}
    quick["learning_rate_init"] = 2e-3
    return DBNClassifier(
        **{"hidden_layer_sizes": (30, 20), "random_state": 0, **quick, **parameters}
    )


def warm_rbm():
    return rbm(warm_start=True, gradient="pcd").fit(X).set_params(batch_size=50).fit(X[:301])


def parts_rbm():
    machine = rbm()
    for part in np.array_split(X, [100, 101, 350]):
        machine.partial_fit(part)
    return machine


def fit_then_part():
    return rbm(gradient="pcd").fit(X).partial_fit(X[:77])


def warm_net():
    model = net(warm_start=True).fit(X, Y)
    return model.set_params(rbm__n_iter=9, finetune_iter=2).fit(X, Y)


def warm_net_with_the_same_machines():
    return net(warm_start=True, solver="sgd").fit(X, Y).fit(X, Y)


def frozen_net():
    first = FrozenEstimator(rbm(n_components=30).fit(X.astype(float)))
    return net(rbm=[first, RBMTransformer(n_iter=3, batch_size=14)]).fit(X, Y)


GAUSSIAN = {"visible_units": "gaussian", "hidden_units": "gaussian", "learning_rate": 1e-3}
LINEAR = RBMTransformer(n_iter=3, batch_size=14, **GAUSSIAN)
PERTURBED = {"dropout": 0.2, "input_dropout": 0.1, "noise": 0.3, "input_noise": 0.1}
HELD_OUT = {"X_val": X_VAL, "y_val": Y_VAL}
FITS = {
    "machine": lambda: rbm().fit(X),
    "machine, float64": lambda: rbm().fit(X.astype(float)),
    "machine, CSR": lambda: rbm().fit(csr_matrix(X)),
    "machine, pcd": lambda: rbm(gradient="pcd").fit(X),
    "machine, pcd, two steps, float64": lambda: rbm(gradient="pcd", n_gibbs_steps=2).fit(
        X.astype(float)
    ),
    "machine, cd, three steps": lambda: rbm(n_gibbs_steps=3, batch_size=64).fit(X),
    "machine, gaussian units": lambda: rbm(**GAUSSIAN).fit(X),
    "machine, early stopping": lambda: rbm(n_iter=60, **STOPPING).fit(X),
    "machine, early stopping, CSR": lambda: rbm(n_iter=60, **STOPPING).fit(csr_matrix(X)),
    "machine, held-out rows": lambda: rbm().fit(X, X_val=X_VAL),
    "machine, no pass": lambda: rbm(n_iter=0).fit(X),
    "machine, warm start": warm_rbm,
    "machine, partial_fit": parts_rbm,
    "machine, partial_fit after fit": fit_then_part,
    "net": lambda: net().fit(X, Y),
    "net, float64": lambda: net().fit(X.astype(float), Y),
    "net, CSR": lambda: net().fit(csr_matrix(X), Y),
    "net, sgd, weight decay": lambda: net(solver="sgd", alpha=1e-3).fit(X, Y),
    "net, constant rate, text labels": lambda: net(learning_rate="constant").fit(X, Y.astype(str)),
    "net, no pretraining": lambda: net(pretrain=False).fit(X, Y),
    "net, dropout and noise": lambda: net(**PERTURBED).fit(X, Y),
    "net, adversarial, smoothed": lambda: net(adversarial=0.5, label_smoothing=0.1).fit(X, Y),
    "net, early stopping": lambda: net(finetune_iter=30, **STOPPING).fit(X, Y),
    "net, early stopping, CSR": lambda: net(finetune_iter=30, **STOPPING).fit(csr_matrix(X), Y),
    "net, held-out rows": lambda: net(early_stopping=True).fit(X, Y, **HELD_OUT),
    "net, machines stop early": lambda: net(
        rbm=RBMTransformer(n_iter=40, batch_size=14, **STOPPING)
    ).fit(X, Y),
    "net, pcd and gaussian layers": lambda: net(rbm=[LINEAR, LINEAR]).fit(X, Y),
    "net, templates of their own": lambda: net(
        rbm=[
            RBMTransformer(n_iter=4, gradient="pcd", momentum=0.9, batch_size=14),
            RBMTransformer(n_iter=2, batch_size=7),
        ]
    ).fit(X, Y),
    "net, warm start with more passes": warm_net,
    "net, warm start": warm_net_with_the_same_machines,
    "net, frozen machine": frozen_net,
}


def digests():
    """Return the digest of each fit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: digest(fit()) for name, fit in FITS.items()}


def digests_of(commit):
    """Return the digests that the package of a commit gives."""
    command = [sys.executable, __file__, "--all"]
    with checkout(commit) as folder:
        environment = {**os.environ, "PYTHONPATH": folder}
        output = subprocess.run(
            command, check=True, capture_output=True, text=True, env=environment
        ).stdout
    return dict(line.split("\t") for line in output.splitlines())


def main(commit=None):
    """Print the digests, beside those of a commit where one is given."""
    now = digests()
    if commit == "--all":
        print("\n".join(f"{name}\t{value}" for name, value in now.items()))
        return 0
    before = now if commit is None else digests_of(commit)
    for name, value in now.items():
        verdict = "same" if value == before[name] else "DIFFERENT"
        print(f"{name:36}{value[:16]}  {verdict if commit else ''}".rstrip())
    n_same = sum(value == before[name] for name, value in now.items())
    if commit is not None:
        print(f"{n_same} of {len(now)} fits have the same bits as at {commit}")
    return int(n_same < len(now))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
