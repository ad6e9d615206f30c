"""Settings that must stand before anything is imported."""

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # else scikit-learn's array API checks skip in silence
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices; threads only wait here
os.environ["MPLBACKEND"] = "Agg"  # draw, but open no windows
