"""
Regression
==========

Predicting a number instead of a class: :class:`~skdbn.DBNRegressor` compared with a linear model
and a network without pretraining.
"""

# %%
# Friedman's second function has four columns on very different scales, and targets up to about
# 1800. The net takes the columns and the targets as they are.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_friedman2
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdbn import DBNRegressor

X, y = make_friedman2(1000, noise=50.0, random_state=0)
X, X_test, y, y_test = train_test_split(X, y, random_state=0)


def draw(models, y):
    """Fit models and plot their predictions against the true values."""
    size = (3 * len(models), 3.2)
    _, axes = plt.subplots(1, len(models), figsize=size, sharey=True, layout="constrained")
    for ax, (name, model) in zip(axes, models.items(), strict=True):
        predicted = model.fit(X, y).predict(X_test)
        ax.scatter(y_test, predicted, s=6)
        ax.axline((0, 0), slope=1, color="0.6", linewidth=1)
        ax.set_title(f"{name}\n$R^2$ = {model.score(X_test, y_test):.3f}", fontsize="medium")
        ax.set_xlabel("true")
    axes[0].set_ylabel("predicted")
    plt.show()


# %%
# ``MLPRegressor`` needs scaled columns and scaled targets.
mlp = TransformedTargetRegressor(
    MLPRegressor(max_iter=1000, random_state=0), transformer=StandardScaler()
)
models = {
    "Ridge": make_pipeline(StandardScaler(), Ridge()),
    "MLPRegressor": make_pipeline(StandardScaler(), mlp),
    "DBNRegressor": DBNRegressor(random_state=0),
}
draw(models, y)

# %%
# ``MLPRegressor`` and ``DBNRegressor`` both follow the curve, and the straight line cannot. Now
# every twentieth target of the training rows is ten times too large. With the squared error the net
# follows the outliers; with the absolute error, which predicts medians, it does not.
spoilt = np.where(np.arange(len(y)) % 20 == 0, 10 * y, y)
losses = ("squared_error", "absolute_error")
# sphinx_gallery_thumbnail_number = 2
draw({f"loss={loss!r}": DBNRegressor(loss=loss, random_state=0) for loss in losses}, spoilt)
