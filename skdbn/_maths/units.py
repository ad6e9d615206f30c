"""Kinds of stochastic units.

A unit in state ``u`` with input ``x`` has a density proportional to ``exp(x * u - base(u))``. Units
belong to a layer, not to a pair of layers, so n kinds give n x n machines, and every quantity of a
Boltzmann machine follows from the methods below.

The rule: the mean determines the distribution of a unit, so `variance` and `sample` take the mean,
which callers already have, and nothing is computed twice.

References
----------
Welling, Rosen-Zvi and Hinton (2004), "Exponential family harmoniums with an application to
information retrieval".
"""

RAREST = 1e-3  # least probability of a state; below it, the input that gives it would be extreme


class Units:
    """Any number of units of one kind.

    Parameters
    ----------
    engine : engine
        Provides arithmetic and random numbers.
    """

    def __init__(self, engine):
        self.engine = engine

    def of_column(self, i):
        """Return the units of a column, here the same for all.

        Parameters
        ----------
        i : int
            Column.

        Returns
        -------
        Units
            The units.
        """
        return self


class BinaryUnits(Units):
    """Units in {0, 1}; values in between stand for probabilities."""

    support = (0.0, 1.0)
    binary = True  # the states are 0 and 1

    def base_energy(self, u):
        """Return the energy of a state without input, here 0.

        Parameters
        ----------
        u : ndarray
            States.

        Returns
        -------
        ndarray of the shape of u
            Energies.
        """
        return 0.0 * u

    def log_partition(self, x):
        """Return the log of the sum of ``exp(x u)`` over both states.

        Parameters
        ----------
        x : ndarray
            Inputs.

        Returns
        -------
        ndarray of the shape of x
            ``log(1 + exp(x))``.
        """
        return self.engine.softplus(x)

    def mean(self, x, out=None):
        """Return the expected state given the input.

        Parameters
        ----------
        x : ndarray
            Inputs.
        out : ndarray, optional
            Where to write the result; may be `x` itself.

        Returns
        -------
        ndarray of the shape of x
            Probabilities of being 1.
        """
        return self.engine.logistic(x, out=out)

    def input(self, mean):
        """Return the input that gives a mean.

        Parameters
        ----------
        mean : ndarray
            Probabilities of being 1; those nearer to 0 or 1 than 0.001 count as that.

        Returns
        -------
        ndarray of the shape of mean
            Log-odds.
        """
        odds = self.engine.xp.clip(mean, RAREST, 1.0 - RAREST)
        odds /= 1.0 - odds
        return self.engine.xp.log(odds, out=odds)

    def variance(self, mean, out=None):
        """Return the variance, which is the slope of `mean`, given the mean.

        Parameters
        ----------
        mean : ndarray
            Means.
        out : ndarray, optional
            Where to write the result; must not be `mean` itself.

        Returns
        -------
        ndarray of the shape of mean
            ``mean (1 - mean)``.
        """
        out = self.engine.xp.multiply(mean, mean, out=out)
        return self.engine.xp.subtract(mean, out, out=out)

    def sample(self, mean, out=None):
        """Draw states given their means.

        Parameters
        ----------
        mean : ndarray
            Probabilities of being 1.
        out : ndarray, optional
            Where to write the states; may be `mean` itself.

        Returns
        -------
        ndarray of the shape of mean
            Zeros and ones.
        """
        return self.engine.bernoulli(mean, out=out)

    def sample_data(self, u, out=None):
        """Draw states for data, here probabilities of being 1.

        Parameters
        ----------
        u : ndarray
            Data.
        out : ndarray, optional
            Where to write the states; may be `u` itself.

        Returns
        -------
        ndarray of the shape of u
            Zeros and ones.
        """
        return self.sample(u, out=out)


class GaussianUnits(Units):
    """Real units of variance 1, which stand for standardized data."""

    support = (-float("inf"), float("inf"))
    binary = False

    def base_energy(self, u):
        """Return the energy of a state without input.

        Parameters
        ----------
        u : ndarray
            States.

        Returns
        -------
        ndarray of the shape of u
            ``u^2 / 2``.
        """
        return 0.5 * u * u

    def log_partition(self, x):
        """Return the log of the integral of ``exp(x u - u^2 / 2)``.

        Parameters
        ----------
        x : ndarray
            Inputs.

        Returns
        -------
        ndarray of the shape of x
            ``x^2 / 2 + log(2 pi) / 2``.
        """
        return 0.5 * x * x + 0.9189385332046727  # log(2 pi) / 2

    def mean(self, x, out=None):
        """Return the expected state given the input.

        Parameters
        ----------
        x : ndarray
            Inputs.
        out : ndarray, optional
            Where to write the result; may be `x` itself.

        Returns
        -------
        ndarray of the shape of x
            The inputs.
        """
        if out is None or out is x:
            return x
        out[...] = x
        return out

    def input(self, mean):
        """Return the input that gives a mean.

        Parameters
        ----------
        mean : ndarray
            Means.

        Returns
        -------
        ndarray of the shape of mean
            The means.
        """
        return mean

    def variance(self, mean, out=None):
        """Return the variance, which is the slope of `mean`, given the mean.

        Parameters
        ----------
        mean : ndarray
            Means.
        out : ndarray, optional
            Where to write the result; must not be `mean` itself.

        Returns
        -------
        ndarray of the shape of mean
            Ones.
        """
        out = self.engine.xp.multiply(mean, 0.0, out=out)
        out += 1.0
        return out

    def sample(self, mean, out=None):
        """Draw states given their means.

        Parameters
        ----------
        mean : ndarray
            Means.
        out : ndarray, optional
            Where to write the states; may be `mean` itself.

        Returns
        -------
        ndarray of the shape of mean
            Means with standard normal noise added.
        """
        noise = self.engine.normal(mean.shape)
        noise += mean
        if out is None:
            return noise
        out[...] = noise
        return out

    def sample_data(self, u, out=None):
        """Return states for data, here the data themselves.

        Parameters
        ----------
        u : ndarray
            Data.
        out : ndarray, optional
            Where to write the states; may be `u` itself.

        Returns
        -------
        ndarray of the shape of u
            The data.
        """
        return self.mean(u, out=out)


class MixedUnits:
    """Units of several kinds side by side, each with its own columns.

    Parameters
    ----------
    members : list of (units, ndarray of int)
        Units and their columns. Every column belongs to one member.
    """

    binary = False

    def __init__(self, members):
        self.members = members

    def of_column(self, i):
        """Return the units of a column.

        Parameters
        ----------
        i : int
            Column.

        Returns
        -------
        units
            The member that the column belongs to.
        """
        return next(units for units, columns in self.members if i in columns)

    def _each(self, method, x, out=None):
        """Return the results of a method of each member on its columns."""
        out = 0.0 * x if out is None else out
        for units, columns in self.members:
            out[:, columns] = getattr(units, method)(x[:, columns])
        return out

    def base_energy(self, u):
        """Return the energy of a state without input.

        Parameters
        ----------
        u : ndarray of shape (n_rows, n_units)
            States.

        Returns
        -------
        ndarray of the shape of u
            Energies.
        """
        return self._each("base_energy", u)

    def log_partition(self, x):
        """Return the log of the sum or integral over the states.

        Parameters
        ----------
        x : ndarray of shape (n_rows, n_units)
            Inputs.

        Returns
        -------
        ndarray of the shape of x
            Values of the members.
        """
        return self._each("log_partition", x)

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
        return self._each("mean", x, out)

    def input(self, mean):
        """Return the inputs that give the means.

        Parameters
        ----------
        mean : ndarray of shape (n_rows, n_units)
            Means.

        Returns
        -------
        ndarray of the shape of mean
            Inputs.
        """
        return self._each("input", mean)

    def variance(self, mean, out=None):
        """Return the variance, which is the slope of `mean`, given the mean.

        Parameters
        ----------
        mean : ndarray of shape (n_rows, n_units)
            Means.
        out : ndarray, optional
            Where to write the result.

        Returns
        -------
        ndarray of the shape of mean
            Variances.
        """
        return self._each("variance", mean, out)

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
        return self._each("sample", mean, out)

    def sample_data(self, u, out=None):
        """Draw states for data.

        Parameters
        ----------
        u : ndarray of shape (n_rows, n_units)
            Data.
        out : ndarray, optional
            Where to write the states; may be `u` itself.

        Returns
        -------
        ndarray of the shape of u
            Zeros and ones for binary units, else the data.
        """
        return self._each("sample_data", u, out)


UNITS = {"binary": BinaryUnits, "gaussian": GaussianUnits}


def layer(kinds, engine):
    """Return the units of a layer.

    Parameters
    ----------
    kinds : ndarray of str of shape (n_units,)
        Kind of each unit, a member of `UNITS`.
    engine : engine
        Provides arithmetic and random numbers.

    Returns
    -------
    units
        Units of one kind, or mixed units.
    """
    members = {kind: (kinds == kind).nonzero()[0] for kind in UNITS if (kinds == kind).any()}
    if len(members) == 1:
        return UNITS[next(iter(members))](engine)
    return MixedUnits([(UNITS[kind](engine), columns) for kind, columns in members.items()])
