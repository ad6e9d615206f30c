"""
Recognizing training that went wrong
====================================

Three mistakes and their symptoms: a learning rate that is too high, too few passes, and new data
that are not scaled like the training data.
"""

# %%
import warnings

from skdbn import DataRangeWarning, DivergenceError, RBMTransformer
from skdbn.datasets import load_digits
from skdbn.inspection import unit_statistics
from skdbn.plotting import BiasProbeDisplay, LossCurveDisplay, UnitProbeDisplay

X, X_test, _, _ = load_digits()
machines = {
    "as it should be": RBMTransformer(100, random_state=0),
    "rate too high": RBMTransformer(100, learning_rate=3.0, random_state=0),
    "too few passes": RBMTransformer(100, n_iter=1, learning_rate=0.01, random_state=0),
}
for name, rbm in machines.items():
    (statistics,) = unit_statistics(rbm.fit(X), X_test)
    print(
        f"{name:16} error {rbm.loss_curve_[-1]:.4f}, score {rbm.score(X_test):7.2f} nats, "
        f"{statistics.fraction_saturated:4.0%} near 0 or 1, {statistics.n_dead:3} dead units"
    )

# %%
# Both mistakes make the reconstruction error and the score worse. The hidden units show which of
# the two it was. In a good machine many activations are near 0, because most units are off for most
# digits. With too high a rate, all units are off for all digits and say nothing about them; a
# warning points this out. After too few passes, no unit is sure of anything, and more passes would
# help.
#
# With too high a rate, the curve jumps instead of falling,
LossCurveDisplay.from_estimator(machines["rate too high"])

# %%
# the intercepts draw patches of black and white,
BiasProbeDisplay.from_estimator(machines["rate too high"], X)

# %%
# and nearly all single units add nothing to them. Compare this with the good machine below.
UnitProbeDisplay.from_estimator(machines["rate too high"], n_rows=2)

# %%
UnitProbeDisplay.from_estimator(machines["as it should be"], n_rows=2)

# %%
# After too few passes, all units draw the same image, a trace of the mean of the data. Note the
# scale.
UnitProbeDisplay.from_estimator(machines["too few passes"], n_rows=2)

# %%
# If a machine that was trained on values in [0, 1] gets pixels from 0 to 16, it issues a warning:
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", DataRangeWarning)
    machines["as it should be"].transform(16 * X)
print(caught[0].message)

# %%
# Gaussian units with the rate of binary ones diverge. This raises an error and does not leave a
# half-trained machine behind:
try:
    RBMTransformer(100, visible_units="gaussian", learning_rate=0.1, random_state=0).fit(X)
except DivergenceError as error:
    print(error)
