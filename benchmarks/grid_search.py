"""Question: does a grid search in two processes take its turn well.

    python benchmarks/grid_search.py

A search over layer sizes on the digits: n_jobs=2 against n_jobs=1, and whether both give the same
scores. The processes of n_jobs=2 are started before the clock.
"""

import numpy as np
from common import in_turns, print_setting, print_table, ratio
from sklearn.model_selection import GridSearchCV

from skdbn import DBNClassifier, RBMTransformer
from skdbn.datasets import load_digits

GRID = {"hidden_layer_sizes": [(50,), (100,), (50, 50), (100, 100)]}


def _search(n_jobs):
    net = DBNClassifier(rbm=RBMTransformer(n_iter=10), random_state=0)
    return GridSearchCV(net, GRID, cv=3, n_jobs=n_jobs)


def _seconds_and_scores():
    X, _, y, _ = load_digits()
    searches = [_search(n_jobs) for n_jobs in (1, 2)]
    one, two = in_turns(*(lambda search=search: search.fit(X, y) for search in searches))
    scores = [search.cv_results_["mean_test_score"] for search in searches]
    return one, two, bool(np.array_equal(*scores))


def track_two_jobs_to_one():
    one, two, _ = _seconds_and_scores()
    return ratio(two, one)


track_two_jobs_to_one.unit, track_two_jobs_to_one.timeout = "ratio", 1200


def main():
    print_setting()
    one, two, same = _seconds_and_scores()
    print_table(
        [
            ("GridSearchCV on digits, n_jobs=2 / n_jobs=1", ratio(two, one), "<= 1.1"),
            ("the same mean_test_score in cv_results_", "yes" if same else "no", "yes"),
        ]
    )


if __name__ == "__main__":
    main()
