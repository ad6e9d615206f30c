"""Question: what does each step from a plain loop to skdbn bring.

    python benchmarks/languages/steps.py [--out FILE.rst]

CD-1 on a machine of 784 x 500 units in minibatches of 100 rows, with momentum and weight decay.
Each step changes one thing of the step before. First all steps train with the same random numbers,
which must give the same learning curve, then with their own, which must give nearly the same one.
Then they are timed in turns in one process: a figure is the median of five rounds.
"""

import argparse
import math
from pathlib import Path
from statistics import median

import numpy as np
from inputs import BATCH_SIZE, common
from threadpoolctl import threadpool_limits

from skdbn import RBMTransformer

N_HIDDEN, N_ROWS = 500, 10_000
RATE, MOMENTUM, DECAY = 0.1, 0.5, 0.0002
N_CHECKED = 20  # minibatches of the learning curves; loops make one
ROUNDING = {np.float64: 1e-10, np.float32: 1e-4}  # of the loss, relative
CHANCE = 0.05  # what other random numbers may change of the loss, relative


# -- random numbers for the hidden states, n rows of m


def old_numbers():
    """Return the generator that most code on the web uses: Mersenne Twister, float64."""
    return np.random.RandomState(0).rand


def new_numbers():
    """Return NumPy's newer generator, PCG64, float32."""
    generator = np.random.default_rng(0)
    return lambda n, m: generator.random((n, m), dtype=np.float32)


def raw_numbers():
    """Return floats made of the raw bits of a fast generator, as skdbn makes them."""
    bits = np.random.SFC64(0)
    memory = np.empty((BATCH_SIZE, N_HIDDEN), np.float32)

    def numbers(n, m):
        raw = bits.random_raw(n * m // 2).view(np.uint32).reshape(n, m)
        u = np.right_shift(raw, 9, out=memory[:n].view(np.uint32))
        u |= 0x3F800000  # sign and exponent of numbers in [1, 2)
        memory[:n] -= 1
        return memory[:n]

    return numbers


# -- the steps


class Loops:
    """A loop over rows, one over visible and one over hidden units, on Python's own numbers."""

    def __init__(self, X, weights, numbers):
        self.X, self.numbers = X.tolist(), numbers
        self.weights = weights.tolist()
        self.visible, self.hidden = [0.0] * X.shape[1], [0.0] * N_HIDDEN
        self.velocity = [[0.0] * N_HIDDEN for _ in self.visible]
        self.velocity_visible, self.velocity_hidden = self.visible[:], self.hidden[:]

    def hidden_mean(self, v):
        h = []
        for k in range(N_HIDDEN):
            x = self.hidden[k]
            for j in range(len(v)):
                x += v[j] * self.weights[j][k]
            h.append(1 / (1 + math.exp(-x)))
        return h

    def visible_mean(self, h):
        v = []
        for j in range(len(self.visible)):
            x = self.visible[j]
            for k in range(N_HIDDEN):
                x += h[k] * self.weights[j][k]
            v.append(1 / (1 + math.exp(-x)))
        return v

    def minibatch(self, rows):
        n, n_visible, n_hidden = len(rows), len(self.visible), len(self.hidden)
        gradient = [[0.0] * n_hidden for _ in range(n_visible)]
        gradient_visible, gradient_hidden = [0.0] * n_visible, [0.0] * n_hidden
        for row, u in zip(rows, self.numbers(n, n_hidden).tolist(), strict=True):
            v = self.X[row]
            h = self.hidden_mean(v)
            v_model = self.visible_mean([float(u[k] < h[k]) for k in range(n_hidden)])
            h_model = self.hidden_mean(v_model)
            for j in range(n_visible):
                for k in range(n_hidden):
                    gradient[j][k] += (v[j] * h[k] - v_model[j] * h_model[k]) / n
                gradient_visible[j] += (v[j] - v_model[j]) / n
            for k in range(n_hidden):
                gradient_hidden[k] += (h[k] - h_model[k]) / n
        for j in range(n_visible):
            for k in range(n_hidden):
                slope = gradient[j][k] - DECAY * self.weights[j][k]
                self.velocity[j][k] = MOMENTUM * self.velocity[j][k] + RATE * slope
                self.weights[j][k] += self.velocity[j][k]
        for parameter, velocity, slope in (
            (self.visible, self.velocity_visible, gradient_visible),
            (self.hidden, self.velocity_hidden, gradient_hidden),
        ):
            for i in range(len(parameter)):
                velocity[i] = MOMENTUM * velocity[i] + RATE * slope[i]
                parameter[i] += velocity[i]


class Arrays:
    """What the versions with arrays have in common: parameters and their velocities."""

    def __init__(self, X, weights, numbers):
        self.X, self.numbers, self.weights = X, numbers, weights.copy()
        self.visible, self.hidden = np.zeros(X.shape[1], X.dtype), np.zeros(N_HIDDEN, X.dtype)
        self.velocity = np.zeros_like(weights)
        self.velocity_visible = np.zeros_like(self.visible)
        self.velocity_hidden = np.zeros_like(self.hidden)

    def update(self, gradient, gradient_visible, gradient_hidden):
        """Move the parameters, with new arrays for all that is computed."""
        self.velocity = MOMENTUM * self.velocity + RATE * (gradient - DECAY * self.weights)
        self.velocity_visible = MOMENTUM * self.velocity_visible + RATE * gradient_visible
        self.velocity_hidden = MOMENTUM * self.velocity_hidden + RATE * gradient_hidden
        self.weights = self.weights + self.velocity
        self.visible = self.visible + self.velocity_visible
        self.hidden = self.hidden + self.velocity_hidden


class Vectors(Arrays):
    """A loop over rows alone: all units of a layer at once."""

    def minibatch(self, rows):
        n = len(rows)
        gradient = np.zeros_like(self.weights)
        gradient_visible, gradient_hidden = np.zeros_like(self.visible), np.zeros_like(self.hidden)
        for row, u in zip(rows, self.numbers(n, N_HIDDEN), strict=True):
            v = self.X[row]
            h = 1 / (1 + np.exp(-(v @ self.weights + self.hidden)))
            v_model = 1 / (1 + np.exp(-(self.weights @ (u < h) + self.visible)))
            h_model = 1 / (1 + np.exp(-(v_model @ self.weights + self.hidden)))
            gradient += (np.outer(v, h) - np.outer(v_model, h_model)) / n
            gradient_visible += (v - v_model) / n
            gradient_hidden += (h - h_model) / n
        self.update(gradient, gradient_visible, gradient_hidden)


class Matrices(Arrays):
    """All rows of a minibatch at once, as in plain_numpy.py."""

    def minibatch(self, rows):
        v = self.X[rows]
        h = 1 / (1 + np.exp(-(v @ self.weights + self.hidden)))
        states = self.numbers(*h.shape) < h
        v_model = 1 / (1 + np.exp(-(states @ self.weights.T + self.visible)))
        h_model = 1 / (1 + np.exp(-(v_model @ self.weights + self.hidden)))
        self.update(
            (v.T @ h - v_model.T @ h_model) / len(rows),
            (v - v_model).mean(axis=0),
            (h - h_model).mean(axis=0),
        )


class Memory(Arrays):
    """The same with preallocated memory: everything is computed in place, or into `out`."""

    def __init__(self, X, weights, numbers):
        super().__init__(X, weights, numbers)
        self.both_v = np.empty((2 * BATCH_SIZE, X.shape[1]), X.dtype)
        self.both_h = np.empty((2 * BATCH_SIZE, N_HIDDEN), X.dtype)
        self.v, self.v_model = self.both_v[:BATCH_SIZE], self.both_v[BATCH_SIZE:]
        self.h, self.h_model = self.both_h[:BATCH_SIZE], self.both_h[BATCH_SIZE:]
        self.states = np.empty_like(self.h)
        self.gradient, self.negative = np.empty_like(weights), np.empty_like(weights)

    def mean(self, x, weights, intercept, out):
        """Write the logistic function of ``x @ weights + intercept`` into `out`."""
        np.dot(x, weights, out=out)
        out += intercept
        np.negative(out, out=out)
        np.exp(out, out=out)
        out += 1
        np.reciprocal(out, out=out)

    def phases(self, rows):
        """Fill the visible and hidden layers of both phases."""
        self.X.take(rows, axis=0, out=self.v, mode="clip")
        self.mean(self.v, self.weights, self.hidden, self.h)
        np.less(self.numbers(*self.h.shape), self.h, out=self.states)
        self.mean(self.states, self.weights.T, self.visible, self.v_model)
        self.mean(self.v_model, self.weights, self.hidden, self.h_model)

    def move(self):
        """Move the parameters by the velocities, the weights less their decay."""
        np.multiply(self.weights, RATE * DECAY, out=self.gradient)
        self.velocity -= self.gradient
        self.weights += self.velocity
        self.visible += self.velocity_visible
        self.hidden += self.velocity_hidden

    def minibatch(self, rows):
        self.phases(rows)
        np.dot(self.v.T, self.h, out=self.gradient)
        np.dot(self.v_model.T, self.h_model, out=self.negative)
        self.gradient -= self.negative
        self.gradient *= RATE / len(rows)
        self.velocity *= MOMENTUM
        self.velocity += self.gradient
        self.v -= self.v_model
        self.h -= self.h_model
        self.velocity_visible *= MOMENTUM
        self.velocity_visible += RATE * self.v.mean(axis=0)
        self.velocity_hidden *= MOMENTUM
        self.velocity_hidden += RATE * self.h.mean(axis=0)
        self.move()


class Stacked(Memory):
    """Both phases one above the other, their signs and the rate in the smaller factor."""

    def __init__(self, X, weights, numbers):
        super().__init__(X, weights, numbers)
        self.signs = np.full(2 * BATCH_SIZE, RATE / BATCH_SIZE, X.dtype)
        self.signs[BATCH_SIZE:] *= -1

    def minibatch(self, rows):
        self.phases(rows)
        self.velocity_visible *= MOMENTUM
        self.velocity_visible += self.signs @ self.both_v
        self.velocity_hidden *= MOMENTUM
        self.velocity_hidden += self.signs @ self.both_h
        self.h *= RATE / len(rows)
        self.h_model *= -RATE / len(rows)
        np.dot(self.both_v.T, self.both_h, out=self.gradient)
        self.velocity *= MOMENTUM
        self.velocity += self.gradient
        self.move()


MANY = max(2, common.os.cpu_count())
STEPS = {  # version, type, random numbers, threads, minibatches of a round
    "loops over rows and units": (Loops, np.float64, old_numbers, 1, 1),
    "a loop over rows": (Vectors, np.float64, old_numbers, 1, 2),
    "matrices": (Matrices, np.float64, old_numbers, 1, 40),
    "float32": (Matrices, np.float32, old_numbers, 1, 40),
    "preallocated memory": (Memory, np.float32, old_numbers, 1, 40),
    "one stacked product": (Stacked, np.float32, old_numbers, 1, 40),
    "float32 random numbers": (Stacked, np.float32, new_numbers, 1, 40),
    "random numbers of raw bits": (Stacked, np.float32, raw_numbers, 1, 40),
    f"{MANY} threads of BLAS": (Stacked, np.float32, raw_numbers, MANY, 40),
}


def start(dtype):
    """Return the rows, the first weights and the rows of each minibatch."""
    X, rng = common.mnist()[0][:N_ROWS], np.random.default_rng(0)
    weights = 0.01 * rng.standard_normal((X.shape[1], N_HIDDEN))
    minibatches = rng.permutation(len(X)).reshape(-1, BATCH_SIZE)
    return X.astype(dtype), weights.astype(dtype), minibatches


def loss(machine, X):
    """Return the mean squared error of reconstructions, without drawing."""
    weights, visible, hidden = map(np.array, (machine.weights, machine.visible, machine.hidden))
    h = 1 / (1 + np.exp(-(X @ weights + hidden)))
    return float(((X - 1 / (1 + np.exp(-(h @ weights.T + visible)))) ** 2).mean())


def learning_curve(name, numbers):
    """Return the loss after each minibatch."""
    version, dtype, _, n_threads, _ = STEPS[name]
    X, weights, minibatches = start(dtype)
    machine, losses = version(X, weights, numbers), []
    with threadpool_limits(n_threads, "blas"):
        for rows in minibatches[: 1 if version is Loops else N_CHECKED]:
            machine.minibatch(rows)
            losses.append(loss(machine, X[:1000]))
    return np.array(losses)


def check():
    """Raise when a step does not learn what the plain matrices learn."""
    expected = learning_curve("matrices", old_numbers())
    for name, (_, dtype, numbers, *_) in STEPS.items():
        ways = [("the same", old_numbers, ROUNDING[dtype])]
        if numbers is not old_numbers:
            ways.append(("its own", numbers, CHANCE))
        for what, given, limit in ways:
            curve = learning_curve(name, given())
            difference = np.abs(curve / expected[: len(curve)] - 1).max()
            print(f"{name}, {what} random numbers: differs by {difference:.1e}", flush=True)
            if difference > limit:
                raise SystemExit(f"{name} learns something else: more than {limit}")


def training(name):
    """Return a function that makes the minibatches of a round."""
    version, dtype, numbers, n_threads, n_minibatches = STEPS[name]
    X, weights, minibatches = start(dtype)
    machine = version(X, weights, numbers())

    def train():
        with threadpool_limits(n_threads, "blas"):
            for rows in minibatches[:n_minibatches]:
                machine.minibatch(rows)

    return train


def fit(n_threads):
    """Return a function that makes a pass with skdbn, checks of the data and losses included."""
    X = start(np.float32)[0]
    machine = RBMTransformer(
        N_HIDDEN, visible_units="binary", learning_rate=RATE, batch_size=BATCH_SIZE, n_iter=1
    )

    def train():
        with threadpool_limits(n_threads, "blas"):
            machine.fit(X)

    return train


def measured():
    """Return the seconds a minibatch of each step, round by round."""
    functions = {name: (training(name), step[-1]) for name, step in STEPS.items()}
    n_minibatches = N_ROWS // BATCH_SIZE
    functions["skdbn, one thread"] = fit(1), n_minibatches
    functions[f"skdbn, {MANY} threads"] = fit(MANY), n_minibatches
    seconds = common.in_turns(*(function for function, _ in functions.values()))
    return {
        name: [taken / n for taken in rounds]
        for (name, (_, n)), rounds in zip(functions.items(), seconds, strict=True)
    }


def table(seconds):
    """Return the table of the steps as text that Sphinx reads."""
    names = list(seconds)
    before = {name: names[max(0, i - 1)] for i, name in enumerate(names)}
    before["skdbn, one thread"] = names[len(STEPS) - 2]  # the same, on one thread
    before[names[-1]] = names[len(STEPS) - 1]
    width = max(map(len, names))
    line = f"{'=' * width} {'=' * 12} {'=' * 17} {'=' * 17}"
    heads = f"{'step':{width}} {'milliseconds':12} {'gain on the last':17} {'gain on matrices':17}"
    rows = [line, heads.rstrip(), line]
    for name in names:
        others = seconds[before[name]], seconds["matrices"]
        gains = [f"{common.ratio(other, seconds[name]):.3g}" for other in others]
        gains[0] = gains[0] if before[name] != name else ""
        milliseconds = 1000 * median(seconds[name])
        rows.append(f"{name:{width}} {milliseconds:12.2f} {gains[0]:>17} {gains[1]:>17}")
    return "\n".join([*rows, line, ""])


def main():
    """Check the steps, time them, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, help="file for the table")
    options = parser.parse_args()
    common.print_setting()
    check()
    load = common.os.getloadavg()[0]
    page = table(measured())
    cores = common.os.cpu_count()
    page += (
        f"\n{common.cpu()}, {cores} cores; NumPy {np.__version__}; load average before the rounds "
        f"{load:.1f}. {common.beside(load, 1)}".rstrip()
        + "\n"
    )
    if options.out:
        options.out.write_text(page)
    print(page)


if __name__ == "__main__":
    main()
