"""
Gaussian units for continuous data
==================================

Measurements are no probabilities: standardise them and let the visible units be gaussian.
"""

# %%
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdbn import RBMTransformer

X, y = load_wine(return_X_y=True)
rbm = RBMTransformer(30, visible_units="gaussian", learning_rate=0.005, n_iter=200, random_state=0)
model = make_pipeline(StandardScaler(), rbm, LogisticRegression())
print(f"accuracy {cross_val_score(model, X, y, cv=5).mean():.3f}")

# %%
# Gaussian units want a learning rate of 0.001 to 0.01. Whether it is low enough shows in the curve:
from skdbn.plotting import LossCurveDisplay, ReconstructionDisplay

model.fit(X, y)
LossCurveDisplay.from_estimator(model[:2])

# %%
# Data that are no images are drawn as a heat map: a line for each wine, a column for each
# measurement. A machine alone is given the data as it sees them.
ReconstructionDisplay.from_estimator(model[1], model[0].transform(X[::15]))
