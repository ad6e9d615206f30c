"""
Digits, end to end
==================

A deep belief net on the handwritten digits that come with scikit-learn, beside nearest neighbours.
"""

# %%
# Pixels in [0, 1] are probabilities to the binary units of the first layer.
from sklearn.neighbors import KNeighborsClassifier

from skdbn import DBNClassifier
from skdbn.datasets import load_digits

X_train, X_test, y_train, y_test = load_digits()

# %%
# Pretraining, softmax phase and fine-tuning are one call of ``fit``.
net = DBNClassifier(hidden_layer_sizes=(100, 100), random_state=0).fit(X_train, y_train)
neighbors = KNeighborsClassifier(3).fit(X_train, y_train)
for model in (neighbors, net):
    print(f"{type(model).__name__:22} test error {1 - model.score(X_test, y_test):.2%}")

# %%
# These digits of 8 x 8 pixels are easy for nearest neighbours: 1437 of them cover the test digits
# well. On MNIST the net wins, as the README of the project shows.
#
# How each phase went:
from skdbn.plotting import LossCurveDisplay, ReconstructionDisplay

LossCurveDisplay.from_estimator(net)

# %%
# What each layer keeps of the test digits, after the way up through the layers and back down:
ReconstructionDisplay.from_estimator(net, X_test)
