"""Question: what does `import skdbn` cost someone who uses scikit-learn anyway.

    python benchmarks/import_time.py

Milliseconds between ``import sklearn.neural_network`` and the end of ``import skdbn``, each time in
a new process.
"""

import statistics
import subprocess
import sys

from common import print_setting, print_table

N_PROCESSES = 11
CODE = """
import time
import sklearn.neural_network
start = time.perf_counter()
import skdbn
print(1000 * (time.perf_counter() - start))
import sys
assert "matplotlib" not in sys.modules
"""


def track_import():
    runs = (
        subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
        for _ in range(N_PROCESSES)
    )
    return statistics.median(float(run.stdout) for run in runs)


track_import.unit = "milliseconds"


def main():
    print_setting()
    milliseconds = f"{track_import():.1f} ms"
    print_table([("import skdbn beyond sklearn.neural_network", milliseconds, "<= 30 ms")])


if __name__ == "__main__":
    main()
