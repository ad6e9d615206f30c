"""A feed-forward network with a head as plain functions of arrays.

The rule: a network of one layer is a network, so the top layer is trained alone with the same
functions that train all of it.
"""

from typing import NamedTuple


class Network(NamedTuple):
    """A feed-forward network.

    Attributes
    ----------
    weights : list of ndarray of shape (n_in, n_out)
        Weights, the first layer first.
    intercepts : list of ndarray of shape (n_out,)
        Intercepts.
    hidden_units : list of units
        One for each hidden layer: one fewer than weights.
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
        """Return how many weights the largest layer has.

        Returns
        -------
        int
            Their number.
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
        Where the result goes, where there is a hidden layer.

    Returns
    -------
    ndarray of shape (n_rows, n_top)
        Means of the top hidden units; the inputs where there is no hidden layer.
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
        Where the result goes.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
        Scores.
    """
    h = hidden_layers(network, x)
    return network.engine.affine(h, network.weights[-1], network.intercepts[-1], out=out)


def forward(network, x, out=None):
    """Return the outputs, such as the probabilities of the classes.

    Parameters
    ----------
    network : Network
        The network.
    x : ndarray of shape (n_rows, n_in)
        Inputs.
    out : ndarray of shape (n_rows, n_outputs), optional
        Where the result goes.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
        Outputs.
    """
    return network.head.output(scores(network, x, out=out))


def _scores_with_slopes(network, x, dropout, noise):
    """Return the input of each layer with its slopes, perturbed, and the scores."""
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
    """Draw what keeps an activation with probability 1 - rate, and its expectation always."""
    mask = engine.uniform(shape) >= rate
    return mask.astype(engine.dtype) / (1.0 - rate)


def _factors(engine, shape, dropout, noise):
    """Yield what a layer's activations are multiplied by."""
    if dropout > 0.0:
        yield _dropout_mask(engine, shape, dropout)
    if noise > 0.0:
        yield engine.noise(1.0, noise, out=engine.buffer(("noise", shape[1]), *shape))


def _through_layer(network, i, delta, slope):
    """Return the gradient of the scores below a layer, given that of its own scores."""
    below = network.engine.buffer(("delta", i), len(delta), len(network.weights[i]))
    below = network.engine.matmul(delta, network.weights[i].T, out=below)
    below *= slope
    return below


def adversarial_direction(network, x, y):
    """Return the directions in which the loss of each row grows the most.

    Parameters
    ----------
    network : Network
        The network.
    x : ndarray of shape (n_rows, n_in)
        Inputs.
    y : ndarray of length n_rows
        What belongs to the rows, as the head reads it.

    Returns
    -------
    ndarray of shape (n_rows, n_in)
        Gradients with respect to the inputs, scaled to length 1; zeros where there is none.

    References
    ----------
    Goodfellow, Shlens and Szegedy (2015), "Explaining and harnessing adversarial examples";
    Miyato et al. (2016), "Distributional smoothing with virtual adversarial training", for the
    Euclidean length.
    """
    head = network.head
    return _steepest(network, x, head.target(y, len(network.intercepts[-1])))


def _steepest(network, x, target):
    """Return the unit directions in which the loss of each row grows the most, or zeros."""
    engine = network.engine
    _, slopes, top = _scores_with_slopes(network, x, 0.0, 0.0)
    delta = network.head.exact_delta(top, target)
    for i in reversed(range(1, len(network.weights))):
        delta = _through_layer(network, i, delta, slopes[i - 1])
    memory = engine.buffer("direction", *x.shape)
    return engine.unit_rows(engine.matmul(delta, network.weights[0].T, out=memory))


def virtual_adversarial_direction(network, x, output, start, step):
    """Return nearly the directions in which the outputs of each row change the most.

    The outputs near a row diverge from its own like a quadratic form of the way there. For a small
    step this is a step of the power iteration towards the leading eigenvector of that form: the
    product of form and direction is the gradient of the divergence, the step away. A long step
    sees how the outputs go on.

    Parameters
    ----------
    network : Network
        The network, with a softmax head.
    x : ndarray of shape (n_rows, n_in)
        Inputs.
    output : ndarray of shape (n_rows, n_outputs)
        Outputs of the network for them.
    start : ndarray of shape (n_rows, n_in)
        Directions of length 1 to start from, overwritten.
    step : float
        Length of the step to where the gradient is taken.

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
    """Move rows against their labels, and rows without against the outputs that they have now.

    Returns these outputs, or None where all rows have labels.
    """
    engine, labelled, others = network.engine, x[: len(y)], x[len(y) :]
    if adversarial > 0.0:
        direction = adversarial_direction(network, labelled, y)
        direction *= adversarial
        labelled += direction
    if len(others) == 0:
        return None
    output = forward(network, others)
    start = engine.unit_rows(engine.normal(others.shape))
    # A whole step away: nearer by, nets with 100 labels of MNIST made more errors.
    direction = virtual_adversarial_direction(network, others, output, start, virtual_adversarial)
    direction *= virtual_adversarial
    others += direction
    return output


def _losses(network, scores, y, expected, scale, label_smoothing):
    """Return the loss of each row; in place, scores become gradients of the mean losses."""
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

    The minibatch may have rows beyond those of `y`. They need no labels: their loss is the
    divergence of the outputs a step away, in the virtual adversarial direction, from those that
    the rows have now. The mean of these losses is added to that of the others.

    Parameters
    ----------
    network : Network
        The network.
    x : ndarray of shape (n_rows, n_in)
        Inputs, overwritten when they are perturbed.
    y : ndarray of length n_labelled
        What belongs to the first rows, as the head reads it.
    out : sequence of ndarray
        Where the gradients go: those of all weights, then those of all intercepts.
    scale : float, default=1.0
        Factor of the gradients, which costs nothing here.
    weights : ndarray of shape (n_rows,), optional
        Factors of the losses of the rows. Their mean over all rows that are trained on, not over
        those of a minibatch, is 1: a row counts the same whatever it is drawn with.
    dropout, input_dropout : float, default=0.0
        Probability that a hidden unit, or an input, is silenced.
    noise : float, default=0.0
        Standard deviation of the nearly normal noise of mean 1 that hidden activations are
        multiplied by.
    input_noise : float, default=0.0
        Standard deviation of the nearly normal noise of mean 0 that is added to the inputs.
    adversarial : float, default=0.0
        Length of the step from each row of `y` in its adversarial direction, before any noise.
    virtual_adversarial : float, default=0.0
        Length of the step from each other row in its virtual adversarial direction.
    label_smoothing : float, default=0.0
        Share of each row's target probability that is spread evenly over all classes in what the
        gradients are of.

    Returns
    -------
    loss : float
        Mean loss, with labels that are not smoothed, plus mean divergence.
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
    loss = float(losses[:n].mean())
    if expected is not None:
        loss += float(losses[n:].mean())
    gradients = [None] * (2 * n_layers)
    for i in reversed(range(n_layers)):
        gradients[i] = engine.matmul(inputs[i].T, delta, out=out[i])
        gradients[n_layers + i] = engine.column_sums(delta, out=out[n_layers + i])
        if i > 0:
            delta = _through_layer(network, i, delta, slopes[i - 1])
    return loss, gradients
