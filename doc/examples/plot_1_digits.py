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
# Pretraining, softmax phase and fine-tuning are one call of ``fit``. The second net is larger, and
# fine-tuned for longer, with noise on the pixels and with digits moved a step to where their loss
# grows. Both multiply their hidden units by noise, which is the default for so few rows.
default = DBNClassifier(random_state=0)
net = DBNClassifier(
    (300, 300), finetune_iter=120, input_noise=0.05, adversarial=0.5, random_state=0
)
models = {"nearest neighbours": KNeighborsClassifier(3), "default net": default, "chosen net": net}
for name, model in models.items():
    model.fit(X_train, y_train)
    print(f"{name:18} test error {1 - model.score(X_test, y_test):.2%}")

# %%
# These digits of 8 x 8 pixels are easy for nearest neighbours: 1437 of them cover the test digits
# well, and on this split the default net makes one error more. The chosen net wins, since it
# learns that a digit stays the same digit when its pixels change a little. This split flatters
# it: over five splits, as ``python -m skdbn`` makes them, its mean error is 0.94 %, that of
# nearest neighbours 1.50 % and that of the default net 1.33 %, with a spread of 0.3 to 0.4 % each.
# ``benchmarks/showcase.py`` chose its parameters, on training rows alone.
#
# How each phase went:
from skdbn.plotting import LossCurveDisplay, ReconstructionDisplay

LossCurveDisplay.from_estimator(net)

# %%
# What each layer keeps of the test digits, after the way up through the layers and back down:
ReconstructionDisplay.from_estimator(net, X_test)
