"""
Probing the hidden units
========================

Turn all hidden units off, then one on, and look at the picture: for every layer of a stack.
"""

# %%
from skdbn import DBNClassifier
from skdbn.datasets import load_digits
from skdbn.inspection import unit_statistics
from skdbn.plotting import ActivationDisplay, BiasProbeDisplay, SampleDisplay, UnitProbeDisplay

X, X_test, y, _ = load_digits()
net = DBNClassifier((100, 60), random_state=0).fit(X, y)

# %%
# With all units of a layer off the intercepts speak alone:
BiasProbeDisplay.from_estimator(net, X)

# %%
# What single units add to that, and take away. The most selective units of the first layer, those
# whose activation varies most over the test digits:
UnitProbeDisplay.from_estimator(net, layer=1, units="selective", X=X_test, n_rows=4)

# %%
# Units of the second layer draw through the first one:
UnitProbeDisplay.from_estimator(net, layer=2, n_rows=4)

# %%
# Most units are off for most digits, as they should be. Where units are dead or always on, all is
# in the first bin or the last:
ActivationDisplay.from_estimator(net, X_test)

# %%
# The same in numbers. ``fraction_saturated`` counts activations within 0.05 of 0 or 1, most of them
# units that are off; no unit is dead, that is, the same for every digit.
import pandas as pd

pd.DataFrame(unit_statistics(net, X_test))

# %%
# What the net draws when it is left to itself. Contrastive divergence is made for features; for
# better fantasies train with ``gradient="pcd"``, and for a hundred passes.
SampleDisplay.from_estimator(net, random_state=0)
