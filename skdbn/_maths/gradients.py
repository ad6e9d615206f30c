"""Estimators of the log-likelihood gradient of a restricted Boltzmann machine.

The gradient is an expectation under the data (the positive phase) minus one under the model
(the negative phase). The estimators differ only in where the negative phase comes from.

The rule: ``(rbm, phases, chain, n_gibbs_steps) -> chain``. The phases contain the data and are
completed, the chain goes in and comes out, and no hidden layer is computed twice: with
`likelihood_gradient` a minibatch costs 2k + 3 matrix products for k Gibbs steps. An estimator that
keeps more than its chain is a class: its instances, created with the machine, are called in the
same way.

With missing values (`skdbn._maths.missing`) "cd" estimates the gradient of
``log p(observed units | the others)``: in both phases the others keep their expected states given
the observed ones. Estimators with persistent chains, which belong to no row, estimate the gradient
of ``log p(observed units)``: in the positive phase the others are drawn given the observed ones.
"""

import math
from typing import NamedTuple

from skdbn._maths.boltzmann import (
    RBM,
    free_energy,
    gibbs_step,
    hidden_input,
    hidden_mean,
    independent_states,
    visible_mean,
)
from skdbn._maths.likelihood import acceptance_ratio, log_partition_without_weights

RATE_OF_OFFSETS = 0.01  # at which their running means move
LEAST_ACCEPTANCE = 0.5  # of swaps with the last frozen machine; below it, one more is frozen
PRODUCTS_OF_RUNG = 14  # four per swap and move of its chains, plus the time of the rest
FEWER_ACCEPTED = 0.35  # of swaps between its neighbours, below which a frozen machine is kept
N_BISECTIONS_OF_SHIFT = 20  # far within the spread of works
SHARE_KEPT = 0.9  # share of the sums of a link that is kept when new samples come


class Phases(NamedTuple):
    """Both phases, stacked so that one matrix product serves both.

    Attributes
    ----------
    visible : ndarray of shape (n_positive + n_negative, n_visible)
        Visible states of both phases.
    hidden : ndarray of shape (n_positive + n_negative, n_hidden)
        Expected hidden states given `visible`.
    weights : ndarray of shape (n_positive + n_negative,)
        Weight of each row in the gradient: each phase is averaged, and the data are negative.
    row_weights : ndarray of shape (n_positive + n_negative,) or None
        Further factors of these weights. The caller sets those of the data, and for the chains the
        mean of these.
    v_pos, v_neg, h_pos, h_neg : ndarray
        The rows of `visible` and `hidden` that belong to the data and to the model.
    """

    visible: object
    hidden: object
    weights: object
    row_weights: object
    v_pos: object
    v_neg: object
    h_pos: object
    h_neg: object


def reserve_phases(rbm, n_positive, n_negative, has_row_weights=False):
    """Return memory for both phases.

    Parameters
    ----------
    rbm : RBM
        The machine.
    n_positive, n_negative : int
        Number of rows of data and of chains.
    has_row_weights : bool, default=False
        Whether rows of data have weights.

    Returns
    -------
    Phases
        Phases with weights set and states undefined.
    """
    n, n_rows = n_positive, n_positive + n_negative
    visible = rbm.engine.zeros(n_rows, rbm.weights.shape[0])
    hidden = rbm.engine.zeros(n_rows, rbm.weights.shape[1])
    weights = rbm.engine.zeros(n_rows)
    weights[:n] = -1.0 / n_positive
    weights[n:] = 1.0 / n_negative
    row_weights = 0.0 * weights + 1.0 if has_row_weights else None
    phases = visible[:n], visible[n:], hidden[:n], hidden[n:]
    return Phases(visible, hidden, weights, row_weights, *phases)


def contrastive_divergence(rbm, phases, chain, n_gibbs_steps=1):
    """Start the negative phase at the data: CD-k.

    Hidden states are drawn; the reconstruction and the last hidden layer stay probabilities. In
    longer chains the visible states in between are drawn too. Each chain has the weight of the row
    that it starts at.

    Parameters
    ----------
    rbm : RBM
        The machine.
    phases : Phases
        Both phases, of the same number of rows, with the data in `v_pos`.
    chain : ndarray of shape (n_rows, n_hidden)
        Memory for the hidden states drawn.
    n_gibbs_steps : int, default=1
        Steps k of the chain.

    Returns
    -------
    ndarray of shape (n_rows, n_hidden)
        The chain: the last hidden states drawn.

    References
    ----------
    Hinton (2002), "Training products of experts by minimizing contrastive divergence";
    Hinton (2010), "A practical guide to training restricted Boltzmann machines".
    """
    _, _, _, row_weights, v_pos, v_neg, h_pos, h_neg = phases
    if row_weights is not None:
        row_weights[len(v_pos) :] = row_weights[: len(v_pos)]
    h = hidden_mean(rbm, v_pos, out=h_pos)
    for step in range(n_gibbs_steps):
        if step > 0:
            rbm.visible_units.sample(v_neg, out=v_neg)
            h = hidden_mean(rbm, v_neg, out=h_neg)
        chain = rbm.hidden_units.sample(h, out=chain)
        visible_mean(rbm, chain, out=v_neg)
    hidden_mean(rbm, v_neg, out=h_neg)
    return chain


def persistent_contrastive_divergence(rbm, phases, chain, n_gibbs_steps=1):
    """Continue the negative phase from where it stood: PCD-k.

    Parameters
    ----------
    rbm : RBM
        The machine.
    phases : Phases
        Both phases, with the data in `v_pos`. The chains' visible states are drawn.
    chain : ndarray of shape (n_negative, n_hidden)
        Hidden states of the chains.
    n_gibbs_steps : int, default=1
        Steps k of the chains.

    Returns
    -------
    ndarray of shape (n_negative, n_hidden)
        The advanced chain.

    References
    ----------
    Tieleman (2008), "Training restricted Boltzmann machines using approximations to the
    likelihood gradient".
    """
    visible, hidden, _, _, _, v_neg, _, h_neg = phases
    for step in range(n_gibbs_steps):
        if step > 0:
            h = hidden_mean(rbm, v_neg, out=h_neg)
            chain = rbm.hidden_units.sample(h, out=chain)
        visible_mean(rbm, chain, out=v_neg)
        rbm.visible_units.sample(v_neg, out=v_neg)
    hidden_mean(rbm, visible, out=hidden)  # both phases in one product
    return rbm.hidden_units.sample(h_neg, out=chain)


class Link:
    """Difference of two log partition functions, estimated from samples of both machines.

    The sums give a consistent estimate with any `shift`; the best shift is the difference itself.
    Earlier sums count less and less, because chains that were just copied are not yet independent.

    Parameters
    ----------
    shift : float
        A guess of the difference.
    below, above : float
        Sums over samples of the lower and of the upper machine.

    References
    ----------
    Bennett (1976), "Efficient estimation of free energy differences from Monte Carlo data".
    """

    def __init__(self, shift, below=0.0, above=0.0):
        self.shift, self.below, self.above = shift, below, above

    def add(self, xp, work_below, work_above):
        """Add differences of free energies, upper minus lower machine, at samples of each machine.

        Parameters
        ----------
        xp : module
            Functions of arrays.
        work_below, work_above : ndarray of shape (n_chains,)
            Differences at samples of the lower and of the upper machine.
        """
        below = float((1.0 / (1.0 + xp.exp(work_below + self.shift))).sum())
        above = float((1.0 / (1.0 + xp.exp(-work_above - self.shift))).sum())
        self.below, self.above = SHARE_KEPT * self.below + below, SHARE_KEPT * self.above + above

    @property
    def difference(self):
        """Return log Z of the upper machine minus that of the lower one.

        Returns
        -------
        float
            Difference in nats; NaN if the samples do not overlap.
        """
        if not (self.below > 0.0 and self.above > 0.0):
            return math.nan
        return self.shift + math.log(self.below) - math.log(self.above)


def _link(engine, work_below, work_above):
    """Return a link from one set of samples, with its shift at the estimated difference."""
    value, _ = acceptance_ratio(engine, -work_below, -work_above, N_BISECTIONS_OF_SHIFT)
    link = Link(value)
    link.add(engine.xp, work_below, work_above)
    return link


class Rung(NamedTuple):
    """An earlier version of a machine in training, with its own chains.

    Attributes
    ----------
    rbm : RBM
        The frozen machine.
    parameters : ndarray of shape (n_parameters,)
        Weights and intercepts of the machine as one vector.
    v : ndarray of shape (n_chains, n_visible)
        Visible states of its chains.
    link : Link or None
        Link to the rung below; None for the first rung.
    """

    rbm: object
    parameters: object
    v: object
    link: object


class ParallelTrajectoryTempering:
    """Keep persistent chains near equilibrium by swaps with earlier machines: PTT-k.

    Earlier versions of the machine are frozen and keep their own chains. The first has no weights:
    its states are independent draws. Neighbours swap states with the probability that leaves both
    distributions unchanged, so states that are new to the last machine wander up to it, and log Z
    is estimated along the way. The chains of all rungs move only so often that they add less than a
    third to the products of "pcd": many rungs move seldom. Chains that were just copied, and all
    chains while the rate is high, lag behind equilibrium, and log Z comes out too low. A machine
    frozen at such a time may lack a mode, and states of that mode then hardly pass it.

    Parameters
    ----------
    rbm : RBM
        The machine before training.

    References
    ----------
    Béreux, Decelle, Furtlehner, Rosset and Seoane (2025), "Fast training and sampling of restricted
    Boltzmann machines".
    """

    def __init__(self, rbm):
        self.like, self.rungs, self.paid = rbm, [], 0

    def __call__(self, rbm, phases, chain, n_gibbs_steps=1):
        """Make the steps of PCD-k; now and then move the chains of all rungs and swap.

        Parameters
        ----------
        rbm : RBM
            The machine.
        phases : Phases
            Both phases, with the data in `v_pos`.
        chain : ndarray of shape (n_negative, n_hidden)
            Hidden states of the chains.
        n_gibbs_steps : int, default=1
            Steps k of the chains.

        Returns
        -------
        ndarray of shape (n_negative, n_hidden)
            The advanced chain.
        """
        persistent_contrastive_divergence(rbm, phases, chain, n_gibbs_steps)
        if not self.rungs:
            self._begin(rbm, len(chain))
        if len(chain) > len(self.rungs[0].v):
            self._add_chains(len(chain))
        self.paid += 2 * n_gibbs_steps + 3
        due = PRODUCTS_OF_RUNG * len(self.rungs)
        # A short minibatch cannot freeze the machine, so it waits for a full one, if one comes.
        if self.paid >= (due if len(chain) == len(self.rungs[0].v) else 2 * due):
            self.paid = 0
            x = self._swap_with_rungs(rbm, phases.v_neg)
            rbm.hidden_units.mean(x, out=phases.h_neg)
            rbm.hidden_units.sample(phases.h_neg, out=chain)
        return chain

    def _begin(self, rbm, n_chains):
        """Start with a machine that has the intercepts, but no weights."""
        v = independent_states(rbm, n_chains)
        self._freeze(rbm._replace(weights=0.0 * rbm.weights), v, None)

    def _freeze(self, rbm, v, link):
        """Put copies of a machine and its chains on top of the rungs."""
        parameters, views = rbm.engine.packed(rbm[:3])
        self.rungs.append(Rung(RBM(*views, *rbm[3:]), parameters, v.copy(), link))

    def _drop_needless(self):
        """Drop the rungs below the last one whose neighbours swap states often enough without them.

        Those farther down have the neighbours with which they were found to be needed.
        """
        engine = self.like.engine
        while len(self.rungs) > 2:
            below, _, above = self.rungs[-3:]
            works = _works(below.rbm, above.rbm, below.v, above.v)
            if _odds(engine.xp, *works).mean() < FEWER_ACCEPTED:
                return
            self.rungs[-2:] = [above._replace(link=_link(engine, *works))]

    def _add_chains(self, n_chains):
        """Give each rung `n_chains` chains; new ones are copies of those it has."""
        resize = self.like.engine.xp.resize
        self.rungs = [
            rung._replace(v=resize(rung.v, (n_chains, rung.v.shape[1]))) for rung in self.rungs
        ]

    def _swap_with_rungs(self, rbm, v_top):
        """Swap states from the bottom up, and move the chains of each rung after its swaps.

        The machine is frozen if it is far from the last rung. The result is the input of its hidden
        units. Inputs and energies go along with swapped states, so that there are four products per
        rung.
        """
        n, xp = len(v_top), rbm.engine.xp
        machines = [*(rung.rbm for rung in self.rungs), rbm]
        states = [*(rung.v[:n] for rung in self.rungs), v_top]
        x = hidden_input(machines[0], states[0])
        energy = free_energy(machines[0], states[0], x)
        for i in range(len(self.rungs)):
            (below, above), (v_below, v_above) = machines[i : i + 2], states[i : i + 2]
            x_of_above = hidden_input(below, v_above)
            v_both = xp.concatenate([v_below, v_above])
            x_both = hidden_input(above, v_both)
            energy_both = free_energy(above, v_both, x_both)
            works = (
                energy_both[:n] - energy,
                energy_both[n:] - free_energy(below, v_above, x_of_above),
            )
            if i + 1 < len(self.rungs):
                self.rungs[i + 1].link.add(xp, *works)
            odds = _odds(xp, *works)
            swapped = rbm.engine.uniform(odds.shape) < odds
            v_below[swapped], v_above[swapped] = v_both[n:][swapped], v_both[:n][swapped]
            x[swapped] = x_of_above[swapped]
            v_below[...] = gibbs_step(below, v_below, x=x)
            x = xp.where(swapped[:, None], x_both[:n], x_both[n:])
            energy = xp.where(swapped, energy_both[:n], energy_both[n:])
        if odds.mean() < LEAST_ACCEPTANCE and n == len(self.rungs[0].v):
            self._freeze(rbm, v_top, _link(rbm.engine, *works))
            self._drop_needless()
        return x

    def log_partition(self, rbm, chain):
        """Estimate the log of the machine's partition function from the samples of all rungs.

        Parameters
        ----------
        rbm : RBM
            The machine.
        chain : ndarray of shape (n_chains, n_hidden)
            Hidden states of its chains.

        Returns
        -------
        float
            Estimate of log Z in nats.
        """
        first, last = self.rungs[0], self.rungs[-1]
        v = visible_mean(rbm, chain[: len(last.v)])
        works = _works(last.rbm, rbm, last.v, rbm.visible_units.sample(v, out=v))
        links = [*(rung.link for rung in self.rungs[1:]), _link(rbm.engine, *works)]
        return log_partition_without_weights(first.rbm) + sum(link.difference for link in links)

    def get_state(self):
        """Return the state that later steps depend on.

        Returns
        -------
        dict
            Numbers and arrays; frozen parameters are not copied.
        """
        rungs = [
            {
                "parameters": rung.parameters,
                "v": rung.v.copy(),
                "link": None if rung.link is None else vars(rung.link).copy(),
            }
            for rung in self.rungs
        ]
        return {"paid": self.paid, "rungs": rungs}

    def set_state(self, state):
        """Continue from a state.

        Parameters
        ----------
        state : dict
            Result of `get_state`.

        Raises
        ------
        ValueError
            If it belongs to another machine.
        """
        engine, arrays = self.like.engine, self.like[:3]
        n_parameters = sum(array.size for array in arrays)
        if type(state["paid"]) is not int:
            raise ValueError(f"paid == {state['paid']!r}, must be an integer")
        rungs = []
        for i, rung in enumerate(state["rungs"]):
            parameters = engine.given(rung["parameters"], (n_parameters,))
            frozen = RBM(*engine.views(parameters, arrays), *self.like[3:])
            shape = max(1, len(state["rungs"][0]["v"])), len(self.like.intercept_visible)
            v, link = engine.given(rung["v"], shape), Link(**rung["link"]) if i > 0 else None
            numbers = vars(link).values() if i > 0 else ()
            if not (
                engine.all_finite(parameters)
                and engine.all_finite(v)
                and all(type(number) is float and math.isfinite(number) for number in numbers)
                and (i > 0 or not frozen.weights.any())
            ):
                raise ValueError(f"the frozen machine {i} is damaged")
            rungs.append(Rung(frozen, parameters, v, link))
        self.paid, self.rungs = state["paid"], rungs


def _works(below, above, v_below, v_above):
    """Return differences of free energies, upper minus lower machine, at states of both."""
    n, v = len(v_below), below.engine.xp.concatenate([v_below, v_above])
    work = free_energy(above, v) - free_energy(below, v)
    return work[:n], work[n:]


def _odds(xp, work_below, work_above):
    """Return the Metropolis probabilities that swaps are accepted."""
    return xp.exp(xp.minimum(work_above - work_below, 0.0))


def _mean(engine, states, weights):
    """Return the mean of states by the weights of the rows, None if all count the same."""
    if weights is None:
        return engine.column_sums(states) / len(states)
    return engine.matmul(weights, states) / weights.sum()


def running_offsets(rbm, phases, offsets=None):
    """Return the offsets of the centred gradient, moved towards the means of a minibatch.

    Parameters
    ----------
    rbm : RBM
        The machine.
    phases : Phases
        Both phases.
    offsets : list of ndarray, optional
        Offsets before the minibatch, overwritten. None before the first minibatch.

    Returns
    -------
    list of ndarray
        Offsets of the visible units (n_visible,) and of the hidden units (n_hidden,): running
        means of the mean of both phases, by the weights of the rows.
    """
    weights, n = phases.row_weights, len(phases.v_pos)
    of_pos, of_neg = (None, None) if weights is None else (weights[:n], weights[n:])
    means = [
        0.5 * (_mean(rbm.engine, pos, of_pos) + _mean(rbm.engine, neg, of_neg))
        for pos, neg in ((phases.v_pos, phases.v_neg), (phases.h_pos, phases.h_neg))
    ]
    if offsets is None:
        return means
    for offset, mean in zip(offsets, means, strict=True):
        offset += RATE_OF_OFFSETS * (mean - offset)
    return offsets


def likelihood_gradient(rbm, phases, out, scale=1.0, offsets=None):
    """Return the gradient of the mean negative log-likelihood: model minus data, times `scale`.

    Each phase is averaged over its own rows, so a short minibatch is weighted correctly. With
    offsets it is the centred gradient: that of a machine whose states are measured from the
    offsets, converted to the parameters of this one. It is invariant to flipping bits in both data
    and machine.

    Parameters
    ----------
    rbm : RBM
        The machine.
    phases : Phases
        Both phases, overwritten.
    out : sequence of three ndarrays
        Where to write the gradients; shapes as in the result.
    scale : float, default=1.0
        Factor of the gradients, free of cost here.
    offsets : list of two ndarrays, optional
        Offsets of the visible and of the hidden units, as `running_offsets` returns them.

    Returns
    -------
    list of ndarray
        Gradients of shapes (n_visible, n_hidden), (n_visible,) and (n_hidden,) for the
        weights, the visible and the hidden intercepts.

    References
    ----------
    Melchior, Fischer and Wiskott (2016), "How to center deep Boltzmann machines".
    """
    engine, (visible, hidden, weights, row_weights, v_pos, v_neg, h_pos, h_neg) = rbm.engine, phases
    weights = scale * weights
    if row_weights is not None:
        weights *= row_weights
    if offsets is not None:
        visible -= offsets[0]
        hidden -= offsets[1]
    intercept_visible = engine.matmul(weights, visible, out=out[1])
    intercept_hidden = engine.matmul(weights, hidden, out=out[2])
    h_pos *= -scale / len(v_pos)
    h_neg *= scale / len(v_neg)
    if row_weights is not None:
        hidden *= row_weights[:, None]
    gradient = engine.matmul(visible.T, hidden, out=out[0])
    if offsets is not None:
        intercept_visible -= engine.matmul(gradient, offsets[1])
        intercept_hidden -= engine.matmul(offsets[0], gradient)
    return [gradient, intercept_visible, intercept_hidden]


def estimator(name, rbm):
    """Return an estimator of the gradient, ready to call.

    Parameters
    ----------
    name : str
        Member of `GRADIENTS`.
    rbm : RBM
        The machine.

    Returns
    -------
    callable
        A function, or a new instance of a class.
    """
    member = GRADIENTS[name]
    return member(rbm) if isinstance(member, type) else member


GRADIENTS = {
    "cd": contrastive_divergence,
    "pcd": persistent_contrastive_divergence,
    "ptt": ParallelTrajectoryTempering,
}
MOMENTA = {
    "pcd": 0.0,
    "ptt": 0.0,
}  # where "auto" is not 0.9: persistent chains cannot keep up with fast weights
START_AT_DATA = {"cd"}  # whose chains belong to rows and keep their filled values
