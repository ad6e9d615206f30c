"""Question: how often does an estimated log Z come with bounds and an error that hold.

    python benchmarks/likelihood_coverage.py [N_SEEDS]

Machines with random weights, small enough for an exact log Z, of every pair of kinds of units,
with weak and strong weights. For each the estimates of N_SEEDS seeds (100 unless told), with 300
temperatures and 100 chains that start at chance: mean error and largest one in nats, the share
within 4 standard errors, and the share of the seeds whose bounds hold. The bars: all within 4
standard errors, and 95 % of the bounds.
"""

import sys
import warnings

import numpy as np

from skdbn import MixingWarning, RBMTransformer

N_SEEDS, N_TEMPERATURES = 100, 300
VISIBLE, HIDDEN = ("binary", "gaussian", "mixed"), ("binary", "gaussian")
SIZES = (6, 4), (16, 12)
STRENGTHS = {"weak": 0.3, "strong": 0.9}


def machine(visible, hidden, size, strength):
    """Return a machine with random weights.

    Their largest singular value is `strength` between gaussian layers, and up to 4 times that,
    with the root of the size, where a layer is binary.
    """
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, size[0]))
    is_binary = {"binary": slice(None), "gaussian": slice(0), "mixed": slice(size[0] // 2)}[visible]
    X[:, is_binary] = X[:, is_binary] > 0.0
    rbm = RBMTransformer(size[1], hidden_units=hidden, n_iter=0, random_state=0).fit(X)
    weights = rng.normal(size=rbm.components_.shape)
    if visible == "binary" or hidden == "binary":
        rbm.components_ = 2.0 * strength * weights
    else:
        rbm.components_ = strength * weights / np.linalg.norm(weights, 2)
    rbm.intercept_visible_ = rng.normal(size=size[0])
    rbm.intercept_hidden_ = rng.normal(size=size[1])
    return rbm


def coverage(rbm, n_seeds):
    """Return the mean and the largest error, the share within 4 errors, and that within bounds."""
    exact = rbm.log_partition("exact").value
    results = [
        rbm.log_partition("ais", n_temperatures=N_TEMPERATURES, random_state=seed)
        for seed in range(n_seeds)
    ]
    errors = np.array([result.value for result in results]) - exact
    limits = 4.0 * np.array([result.standard_error for result in results]) + 1e-9
    within = [result.lower - 1e-9 <= exact <= result.upper + 1e-9 for result in results]
    return errors.mean(), abs(errors).max(), np.mean(abs(errors) <= limits), np.mean(within)


def main():
    n_seeds = int(sys.argv[1]) if len(sys.argv) > 1 else N_SEEDS
    warnings.simplefilter("ignore", MixingWarning)
    print("visible  hidden   size    weights  mean error  largest  within 4 se  within bounds")
    for visible in VISIBLE:
        for hidden in HIDDEN:
            for size in SIZES:
                for name, strength in STRENGTHS.items():
                    mean, largest, share, bounded = coverage(
                        machine(visible, hidden, size, strength), n_seeds
                    )
                    print(
                        f"{visible:8} {hidden:8} {size[0]:2}x{size[1]:<2}   {name:6}  "
                        f"{mean:11.4f} {largest:8.4f} {share:12.0%} {bounded:14.0%}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
