"""The pseudo-log-likelihood: each visible unit given all others, for all units at once.

The log-odds of a binary unit i with weights w are
``a_i + sum_j s(x_j + (1 - v_i) w_j) - s(x_j - v_i w_j)``, where x is the input of the hidden units
and s their log partition function. For binary hidden units s is the softplus, whose Taylor series
around x turns the sums of all units into matrix products, one for each term. Weights too large for
the series are added one by one.

The rule: the truncation error is at most ``eps |w|`` in the term of each weight w, where eps is the
precision of the type. Rounding errors are as large.
"""

import math

from skdbn._maths.boltzmann import LOG_ROOT_2_PI, hidden_input

RADII = [1.5 * 0.75**i for i in range(12)]  # up to pi / 2, where terms begin to cancel
SINGLE = 200  # multiplications in a matrix product that take as long as one single weight
N_VALUES = 131_072  # of single weights at once: few enough for a cache

REACH = 8.0  # standard deviations beyond the outer peaks of a mixture; nothing lies further out
WIDEST = 10_000.0  # mixture that is summed; weights that make a wider one have diverged
N_ITERATIONS = 3  # towards those peaks, which need not be reached


def pseudo_log_likelihood(rbm, v, observed=None):
    """Return the pseudo-log-likelihood of visible states.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Visible states. A value of a binary unit between 0 and 1 is a probability: it weighs the
        scores of its two states. Values below 0 and above 1 weigh them like 0 and 1.
    observed : ndarray of shape (n_rows, n_visible), optional
        Ones for the states that are summed over, zeros for those that are only given.

    Returns
    -------
    ndarray of shape (n_rows,)
        ``sum_i log p(v_i | all other v)``, in nats; for gaussian units p is a density. It is exact
        up to rounding for binary units, and to about 1e-8 nats per unit for gaussian ones.

    References
    ----------
    Besag (1975), "Statistical analysis of non-lattice data".
    """
    x = hidden_input(rbm, v)
    result = rbm.engine.zeros(len(v))
    are_binary = [rbm.visible_units.of_column(i).binary for i in range(v.shape[1])]
    if any(are_binary):
        binary = slice(None) if all(are_binary) else rbm.engine.xp.flatnonzero(are_binary)
        units = rbm.visible_units.of_column(are_binary.index(True))
        log_odds = _log_odds(rbm, rbm.weights[binary], v[:, binary], x)
        log_odds += rbm.intercept_visible[binary]
        terms = rbm.engine.xp.clip(v[:, binary], 0.0, 1.0) * log_odds
        terms -= units.log_partition(log_odds)
        if observed is not None:
            terms *= observed[:, binary]
        result += terms.sum(axis=1)
    for i, is_binary in enumerate(are_binary):
        if not is_binary:
            log_density, _ = gaussian_conditional(rbm, i, x - v[:, i, None] * rbm.weights[i])
            terms = log_density(v[:, i])
            result += terms if observed is None else terms * observed[:, i]
    return result


# -- binary visible units


def _log_odds(rbm, weights, v, x):
    """Return the log-odds of binary units without their intercepts; `x` is the hidden input."""
    engine, xp = rbm.engine, rbm.engine.xp
    if not rbm.hidden_units.binary:  # s(x) = x^2 / 2, whose series has two terms
        return engine.matmul(x, weights.T) + (0.5 - v) * (weights * weights).sum(axis=1)
    reach = max(1.0, float(v.max()), 1.0 - float(v.min()))  # values may lie outside [0, 1]
    sizes, eps = reach * xp.abs(weights), float(xp.finfo(engine.dtype).eps)

    def cost(radius):
        return _n_terms(radius, eps) * sizes.size + SINGLE * int((sizes > radius).sum())

    radius = min(RADII, key=cost)
    near = xp.where(sizes <= radius, weights, engine.zeros(1))
    result = _log_odds_by_series(engine, near, v, x, _n_terms(radius, eps))
    far = (sizes > radius).nonzero()
    if len(far[0]):
        result += _log_odds_of_single_weights(rbm, weights[far], far, v, x).T
    return result


def _n_terms(radius, eps):
    """Return the number of terms for an error up to ``eps |w|`` with weights within a radius < pi.

    The logistic function is 1/2 plus the sum of ``1 / (x - i pi n)`` over odd n, so its Taylor
    coefficient k is at most ``2 (1 + 3^-(k+1) + ...) / pi^(k+1) < 2.5 / pi^(k+1)``; the softplus is
    its integral.
    """
    q, n = radius / math.pi, 1
    while 2.5 / (n + 1) * q ** (n + 1) / (1.0 - q) > eps * radius:
        n += 1
    return n


def _taylor_coefficients(n_terms):
    """Yield the Taylor coefficients of ``softplus(x) - x / 2``, from the first derivative on.

    They are polynomials in ``z = tanh(x / 2)``, even or odd like the order of the derivative. Each
    is given by its nonzero coefficients, from the lowest power up.
    """
    coefficients = [0.0, 0.5]
    for k in range(1, n_terms + 1):
        yield coefficients[k % 2 :: 2]
        slope = [i * c for i, c in enumerate(coefficients)][1:]
        padded = [0.0, 0.0, *slope, 0.0, 0.0]  # dz / dx = (1 - z^2) / 2
        coefficients = [
            (a - b) / (2.0 * (k + 1)) for a, b in zip(padded[2:], padded[:-2], strict=True)
        ]


def _log_odds_by_series(engine, weights, v, x, n_terms):
    """Return the log-odds due to the weights within the radius of the series."""
    xp = engine.xp
    z = xp.tanh(0.5 * x)
    z_squared = z * z
    result = engine.zeros(*v.shape) + 0.5 * weights.sum(axis=1)
    on, off, power = 1.0, 1.0, 1.0  # powers of 1 - v, -v and the weights
    for k, coefficients in enumerate(_taylor_coefficients(n_terms), 1):
        on, off, power = on * (1.0 - v), off * -v, power * weights
        term = xp.full_like(z, coefficients[-1])
        for coefficient in coefficients[-2::-1]:
            term *= z_squared
            term += coefficient
        if k % 2:
            term *= z
        result += (on - off) * engine.matmul(term, power.T)
    return result


def _log_odds_of_single_weights(rbm, weights, places, v, x):
    """Return the log-odds due to single weights, with a row for each visible unit."""
    xp, log_partition = rbm.engine.xp, rbm.hidden_units.log_partition
    result = rbm.engine.zeros(*v.T.shape)
    v, x = xp.ascontiguousarray(v.T), xp.ascontiguousarray(x.T)
    n_at_once = max(1, N_VALUES // v.shape[1])
    for start in range(0, len(weights), n_at_once):
        visible, hidden = (place[start : start + n_at_once] for place in places)
        w = weights[start : start + n_at_once, None]
        off = x[hidden] - v[visible] * w  # (n_weights, n_rows)
        terms = log_partition(off + w) - log_partition(off)
        units = xp.unique(visible)
        belongs = (units[:, None] == visible).astype(rbm.engine.dtype)
        result[units] += rbm.engine.matmul(belongs, terms)
    return result


# -- gaussian visible units


def gaussian_conditional(rbm, i, off):
    """Return the distribution of a gaussian visible unit given the hidden inputs without it.

    With binary hidden units its density is a mixture of normal densities of variance 1. The sum
    over points 1 apart equals its integral to 5e-9. All its peaks lie between the fixed points that
    iterations of ``u -> E[v_i | hidden means at u]`` reach from both ends.

    Parameters
    ----------
    rbm : RBM
        The machine.
    i : int
        Column of the unit.
    off : ndarray of shape (n_rows, n_hidden)
        Inputs of the hidden units without that unit.

    Returns
    -------
    log_density : function
        Function of values of the unit, of shape (n_rows,), that returns
        ``log p(v_i | all other v)``.
    mean : ndarray of shape (n_rows,)
        Expected value. Both are NaN if the density has no finite integral.
    """
    weights, intercept, hidden = rbm.weights[i], rbm.intercept_visible[i], rbm.hidden_units
    if not hidden.binary:
        return _normal(rbm, 1.0 - weights @ weights, intercept + off @ weights)

    def log_mass(u):
        inputs = off + u[:, None] * weights
        return intercept * u - 0.5 * u * u + hidden.log_partition(inputs).sum(axis=1)

    low = rbm.engine.zeros(len(off)) + intercept + weights[weights < 0.0].sum()
    high = rbm.engine.zeros(len(off)) + intercept + weights[weights > 0.0].sum()
    for _ in range(N_ITERATIONS):
        low, high = (
            intercept + hidden.mean(off + u[:, None] * weights) @ weights for u in (low, high)
        )
    log_total, mean = _sum_and_mean(rbm.engine.xp, log_mass, low - REACH, high + REACH)
    return (lambda v: log_mass(v) - log_total), mean


def _normal(rbm, precision, shift):
    """Return the log-density and the means of normal distributions."""
    xp = rbm.engine.xp
    mean = shift / precision if precision > 0.0 else shift * math.nan

    def log_density(v):
        return 0.5 * xp.log(precision) - 0.5 * precision * (v - mean) ** 2 - LOG_ROOT_2_PI

    return log_density, mean


def _sum_and_mean(xp, log_mass, low, high):
    """Return the log of the sum of masses from low to high, in steps of 1, and their centre."""
    width = float((high - low).max())
    if not width <= WIDEST:
        return low * math.nan, low * math.nan
    log_total, mean = log_mass(low), low
    for k in range(1, math.ceil(width) + 1):
        u, log_before = low + k, log_total
        log_total = xp.logaddexp(log_before, log_mass(u))
        mean = u + (mean - u) * xp.exp(log_before - log_total)
    return log_total, mean
