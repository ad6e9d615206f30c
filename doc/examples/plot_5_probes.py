"""
Probing the hidden units
========================

Turn all hidden units off, then turn on a single one, and look at the image. This works for every
layer of a stack.
"""

# %%
from skdbn import DBNClassifier
from skdbn.datasets import load_digits
from skdbn.inspection import unit_statistics
from skdbn.plotting import ActivationDisplay, BiasProbeDisplay, SampleDisplay, UnitProbeDisplay

X, X_test, y, _ = load_digits()
net = DBNClassifier((100, 60), random_state=0).fit(X, y)

# %%
# With all units of a layer off, only the intercepts remain:
BiasProbeDisplay.from_estimator(net, X)

# %%
# What single units add to that image, and what they take away. These are the most selective units
# of the first layer, whose activation varies most over the test digits:
UnitProbeDisplay.from_estimator(net, layer=1, units="selective", X=X_test, n_rows=4)

# %%
# Units of the second layer draw through the first layer:
UnitProbeDisplay.from_estimator(net, layer=2, n_rows=4)

# %%
# Most units are off for most digits, as they should be. If units were dead or always on, everything
# would be in the first bin or in the last:
ActivationDisplay.from_estimator(net, X_test)

# %%
# The same in numbers. ``fraction_saturated`` is the share of activations within 0.05 of 0 or 1,
# most of which belong to units that are off. No unit is dead, that is, the same for every digit.
import pandas as pd

pd.DataFrame(unit_statistics(net, X_test))

# %%
# Samples of the net. Contrastive divergence is good for features; for better samples, train with
# ``gradient="pcd"`` and for a hundred passes.
SampleDisplay.from_estimator(net, random_state=0)
