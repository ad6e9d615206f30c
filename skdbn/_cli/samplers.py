"""The machines that fantasies come from.

The rule: a model is never changed; what is trained here serves the figures alone.
"""

import copy
import math

import numpy as np

from skdbn import DivergenceError, InterruptedTrainingWarning, RBMTransformer
from skdbn._cli.notices import warnings_collected
from skdbn._cli.outcome import predicts

MOST_ROWS = 60_000
# With minibatches of 100 rows, about 25 s of a core for 500 units on the 500 below.
N_ROWS_OF_ALL_PASSES, MOST_PASSES = 540_000, 200
N_MINIBATCHES, BATCH_SIZES = 200, (10, 100)  # of a pass, and the limits of their rows
MOST_WEIGHTS = 500_000  # with more it would take minutes
FOR_SAMPLES = {
    "gradient": "ptt",
    "learning_rate": 0.3,
    "learning_rate_schedule": "linear",
    "centering": True,
    "sample_visible": True,
    "weight_decay": 0.0,
    "visible_units": "binary",
    "random_state": 0,
}


def sampler_of(model, X):
    """Return a model with a top RBM trained for samples, or the model itself.

    Contrastive divergence trains RBMs for features, and their chains often do not mix. So a top one
    of binary units is replaced by one that is trained by tempering on the same states of the layer
    below, unless that would take long or fails. Pipelines are left as they are, and so are nets
    that have not been trained to predict.

    Parameters
    ----------
    model : DBNClassifier, DBNRegressor or Pipeline
        The model.
    X : {array, sparse matrix} of shape (n_samples, n_features)
        Training rows.

    Returns
    -------
    DBNClassifier, DBNRegressor or Pipeline
        A copy of the net, or the model.
    """
    if hasattr(model, "steps") or not predicts(model) or not _can_be_improved(model.rbms_[-1]):
        return model
    *below, top = model.rbms_
    n_components, n_visible = top.components_.shape
    n_components = min(n_components, n_visible)
    if n_components * n_visible > MOST_WEIGHTS:
        return model
    if X.shape[0] > MOST_ROWS:
        X = X[np.sort(np.random.default_rng(0).permutation(X.shape[0])[:MOST_ROWS])]
    n_samples = X.shape[0]
    batch_size = min(n_samples, int(np.clip(n_samples // N_MINIBATCHES, *BATCH_SIZES)))
    n_iter = min(MOST_PASSES, math.ceil(N_ROWS_OF_ALL_PASSES / n_samples))
    rbm = RBMTransformer(n_components, n_iter=n_iter, batch_size=batch_size, **FOR_SAMPLES)
    with warnings_collected() as caught:
        for machine in below:
            X = np.asarray(machine.transform(X))
        try:
            rbm.fit(X)
        except (DivergenceError, MemoryError):
            return model
    if any(issubclass(category, InterruptedTrainingWarning) for _, category in caught):
        return model
    sampler = copy.copy(model)
    sampler.rbms_ = [*below, rbm]
    return sampler


def _can_be_improved(top):
    """Tell whether a top RBM was trained for features, and has only binary units."""
    # Offset and scale are 0 and 1 for binary units whose data are not mapped.
    is_binary = top._units[1] == "binary" and set(top.visible_units_) == {"binary"}
    return top.gradient == "cd" and is_binary and not top.offset_.any() and (top.scale_ == 1).all()
