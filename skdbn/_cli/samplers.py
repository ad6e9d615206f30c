"""The machines that fantasies come from.

The rule: a model is never changed; what is trained here serves the figures alone.
"""

import copy
import math
import warnings

import numpy as np

from skdbn import RBMTransformer
from skdbn._cli.outcome import predicts

# About 20 s of a core for 500 units on the 500 below, whatever the number of rows.
N_MINIBATCHES, BATCH_SIZE, MOST_ROWS = 3600, 100, 60_000
FOR_SAMPLES = {
    "gradient": "ptt",
    "learning_rate": 0.1,
    "learning_rate_schedule": "linear",
    "centering": True,
    "sample_visible": True,
    "weight_decay": 0.0,
}


def sampler_of(model, X):
    """Return a model with a top RBM trained for samples, or the model itself.

    Contrastive divergence trains RBMs for features, and their chains seldom mix. So the top one is
    replaced by one that is trained by tempering on the same states of the layer below. This takes
    only binary units, and a trained net that is no Pipeline.

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
    if X.shape[0] > MOST_ROWS:
        X = X[np.sort(np.random.default_rng(0).permutation(X.shape[0])[:MOST_ROWS])]
    for rbm in below:
        X = rbm.transform(X)
    n_samples, n_visible = X.shape
    batch_size = min(BATCH_SIZE, n_samples)
    n_components = min(top.n_components, n_visible)
    n_iter = math.ceil(N_MINIBATCHES * batch_size / n_samples)
    rbm = RBMTransformer(
        n_components, n_iter=n_iter, batch_size=batch_size, random_state=0, **FOR_SAMPLES
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what has become of the units: they are not shown
        rbm.fit(X)
    sampler = copy.copy(model)
    sampler.rbms_ = [*below, rbm]
    return sampler


def _can_be_improved(top):
    """Tell whether a top RBM was trained for features, and has only binary units."""
    # Offset and scale are 0 and 1 for binary units whose data are not mapped.
    is_binary = top.hidden_units == "binary" and set(top.visible_units_) == {"binary"}
    return top.gradient == "cd" and is_binary and not top.offset_.any() and (top.scale_ == 1).all()
