"""The restricted Boltzmann machine as plain functions of arrays.

Energy of a state: ``E(v, h) = base(v) - a.v + base(h) - b.h - v W h``, where `base` belongs to the
units. Everything here is exact; approximations are in `gradients`.

The rule: no function keeps anything, or changes anything except `out`.
"""

import math
from typing import NamedTuple

LOG_ROOT_2_PI = 0.5 * math.log(2.0 * math.pi)


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
        """Return the number of weights of the largest layer.

        Returns
        -------
        int
            Number of weights.
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
        Where to write the result.

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
        Where to write the result.

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
        Where to write the result.

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
        Where to write the result.

    Returns
    -------
    ndarray of shape (n_rows, n_visible)
        Means.
    """
    x = visible_input(rbm, h, out=out)
    return rbm.visible_units.mean(x, out=x)


def independent_states(rbm, n_rows):
    """Draw visible states without input from the hidden units.

    Parameters
    ----------
    rbm : RBM
        The machine.
    n_rows : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n_rows, n_visible)
        States.
    """
    x = rbm.engine.zeros(n_rows, len(rbm.intercept_visible)) + rbm.intercept_visible
    mean = rbm.visible_units.mean(x, out=x)
    return rbm.visible_units.sample(mean, out=mean)


def binary_states(engine, n_units, n_at_once):
    """Yield all states of binary units, in blocks.

    Parameters
    ----------
    engine : engine
        Provides memory.
    n_units : int
        Number of units.
    n_at_once : int
        Number of states per block.

    Yields
    ------
    ndarray of shape (n_states, n_units)
        The next states.
    """
    xp = engine.xp
    for start in range(0, 2**n_units, n_at_once):
        numbers = xp.arange(start, min(start + n_at_once, 2**n_units))
        yield ((numbers[:, None] >> xp.arange(n_units)) & 1).astype(engine.dtype)


def gibbs_step(rbm, v, given=None, x=None):
    """Draw hidden states given the visible ones, then visible states given these.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states.
    given : ndarray of shape (n_rows, n_visible), optional
        Clamped visible states, NaN where a unit is free. The step then leaves the distribution of
        the free units given these unchanged, provided `v` agrees with them.
    x : ndarray of shape (n_rows, n_hidden), optional
        Input of the hidden units given v, if known; overwritten.

    Returns
    -------
    ndarray of shape (n_rows, n_visible)
        New visible states.
    """
    x = hidden_input(rbm, v) if x is None else x
    h = rbm.hidden_units.mean(x, out=x)
    h = rbm.hidden_units.sample(h, out=h)
    v = visible_mean(rbm, h)
    v = rbm.visible_units.sample(v, out=v)
    return v if given is None else clamped(rbm, v, given)


def clamped(rbm, v, given):
    """Return visible states with the given ones inserted.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v, given : ndarray of shape (n_rows, n_visible)
        Visible states; `given` is NaN where a unit is free.

    Returns
    -------
    ndarray of shape (n_rows, n_visible)
        `given`, and `v` where a unit is free.
    """
    xp = rbm.engine.xp
    return xp.where(xp.isnan(given), v, given)


def free_energy(rbm, v, x=None):
    """Return the free energy, ``-log p(v)`` up to the log of the partition function.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states.
    x : ndarray of shape (n_rows, n_hidden), optional
        Input of the hidden units given v, if known.

    Returns
    -------
    ndarray of shape (n_rows,)
        ``base(v) - a.v - sum_j log_partition(b_j + (v W)_j)``, in nats.
    """
    x = hidden_input(rbm, v) if x is None else x
    hidden = rbm.hidden_units.log_partition(x).sum(axis=1)
    return rbm.visible_units.base_energy(v).sum(axis=1) - v @ rbm.intercept_visible - hidden


def reconstruction_error(rbm, v, h, weights=None):
    """Return the mean squared difference between data and their reconstruction.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states.
    h : ndarray of shape (n_rows, n_hidden)
        Expected hidden states given v.
    weights : ndarray of shape (n_rows,), optional
        Weights of the rows.

    Returns
    -------
    float
        Mean over rows and units of ``(v - visible_mean(h))^2``.
    """
    difference = visible_mean(rbm, h)
    difference -= v
    if weights is not None:
        rows = (difference * difference).mean(axis=1)
        return float(rbm.engine.xp.average(rows, weights=weights))
    difference = difference.ravel()
    return float(difference @ difference) / difference.size
