"""Exact answers for machines small enough to visit every state.

Nothing here uses the functions under test: energies are written out again, and sums run over
all states of both layers. Real units are put on a fine grid, where sums are integrals to many
digits.
"""

from itertools import product

import numpy as np
from scipy.special import logsumexp

from skdbn._maths.boltzmann import RBM
from skdbn._maths.engines import NumpyEngine
from skdbn._maths.units import UNITS

GRID = np.linspace(-8.0, 8.0, 41)  # for real units; sums of smooth densities converge fast


def make_rbm(weights, a, b, visible="binary", hidden="binary", seed=0, dtype=np.float64):
    engine = NumpyEngine(dtype, seed)
    arrays = (np.ascontiguousarray(array, dtype) for array in (weights, a, b))
    return RBM(*arrays, UNITS[visible](engine), UNITS[hidden](engine), engine)


def sine_rbm(n_visible, n_hidden, visible="binary"):
    """The deterministic machine whose exact quantities are known from elsewhere."""
    i, j = np.arange(n_visible), np.arange(n_hidden)
    weights = np.sin(1 + i[:, None] * n_hidden + j)
    return make_rbm(weights, 0.1 * (i - 2), -0.2 * j, visible=visible)


def random_rbm(n_visible, n_hidden, visible="binary", hidden="binary", seed=0):
    """A machine with strong weights and intercepts, so that a forgotten term shows."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(n_visible, n_hidden))
    if visible == hidden == "gaussian":
        weights *= 0.6 / np.linalg.norm(weights, 2)  # else the density has no integral
    a, b = 2.0 * rng.normal(size=n_visible), 2.0 * rng.normal(size=n_hidden)
    if "gaussian" in (visible, hidden):
        a, b = a / 3.0, b / 3.0  # keeps the mass on the grid
        weights /= 1.5
    return make_rbm(weights, a, b, visible, hidden)


def levels(units):
    """The values a unit takes."""
    return np.array([0.0, 1.0]) if units.binary else GRID


def layer_states(units, n_units):
    """All states of a layer, one per row, and the log of the volume each stands for."""
    values = levels(units)
    log_volume = 0.0 if units.binary else n_units * np.log(values[1] - values[0])
    return np.array(list(product(values, repeat=n_units))), log_volume


def base(units, u):
    return 0.0 * u.sum(axis=1) if units.binary else 0.5 * (u**2).sum(axis=1)


def log_joint(rbm):
    """Visible states, hidden states, and -E for each pair, volumes included."""
    v, log_volume_v = layer_states(rbm.visible_units, rbm.weights.shape[0])
    h, log_volume_h = layer_states(rbm.hidden_units, rbm.weights.shape[1])
    visible = v @ rbm.intercept_visible - base(rbm.visible_units, v) + log_volume_v
    hidden = h @ rbm.intercept_hidden - base(rbm.hidden_units, h) + log_volume_h
    return v, h, visible[:, None] + hidden[None, :] + v @ rbm.weights @ h.T


def log_partition_function(rbm):
    return logsumexp(log_joint(rbm)[2])


def visible_distribution(rbm):
    """All visible states and their exact probabilities."""
    v, _, joint = log_joint(rbm)
    log_p = logsumexp(joint, axis=1)
    return v, np.exp(log_p - logsumexp(log_p))


def log_likelihood(rbm, v):
    """Exact log-likelihood of binary visible states, summed over hidden states."""
    h, _ = layer_states(rbm.hidden_units, rbm.weights.shape[1])
    joint = (v @ rbm.intercept_visible)[:, None] + h @ rbm.intercept_hidden + v @ rbm.weights @ h.T
    return logsumexp(joint, axis=1) - log_partition_function(rbm)


def log_conditional(rbm, v, i):
    """log p(v_i | all other v), the sum over both states, or over a fine grid, written out."""
    weights, a, b = (np.asarray(array, float) for array in rbm[:3])
    units, v = rbm.visible_units.of_column(i), np.asarray(v, float)

    def log_p(values):
        state = v.copy()
        state[:, i] = values
        x = state @ weights + b
        hidden = np.logaddexp(0.0, x) if rbm.hidden_units.binary else 0.5 * x**2
        return a[i] * state[:, i] - base(units, state[:, i, None]) + hidden.sum(axis=1)

    if units.binary:
        off, on, share = log_p(0.0), log_p(1.0), np.clip(v[:, i], 0.0, 1.0)
        return share * on + (1.0 - share) * off - np.logaddexp(off, on)
    grid = np.linspace(-40.0, 40.0, 801)
    total = logsumexp([log_p(value) for value in grid], axis=0)
    return log_p(v[:, i]) - total - np.log(grid[1] - grid[0])


def likelihood_gradient(rbm, data):
    """Exact gradient of the mean log-likelihood: data minus model expectation."""
    v, h, joint = log_joint(rbm)
    p = np.exp(joint - logsumexp(joint))
    h_given_data = 1 / (1 + np.exp(-(data @ rbm.weights + rbm.intercept_hidden)))
    return [
        data.T @ h_given_data / len(data) - v.T @ p @ h,
        data.mean(axis=0) - v.T @ p.sum(axis=1),
        h_given_data.mean(axis=0) - p.sum(axis=0) @ h,
    ]


def bars_and_stripes(size):
    """The distinct patterns of bars or stripes on a square: 14 for size 3."""
    lines = np.array(list(product([0.0, 1.0], repeat=size)))
    bars = np.repeat(lines[:, :, None], size, axis=2)
    patterns = np.concatenate([bars, bars.transpose(0, 2, 1)]).reshape(-1, size * size)
    return np.unique(patterns, axis=0)


def targets(head, rng, n_rows, n_outputs, dtype=float):
    """What belongs to rows, as a head reads it; numbers for a head that is not known here."""
    draw = {
        "softmax": lambda: rng.integers(0, n_outputs, n_rows),
        "logistic": lambda: rng.integers(0, 2, (n_rows, n_outputs)).astype(dtype),
        "poisson": lambda: rng.poisson(2.0, (n_rows, n_outputs)).astype(dtype),
    }.get(head, lambda: rng.normal(size=(n_rows, n_outputs)).astype(dtype))
    return draw()
