"""The partition function of a machine, and the likelihoods that follow from it.

It is a sum over the states of one layer if that layer is small, and has a closed form for gaussian
units. In all other cases it is estimated by annealed importance sampling from both ends.

The rule: logs of sums are kept in float64; arrays of states have the type of the engine.

References
----------
Neal (2001), "Annealed importance sampling".
Salakhutdinov and Murray (2008), "On the quantitative analysis of deep belief networks".
Burda, Grosse and Salakhutdinov (2015), "Accurate and conservative estimates of MRF log-likelihood
using reverse annealing".
Bennett (1976), "Efficient estimation of free energy differences from Monte Carlo data".
"""

import math
from typing import NamedTuple

from skdbn._maths.boltzmann import (
    LOG_ROOT_2_PI,
    RBM,
    binary_states,
    free_energy,
    hidden_input,
    hidden_mean,
    independent_states,
    visible_mean,
)

N_VALUES = 2**20  # of the other layer in a block of enumeration
N_BISECTIONS = 100  # of an interval of nats, down to rounding error
N_DEVIATIONS = 3.0  # standard errors by which the bounds of an estimate are widened
NOTABLE = 1.0  # nats beyond these errors by which two starts of a way down may differ
RARE = 0.1  # share of the chains that may be elsewhere, such as those yet to settle
SETTLING = 4  # temperatures for each Gibbs step after resampling


class LogPartition(NamedTuple):
    """Log of the partition function of a machine, in nats.

    Attributes
    ----------
    value : float
        Log of the partition function, or an estimate of it.
    lower, upper : float
        Bounds. Those of an estimate hold with a probability near 1 as long as the chains that
        represent the machine are in equilibrium; exact ones equal the value.
    standard_error : float
        Standard error of the value; 0 if it is exact.
    method : {"exact", "ais"}
        How the value was computed.

    Examples
    --------
    >>> from skdbn import RBMTransformer
    >>> from skdbn.datasets import load_digits
    >>> X = load_digits()[0] > 0.5
    >>> log_z = RBMTransformer(10, n_iter=5, random_state=0).fit(X).log_partition()
    >>> log_z.method, log_z.lower == log_z.value == log_z.upper
    ('exact', True)
    """

    value: float
    lower: float
    upper: float
    standard_error: float
    method: str


# -- exact


def turned(rbm):
    """Return the machine with its layers exchanged.

    Parameters
    ----------
    rbm : RBM
        The machine.

    Returns
    -------
    RBM
        The same machine with its hidden units as the visible ones.
    """
    return RBM(
        rbm.weights.T,
        rbm.intercept_hidden,
        rbm.intercept_visible,
        rbm.hidden_units,
        rbm.visible_units,
        rbm.engine,
    )


def enumeration(rbm):
    """Return the number of binary units that an exact sum enumerates, and the function to sum.

    Parameters
    ----------
    rbm : RBM
        The machine.

    Returns
    -------
    n_units : int
        Size of the smaller binary layer or, if there is none, number of binary visible units.
    log_mass : callable
        Function of states of shape (n_rows, n_units) that returns the log of the sum or integral of
        ``exp(-E)`` over all other units, of shape (n_rows,).
    """
    n_visible, n_hidden = rbm.weights.shape
    if rbm.hidden_units.binary and not (rbm.visible_units.binary and n_visible < n_hidden):
        rbm = turned(rbm)
    if rbm.visible_units.binary:
        return len(rbm.weights), lambda v: -free_energy(rbm, v)
    is_gaussian = _is_gaussian(rbm.visible_units, len(rbm.weights))
    n_binary = len(is_gaussian) - sum(is_gaussian)
    return n_binary, _without_gaussian_units(rbm, rbm.engine.xp.array(is_gaussian))


def _is_gaussian(units, n_units):
    """Tell for each unit of a layer whether it is gaussian."""
    return [not units.of_column(i).binary for i in range(n_units)]


def _without_gaussian_units(rbm, is_gaussian):
    """Return the log mass of states of binary visible units that stand beside gaussian ones.

    The hidden units are gaussian too. With ``c = b + a W`` the gaussian units integrate to
    ``exp(a.a / 2 + c (I - W^T W)^-1 c / 2)`` over the root of the determinant of ``I - W^T W``,
    times a root of 2 pi for each unit.
    """
    xp, weights, a = rbm.engine.xp, rbm.weights[is_gaussian], rbm.intercept_visible[is_gaussian]
    _, gains, directions = xp.linalg.svd(weights, full_matrices=False)
    squares = gains * gains
    constant = LOG_ROOT_2_PI * (len(a) + weights.shape[1]) + 0.5 * a @ a
    constant = constant - 0.5 * xp.log1p(-squares).sum()

    def log_mass(u):
        c = hidden_input(rbm._replace(weights=rbm.weights[~is_gaussian]), u) + a @ weights
        quadratic = (c * c).sum(axis=1) + (c @ directions.T) ** 2 @ (squares / (1.0 - squares))
        return u @ rbm.intercept_visible[~is_gaussian] + 0.5 * quadratic + constant

    return log_mass


def largest_gain(rbm):
    """Return the largest factor by which gaussian units drive each other.

    Parameters
    ----------
    rbm : RBM
        The machine.

    Returns
    -------
    float
        Largest singular value of the weights between gaussian units, 0 if there are none. If it is
        1 or more, the machine has no partition function: its density has no finite integral.
    """
    if rbm.hidden_units.binary:
        return 0.0
    xp = rbm.engine.xp
    is_gaussian = xp.array(_is_gaussian(rbm.visible_units, len(rbm.weights)))
    gains = xp.linalg.svd(rbm.weights[is_gaussian], compute_uv=False)
    return float(gains.max(initial=0.0))


def exact_log_partition(rbm):
    """Return the log of the partition function by enumerating the binary units of a layer.

    Parameters
    ----------
    rbm : RBM
        The machine, in float64.

    Returns
    -------
    float
        Log of the partition function, in nats.
    """
    n_units, log_mass = enumeration(rbm)
    engine, total = rbm.engine, -math.inf
    for states in binary_states(engine, n_units, max(1, N_VALUES // max(rbm.weights.shape))):
        total = float(engine.xp.logaddexp(total, log_sum(engine, log_mass(states))))
    return total


def log_sum(engine, x):
    """Return the log of a sum of exponentials.

    Parameters
    ----------
    engine : engine
        Provides arithmetic.
    x : ndarray of shape (n,)
        Exponents.

    Returns
    -------
    float
        ``log(sum(exp(x)))``.
    """
    largest = float(x.max())
    return largest + math.log(float(engine.xp.exp(x - largest).sum()))


def log_partition_without_weights(rbm):
    """Return the log of the partition function with all weights set to 0.

    Parameters
    ----------
    rbm : RBM
        The machine.

    Returns
    -------
    float
        Sum over the units of both layers, in nats.
    """
    layers = (
        (rbm.visible_units, rbm.intercept_visible),
        (rbm.hidden_units, rbm.intercept_hidden),
    )
    return sum(float(units.log_partition(x[None]).sum(dtype=float)) for units, x in layers)


# -- annealed


class Path(NamedTuple):
    """Machines between one without weights, at temperature 0, and a given one, at temperature 1.

    Weights and intercepts of the machines in between lie on the straight line from one to the
    other. The energies of units without input do not change, so all machines have a density if the
    given one has.

    Attributes
    ----------
    rbm : RBM
        The given machine.
    visible, hidden : ndarray of shape (n_visible,) and (n_hidden,)
        Intercepts of the machine without weights.
    """

    rbm: RBM
    visible: object
    hidden: object

    def log_partition(self):
        """Return the log of the partition function of the machine without weights.

        Returns
        -------
        float
            Sum over the units of both layers.
        """
        return log_partition_without_weights(self._without_weights())

    def _without_weights(self):
        """Return the machine at temperature 0, whose weights do not count."""
        return self.rbm._replace(intercept_visible=self.visible, intercept_hidden=self.hidden)

    def start(self, n_chains):
        """Draw visible states of the machine without weights.

        Parameters
        ----------
        n_chains : int
            Number of rows.

        Returns
        -------
        ndarray of shape (n_chains, n_visible)
            States.
        """
        return independent_states(self._without_weights(), n_chains)


def temperatures(n_temperatures):
    """Return inverse temperatures from 0 to 1, denser towards 1.

    Parameters
    ----------
    n_temperatures : int
        Number of steps.

    Returns
    -------
    list of float
        Inverse temperatures, one more than the steps.
    """
    return [1.0 - (1.0 - i / n_temperatures) ** 2 for i in range(n_temperatures + 1)]


def equilibrated(rbm, h, n_steps):
    """Return the ends of Markov chains, and the path whose start has their mean states.

    Parameters
    ----------
    rbm : RBM
        The machine.
    h : ndarray of shape (n_chains, n_hidden)
        Hidden states to start at.
    n_steps : int
        Number of Gibbs steps. The means are taken over the second half.

    Returns
    -------
    v : ndarray of shape (n_chains, n_visible)
        Visible states.
    path : Path
        Path from independent units of the same means, for which the annealing weights vary least.
    """
    visible, hidden = 0.0, 0.0
    for i in range(n_steps):
        v = visible_mean(rbm, h)
        is_counted = i >= n_steps // 2
        visible = visible + v.mean(axis=0, dtype=float) * is_counted
        v = rbm.visible_units.sample(v, out=v)
        h = hidden_mean(rbm, v)
        hidden = hidden + h.mean(axis=0, dtype=float) * is_counted
        h = rbm.hidden_units.sample(h, out=h)
    n_counted = n_steps - n_steps // 2
    intercepts = (
        units.input(mean[None] / n_counted)[0].astype(rbm.engine.dtype)
        for units, mean in ((rbm.visible_units, visible), (rbm.hidden_units, hidden))
    )
    return v, Path(rbm, *intercepts)


def annealed(path, v, betas):
    """Move Markov chains along the path, and return their log weights.

    Parameters
    ----------
    path : Path
        Machines.
    v : ndarray of shape (n_chains, n_visible)
        Visible states, drawn from the machine at the first temperature; overwritten with those at
        the last.
    betas : sequence of float
        Inverse temperatures to pass through, up or down.

    Returns
    -------
    ndarray of float64 of shape (n_chains,)
        Sum over the steps of the change of a state's log mass at the next temperature. The mean of
        its exponential is the ratio of the last partition function to the first.
    """
    rbm, visible, hidden = path
    x, now = rbm.engine.matmul(v, rbm.weights), betas[0]
    log_mass = rbm.hidden_units.log_partition
    log_weights = rbm.engine.xp.zeros(len(v))
    for to in betas[1:]:
        before = now * x + ((1.0 - now) * hidden + now * rbm.intercept_hidden)
        h = to * x + ((1.0 - to) * hidden + to * rbm.intercept_hidden)
        log_weights += (to - now) * (v @ (rbm.intercept_visible - visible))
        log_weights += (log_mass(h) - log_mass(before)).sum(axis=1, dtype=float)
        h = rbm.hidden_units.mean(h, out=h)
        h = rbm.hidden_units.sample(h, out=h)
        v = rbm.engine.matmul(h, rbm.weights.T, out=v)
        v *= to
        v += (1.0 - to) * visible + to * rbm.intercept_visible
        v = rbm.visible_units.mean(v, out=v)
        v = rbm.visible_units.sample(v, out=v)
        x, now = rbm.engine.matmul(v, rbm.weights, out=x), to
    return log_weights


def resampled(engine, v, log_weights):
    """Return states, each repeated in proportion to its weight, as evenly as possible.

    Parameters
    ----------
    engine : engine
        Provides random numbers.
    v : ndarray of shape (n_chains, n_visible)
        States.
    log_weights : ndarray of shape (n_chains,)
        Logs of their weights.

    Returns
    -------
    ndarray of shape (n_chains, n_visible)
        States, some of them several times and some not at all.
    """
    xp, n = engine.xp, len(v)
    sums = xp.exp(log_weights - log_sum(engine, log_weights)).cumsum()
    points = (xp.arange(n) + float(engine.uniform((1,))[0])) / n
    return v[xp.minimum(xp.searchsorted(sums, points), n - 1)]


def estimated_log_partition(rbm, h, n_temperatures, report):
    """Estimate the log of the partition function by annealing up and down.

    A first way up finds where the mass is. Its ends, resampled by their weights, give the means
    that the path starts from; then chains go up, and others go down. Those that go down start from
    two places: from these ends, and from `h` after as many Gibbs steps as there are temperatures,
    which may contain modes that the way up does not find.

    Parameters
    ----------
    rbm : RBM
        The machine.
    h : ndarray of shape (n_chains, n_hidden)
        Hidden states that represent the machine, such as the chains of training.
    n_temperatures : int
        Number of steps in each direction.
    report : callable
        Called with a few words about each finished part.

    Returns
    -------
    result : LogPartition
        The estimate.
    gap : float
        Difference between the estimates from both directions, in nats.
    """
    betas, n_chains = temperatures(n_temperatures), len(h)
    held, path = equilibrated(rbm, h, n_temperatures)
    report(f"{n_temperatures} Gibbs steps")
    v = path.start(n_chains)
    v = resampled(rbm.engine, v, annealed(path, v, betas))
    report(f"{n_temperatures} temperatures up, first time")
    h = hidden_mean(rbm, v)
    h = rbm.hidden_units.sample(h, out=h)
    found, path = equilibrated(rbm, h, max(1, n_temperatures // SETTLING))
    forward = annealed(path, path.start(n_chains), betas)
    report(f"{n_temperatures} temperatures up")
    v = rbm.engine.xp.concatenate([found, held])
    backward = annealed(path, v, betas[::-1])
    report(f"{n_temperatures} temperatures down")
    return from_both_ends(path, forward, backward[:n_chains], backward[n_chains:])


def log_mean_of_weights(engine, log_weights):
    """Return the log of the mean of weights, and its standard error.

    Parameters
    ----------
    engine : engine
        Provides arithmetic.
    log_weights : ndarray of shape (n,)
        Logs of the weights.

    Returns
    -------
    value, standard_error : float
        Both in nats. The error is relative to the mean.
    """
    n = len(log_weights)
    value = log_sum(engine, log_weights) - math.log(n)
    shares = engine.xp.exp(log_weights - value)  # of mean 1
    return value, float(shares.std(ddof=1)) / math.sqrt(n)


def from_both_ends(path, forward, backward, held):
    """Return the log of the partition function given the log weights of both directions.

    Parameters
    ----------
    path : Path
        Machines.
    forward : ndarray of shape (n_chains,)
        Log weights of chains that went from the machine without weights to the given one. The log
        of their mean tends to be too low.
    backward, held : ndarray of shape (n_chains,)
        Log weights of chains that went the other way, from two starts. Minus the log of their mean
        tends to be too high. The first start was found on the way up; the other may contain modes
        that it missed, but not in the right proportions, and so only raises the upper bound.

    Returns
    -------
    result : LogPartition
        The value is Bennett's estimate from both directions. Its error includes half of the gap.
        The bounds enclose the estimates of both directions and three of their errors.
    gap : float
        Difference between the estimates of the two directions, in nats.
    """
    engine, start = path.rbm.engine, path.log_partition()
    up = log_mean_of_weights(engine, forward)
    downs = [_from_above(engine, -backward, -backward), _from_above(engine, -held, -backward)]
    value, error = acceptance_ratio(engine, forward, -backward)
    gap = max(up, *downs)[0] - min(up, downs[0])[0]
    result = LogPartition(
        value=start + value,
        lower=start + min(end - N_DEVIATIONS * spread for end, spread in (up, downs[0])),
        upper=start + max(end + N_DEVIATIONS * spread for end, spread in (up, *downs)),
        standard_error=math.hypot(error, 0.5 * gap),
        method="ais",
    )
    return result, gap


def _from_above(engine, gains, usual):
    """Return an estimate from the log mass that chains lost on their way down, and its error.

    Chains that lost far more than usual come from modes that no way up has reached. If they are not
    rare, those modes may hold any part of the mass, and the largest loss is a bound.
    """
    limit = float(usual.max()) + N_DEVIATIONS * float(usual.std()) + NOTABLE
    if (gains > limit).mean() > RARE:
        return float(gains.max()), 0.0
    value, error = log_mean_of_weights(engine, -gains)
    return -value, error


def acceptance_ratio(engine, forward, backward, n_bisections=N_BISECTIONS):
    """Return the log of the ratio of partition functions for which both directions agree.

    Parameters
    ----------
    engine : engine
        Provides arithmetic.
    forward, backward : ndarray of shape (n,)
        Log mass gained on the way up, and lost on the way down.
    n_bisections : int
        Bisections of the interval from the smallest to the largest of these.

    Returns
    -------
    value, standard_error : float
        Both in nats. The error is infinite if the directions do not overlap.

    Notes
    -----
    If equally many chains go either way, one that gained x went forward with log-odds ``value - x``
    (Crooks 1999). The value maximizes the likelihood of this logistic regression, and the error is
    that of its estimate.

    References
    ----------
    Bennett (1976), "Efficient estimation of free energy differences from Monte Carlo data".
    Shirts, Bair, Hooker and Pande (2003), "Equilibrium free energies from nonequilibrium
    measurements using maximum-likelihood methods".
    """
    xp, n = engine.xp, len(forward)
    gains = xp.concatenate([forward, backward])
    low, high = float(gains.min()), float(gains.max())
    for _ in range(n_bisections):
        value = 0.5 * (low + high)
        went_forward = xp.exp(-xp.logaddexp(0.0, gains - value))
        low, high = (value, high) if went_forward.sum() < n else (low, value)
    information = float((went_forward * (1.0 - went_forward)).sum())
    variance = 1.0 / information - 2.0 / n if information > 0.0 else math.inf
    return value, math.sqrt(max(0.0, variance))


# -- a stack of machines


class Stack(NamedTuple):
    """A deep belief net: a stack of RBMs.

    Attributes
    ----------
    machines : list of RBM
        The RBMs, from the bottom up.
    maps : list of (ndarray of shape (n_hidden,), ndarray of shape (n_hidden,))
        Offset and scale for each RBM but the first: a hidden state h of the RBM below is the
        visible state ``(h - offset) / scale``.
    """

    machines: list
    maps: list

    @property
    def engine(self):
        """Return the engine of the RBMs.

        Returns
        -------
        engine
            The engine.
        """
        return self.machines[0].engine

    @property
    def n_weights_of_largest_layer(self):
        """Return the number of weights of the largest RBM.

        Returns
        -------
        int
            Number of weights.
        """
        return max(rbm.weights.size for rbm in self.machines)


def bound_of_log_mass(stack, v):
    """Draw hidden states, and return their estimate of a bound of the log mass of visible states.

    Parameters
    ----------
    stack : Stack
        The RBMs.
    v : ndarray of shape (n_rows, n_visible)
        Visible states.

    Returns
    -------
    ndarray of shape (n_rows,)
        Estimates; their expectation, minus the log of the partition function of the top RBM, is a
        lower bound of ``log p(v)``.

    Notes
    -----
    With q the way up, the bound is the mean under q of ``log p(v, h) - log q(h)``. For an RBM below
    the top, ``p(v | h) / q(h | v) = p(v) / p(h)``, in which its partition function cancels: what
    remains is the free energy of h minus that of v.

    References
    ----------
    Hinton, Osindero and Teh (2006), "A fast learning algorithm for deep belief nets".
    Salakhutdinov and Murray (2008), "On the quantitative analysis of deep belief networks".
    """
    below, *others = stack.machines
    bound = -free_energy(below, v)
    for rbm, (offset, scale) in zip(others, stack.maps, strict=True):
        h = hidden_mean(below, v)
        h = below.hidden_units.sample(h, out=h)
        bound += free_energy(turned(below), h)
        v = (h - offset) / scale
        bound -= free_energy(rbm, v) + stack.engine.xp.log(scale).sum()
        below = rbm
    return bound
