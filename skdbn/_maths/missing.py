"""Rows in which some visible units are not observed.

The rule: NaN marks a unit that is not observed. It is filled with the state that the machine
expects given the observed ones. If a chain starts at the data, the unit keeps that state in both
phases of the gradient, so unknown values have no influence; otherwise it is drawn. Sums over it are
exact, or refused.

References
----------
Salakhutdinov, Mnih and Hinton (2007), "Restricted Boltzmann machines for collaborative filtering",
whose machine of a row has no units but the observed ones.
"""

import math

from skdbn._maths.boltzmann import (
    binary_states,
    free_energy,
    gibbs_step,
    hidden_input,
    hidden_mean,
    visible_mean,
)
from skdbn._maths.pseudo_likelihood import gaussian_conditional, pseudo_log_likelihood

N_FILLS = 2  # iterations of the mean field, starting without input
N_DRAWS = 2  # Gibbs steps from the mean field
N_SWEEPS = 2  # over the imputed units
MOST_SUMMED = 20  # binary units whose states are enumerated
N_VISITED = 4096  # states per block


class ClampedUnits:
    """Units some of which are clamped, different ones in each row.

    Parameters
    ----------
    units : units
        The units. Only the methods that gradient estimators use are wrapped.
    free : ndarray of shape (n_rows, n_units)
        0 where a unit is clamped, else 1.
    states : ndarray of shape (n_rows, n_units)
        States of the clamped units; 0 for the others.
    engine : engine
        Provides arithmetic.
    """

    def __init__(self, units, free, states, engine):
        self.units, self.free, self.states, self.engine = units, free, states, engine

    def _with_states(self, u, out):
        """Return states of free units, with those of clamped units inserted."""
        u = self.engine.xp.multiply(u, self.free, out=out)
        u += self.states
        return u

    def mean(self, x, out=None):
        """Return the expected state given the input.

        Parameters
        ----------
        x : ndarray of shape (n_rows, n_units)
            Inputs.
        out : ndarray, optional
            Where to write the result; may be `x` itself.

        Returns
        -------
        ndarray of the shape of x
            Means.
        """
        return self._with_states(self.units.mean(x, out=out), out)

    def sample(self, mean, out=None):
        """Draw states given their means.

        Parameters
        ----------
        mean : ndarray of shape (n_rows, n_units)
            Means.
        out : ndarray, optional
            Where to write the states; may be `mean` itself.

        Returns
        -------
        ndarray of the shape of mean
            States.
        """
        return self._with_states(self.units.sample(mean, out=out), out)


def fill(rbm, v):
    """Fill unobserved units with their expected states, in place.

    The states are those of a mean field: expected hidden states given the visible ones and expected
    visible states given these, in turns. At first the unobserved units give no input.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states, NaN where a unit is not observed.

    Returns
    -------
    ndarray of bool of shape (n_rows, n_visible)
        Where a unit is not observed.
    """
    xp, are_missing = rbm.engine.xp, v != v
    xp.copyto(v, 0.0, where=are_missing)
    h = rbm.engine.buffer("hidden means", len(v), rbm.weights.shape[1])
    mean = rbm.engine.buffer("visible means", *v.shape)
    for _ in range(N_FILLS):
        visible_mean(rbm, hidden_mean(rbm, v, out=h), out=mean)
        xp.copyto(v, mean, where=are_missing)
    return are_missing


def conditional_machine(rbm, v):
    """Fill unobserved units in place; return the machine with these units clamped.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states, NaN where a unit is not observed.

    Returns
    -------
    RBM
        The machine with `ClampedUnits`. With it, an estimator of the log-likelihood gradient
        estimates that of ``log p(observed units | the others as filled)``.
    """
    are_missing = fill(rbm, v)
    free = (~are_missing).astype(v.dtype)
    return rbm._replace(
        visible_units=ClampedUnits(rbm.visible_units, free, v - v * free, rbm.engine)
    )


def draw(rbm, v):
    """Draw unobserved units given the observed ones, in place.

    A mean over such rows estimates the mean over the distribution of the missing states. The chains
    are short: the more is missing, the closer they stay to the mean field, where they start.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states, NaN where a unit is not observed.
    """
    given = v.copy()
    fill(rbm, v)
    for _ in range(N_DRAWS):
        v[...] = gibbs_step(rbm, v, given)


def hidden_mean_given_observed(rbm, v, out=None):
    """Return the hidden states of the mean field given the observed units.

    They approximate the expected states, and are exact if all units are observed.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states, NaN where a unit is not observed; they are filled in place.
    out : ndarray of shape (n_rows, n_hidden), optional
        Where to write the result.

    Returns
    -------
    ndarray of shape (n_rows, n_hidden)
        Means.
    """
    fill(rbm, v)
    return hidden_mean(rbm, v, out=out)


def pseudo_log_likelihood_of_observed(rbm, v):
    """Return the pseudo-log-likelihood of the observed units, the others being typical.

    Unobserved units get the states of a mean field in which no unit is observed, the same in each
    row: states filled in from a row would already tell of the unit that is scored.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states, NaN where a unit is not observed; they are filled in place.

    Returns
    -------
    ndarray of shape (n_rows,)
        Sums over the observed units of each row, in nats; 0 if there are none.
    """
    xp, are_missing = rbm.engine.xp, v != v
    typical = xp.full_like(v[:1], math.nan)
    fill(rbm, typical)
    xp.copyto(v, typical, where=are_missing)
    return pseudo_log_likelihood(rbm, v, ~are_missing)


def imputed(rbm, v, out=None):
    """Return visible states with expected ones for unobserved units.

    Each becomes its exact expectation given all others, one unit after another, in a few sweeps.
    Unlike in a mean field of whole layers, a unit's own state does not reinforce itself.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states, NaN where a unit is not observed; they are filled in place.
    out : ndarray of shape (n_rows, n_visible), optional
        Where to write the result.

    Returns
    -------
    ndarray of shape (n_rows, n_visible)
        The states.
    """
    are_missing = fill(rbm, v)
    x = hidden_input(rbm, v)
    for _ in range(N_SWEEPS):
        for i in are_missing.any(axis=0).nonzero()[0]:
            rows = are_missing[:, i].nonzero()[0]
            off = x[rows] - v[rows, i, None] * rbm.weights[i]
            v[rows, i] = _expected(rbm, i, off)
            x[rows] = off + v[rows, i, None] * rbm.weights[i]
    if out is None:
        return v
    out[...] = v
    return out


def _expected(rbm, i, off):
    """Return the expected state of a visible unit given the hidden inputs without it."""
    weights, intercept, units = rbm.weights[i], rbm.intercept_visible[i], rbm.hidden_units
    if not rbm.visible_units.of_column(i).binary:
        return gaussian_conditional(rbm, i, off)[1]
    log_odds = (units.log_partition(off + weights) - units.log_partition(off)).sum(axis=1)
    return rbm.visible_units.of_column(i).mean(log_odds + intercept)


# -- exact sums


def free_energy_of_observed(rbm, v):
    """Return the free energy of the observed units, with the others summed out.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states, NaN where a unit is not observed. `can_sum_out` tells for which rows this is
        possible.

    Returns
    -------
    ndarray of shape (n_rows,)
        ``-log p(observed units)`` up to the log of the partition function, in nats.
    """
    xp, result = rbm.engine.xp, rbm.engine.zeros(len(v))
    for row, states in enumerate(v):
        are_missing = states != states
        if not are_missing.any():
            result[row] = free_energy(rbm, v[row : row + 1])[0]
            continue
        observed = xp.where(are_missing, 0.0, states)
        total = _over_visible if _is_few(rbm, are_missing) else _over_hidden
        result[row] = -total(rbm, observed, are_missing)
    return result


def can_sum_out(rbm, are_missing):
    """Tell for which rows the unobserved units can be summed out.

    Parameters
    ----------
    rbm : RBM
        The machine.
    are_missing : ndarray of bool of shape (n_rows, n_visible)
        Where a unit is not observed.

    Returns
    -------
    ndarray of bool of shape (n_rows,)
        True if at most `MOST_SUMMED` units are unobserved, all binary; always true if the hidden
        units are at most `MOST_SUMMED`, all binary.
    """
    n_hidden = rbm.weights.shape[1]
    over_hidden = rbm.hidden_units.binary and n_hidden <= MOST_SUMMED
    return rbm.engine.xp.array([over_hidden or _is_few(rbm, row) for row in are_missing], bool)


def _is_few(rbm, are_missing):
    """Tell whether the unobserved units of a row are few, and all binary."""
    columns = are_missing.nonzero()[0]
    most = MOST_SUMMED
    if rbm.hidden_units.binary:
        most = min(most, rbm.weights.shape[1])  # fewer hidden units have fewer states
    return len(columns) <= most and all(rbm.visible_units.of_column(i).binary for i in columns)


def _over_visible(rbm, observed, are_missing):
    """Return the log of the sum of ``exp(-F)`` over the states of the missing units."""
    xp, columns, total = rbm.engine.xp, are_missing.nonzero()[0], -float("inf")
    for states in binary_states(rbm.engine, len(columns), N_VISITED):
        v = xp.repeat(observed[None, :], len(states), axis=0)
        v[:, columns] = states
        total = xp.logaddexp(total, xp.logaddexp.reduce(-free_energy(rbm, v), dtype=float))
    return total


def _over_hidden(rbm, observed, are_missing):
    """Return the same as a sum over hidden states, given which it has a closed form."""
    xp, total, a = rbm.engine.xp, -float("inf"), rbm.intercept_visible
    x = hidden_input(rbm, observed[None, :])[0]
    for h in binary_states(rbm.engine, rbm.weights.shape[1], N_VISITED):
        missing = rbm.visible_units.log_partition(h @ rbm.weights.T + a)[:, are_missing]
        log_mass = h @ x + missing.sum(axis=1)
        total = xp.logaddexp(total, xp.logaddexp.reduce(log_mass, dtype=float))
    base = rbm.visible_units.base_energy(observed[None, :])[0]
    return total + observed @ a - base.sum()
