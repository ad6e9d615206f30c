"""A feed-forward network with a head, as plain functions of arrays.

The rule: a network of one layer is a network too, so the functions that train the whole network
also train the top layer alone.
"""

from typing import NamedTuple


class Network(NamedTuple):
    """A feed-forward network.

    Attributes
    ----------
    weights : list of ndarray of shape (n_in, n_out)
        Weights, from the bottom up.
    intercepts : list of ndarray of shape (n_out,)
        Intercepts.
    hidden_units : list of units
        Units of each hidden layer: one entry fewer than weights.
    head : head
        Member of `skdbn._maths.heads.HEADS`.
    engine : engine
        Member of `skdbn._maths.engines.ENGINES`.
    """

    weights: object
    intercepts: object
    hidden_units: object
    head: object
    engine: object

    @property
    def n_weights_of_largest_layer(self):
        """Return the number of weights of the largest layer.

        Returns
        -------
        int
            Number of weights.
        """
        return max(weights.size for weights in self.weights)


def hidden_layers(network, x, out=None):
    """Return the activations of the top hidden layer.

    Parameters
    ----------
    network : Network
        The network.
    x : ndarray of shape (n_rows, n_in)
        Inputs.
    out : ndarray of shape (n_rows, n_top), optional
        Where to write the result, if there is a hidden layer.

    Returns
    -------
    ndarray of shape (n_rows, n_top)
        Means of the top hidden units; the inputs if there is no hidden layer.
    """
    n_layers = len(network.hidden_units)
    for i, units in enumerate(network.hidden_units):
        memory = out if i == n_layers - 1 else None
        x = network.engine.affine(x, network.weights[i], network.intercepts[i], out=memory)
        x = units.mean(x, out=x)
    return x


def scores(network, x, out=None):
    """Return the scores that the head turns into outputs.

    Parameters
    ----------
    network : Network
        The network.
    x : ndarray of shape (n_rows, n_in)
        Inputs.
    out : ndarray of shape (n_rows, n_outputs), optional
        Where to write the result.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
        Scores.
    """
    h = hidden_layers(network, x)
    return network.engine.affine(h, network.weights[-1], network.intercepts[-1], out=out)


def outputs(network, x, out=None):
    """Return the outputs, such as the probabilities of the classes.

    Parameters
    ----------
    network : Network
        The network.
    x : ndarray of shape (n_rows, n_in)
        Inputs.
    out : ndarray of shape (n_rows, n_outputs), optional
        Where to write the result.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
        Outputs.
    """
    return network.head.output(scores(network, x, out=out))


def _scores_with_slopes(network, x, dropout, noise):
    """Return the perturbed input of each layer with its slopes, and the scores."""
    engine = network.engine
    inputs, slopes = [x], []
    for i, units in enumerate(network.hidden_units):
        h = engine.buffer(("layer", i), len(x), network.weights[i].shape[1])
        h = engine.affine(inputs[-1], network.weights[i], network.intercepts[i], out=h)
        h = units.mean(h, out=h)
        slope = units.variance(h, out=engine.buffer(("slope", i), *h.shape))
        for factor in _factors(engine, h.shape, dropout, noise):
            h *= factor
            slope *= factor
        inputs.append(h)
        slopes.append(slope)
    memory = engine.buffer("scores", len(x), network.weights[-1].shape[1])
    top = engine.affine(inputs[-1], network.weights[-1], network.intercepts[-1], out=memory)
    return inputs, slopes, top


def _dropout_mask(engine, shape, rate):
    """Draw factors that keep activations with probability 1 - rate, and have mean 1."""
    mask = engine.uniform(shape) >= rate
    return mask.astype(engine.dtype) / (1.0 - rate)


def _factors(engine, shape, dropout, noise):
    """Yield the random factors of a layer's activations."""
    if dropout > 0.0:
        yield _dropout_mask(engine, shape, dropout)
    if noise > 0.0:
        yield engine.noise(1.0, noise, out=engine.buffer(("noise", shape[1]), *shape))


def _through_layer(network, i, delta, slope):
    """Return the gradient with respect to the scores below a layer, given that for its own."""
    below = network.engine.buffer(("delta", i), len(delta), len(network.weights[i]))
    below = network.engine.matmul(delta, network.weights[i].T, out=below)
    below *= slope
    return below


def adversarial_direction(network, x, y):
    """Return the directions in which the loss of each row grows most.

    Parameters
    ----------
    network : Network
        The network.
    x : ndarray of shape (n_rows, n_in)
        Inputs.
    y : ndarray of length n_rows
        Targets of the rows, as the head reads them.

    Returns
    -------
    ndarray of shape (n_rows, n_in)
        Gradients with respect to the inputs, scaled to length 1; zeros where the gradient is zero.

    References
    ----------
    Goodfellow, Shlens and Szegedy (2015), "Explaining and harnessing adversarial examples";
    Miyato et al. (2016), "Distributional smoothing with virtual adversarial training", for the
    Euclidean length.
    """
    head = network.head
    return _steepest(network, x, head.target(y, len(network.intercepts[-1])))


def _steepest(network, x, target):
    """Return the unit directions in which the loss of each row grows most, or zeros."""
    engine = network.engine
    _, slopes, top = _scores_with_slopes(network, x, 0.0, 0.0)
    delta = network.head.exact_delta(top, target)
    for i in reversed(range(1, len(network.weights))):
        delta = _through_layer(network, i, delta, slopes[i - 1])
    memory = engine.buffer("direction", *x.shape)
    return engine.unit_rows(engine.matmul(delta, network.weights[0].T, out=memory))


def virtual_adversarial_direction(network, x, output, start, step):
    """Approximate the directions in which the outputs of each row change most.

    Near a row, the divergence of the outputs from those of the row is a quadratic form of the
    displacement. With a small step, this is one step of power iteration towards the leading
    eigenvector of that form: the product of the form and a direction is the gradient of the
    divergence at that step. A long step also sees how the outputs change further away.

    Parameters
    ----------
    network : Network
        The network, with a softmax head.
    x : ndarray of shape (n_rows, n_in)
        Inputs.
    output : ndarray of shape (n_rows, n_outputs)
        Outputs of the network for `x`.
    start : ndarray of shape (n_rows, n_in)
        Directions of length 1 to start from, overwritten.
    step : float
        Distance from the rows at which the gradient is taken.

    Returns
    -------
    ndarray of shape (n_rows, n_in)
        Directions of length 1; zeros where the outputs do not change.

    References
    ----------
    Miyato, Maeda, Koyama and Ishii (2018), "Virtual adversarial training: a regularization method
    for supervised and semi-supervised learning", section 3.3, where the step is called xi.
    """
    start *= step
    start += x
    return _steepest(network, start, output)


def _moved(network, x, y, adversarial, virtual_adversarial):
    """Move rows away from their labels, and rows without labels away from their outputs.

    Returns these outputs, or None if all rows have labels.
    """
    engine, labelled, others = network.engine, x[: len(y)], x[len(y) :]
    if adversarial > 0.0:
        direction = adversarial_direction(network, labelled, y)
        direction *= adversarial
        labelled += direction
    if len(others) == 0:
        return None
    output = outputs(network, others)
    start = engine.unit_rows(engine.normal(others.shape))
    # A whole step away: with shorter distances, nets with 100 labels of MNIST made more errors.
    direction = virtual_adversarial_direction(network, others, output, start, virtual_adversarial)
    direction *= virtual_adversarial
    others += direction
    return output


def _losses(network, scores, y, expected, scale, label_smoothing):
    """Return the loss of each row; turn scores into gradients of the mean losses, in place."""
    head, n = network.head, len(y)
    target = head.target(y, scores.shape[1])
    output, losses = head.outcome(scores[:n], target)
    if label_smoothing > 0.0:
        target = head.smoothed(target, label_smoothing)
    delta = head.delta(output, target)
    delta *= scale / n
    if expected is None:
        return losses
    output = head.output(scores[n:])
    divergences = head.divergence(output, expected)
    delta = head.delta(output, expected)
    delta *= scale / len(expected)
    return network.engine.xp.concatenate([losses, divergences])


def loss_gradient(
    network,
    x,
    y,
    out,
    scale=1.0,
    weights=None,
    dropout=0.0,
    input_dropout=0.0,
    noise=0.0,
    input_noise=0.0,
    adversarial=0.0,
    virtual_adversarial=0.0,
    label_smoothing=0.0,
):
    """Return the mean loss of a minibatch and its gradients, by backpropagation.

    The minibatch may have more rows than `y`. These need no labels: their loss is the divergence of
    the outputs one step away, in the virtual adversarial direction, from the current outputs. The
    mean of these losses is added to that of the others.

    Parameters
    ----------
    network : Network
        The network.
    x : ndarray of shape (n_rows, n_in)
        Inputs, overwritten if they are perturbed.
    y : ndarray of length n_labelled
        Targets of the first rows, as the head reads them.
    out : sequence of ndarray
        Where to write the gradients: those of all weights, then those of all intercepts.
    scale : float, default=1.0
        Factor of the gradients, free of cost here.
    weights : ndarray of shape (n_rows,), optional
        Factors of the losses of the rows. Their mean is 1 over all training rows, not over each
        minibatch: a row counts the same in any minibatch.
    dropout, input_dropout : float, default=0.0
        Probability of setting a hidden unit, or an input, to 0.
    noise : float, default=0.0
        Standard deviation of the nearly normal noise of mean 1 that multiplies hidden activations.
    input_noise : float, default=0.0
        Standard deviation of the nearly normal noise of mean 0 added to the inputs.
    adversarial : float, default=0.0
        Length of the step from each row of `y` in its adversarial direction, before any noise.
    virtual_adversarial : float, default=0.0
        Length of the step from each other row in its virtual adversarial direction.
    label_smoothing : float, default=0.0
        Share of each row's target probability spread evenly over all classes in the loss that the
        gradients belong to.

    Returns
    -------
    loss : float
        Mean loss, without label smoothing, plus mean divergence.
    gradients : list of ndarray
        Gradients of the weights, then of the intercepts, times `scale`.

    References
    ----------
    Rumelhart, Hinton and Williams (1986), "Learning representations by back-propagating
    errors"; Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from
    overfitting", section 10 for the noise that multiplies; Szegedy et al. (2016), "Rethinking
    the Inception architecture for computer vision", section 7 for label smoothing.
    """
    engine, n_layers, n = network.engine, len(network.weights), len(y)
    expected = _moved(network, x, y, adversarial, virtual_adversarial)
    if input_dropout > 0.0:
        x *= _dropout_mask(engine, x.shape, input_dropout)
    if input_noise > 0.0:
        memory = engine.buffer(("noise", x.shape[1]), *x.shape)
        x += engine.noise(0.0, input_noise, out=memory)
    inputs, slopes, delta = _scores_with_slopes(network, x, dropout, noise)
    losses = _losses(network, delta, y, expected, scale, label_smoothing)
    if weights is not None:
        losses *= weights
        delta *= weights[:, None]
    loss = float(losses[:n].sum() / n)  # less overhead than mean
    if expected is not None:
        loss += float(losses[n:].sum() / (len(x) - n))
    gradients = [None] * (2 * n_layers)
    for i in reversed(range(n_layers)):
        gradients[i] = engine.matmul(inputs[i].T, delta, out=out[i])
        gradients[n_layers + i] = engine.column_sums(delta, out=out[n_layers + i])
        if i > 0:
            delta = _through_layer(network, i, delta, slopes[i - 1])
    return loss, gradients
