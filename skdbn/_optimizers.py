"""Optimizers and learning-rate schedules.

The rule: ``step(parameters, gradients, progress)`` changes the parameters in place, may overwrite
the gradients, and an optimizer owns its state. A schedule is a function of the progress of
training in [0, 1] that multiplies the rate. Weight decay acts on matrices, never on intercepts.
"""

import math


def constant(progress):
    """Keep the rate.

    Parameters
    ----------
    progress : float
        Progress of training in [0, 1].

    Returns
    -------
    float
        1.
    """
    return 1.0


def cosine(progress):
    """Let the rate fall to 0 along half a period of the cosine.

    Parameters
    ----------
    progress : float
        Progress of training in [0, 1].

    Returns
    -------
    float
        A factor that falls from 1 to 0.

    References
    ----------
    Loshchilov and Hutter (2017), "SGDR: stochastic gradient descent with warm restarts".
    """
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def _add_weight_decay(engine, weight_decay, parameters, gradients):
    """Add the gradient of ``weight_decay / 2 * sum(W^2)`` for each matrix W."""
    for i, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
        if weight_decay and parameter.ndim == 2:
            decay = engine.buffer(("decay", i), *parameter.shape)
            decay[...] = parameter
            decay *= weight_decay
            gradient += decay


class SGD:
    """Gradient descent with momentum.

    ``velocity = momentum * velocity - rate * gradient``, then ``parameter += velocity``.

    Parameters
    ----------
    engine : engine
        Where memory comes from.
    learning_rate : float
        Rate.
    schedule : callable, default=constant
        Factor of the rate, a function of the progress.
    weight_decay : float, default=0.0
        L2 penalty on matrices.
    momentum : float, default=0.9
        Share of the velocity that is kept; may be changed between steps.

    References
    ----------
    Polyak (1964), "Some methods of speeding up the convergence of iteration methods".
    """

    def __init__(self, engine, learning_rate, schedule=constant, weight_decay=0.0, momentum=0.9):
        self.engine = engine
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.velocities = None

    def step(self, parameters, gradients, progress=0.0):
        """Move the parameters.

        Parameters
        ----------
        parameters : sequence of ndarray
            What to change.
        gradients : sequence of ndarray
            Gradients of the loss, which are overwritten.
        progress : float, default=0.0
            Progress of training in [0, 1].
        """
        if self.velocities is None:
            self.velocities = [self.engine.zeros(*p.shape) for p in parameters]
        _add_weight_decay(self.engine, self.weight_decay, parameters, gradients)
        rate = self.learning_rate * self.schedule(progress)
        for parameter, gradient, velocity in zip(
            parameters, gradients, self.velocities, strict=True
        ):
            velocity *= self.momentum
            gradient *= rate
            velocity -= gradient
            parameter += velocity


class Adam:
    """Adam.

    Parameters
    ----------
    engine : engine
        Where memory and the square root come from.
    learning_rate : float
        Rate.
    schedule : callable, default=constant
        Factor of the rate, a function of the progress.
    weight_decay : float, default=0.0
        L2 penalty on matrices.

    References
    ----------
    Kingma and Ba (2015), "Adam: a method for stochastic optimization".
    """

    decay_1, decay_2, epsilon = 0.9, 0.999, 1e-8

    def __init__(self, engine, learning_rate, schedule=constant, weight_decay=0.0):
        self.engine = engine
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.n_steps = 0
        self.means = None
        self.squares = None

    def step(self, parameters, gradients, progress=0.0):
        """Move the parameters.

        Parameters
        ----------
        parameters : sequence of ndarray
            What to change.
        gradients : sequence of ndarray
            Gradients of the loss, which are overwritten.
        progress : float, default=0.0
            Progress of training in [0, 1].
        """
        if self.means is None:
            self.means = [self.engine.zeros(*p.shape) for p in parameters]
            self.squares = [self.engine.zeros(*p.shape) for p in parameters]
        _add_weight_decay(self.engine, self.weight_decay, parameters, gradients)
        self.n_steps += 1
        # `means` and `squares` hold discounted sums: the factors that turn them into averages
        # and correct their start at 0 are folded into two numbers.
        scale = math.sqrt((1.0 - self.decay_2**self.n_steps) / (1.0 - self.decay_2))
        rate = self.learning_rate * self.schedule(progress) * scale
        rate *= (1.0 - self.decay_1) / (1.0 - self.decay_1**self.n_steps)
        for parameter, gradient, mean, square in zip(
            parameters, gradients, self.means, self.squares, strict=True
        ):
            mean *= self.decay_1
            mean += gradient
            gradient *= gradient
            square *= self.decay_2
            square += gradient
            root = self.engine.sqrt(square, out=gradient)
            root += self.epsilon * scale
            change = self.engine.divide(mean, root, out=root)
            change *= rate
            parameter -= change


SCHEDULES = {"constant": constant, "cosine": cosine}
OPTIMIZERS = {"sgd": SGD, "adam": Adam}
