"""Estimators of the log-likelihood gradient of a restricted Boltzmann machine.

The gradient is an expectation under the data (the positive phase) minus one under the model
(the negative phase). The estimators differ only in where the negative phase comes from.

The rule: ``(rbm, v, chain, n_gibbs_steps) -> (phases, chain)``. The chain goes in and comes out,
and no hidden layer is computed twice: with `likelihood_gradient` a minibatch costs 2k + 3 matrix
products for k Gibbs steps.
"""

from typing import NamedTuple

from skdbn._boltzmann import hidden_mean, visible_mean


class Phases(NamedTuple):
    """Both phases, one above the other, so that one matrix product serves both.

    Attributes
    ----------
    visible : ndarray of shape (n_positive + n_negative, n_visible)
        Visible states: the data first.
    hidden : ndarray of shape (n_positive + n_negative, n_hidden)
        Expected hidden states given `visible`.
    n_positive : int
        How many rows belong to the positive phase.
    """

    visible: object
    hidden: object
    n_positive: int


def _reserve(rbm, n_positive, n_negative):
    """Return Phases with undefined content."""
    n_visible, n_hidden = rbm.weights.shape
    n_rows = n_positive + n_negative
    visible = rbm.engine.buffer("visible", n_rows, n_visible)
    hidden = rbm.engine.buffer("hidden", n_rows, n_hidden)
    return Phases(visible, hidden, n_positive)


def contrastive_divergence(rbm, v, chain, n_gibbs_steps=1):
    """Start the negative phase at the data: CD-k.

    The hidden states are drawn, the reconstruction and the last hidden layer stay
    probabilities; between, in longer chains, the visible states are drawn too.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Data.
    chain : ndarray of shape (n_chains, n_hidden)
        Memory for the hidden states that are drawn, with at least n_rows rows.
    n_gibbs_steps : int, default=1
        Steps k of the chain.

    Returns
    -------
    phases : Phases
        Data and reconstruction.
    chain : ndarray of shape (n_chains, n_hidden)
        The hidden states drawn last.

    References
    ----------
    Hinton (2002), "Training products of experts by minimizing contrastive divergence";
    Hinton (2010), "A practical guide to training restricted Boltzmann machines".
    """
    n = len(v)
    phases = _reserve(rbm, n, n)
    v_pos, v_neg = phases.visible[:n], phases.visible[n:]
    h_pos, h_neg = phases.hidden[:n], phases.hidden[n:]
    v_pos[...] = v
    h = hidden_mean(rbm, v_pos, out=h_pos)
    for step in range(n_gibbs_steps):
        if step > 0:
            rbm.visible_units.sample(v_neg, out=v_neg)
            h = hidden_mean(rbm, v_neg, out=h_neg)
        chain[:n] = rbm.hidden_units.sample(h, out=chain[:n])
        visible_mean(rbm, chain[:n], out=v_neg)
    hidden_mean(rbm, v_neg, out=h_neg)
    return phases, chain


def persistent_contrastive_divergence(rbm, v, chain, n_gibbs_steps=1):
    """Let the negative phase go on where it stood: PCD-k.

    Parameters
    ----------
    rbm : RBM
        The machine.
    v : ndarray of shape (n_rows, n_visible)
        Data.
    chain : ndarray of shape (n_chains, n_hidden)
        Hidden states of the chains.
    n_gibbs_steps : int, default=1
        Steps k of the chains.

    Returns
    -------
    phases : Phases
        Data and the chains' visible states, which are drawn.
    chain : ndarray of shape (n_chains, n_hidden)
        Hidden states of the chains, further on.

    References
    ----------
    Tieleman (2008), "Training restricted Boltzmann machines using approximations to the
    likelihood gradient".
    """
    n = len(v)
    phases = _reserve(rbm, n, len(chain))
    v_neg, h_neg = phases.visible[n:], phases.hidden[n:]
    phases.visible[:n] = v
    for step in range(n_gibbs_steps):
        if step > 0:
            h = hidden_mean(rbm, v_neg, out=h_neg)
            chain = rbm.hidden_units.sample(h, out=chain)
        visible_mean(rbm, chain, out=v_neg)
        rbm.visible_units.sample(v_neg, out=v_neg)
    hidden_mean(rbm, phases.visible, out=phases.hidden)  # both phases in one product
    chain = rbm.hidden_units.sample(h_neg, out=chain)
    return phases, chain


def likelihood_gradient(rbm, phases, out):
    """Return the gradient of the mean negative log-likelihood: model minus data.

    Each phase is averaged over its own rows, so a short minibatch weighs right.

    Parameters
    ----------
    rbm : RBM
        The machine.
    phases : Phases
        Both phases, whose hidden states are overwritten.
    out : sequence of three ndarrays
        Where the gradients go; shapes as of the result.

    Returns
    -------
    list of ndarray
        Gradients of shapes (n_visible, n_hidden), (n_visible,) and (n_hidden,) for the
        weights, the visible and the hidden intercepts.
    """
    visible, hidden, n = phases
    share = rbm.engine.buffer("share", 1, len(visible))[0]
    share[:n] = -1.0 / n
    share[n:] = 1.0 / (len(visible) - n)
    hidden *= share[:, None]
    return [
        rbm.engine.matmul(visible.T, hidden, out=out[0]),
        rbm.engine.matmul(share, visible, out=out[1]),
        rbm.engine.column_sums(hidden, out=out[2]),
    ]


GRADIENTS = {"cd": contrastive_divergence, "pcd": persistent_contrastive_divergence}
