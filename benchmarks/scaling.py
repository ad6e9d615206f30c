"""Question: does the time of a pass grow in proportion to the rows.

    python benchmarks/scaling.py

A pass of CD-1, 784 x 500, batch 100, over 6,000, 20,000 and 60,000 rows: time per row, as a ratio
to that of 60,000 rows.
"""

from common import in_turns, mnist, print_setting, print_table, ratio

from skdbn import RBMTransformer

N_ROWS = (6_000, 20_000, 60_000)


def _fit(X):
    rbm = RBMTransformer(500, batch_size=100, n_iter=1, random_state=0)
    return lambda: rbm.fit(X)


def _ratios():
    """Return the time per row for each number of rows, relative to the last."""
    X = mnist()[0]
    seconds = in_turns(*(_fit(X[:n_rows]) for n_rows in N_ROWS))
    return [
        ratio(taken, seconds[-1]) * N_ROWS[-1] / n_rows
        for taken, n_rows in zip(seconds, N_ROWS, strict=True)
    ]


def track_time_per_row():
    return max(abs(relative - 1.0) for relative in _ratios())


track_time_per_row.unit, track_time_per_row.timeout = "largest deviation", 600


def main():
    print_setting()
    print_table(
        [
            (f"{n_rows} rows: time per row / that of {N_ROWS[-1]}", relative, "0.9 to 1.1")
            for n_rows, relative in zip(N_ROWS, _ratios(), strict=True)
        ]
    )


if __name__ == "__main__":
    main()
