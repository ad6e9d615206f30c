"""Settings that must stand before anything is imported."""

import os
from importlib.metadata import version

os.environ["SCIPY_ARRAY_API"] = "1"  # else scikit-learn's array API checks skip in silence
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices; threads only wait here
os.environ["MPLBACKEND"] = "Agg"  # draw, but open no windows

if version("scikit-learn").startswith("1.8."):  # which has no callbacks to show in an example
    collect_ignore = ["skdbn/_files/checkpoint.py"]
