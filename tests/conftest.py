"""Settings that must stand before anything is imported."""

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # else scikit-learn's array API checks skip in silence
