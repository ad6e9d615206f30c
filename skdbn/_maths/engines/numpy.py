"""Arrays, and where their speed comes from.

Only an engine knows which array library is used. It owns the memory that a fit reuses from
minibatch to minibatch, and the stream of random numbers. Functions that array libraries name alike
(`log`, `sqrt`, `multiply`, ...) are called through its attribute `xp`.

The rule: the result is written into `out` if given, and `out` is returned; otherwise the result
gets new memory.
"""

import math

import numpy as np
from scipy.sparse import issparse

PIECE_SIZE = 131_072  # values: few enough for a cache, many enough to be worth a call


class NumpyEngine:
    """NumPy arrays on the CPU.

    Parameters
    ----------
    dtype : {numpy.float32, numpy.float64}
        Type of every array that the engine creates.
    seed : int
        Seed of the stream of random numbers.
    """

    xp = np

    def __init__(self, dtype, seed):
        self.dtype = np.dtype(dtype)
        self.tiny = float(np.finfo(dtype).tiny)
        self._generator = np.random.Generator(np.random.SFC64(seed))
        self._buffers = {}
        self._one = np.array(1.0, dtype)  # cheaper to add to a small array than a Python float
        self._ones = np.ones(0, dtype)

    def __getstate__(self):
        """Return what a copy has: all but scratch memory."""
        return {**vars(self), "_buffers": {}}

    # -- memory

    def buffer(self, name, n_rows, n_columns):
        """Return scratch memory of undefined content, the same for the same name.

        Parameters
        ----------
        name : str or tuple
            Name of the memory.
        n_rows, n_columns : int
            Shape.

        Returns
        -------
        ndarray of shape (n_rows, n_columns)
            The first rows of the memory, which grows if necessary.
        """
        memory = self._buffers.get(name)
        if memory is None or len(memory) < n_rows or memory.shape[1] != n_columns:
            memory = self._buffers[name] = np.empty((n_rows, n_columns), self.dtype)
        return memory[:n_rows]

    def zeros(self, *shape):
        """Return an array of zeros.

        Parameters
        ----------
        *shape : int
            Length of each axis.

        Returns
        -------
        ndarray
            Zeros in the engine's type.
        """
        return np.zeros(shape, self.dtype)

    def packed(self, arrays):
        """Copy arrays into one vector, so that one operation works on all of them.

        Parameters
        ----------
        arrays : sequence of ndarray
            Arrays to copy.

        Returns
        -------
        vector : ndarray of shape (n_values,)
            All values, one array after another.
        views : list of ndarray
            The parts of the vector in the shapes of the arrays.
        """
        vector = np.concatenate([np.ravel(array) for array in arrays], dtype=self.dtype)
        return vector, self.views(vector, arrays)

    def views(self, vector, arrays):
        """Return the parts of a vector in the shapes of arrays.

        Parameters
        ----------
        vector : ndarray of shape (n_values,)
            All values, one array after another.
        arrays : sequence of ndarray
            Arrays of the wanted shapes.

        Returns
        -------
        list of ndarray
            Views of the vector.
        """
        ends = np.cumsum([array.size for array in arrays])
        parts = np.split(vector, ends[:-1])
        return [part.reshape(a.shape) for part, a in zip(parts, arrays, strict=True)]

    def given(self, array, shape):
        """Return a copy of an array that was stored, such as one of a checkpoint.

        Parameters
        ----------
        array : ndarray
            The array.
        shape : tuple of int
            Shape that the array must have.

        Returns
        -------
        ndarray
            A copy.

        Raises
        ------
        ValueError
            If the array has another shape, or another type than the engine.
        """
        if array.shape != shape or array.dtype != self.dtype:
            raise ValueError(
                f"an array has shape {array.shape} and type {array.dtype}, must have {shape} and "
                f"{self.dtype}"
            )
        return array.copy()

    def pieces(self, n):
        """Yield slices of a vector, each small enough for the cache of a processor.

        Parameters
        ----------
        n : int
            Length of the vector.

        Yields
        ------
        slice
            The next values.
        """
        for start in range(0, n, PIECE_SIZE):
            yield slice(start, start + PIECE_SIZE)

    def rows(self, X, indices, out):
        """Copy rows of a matrix; sparse rows are made dense.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_columns)
            Matrix in the engine's type.
        indices : ndarray of int of shape (n_rows,) or slice
            Rows to copy.
        out : ndarray of shape (n_rows, n_columns)
            Where to write the rows.

        Returns
        -------
        ndarray of shape (n_rows, n_columns)
            The rows.
        """
        if issparse(X):
            return X[indices].toarray(out=out)
        # Arrays from other processes may not be aligned; `take` would copy all of such an array.
        if isinstance(indices, slice) or not X.flags.aligned:
            out[...] = X[indices]
            return out
        # mode="clip" avoids the copy by which the default mode protects `out` from errors.
        return X.take(indices, axis=0, out=out, mode="clip")

    # -- arithmetic

    def matmul(self, a, b, out=None):
        """Return the matrix product of two arrays.

        Parameters
        ----------
        a, b : ndarray
            Factors.
        out : ndarray, optional
            Where to write the product.

        Returns
        -------
        ndarray
            The product.
        """
        return np.dot(a, b, out=out)  # less overhead than np.matmul on small matrices

    def affine(self, x, weights, intercept, out=None):
        """Return ``x @ weights + intercept``.

        Parameters
        ----------
        x : ndarray of shape (n_rows, n_in)
            Rows.
        weights : ndarray of shape (n_in, n_out)
            Weights.
        intercept : ndarray of shape (n_out,)
            Intercepts.
        out : ndarray of shape (n_rows, n_out), optional
            Where to write the result.

        Returns
        -------
        ndarray of shape (n_rows, n_out)
            The result.
        """
        out = np.dot(x, weights, out=out)
        out += intercept
        return out

    def column_sums(self, x, out=None):
        """Return the sum of each column.

        Parameters
        ----------
        x : ndarray of shape (n_rows, n_columns)
            Rows.
        out : ndarray of shape (n_columns,), optional
            Where to write the sums.

        Returns
        -------
        ndarray of shape (n_columns,)
            The sums.
        """
        if len(self._ones) < len(x):
            self._ones = np.ones(len(x), self.dtype)
        # A product with ones takes half the time of numpy.add.reduce.
        return np.matmul(self._ones[: len(x)], x, out=out)

    def logistic(self, x, out=None):
        """Return ``1 / (1 + exp(-x))``.

        If exp overflows, its reciprocal 0 is correct: callers silence the warning.

        Parameters
        ----------
        x : ndarray
            Inputs.
        out : ndarray, optional
            Where to write the result; may be `x` itself.

        Returns
        -------
        ndarray
            Values in [0, 1].
        """
        out = np.negative(x, out=out)
        np.exp(out, out)
        np.add(out, self._one, out)
        return np.reciprocal(out, out)

    def softplus(self, x):
        """Return ``log(1 + exp(x))`` without overflow.

        Parameters
        ----------
        x : ndarray
            Inputs.

        Returns
        -------
        ndarray
            Values of at least 0.
        """
        out = np.abs(x)
        np.negative(out, out=out)
        np.exp(out, out=out)
        np.log1p(out, out=out)
        out += np.maximum(x, 0.0)
        return out

    def softmax(self, x):
        """Turn each row into probabilities, in place.

        Parameters
        ----------
        x : ndarray of shape (n_rows, n_classes)
            Inputs, overwritten.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            Rows that sum to 1.
        """
        x -= x.max(axis=1, keepdims=True)
        x = np.exp(x, out=x)
        x /= x.sum(axis=1, keepdims=True)
        return x

    def unit_rows(self, x):
        """Scale each row to Euclidean length 1, in place; rows of zeros stay zero.

        Parameters
        ----------
        x : ndarray of shape (n_rows, n_columns)
            Rows, overwritten.

        Returns
        -------
        ndarray of shape (n_rows, n_columns)
            Rows of length 1.
        """
        # Divide by the largest value first: squares of small numbers would underflow.
        x /= np.abs(x).max(axis=1, keepdims=True) + self.tiny
        x /= np.sqrt(np.einsum("ij,ij->i", x, x))[:, None] + self.tiny
        return x

    def one_hot(self, labels, n_classes):
        """Return rows with a one in the column of each label and zeros elsewhere.

        Parameters
        ----------
        labels : ndarray of int of shape (n_rows,)
            Columns.
        n_classes : int
            Number of columns.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            Zeros and ones.
        """
        out = np.zeros((len(labels), n_classes), self.dtype)
        out[np.arange(len(labels)), labels] = 1.0
        return out

    def all_finite(self, x):
        """Tell whether all values are finite.

        Parameters
        ----------
        x : ndarray
            Values to check.

        Returns
        -------
        bool
            True if every value is finite.
        """
        return bool(np.isfinite(x).all())

    # -- random numbers

    def get_state(self):
        """Return the state of the stream of random numbers.

        Returns
        -------
        dict
            Integers, strings and lists of integers.
        """
        state = self._generator.bit_generator.state
        return {**state, "state": {"state": [int(word) for word in state["state"]["state"]]}}

    def set_state(self, state):
        """Continue the stream of random numbers from a state.

        Parameters
        ----------
        state : dict
            Result of `get_state`.
        """
        self._generator.bit_generator.state = {
            "bit_generator": str(state["bit_generator"]),
            "state": {"state": np.array(state["state"]["state"], np.uint64)},
            "has_uint32": int(state["has_uint32"]),
            "uinteger": int(state["uinteger"]),
        }

    def permutation(self, n):
        """Return the integers below n in random order.

        Parameters
        ----------
        n : int
            Number of integers.

        Returns
        -------
        ndarray of int of shape (n,)
            The numbers.
        """
        return self._generator.permutation(n)

    def subset(self, n, size):
        """Draw some of the integers below n without replacement.

        Parameters
        ----------
        n : int
            Number of integers to draw from.
        size : int
            Number of integers to draw, or all if there are fewer.

        Returns
        -------
        ndarray of int of shape (min(size, n),)
            Distinct integers.
        """
        return self._generator.choice(n, min(size, n), replace=False, shuffle=False)

    def uniform(self, shape, out=None):
        """Draw from the uniform distribution on [0, 1).

        Parameters
        ----------
        shape : tuple of int
            Shape.
        out : ndarray, optional
            Where to write the draws.

        Returns
        -------
        ndarray
            The draws.
        """
        out = np.empty(shape, self.dtype) if out is None else out
        if self.dtype != np.float32:
            return self._generator.random(out=out)
        # Each raw 64-bit number gives two floats, in a third of the time of Generator.random: 23
        # random bits after the sign and exponent of 1 make a number in [1, 2).
        n = math.prod(shape)
        raw = self._generator.bit_generator.random_raw((n + 1) // 2).view(np.uint32)
        bits = np.right_shift(raw[:n].reshape(shape), 9, out=out.view(np.uint32))
        bits |= 0x3F800000
        out -= 1.0
        return out

    def normal(self, shape):
        """Draw from the standard normal distribution.

        Parameters
        ----------
        shape : tuple of int
            Shape.

        Returns
        -------
        ndarray
            The draws.
        """
        return self._generator.standard_normal(shape, dtype=self.dtype)

    def noise(self, mean, deviation, out):
        """Draw numbers that are nearly normal, in a quarter of the time of `normal`.

        Each is the count of ones among 32 random bits, shifted and scaled.

        Parameters
        ----------
        mean : float
            Mean.
        deviation : float
            Standard deviation.
        out : ndarray
            Where to write the draws.

        Returns
        -------
        ndarray
            The draws.

        References
        ----------
        de Moivre (1733): the binomial distribution of many trials is close to the normal one.
        """
        raw = self._generator.bit_generator.random_raw((out.size + 1) // 2).view(np.uint32)
        ones = np.bitwise_count(raw[: out.size]).reshape(out.shape)  # mean 16, variance 8
        scale = deviation / math.sqrt(8.0)
        out = np.multiply(ones, self.dtype.type(scale), out=out)
        out += mean - 16.0 * scale
        return out

    def bernoulli(self, p, out=None):
        """Draw ones with given probabilities.

        Parameters
        ----------
        p : ndarray
            Probabilities.
        out : ndarray, optional
            Where to write the draws; may be `p` itself.

        Returns
        -------
        ndarray of the shape of p
            Zeros and ones.
        """
        apart = out is not None and not np.may_share_memory(out, p)
        u = self.uniform(p.shape, out=out if apart else None)
        return np.less(u, p, out=u if out is None else out)
