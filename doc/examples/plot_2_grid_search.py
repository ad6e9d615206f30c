"""
Grid search over layers and learning rate
=========================================

The sizes of the layers are a parameter of the classifier; the learning rate of the machines is a
parameter of their template. A grid search reaches both.
"""

# %%
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from skdbn import DBNClassifier, RBMTransformer

X, y = load_digits(return_X_y=True)

# %%
# The scaler turns pixels into probabilities, which suit binary units and rates of this size. It is
# part of the Pipeline, so it is fitted to the training folds only. A table of measurements needs no
# scaler, but it needs lower rates, from 0.001 to 0.01: see :ref:`scaling`.
net = DBNClassifier(rbm=RBMTransformer(n_iter=10), random_state=0)
model = Pipeline([("scale", MinMaxScaler()), ("net", net)])
grid = {
    "net__hidden_layer_sizes": [(50,), (100,), (50, 50)],
    "net__rbm__learning_rate": [0.005, 0.02, 0.1],
}
search = GridSearchCV(model, grid, cv=3).fit(X, y)

# %%
parameters = [f"param_{name}" for name in grid]
columns = [*parameters, "mean_test_score", "std_test_score"]
pd.DataFrame(search.cv_results_)[columns].sort_values("mean_test_score", ascending=False)

# %%
# All three nets improve as the rate rises; the lowest rate costs about two points of accuracy. At
# the highest rate the nets are within 0.6 points of each other, which is less than the spread from
# fold to fold. So here the rate matters more than the sizes of the layers.
#
# The same as a figure:
import matplotlib.pyplot as plt
import numpy as np

sizes, rates = grid["net__hidden_layer_sizes"], grid["net__rbm__learning_rate"]
scores = np.reshape(search.cv_results_["mean_test_score"], (len(sizes), len(rates)))
figure, ax = plt.subplots(figsize=(4, 3), layout="constrained")
image = ax.imshow(scores, cmap="gray")
ax.set_xticks(range(len(rates)), rates)
ax.set_yticks(range(len(sizes)), sizes)
ax.set(xlabel="learning rate of the machines", ylabel="hidden layers")
figure.colorbar(image, label="accuracy")
plt.show()
