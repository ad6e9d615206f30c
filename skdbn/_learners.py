"""Machines and networks as the training loop sees them.

The rule: a learner copies the parameters that it trains, and returns fitted attributes that are
views of another copy. `skdbn._training.loop` says what its members are.
"""

import numpy as np

from skdbn._maths.boltzmann import RBM, free_energy, hidden_mean, reconstruction_error
from skdbn._maths.gradients import GRADIENTS, MOMENTA, likelihood_gradient, reserve_phases
from skdbn._maths.network import Network, cross_entropy_gradient, forward
from skdbn._training.checks import resolve_batch_size
from skdbn._training.diagnosis import idle_units
from skdbn._training.rows import in_blocks

INITIAL_MOMENTUM, N_INITIAL_PASSES = 0.5, 5
MOMENTUM = 0.9  # of "auto"
SMALLEST_BATCH = 10  # of "auto"
N_MONITORED = 1000  # rows at most whose reconstruction error is watched


class MachineLearner:
    """A machine on its rows, as the training loop sees it.

    It takes the parameters and the chains from the fitted attributes of an RBMTransformer, and
    returns new ones.
    """

    def __init__(self, machine, rows, X_val, engine, optimizer):
        self.rows, self.X_val, self.engine, self.optimizer = rows, X_val, engine, optimizer
        rbm = machine._model(engine)
        self.parameters, views = engine.packed(rbm[:3])
        self.gradients, self.gradient_views = engine.packed(views)
        self.rbm = RBM(*views, *rbm[3:])
        self.complete, self.n_gibbs_steps = GRADIENTS[machine.gradient], machine.n_gibbs_steps
        self.reserved = {}
        momentum = machine.momentum
        if momentum == "auto":
            momentum = MOMENTA.get(machine.gradient, MOMENTUM)
        self.n_iter, self.full_momentum = machine.n_iter_, float(momentum)
        self.n_samples = rows.X.shape[0]
        self.batch_size = resolve_batch_size(machine.batch_size, self.n_samples, SMALLEST_BATCH)
        self.n_multiplications = self.batch_size * self.rbm.n_weights_of_largest_layer
        n_chains = max(len(machine.h_samples_), self.batch_size)
        self.chains = np.resize(machine.h_samples_, (n_chains, len(machine.components_)))
        self.prepare_pass()
        self.watch(self._draw_watched())

    def _draw_watched(self):
        """Draw the rows that are watched: a tenth, at most N_MONITORED."""
        n_watched = min(N_MONITORED, max(self.batch_size, self.n_samples // 10), self.n_samples)
        return self.engine.permutation(self.n_samples)[:n_watched]

    def watch(self, indices):
        """Watch these rows."""
        self.watched = indices
        memory = self.engine.zeros(len(indices), self.rows.X.shape[1])
        self.watched_rows = self.rows.read(self.engine, indices, memory)

    def prepare_pass(self):
        """Set the momentum of the next pass."""
        is_early = self.n_iter < N_INITIAL_PASSES
        highest = INITIAL_MOMENTUM if is_early else self.full_momentum
        self.optimizer.momentum = min(self.full_momentum, highest)

    def gradient(self, indices, scale):
        """Return the gradient of a minibatch."""
        n = len(indices)
        if n not in self.reserved:
            self.reserved[n] = reserve_phases(self.rbm, n, n)
        phases = self.reserved[n]
        self.rows.read(self.engine, indices, phases.v_pos)
        self.complete(self.rbm, phases, self.chains[:n], self.n_gibbs_steps)
        likelihood_gradient(self.rbm, phases, self.gradient_views, scale)
        return self.gradients

    def end_pass(self):
        """Return a point for each curve, and the reconstruction error of the held-out rows."""
        self.n_iter += 1
        self.prepare_pass()
        rbm, watched, X_val = self.rbm, self.watched_rows, self.X_val
        h = hidden_mean(rbm, watched)
        dead, saturated = idle_units(h, rbm.hidden_units.discrete)
        points = {
            "loss_curve_": reconstruction_error(rbm, watched, h),
            "dead_units_curve_": float(dead.mean()),
            "saturated_units_curve_": float(saturated.mean()),
            "_largest_weights": float(abs(rbm.weights).max()),
        }
        if X_val is None:
            return points, None
        gap = free_energy(rbm, X_val).mean() - free_energy(rbm, watched).mean()
        points["free_energy_gap_curve_"] = float(gap)
        points["validation_loss_curve_"] = loss = reconstruction_error(rbm, X_val)
        return points, loss

    def arrays(self, parameters):
        """Return the fitted attributes that are views of a vector of parameters."""
        weights, *intercepts = self.engine.views(parameters, self.gradient_views)
        names = ("intercept_visible_", "intercept_hidden_")
        return {"components_": weights.T, **dict(zip(names, intercepts, strict=True))}

    def extras(self, best):
        """Return the chains, and what a later fit goes on from."""
        kept = {"engine": self.engine.get_state(), "optimizer": self.optimizer.get_state()}
        return {"h_samples_": self.chains.copy(), "_kept": kept}

    def get_state(self):
        """Return which rows are watched."""
        return {"watched": self.watched}

    def set_state(self, state):
        """Watch the rows that were watched before."""
        watched = state["watched"]
        if watched.ndim != 1 or watched.dtype.kind != "i":
            raise TypeError("the rows that are watched are not row numbers")
        if watched.min() < 0 or watched.max() >= self.n_samples:
            raise ValueError(f"the rows that are watched are not among {self.n_samples}")
        self.watch(watched)


class NetworkLearner:
    """The layers of a network from some layer up, as the training loop sees them.

    It trains a copy of the weights, and returns them with those of the layers below.
    """

    def __init__(self, network, lowest, rows, held_out, batch_size, curve, perturbations):
        weights, intercepts, hidden_units, self.engine = network
        self.rows, self.held_out, self.curve = rows, held_out, curve
        self.n_samples, self.batch_size = rows.X.shape[0], batch_size
        self.below = weights[:lowest], intercepts[:lowest]
        self.parameters, views = self.engine.packed([*weights[lowest:], *intercepts[lowest:]])
        self.gradients, self.gradient_views = self.engine.packed(views)
        n = len(weights) - lowest
        self.network = Network(views[:n], views[n:], hidden_units[lowest:], self.engine)
        self.n_multiplications = batch_size * self.network.n_weights_of_largest_layer
        self.perturbations = perturbations
        self.losses = []

    def gradient(self, indices, scale):
        """Return the gradient of the mean cross-entropy of a minibatch."""
        n = len(indices)
        memory = self.engine.buffer("minibatch", n, self.rows.X.shape[1])
        x, labels = self.rows.read(self.engine, indices, memory), self.rows.y[indices]
        loss, _ = cross_entropy_gradient(
            self.network, x, labels, self.gradient_views, scale, **self.perturbations
        )
        self.losses.append(loss * n)
        return self.gradients

    def end_pass(self):
        """Return a point for each curve, and minus the accuracy on the held-out rows."""
        points = {self.curve: sum(self.losses) / self.n_samples}
        self.losses.clear()
        if self.held_out is None:
            return points, None
        p = in_blocks(forward, self.network, self.held_out, len(self.network.intercepts[-1]))
        score = float((p.argmax(axis=1) == self.held_out.y).mean())
        points["validation_scores_"] = score
        return points, -score

    def arrays(self, parameters):
        """Return the fitted attributes that are views of a vector of parameters."""
        views, n = self.engine.views(parameters, self.gradient_views), len(self.network.weights)
        coefs, intercepts = self.below
        return {"coefs_": [*coefs, *views[:n]], "intercepts_": [*intercepts, *views[n:]]}

    def extras(self, best):
        """Return the best score, where there are held-out rows."""
        return {} if self.held_out is None else {"best_validation_score_": -best.loss}

    def get_state(self):
        """Return nothing: all that a pass leaves is in the parameters and the curves."""
        return {}

    def set_state(self, state):
        """Do nothing."""
