"""Question: what does the exact pseudo-log-likelihood cost beside the free energy.

    python benchmarks/score_samples.py [PASSES ...]

Both of 10,000 rows, by machines 784-500: an untrained one, one whose weights are all of scale 1,
and one for each number of passes of CD-1 over these rows, by default 3 and 30. Beside it the
loop over the visible units that states the definition, timed on every 98th of them.
"""

import sys

import numpy as np
from common import in_turns, mnist, print_setting, print_table, ratio
from threadpoolctl import threadpool_limits

from skdbn import RBMTransformer

N_ROWS, N_HIDDEN, BAR = 10_000, 500, 20
PASSES = (3, 30)
STRIDE = 98  # of the visible units that the loop is timed on


def _machines(X, passes):
    """Yield names and machines."""
    yield "untrained", RBMTransformer(N_HIDDEN, n_iter=0, random_state=0).fit(X)
    for n_iter in passes:
        yield f"{n_iter} passes", RBMTransformer(N_HIDDEN, n_iter=n_iter, random_state=0).fit(X)
    heavy = RBMTransformer(N_HIDDEN, n_iter=0, random_state=0).fit(X)
    heavy.components_ = np.random.default_rng(0).standard_normal(heavy.components_.shape, "f")
    yield "weights of scale 1", heavy


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0.0)


def log_probabilities(rbm, X, units):
    """Return ``log p(v_i | all other v)`` of some visible units by its definition."""
    result = []
    for start in range(0, len(X), 1024):
        v = X[start : start + 1024]
        x = v @ rbm.components_.T + rbm.intercept_hidden_
        for i in units:
            w = rbm.components_[:, i]
            off = x - v[:, i, None] * w
            log_odds = (softplus(off + w) - softplus(off)).sum(axis=1)
            log_odds += rbm.intercept_visible_[i]
            result.append(v[:, i] * log_odds - softplus(log_odds))
    return result


def track_score_samples_to_free_energy():
    X = mnist()[0][:N_ROWS]
    rbm = RBMTransformer(N_HIDDEN, n_iter=PASSES[0], random_state=0).fit(X)
    with threadpool_limits(1):
        energy, score = in_turns(lambda: rbm.free_energy(X), lambda: rbm.score_samples(X))
    return ratio(score, energy)


track_score_samples_to_free_energy.unit = "ratio"
track_score_samples_to_free_energy.timeout = 600


def main():
    print_setting()
    X = mnist()[0][:N_ROWS]
    units = range(0, X.shape[1], STRIDE)
    for name, rbm in _machines(X, [int(n) for n in sys.argv[1:]] or PASSES):
        with threadpool_limits(1):
            energy, score, loop = in_turns(
                lambda rbm=rbm: rbm.free_energy(X),
                lambda rbm=rbm: rbm.score_samples(X),
                lambda rbm=rbm: log_probabilities(rbm, X, units),
            )
        largest = f"{name}, largest weight {abs(rbm.components_).max():.2f}: "
        print_table(
            [
                (f"{largest}score_samples / free_energy", ratio(score, energy), f"<= {BAR}"),
                (f"{largest}loop / free_energy", STRIDE * ratio(loop, energy), ""),
            ]
        )


if __name__ == "__main__":
    main()
