"""Estimators of the log-likelihood gradient of a restricted Boltzmann machine.

The gradient is an expectation under the data (the positive phase) minus one under the model
(the negative phase). The estimators differ only in where the negative phase comes from.

The rule: ``(rbm, phases, chain, n_gibbs_steps) -> chain``. The phases come with the data and leave
complete, the chain goes in and comes out, and no hidden layer is computed twice: with
`likelihood_gradient` a minibatch costs 2k + 3 matrix products for k Gibbs steps. A member that
keeps more than its chain is a class; its instances are called like that, and have `get_state` and
`set_state`.
"""

from typing import NamedTuple

from skdbn._maths.boltzmann import hidden_mean, visible_mean

RATE_OF_OFFSETS = 0.01  # of their running means


class Phases(NamedTuple):
    """Both phases, one above the other, so that one matrix product serves both.

    Attributes
    ----------
    visible : ndarray of shape (n_positive + n_negative, n_visible)
        Visible states of both phases.
    hidden : ndarray of shape (n_positive + n_negative, n_hidden)
        Expected hidden states given `visible`.
    weights : ndarray of shape (n_positive + n_negative,)
        Weight of each row in the gradient: its phase is averaged, the data count negative.
    row_weights : ndarray of shape (n_positive + n_negative,) or None
        Further factors of these weights, whose mean over the data is 1. Those of the data come
        with them.
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
        Rows of data and of chains.
    has_row_weights : bool, default=False
        Whether rows of data have weights of their own.

    Returns
    -------
    Phases
        Weights that are set, and undefined states.
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

    The hidden states are drawn, the reconstruction and the last hidden layer stay
    probabilities; between, in longer chains, the visible states are drawn too. Each chain counts
    as much as the row that it starts at.

    Parameters
    ----------
    rbm : RBM
        The machine.
    phases : Phases
        Both phases, of the same number of rows, with the data in `v_pos`.
    chain : ndarray of shape (n_rows, n_hidden)
        Memory for the hidden states that are drawn.
    n_gibbs_steps : int, default=1
        Steps k of the chain.

    Returns
    -------
    ndarray of shape (n_rows, n_hidden)
        The chain: the hidden states drawn last.

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
    """Let the negative phase go on where it stood: PCD-k.

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
        The chain, further on.

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


def running_offsets(rbm, phases, offsets=None):
    """Return the offsets of the centred gradient, moved towards the means of a minibatch.

    Parameters
    ----------
    rbm : RBM
        The machine.
    phases : Phases
        Both phases.
    offsets : list of ndarray, optional
        Offsets before the minibatch, which are overwritten. None before the first one.

    Returns
    -------
    list of ndarray
        Offsets of the visible units (n_visible,) and of the hidden units (n_hidden,): running
        means of the mean of both phases.
    """
    means = [
        0.5 * (rbm.engine.column_sums(pos) / len(pos) + rbm.engine.column_sums(neg) / len(neg))
        for pos, neg in ((phases.v_pos, phases.v_neg), (phases.h_pos, phases.h_neg))
    ]
    if offsets is None:
        return means
    for offset, mean in zip(offsets, means, strict=True):
        offset += RATE_OF_OFFSETS * (mean - offset)
    return offsets


def likelihood_gradient(rbm, phases, out, scale=1.0, offsets=None):
    """Return the gradient of the mean negative log-likelihood: model minus data, times `scale`.

    Each phase is averaged over its own rows, so a short minibatch weighs right. With offsets it is
    the centred gradient: that of a machine whose states are counted from the offsets, brought back
    to the parameters of this one. Bits that are flipped in data and machine then change nothing.

    Parameters
    ----------
    rbm : RBM
        The machine.
    phases : Phases
        Both phases, which are overwritten.
    out : sequence of three ndarrays
        Where the gradients go; shapes as of the result.
    scale : float, default=1.0
        Factor, which costs nothing here.
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


GRADIENTS = {"cd": contrastive_divergence, "pcd": persistent_contrastive_divergence}
MOMENTA = {"pcd": 0.0}  # where "auto" is not 0.9: persistent chains fall behind fast weights
