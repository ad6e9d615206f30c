"""RBMs and networks as the training loop sees them.

The rule: a learner copies the parameters that it trains, and returns fitted attributes that are
views of another copy. `skdbn._training.loop` describes its members.
"""

import math

import numpy as np

from skdbn._maths.boltzmann import RBM, free_energy, hidden_mean, reconstruction_error
from skdbn._maths.gradients import (
    MOMENTA,
    START_AT_DATA,
    likelihood_gradient,
    reserve_phases,
    running_offsets,
)
from skdbn._maths.missing import conditional_machine, draw
from skdbn._maths.network import Network, loss_gradient, scores
from skdbn._training.checks import resolve_batch_size
from skdbn._training.diagnosis import idle_units
from skdbn._training.rows import Rows, blocks, in_blocks

INITIAL_MOMENTUM, N_INITIAL_PASSES = 0.5, 5
MOMENTUM = 0.9  # with "auto"
SMALLEST_BATCH = 10  # with "auto"
HEAVIEST = 1.5  # weight of a row in a minibatch, where the mean over all rows is 1
N_MONITORED = 1000  # most rows whose reconstruction error is monitored


class MachineLearner:
    """An RBM and its rows as the training loop sees them.

    It takes parameters and chains from the fitted attributes of an RBMTransformer, and returns new
    ones.
    """

    def __init__(self, machine, rows, held_out, engine, optimizer, offsets):
        rows = rows.ready(engine)
        self.rows, self.engine, self.optimizer = rows, engine, optimizer
        self.held_out = held_out  # some of them, dense and mapped, or None
        rbm = machine._model(engine)
        self.parameters, views = engine.packed(rbm[:3])
        self.gradients, self.gradient_views = engine.packed(views)
        self.rbm = RBM(*views, *rbm[3:])
        self.complete = machine._restored_estimator(self.rbm)
        self.n_gibbs_steps = machine.n_gibbs_steps
        self.is_conditional = machine.gradient in START_AT_DATA
        self.samples_visible, self.centering = machine.sample_visible, machine.centering
        self.offsets = offsets if machine.centering else None
        self.reserved, self.losses = {}, []
        momentum = machine.momentum
        if momentum == "auto":
            momentum = MOMENTA.get(machine.gradient, MOMENTUM)
        self.n_iter, self.full_momentum = machine.n_iter_, float(momentum)
        self.n_samples, self.has_missing = rows.X.shape[0], rows.has_missing()
        self.batch_size = resolve_batch_size(machine.batch_size, self.n_samples, SMALLEST_BATCH)
        self.n_multiplications = self.batch_size * self.rbm.n_weights_of_largest_layer
        n_chains = max(len(machine.h_samples_), self.batch_size)
        self.chains = np.resize(machine.h_samples_, (n_chains, len(machine.components_)))
        self.visits, self.weight_of_visit = None, rows.weight
        if rows.weight is not None and (
            self.batch_size < self.n_samples or rows.weight.mean() > HEAVIEST
        ):
            self.visits, self.weight_of_visit = _light_visits(rows.weight)
        self.prepare_pass()
        self.watch(self._draw_watched())

    def _draw_watched(self):
        """Draw the rows to monitor: a tenth, at most N_MONITORED."""
        n_watched = min(N_MONITORED, max(self.batch_size, self.n_samples // 10), self.n_samples)
        return self.engine.permutation(self.n_samples)[:n_watched]

    def watch(self, indices):
        """Monitor these rows."""
        self.watched = indices
        memory = self.engine.zeros(len(indices), self.rows.X.shape[1])
        x = self.rows.read(self.engine, indices, memory)
        self.watched_rows = Rows(x, weight=self.rows.weight_of(indices))

    def prepare_pass(self):
        """Set the momentum of the next pass."""
        is_early = self.n_iter < N_INITIAL_PASSES
        highest = INITIAL_MOMENTUM if is_early else self.full_momentum
        self.optimizer.momentum = min(self.full_momentum, highest)

    def gradient(self, indices, scale):
        """Return the gradient of a minibatch."""
        n = len(indices)
        if n not in self.reserved:
            self.reserved[n] = reserve_phases(self.rbm, n, n, self.rows.weight is not None)
        phases = self.reserved[n]
        if self.rows.weight is not None:
            weight = self.weight_of_visit[indices]
            phases.row_weights[:n], phases.row_weights[n:] = weight, weight.mean()
        rbm, v = self.rbm, self._read(indices, phases.v_pos)
        if self.has_missing and self.is_conditional:
            rbm = conditional_machine(rbm, v)
        elif self.has_missing:
            draw(rbm, v)
        self.complete(rbm, phases, self.chains[:n], self.n_gibbs_steps)
        if self.centering:
            self.offsets = running_offsets(self.rbm, phases, self.offsets)
        likelihood_gradient(self.rbm, phases, self.gradient_views, scale, self.offsets)
        return self.gradients

    def _read(self, indices, v):
        """Read rows as visible states, drawn with `sample_visible`; missing values stay NaN."""
        self.rows.read(self.engine, indices, v)
        if self.samples_visible:
            missing = self.engine.xp.isnan(v) if self.has_missing else None
            self.rbm.visible_units.sample_data(v, out=v)
            if missing is not None:
                v[missing] = math.nan
        return v

    def end_pass(self):
        """Return a point for each curve, and the reconstruction error of held-out rows or None."""
        self.n_iter += 1
        self.prepare_pass()
        loss, v, h = self._look_at(self.watched_rows)
        dead, saturated = idle_units(h, self.rbm.hidden_units.binary)
        points = {
            "loss_curve_": loss,
            "dead_units_curve_": float(dead.mean()),
            "saturated_units_curve_": float(saturated.mean()),
            "_largest_weights": float(abs(self.rbm.weights).max()),
        }
        if hasattr(self.complete, "log_partition"):
            points["log_partition_curve_"] = self.complete.log_partition(self.rbm, self.chains)
        if self.held_out is None:
            return points, None
        loss, v_of_held_out, _ = self._look_at(self.held_out)
        energies = [
            np.average(free_energy(self.rbm, states), weights=rows.weight)
            for states, rows in ((v_of_held_out, self.held_out), (v, self.watched_rows))
        ]
        points["free_energy_gap_curve_"] = float(energies[0] - energies[1])
        points["validation_loss_curve_"] = loss
        return points, loss

    def _look_at(self, rows):
        """Return the reconstruction error of rows, their states with gaps filled, and features.

        The error is that of observed values.
        """
        rbm, v, share = self.rbm, rows.X, 1.0
        if rows.has_missing():
            v = v.copy()
            rbm = conditional_machine(rbm, v)
            observed = rbm.visible_units.free.mean(axis=1)
            share = max(self.engine.tiny, float(np.average(observed, weights=rows.weight)))
        h = hidden_mean(rbm, v)
        return reconstruction_error(rbm, v, h, rows.weight) / share, v, h

    def arrays(self, parameters):
        """Return the fitted attributes that are views of a vector of parameters."""
        weights, *intercepts = self.engine.views(parameters, self.gradient_views)
        names = ("intercept_visible_", "intercept_hidden_")
        return {"components_": weights.T, **dict(zip(names, intercepts, strict=True))}

    def extras(self, best):
        """Return the chains, and the state that a later fit continues from."""
        kept = {"engine": self.engine.get_state(), "optimizer": self.optimizer.get_state()}
        if self.offsets is not None:
            kept["offsets"] = [offset.copy() for offset in self.offsets]
        if hasattr(self.complete, "get_state"):
            kept["estimator"] = self.complete.get_state()
        return {"h_samples_": self.chains.copy(), "_kept": kept}

    def carried(self):
        """Return what the next pass needs beside parameters, optimizer and engine."""
        complete = self.complete
        estimator = complete.get_state() if hasattr(complete, "get_state") else None
        return {
            "chains": self.chains,
            "offsets": self.offsets,
            "estimator": estimator,
        }

    def carry(self, carried, n_iter):
        """Go on from what a pass over other rows left, as pass `n_iter`."""
        self.n_iter, self.chains = n_iter, carried["chains"].copy()
        if carried["offsets"] is not None:
            self.offsets = [offset.copy() for offset in carried["offsets"]]
        if carried["estimator"] is not None:
            self.complete.set_state(carried["estimator"])
        self.prepare_pass()

    def get_state(self):
        """Return which rows are monitored."""
        return {"watched": self.watched}

    def set_state(self, state):
        """Monitor the rows that were monitored before."""
        watched = state["watched"]
        if watched.ndim != 1 or watched.dtype.kind != "i":
            raise TypeError("the monitored rows are not given by row numbers")
        if watched.min() < 0 or watched.max() >= self.n_samples:
            raise ValueError(f"the monitored rows are not among the {self.n_samples} rows")
        self.watch(watched)


def _light_visits(weight):
    """Return the rows of a pass, heavy ones several times, and the weight of a visit of each row.

    The more a minibatch weighs, the longer are the steps of plain descent: one visit of a heavy row
    with all of its weight would throw a machine off.
    """
    n_visits = np.ceil(weight / HEAVIEST).astype(int)
    return np.repeat(np.arange(len(weight)), n_visits), weight / np.maximum(1, n_visits)


class NetworkLearner:
    """The layers of a network from `lowest` up, as the training loop sees them.

    It trains a copy of the weights, and returns them with those of the layers below. `watches` is
    what early stopping monitors on the held-out rows, "score" or "loss". The result of `keep` is
    left in the net, for a later call.

    With `all_rows` a pass goes over these, for the virtual adversarial loss, and each minibatch
    also has as many labelled rows, or all of them if they are fewer.

    With `standard`, the means and the standard deviations of the inputs, it trains the weights and
    intercepts of the equivalent layer of standardized inputs, ``W * deviation`` and ``b + mean @
    W``. All else, such as the gradient and the perturbations, is about the inputs as they are.
    """

    n_iter = 0  # a pass is like any other
    visits = None

    def __init__(
        self,
        network,
        lowest,
        rows,
        held_out,
        batch_size,
        curve,
        watches="score",
        perturbations=None,
        all_rows=None,
        standard=None,
    ):
        weights, intercepts, hidden_units, head, self.engine = network
        self.rows = rows.ready(self.engine)
        self.all_rows = None if all_rows is None else all_rows.ready(self.engine)
        self.held_out, self.curve, self.watches = held_out, curve, watches
        self.n_samples = (rows if all_rows is None else all_rows).X.shape[0]
        self.batch_size = batch_size
        self.below = weights[:lowest], intercepts[:lowest]
        self.parameters, views = self.engine.packed([*weights[lowest:], *intercepts[lowest:]])
        self.gradients, self.gradient_views = self.engine.packed(views)
        n = len(weights) - lowest
        self.standard, self.trained = standard, views
        if standard is not None:
            mean, deviation = standard
            views[n] += mean @ views[0]
            views[0] *= deviation[:, None]
            views = self._for_given_inputs(views)
        self._network = Network(views[:n], views[n:], hidden_units[lowest:], head, self.engine)
        n_at_once = batch_size if all_rows is None else 2 * batch_size
        self.n_multiplications = n_at_once * self._network.n_weights_of_largest_layer
        self.perturbations = perturbations or {}
        self.losses = []
        # Of a part of the rows it may differ from 1: see `Rows.weighted`.
        self.mean_weight = rows.mean_weight()
        self.keep = None  # returns the state that a later call continues from, if there can be one

    @property
    def network(self):
        """The network as the parameters are now."""
        if self.standard is not None:
            first = self._network.weights[0], self._network.intercepts[0]
            self._for_given_inputs(self.trained, first)
        return self._network

    def _for_given_inputs(self, trained, out=(None, None)):
        """Return the weights and intercepts of the network that was trained, the first in `out`."""
        mean, deviation = self.standard
        n, xp = len(trained) // 2, self.engine.xp
        weights = xp.divide(trained[0], deviation[:, None], out=out[0])
        intercept = xp.subtract(trained[n], mean @ weights, out=out[1])
        return [weights, *trained[1:n], intercept, *trained[n + 1 :]]

    def gradient(self, indices, scale):
        """Return the gradient of the mean loss of a minibatch."""
        n = len(indices)
        x, y, weight = self._minibatch(indices)
        loss, gradients = loss_gradient(
            self.network, x, y, self.gradient_views, scale, weight, **self.perturbations
        )
        if self.standard is not None:
            mean, deviation = self.standard
            of_weights, of_intercept = gradients[0], gradients[len(gradients) // 2]
            of_weights -= mean[:, None] * of_intercept
            of_weights /= deviation[:, None]
        self.losses.append(loss * n)
        return self.gradients

    def _minibatch(self, indices):
        """Return inputs of a minibatch, targets of its labelled rows, and weights or None."""
        labelled, parts = indices, []
        if self.all_rows is not None:
            parts = [(self.all_rows, indices)]
            if len(self.rows.y) < self.n_samples:
                labelled = self.engine.subset(len(self.rows.y), self.batch_size)
        parts = [(self.rows, labelled), *parts]
        n_rows = sum(len(numbers) for _, numbers in parts)
        x, start = self.engine.buffer("minibatch", n_rows, self.rows.X.shape[1]), 0
        for rows, numbers in parts:
            rows.read(self.engine, numbers, x[start : start + len(numbers)])
            start += len(numbers)
        weight = None
        if any(rows.weight is not None for rows, _ in parts):
            weights = [rows.factors(self.engine, numbers) for rows, numbers in parts]
            weight = self.engine.xp.concatenate(weights)
        return x, self.rows.y[labelled], weight

    def end_pass(self):
        """Return a point for each curve, and the monitored value of held-out rows, low if good."""
        points = {self.curve: sum(self.losses) / self.n_samples / self.mean_weight}
        self.losses.clear()
        if self.held_out is None:
            return points, None
        network, (_, y, weight, _) = self.network, self.held_out
        head, n_outputs = network.head, len(network.intercepts[-1])
        top = in_blocks(scores, network, self.held_out, n_outputs)
        losses = np.zeros(len(top))  # in float64: a wild target must not drown the others in a mean
        for block in blocks(len(top)):  # the scores become outputs
            _, losses[block] = head.outcome(top[block], head.target(y[block], n_outputs))
        points["validation_loss_curve_"] = loss = float(np.average(losses, weights=weight))
        points["validation_scores_"] = score = head.score(top, y, weight)
        return points, loss if self.watches == "loss" else -score

    def arrays(self, parameters):
        """Return the fitted attributes that are views of a vector of parameters."""
        views = self.engine.views(parameters, self.gradient_views)
        if self.standard is not None:
            views = self._for_given_inputs(views)
        n, (coefs, intercepts) = len(views) // 2, self.below
        return {"coefs_": [*coefs, *views[:n]], "intercepts_": [*intercepts, *views[n:]]}

    def extras(self, best):
        """Return the best monitored value, and the state that a later call continues from."""
        extras = {} if self.keep is None else {"_kept": self.keep()}
        if self.held_out is not None and self.watches == "loss":
            extras["best_validation_loss_"] = best.loss
        elif self.held_out is not None:
            extras["best_validation_score_"] = -best.loss
        return extras

    def carried(self):
        """Return nothing: the parameters are all that the next pass needs."""
        return {}

    def carry(self, carried, n_iter):
        """Do nothing."""

    def get_state(self):
        """Return the parameters if they are not what the estimator keeps.

        All else that a pass leaves is in the curves.
        """
        return {} if self.standard is None else {"parameters": self.parameters.copy()}

    def set_state(self, state):
        """Continue from these parameters."""
        if self.standard is not None:
            self.parameters[:] = self.engine.given(state["parameters"], self.parameters.shape)
