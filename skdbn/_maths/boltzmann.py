"""The restricted Boltzmann machine as plain functions of arrays.

Energy of a state: ``E(v, h) = base(v) - a.v + base(h) - b.h - v W h``, where `base` belongs to
the units. Everything here is exact; approximations live with the gradients.

The rule: no function keeps or changes anything but the memory it is handed as `out`.
"""

import math
from typing import NamedTuple

LOG_ROOT_2_PI = 0.5 * math.log(2.0 * math.pi)
TAIL = 8.0  # standard deviations beyond the outer peaks of a mixture where nothing is left
WIDEST = 10_000.0  # mixture that is summed; weights that make a wider one have run away
N_ITERATIONS = 3  # towards those peaks, which need not be reached


class RBM(NamedTuple):
    """A restricted Boltzmann machine.

    Attributes
    ----------
    weights : ndarray of shape (n_visible, n_hidden)
        Weights W.
    intercept_visible : ndarray of shape (n_visible,)
        Intercepts a.
    intercept_hidden : ndarray of shape (n_hidden,)
        Intercepts b.
    visible_units, hidden_units : units
        Members of `skdbn._maths.units.UNITS`.
    engine : engine
        Member of `skdbn._maths.engines.ENGINES`.
    """

    weights: object
    intercept_visible: object
    intercept_hidden: object
    visible_units: object
    hidden_units: object
    engine: object

    @property
    def n_weights_of_largest_layer(self):
        """Return how many weights the largest layer has.

        Returns
        -------
        int
            Their number.
        """
        return self.weights.size


def hidden_input(rbm, v, out=None):
    """Return the input of the hidden units.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states.
    out : ndarray of shape (n_rows, n_hidden), optional
        Where the result goes.

    Returns
    -------
    ndarray of shape (n_rows, n_hidden)
        ``v W + b``.
    """
    return rbm.engine.affine(v, rbm.weights, rbm.intercept_hidden, out=out)


def visible_input(rbm, h, out=None):
    """Return the input of the visible units.

    Parameters
    ----------
    rbm : RBM
        The machine.
    h : ndarray of shape (n_rows, n_hidden)
        Hidden states.
    out : ndarray of shape (n_rows, n_visible), optional
        Where the result goes.

    Returns
    -------
    ndarray of shape (n_rows, n_visible)
        ``h W^T + a``.
    """
    return rbm.engine.affine(h, rbm.weights.T, rbm.intercept_visible, out=out)


def hidden_mean(rbm, v, out=None):
    """Return the expected hidden states given the visible ones.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states.
    out : ndarray of shape (n_rows, n_hidden), optional
        Where the result goes.

    Returns
    -------
    ndarray of shape (n_rows, n_hidden)
        Means.
    """
    x = hidden_input(rbm, v, out=out)
    return rbm.hidden_units.mean(x, out=x)


def visible_mean(rbm, h, out=None):
    """Return the expected visible states given the hidden ones.

    Parameters
    ----------
    rbm : RBM
        The machine.
    h : ndarray of shape (n_rows, n_hidden)
        Hidden states.
    out : ndarray of shape (n_rows, n_visible), optional
        Where the result goes.

    Returns
    -------
    ndarray of shape (n_rows, n_visible)
        Means.
    """
    x = visible_input(rbm, h, out=out)
    return rbm.visible_units.mean(x, out=x)


def gibbs_step(rbm, v):
    """Draw hidden states given the visible ones, then visible given hidden.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states.

    Returns
    -------
    ndarray of shape (n_rows, n_visible)
        New visible states.
    """
    h = hidden_mean(rbm, v)
    h = rbm.hidden_units.sample(h, out=h)
    v = visible_mean(rbm, h)
    return rbm.visible_units.sample(v, out=v)


def free_energy(rbm, v):
    """Return the free energy, ``-log p(v)`` up to the log of the partition function.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states.

    Returns
    -------
    ndarray of shape (n_rows,)
        ``base(v) - a.v - sum_j log_partition(b_j + (v W)_j)``, in nats.
    """
    hidden = rbm.hidden_units.log_partition(hidden_input(rbm, v)).sum(axis=1)
    return rbm.visible_units.base_energy(v).sum(axis=1) - v @ rbm.intercept_visible - hidden


def pseudo_log_likelihood(rbm, v):
    """Return the pseudo-log-likelihood of visible states.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states. A value of a binary unit between 0 and 1 is a probability: its two states
        are weighted.

    Returns
    -------
    ndarray of shape (n_rows,)
        ``sum_i log p(v_i | all other v)``, in nats; of gaussian units p is a density. It is exact
        to rounding for binary units, and to about 1e-8 nats a unit for gaussian ones.

    References
    ----------
    Besag (1975), "Statistical analysis of non-lattice data".
    """
    x = hidden_input(rbm, v)
    result = rbm.engine.zeros(len(v))
    for i, weights in enumerate(rbm.weights):
        off = x - v[:, i, None] * weights  # (n_rows, n_hidden), the input with unit i at 0
        is_binary = rbm.visible_units.of_column(i).discrete
        conditional = _log_probability if is_binary else _log_density
        result += conditional(rbm, i, v[:, i], off)
    return result


def _log_probability(rbm, i, v, off):
    """Return ``log p(v_i | all other v)`` of a binary unit, given the hidden inputs without it."""
    log_partition = rbm.hidden_units.log_partition
    log_odds = (log_partition(off + rbm.weights[i]) - log_partition(off)).sum(axis=1)
    log_odds += rbm.intercept_visible[i]
    return v * log_odds - rbm.visible_units.of_column(i).log_partition(log_odds)


def _log_density(rbm, i, v, off):
    """Return ``log p(v_i | all other v)`` of a gaussian unit, given the hidden inputs without it.

    Given binary hidden units the density is a mixture of normal densities of variance 1, whose
    sum over points that are 1 apart is its integral to 5e-9. All its peaks lie between the fixed
    points that iterations of ``u -> E[v_i | hidden means at u]`` reach from both ends.
    """
    weights, intercept, hidden = rbm.weights[i], rbm.intercept_visible[i], rbm.hidden_units
    if not hidden.discrete:  # one normal density, as long as there is one
        precision = 1.0 - weights @ weights
        mean = (intercept + off @ weights) / precision
        with_precision = 0.5 * rbm.engine.xp.log(precision) - 0.5 * precision * (v - mean) ** 2
        return with_precision - LOG_ROOT_2_PI

    def log_mass(u):
        inputs = off + u[:, None] * weights
        return intercept * u - 0.5 * u * u + hidden.log_partition(inputs).sum(axis=1)

    low = intercept + 0.0 * v + weights[weights < 0.0].sum()
    high = intercept + 0.0 * v + weights[weights > 0.0].sum()
    for _ in range(N_ITERATIONS):
        low, high = (
            intercept + hidden.mean(off + u[:, None] * weights) @ weights for u in (low, high)
        )
    width = float((high - low).max()) + 2.0 * TAIL
    if not width <= WIDEST:
        return v * math.nan
    total = log_mass(low - TAIL)
    for k in range(1, math.ceil(width) + 1):
        total = rbm.engine.xp.logaddexp(total, log_mass(low - TAIL + k))
    return log_mass(v) - total


def reconstruction_error(rbm, v, h=None, weights=None):
    """Return the mean squared difference between data and their reconstruction.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states.
    h : ndarray of shape (n_rows, n_hidden), optional
        Expected hidden states given v, where they are known.
    weights : ndarray of shape (n_rows,), optional
        Weights of the rows.

    Returns
    -------
    float
        Mean over rows and units of ``(v - visible_mean(hidden_mean(v)))^2``.
    """
    difference = visible_mean(rbm, hidden_mean(rbm, v) if h is None else h)
    difference -= v
    if weights is not None:
        rows = (difference * difference).mean(axis=1)
        return float(rbm.engine.xp.average(rows, weights=weights))
    difference = difference.ravel()
    return float(difference @ difference) / difference.size
