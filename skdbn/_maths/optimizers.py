"""Optimizers and learning-rate schedules.

The rule: ``step(parameters, gradients, progress)`` changes the parameters in place and may
overwrite the gradients. An optimizer owns its state, which `get_state` returns and `set_state`
restores, so training can continue in another process. Parameters and gradients are one vector each,
weights before intercepts, so a step takes few operations however many layers there are. Weight
decay acts on the weights only. A schedule is a function of the progress of training in [0, 1] that
multiplies the rate.
"""

import math


def constant(progress):
    """Keep the rate constant.

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


def linear(progress):
    """Decrease the rate linearly to 0.

    Parameters
    ----------
    progress : float
        Progress of training in [0, 1].

    Returns
    -------
    float
        A factor that decreases from 1 to 0.
    """
    return 1.0 - progress


def cosine(progress):
    """Decrease the rate to 0 along half a period of the cosine.

    Parameters
    ----------
    progress : float
        Progress of training in [0, 1].

    Returns
    -------
    float
        A factor that decreases from 1 to 0.

    References
    ----------
    Loshchilov and Hutter (2017), "SGDR: stochastic gradient descent with warm restarts".
    """
    return 0.5 * (1.0 + math.cos(math.pi * progress))


class SGD:
    """Gradient descent with momentum.

    ``velocity = momentum * velocity - rate * gradient``, then ``parameter += velocity``.

    Parameters
    ----------
    engine : engine
        Provides memory and arithmetic.
    n_parameters : int
        Length of the trained vector.
    n_weights : int
        Number of weights, which come first among the parameters.
    learning_rate : float
        Rate.
    schedule : callable, default=constant
        Factor of the rate, a function of the progress.
    weight_decay : float, default=0.0
        L2 penalty on the weights.
    momentum : float, default=0.9
        Share of the velocity that each step keeps; may be changed between steps.

    References
    ----------
    Polyak (1964), "Some methods of speeding up the convergence of iteration methods".
    """

    def __init__(
        self,
        engine,
        n_parameters,
        n_weights,
        learning_rate,
        schedule=constant,
        weight_decay=0.0,
        momentum=0.9,
    ):
        self.engine = engine
        self.n_weights = n_weights
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.velocity = engine.zeros(n_parameters)

    def scale(self, progress):
        """Return the factor that `step` expects in the gradients: the rate.

        Parameters
        ----------
        progress : float
            Progress of training in [0, 1].

        Returns
        -------
        float
            Factor.
        """
        return self.learning_rate * self.schedule(progress)

    def step(self, parameters, gradients, progress=0.0):
        """Move the parameters.

        Parameters
        ----------
        parameters : ndarray of shape (n_parameters,)
            Parameters, changed in place.
        gradients : ndarray of shape (n_parameters,)
            Gradients of the loss, overwritten.
        progress : float, default=0.0
            Progress of training in [0, 1].
        """
        velocity, n = self.velocity, self.n_weights
        velocity *= self.momentum
        velocity -= gradients
        if self.weight_decay:
            decay = self.scale(progress) * self.weight_decay
            velocity[:n] -= self.engine.xp.multiply(parameters[:n], decay, out=gradients[:n])
        parameters += velocity

    def get_state(self):
        """Return the state that later steps depend on.

        Returns
        -------
        dict
            Copies of arrays.
        """
        return {"velocity": self.velocity.copy()}

    def set_state(self, state):
        """Continue from a state.

        Parameters
        ----------
        state : dict
            Result of `get_state`.

        Raises
        ------
        ValueError
            If it belongs to other parameters.
        """
        self.velocity = self.engine.given(state["velocity"], self.velocity.shape)


class Adam:
    """Adam.

    Parameters
    ----------
    engine : engine
        Provides memory and arithmetic.
    n_parameters : int
        Length of the trained vector.
    n_weights : int
        Number of weights, which come first among the parameters.
    learning_rate : float
        Rate.
    schedule : callable, default=constant
        Factor of the rate, a function of the progress.
    weight_decay : float, default=0.0
        L2 penalty on the weights.

    References
    ----------
    Kingma and Ba (2015), "Adam: a method for stochastic optimization".
    """

    decay_1, decay_2, epsilon = 0.9, 0.999, 1e-8

    def __init__(
        self, engine, n_parameters, n_weights, learning_rate, schedule=constant, weight_decay=0.0
    ):
        self.engine = engine
        self.n_weights = n_weights
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.n_steps = 0
        self.means, self.squares = engine.zeros(n_parameters), engine.zeros(n_parameters)

    def scale(self, progress):
        """Return the factor that `step` expects in the gradients: 1.

        Parameters
        ----------
        progress : float
            Progress of training in [0, 1].

        Returns
        -------
        float
            Factor.
        """
        return 1.0

    def step(self, parameters, gradients, progress=0.0):
        """Move the parameters.

        Parameters
        ----------
        parameters : ndarray of shape (n_parameters,)
            Parameters, changed in place.
        gradients : ndarray of shape (n_parameters,)
            Gradients of the loss, overwritten.
        progress : float, default=0.0
            Progress of training in [0, 1].
        """
        if self.weight_decay:
            n = self.n_weights
            gradients[:n] += self.weight_decay * parameters[:n]
        self.n_steps += 1
        # `means` and `squares` hold discounted sums: the factors that turn them into averages and
        # correct for their start at 0 are folded into two numbers.
        scale = math.sqrt((1.0 - self.decay_2**self.n_steps) / (1.0 - self.decay_2))
        rate = self.learning_rate * self.schedule(progress) * scale
        rate *= (1.0 - self.decay_1) / (1.0 - self.decay_1**self.n_steps)
        for piece in self.engine.pieces(len(parameters)):
            gradient, mean, square = gradients[piece], self.means[piece], self.squares[piece]
            mean *= self.decay_1
            mean += gradient
            gradient *= gradient
            square *= self.decay_2
            square += gradient
            root = self.engine.xp.sqrt(square, out=gradient)
            root += self.epsilon * scale
            change = self.engine.xp.divide(mean, root, out=root)
            change *= rate
            parameters[piece] -= change

    def get_state(self):
        """Return the state that later steps depend on.

        Returns
        -------
        dict
            A number and copies of arrays.
        """
        return {"n_steps": self.n_steps, "means": self.means.copy(), "squares": self.squares.copy()}

    def set_state(self, state):
        """Continue from a state.

        Parameters
        ----------
        state : dict
            Result of `get_state`.

        Raises
        ------
        ValueError
            If it belongs to other parameters.
        """
        if type(state["n_steps"]) is not int or state["n_steps"] < 0:
            raise ValueError(f"n_steps == {state['n_steps']!r}, must be an integer >= 0")
        self.n_steps = state["n_steps"]
        self.means = self.engine.given(state["means"], self.means.shape)
        self.squares = self.engine.given(state["squares"], self.squares.shape)


SCHEDULES = {"constant": constant, "linear": linear, "cosine": cosine}
OPTIMIZERS = {"sgd": SGD, "adam": Adam}
