"""Question: how often does an estimated log Z come with bounds and an error that hold.

    python benchmarks/likelihood_coverage.py [N_SEEDS]

Machines with random weights, small enough for an exact log Z, of every pair of kinds of units,
with weak and strong weights. For each the estimates of N_SEEDS seeds (100 unless told), with 300
temperatures and 100 chains that start at chance. In nats: the mean error, the root of the mean
squared error (rms), the median of the standard error, and that of the distance between the bounds.
Shares of the seeds: with the error within 4 standard errors, with bounds that hold, and with a
`MixingWarning`. The bars: all within 4 standard errors, and 95 % of the bounds.
"""

import sys
import warnings
from itertools import product

import numpy as np

from skdbn import MixingWarning, RBMTransformer

N_SEEDS, N_TEMPERATURES = 100, 300
VISIBLE, HIDDEN = ("binary", "gaussian", "mixed"), ("binary", "gaussian")
SIZES = (6, 4), (16, 12)
STRENGTHS = {"weak": 0.3, "strong": 0.9}
ROUNDING = 1e-9


def machine(visible, hidden, size, strength):
    """Return a machine with random weights.

    Their largest singular value is `strength` between gaussian layers. Where the layers are not
    both real, the standard deviation of the weights is twice the strength.
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
    """Return the figures of one machine, in the order of the table."""
    exact, results, n_warned = rbm.log_partition("exact").value, [], 0
    for seed in range(n_seeds):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", MixingWarning)
            result = rbm.log_partition("ais", n_temperatures=N_TEMPERATURES, random_state=seed)
        results.append(result)
        n_warned += len(caught)
    value, lower, upper, error = np.array([result[:4] for result in results]).T
    errors = value - exact
    return (
        errors.mean(),
        np.sqrt((errors**2).mean()),
        np.median(error),
        np.median(upper - lower),
        np.mean(abs(errors) <= 4.0 * error + ROUNDING),
        np.mean((lower - ROUNDING <= exact) & (exact <= upper + ROUNDING)),
        n_warned / n_seeds,
    )


def main():
    n_seeds = int(sys.argv[1]) if len(sys.argv) > 1 else N_SEEDS
    print(
        "visible  hidden   size   weights     mean      rms       se    width   4 se bounds warned"
    )
    for visible, hidden, size, name in product(VISIBLE, HIDDEN, SIZES, STRENGTHS):
        figures = coverage(machine(visible, hidden, size, STRENGTHS[name]), n_seeds)
        print(
            f"{visible:8} {hidden:8} {size[0]:2}x{size[1]:<2}  {name:6}",
            "{:9.4f} {:8.4f} {:8.4f} {:8.4f} {:6.0%} {:6.0%} {:6.0%}".format(*figures),
            flush=True,
        )


if __name__ == "__main__":
    main()
