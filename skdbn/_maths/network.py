"""A feed-forward network with a softmax layer as plain functions of arrays.

The rule: a network of one layer is a network, so the softmax phase trains the top layer alone
with the same functions that train all of it.
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
    engine : engine
        Member of `skdbn._maths.engines.ENGINES`.
    """

    weights: object
    intercepts: object
    hidden_units: object
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


def forward(network, x, out=None):
    """Return the probabilities of the classes.

    Parameters
    ----------
    network : Network
        The network.
    x : ndarray of shape (n_rows, n_in)
        Inputs.
    out : ndarray of shape (n_rows, n_classes), optional
        Where the result goes.

    Returns
    -------
    ndarray of shape (n_rows, n_classes)
        Rows that sum to 1.
    """
    engine = network.engine
    x = hidden_layers(network, x)
    return engine.softmax(engine.affine(x, network.weights[-1], network.intercepts[-1], out=out))


def _forward_with_slopes(network, x, dropout, noise):
    """Return the input of each layer with its slopes, perturbed, and the probabilities."""
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
    scores = engine.buffer("scores", len(x), network.weights[-1].shape[1])
    scores = engine.affine(inputs[-1], network.weights[-1], network.intercepts[-1], out=scores)
    return inputs, slopes, engine.softmax(scores)


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


def _cross_entropy(engine, probabilities, target):
    """Return the mean of ``-log p(label)``; a probability that underflowed counts as tiny."""
    p = (probabilities * target).sum(axis=1) + engine.tiny
    return -float(engine.xp.log(p).mean())


def _through_layer(network, i, delta, slope):
    """Return the gradient of the scores below a layer, given that of its own scores."""
    below = network.engine.buffer(("delta", i), len(delta), len(network.weights[i]))
    below = network.engine.matmul(delta, network.weights[i].T, out=below)
    below *= slope
    return below


def adversarial_direction(network, x, labels):
    """Return the directions in which the cross-entropy of each row grows the most.

    Parameters
    ----------
    network : Network
        The network.
    x : ndarray of shape (n_rows, n_in)
        Inputs.
    labels : ndarray of int of shape (n_rows,)
        Index of each row's class.

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
    engine = network.engine
    _, slopes, delta = _forward_with_slopes(network, x, 0.0, 0.0)
    # The gradient of the label's score, p - 1, as minus the sum of the others: of a row that is
    # nearly certain p - 1 would keep no digit, and the direction counts, however small it is.
    target = engine.one_hot(labels, delta.shape[1])
    delta -= target * delta
    delta -= target * delta.sum(axis=1, keepdims=True)
    for i in reversed(range(1, len(network.weights))):
        delta = _through_layer(network, i, delta, slopes[i - 1])
    memory = engine.buffer("direction", *x.shape)
    return engine.unit_rows(engine.matmul(delta, network.weights[0].T, out=memory))


def cross_entropy_gradient(
    network,
    x,
    labels,
    out,
    scale=1.0,
    dropout=0.0,
    input_dropout=0.0,
    noise=0.0,
    input_noise=0.0,
    adversarial=0.0,
    label_smoothing=0.0,
):
    """Return the mean cross-entropy of a minibatch and its gradients, by backpropagation.

    Parameters
    ----------
    network : Network
        The network.
    x : ndarray of shape (n_rows, n_in)
        Inputs, overwritten when they are perturbed.
    labels : ndarray of int of shape (n_rows,)
        Index of each row's class.
    out : sequence of ndarray
        Where the gradients go: those of all weights, then those of all intercepts.
    scale : float, default=1.0
        Factor of the gradients, which costs nothing here.
    dropout, input_dropout : float, default=0.0
        Probability that a hidden unit, or an input, is silenced.
    noise : float, default=0.0
        Standard deviation of the nearly normal noise of mean 1 that hidden activations are
        multiplied by.
    input_noise : float, default=0.0
        Standard deviation of the nearly normal noise of mean 0 that is added to the inputs.
    adversarial : float, default=0.0
        Length of the step from each input in its adversarial direction, before any noise.
    label_smoothing : float, default=0.0
        Share of each row's target probability that is spread evenly over all classes in what the
        gradients are of.

    Returns
    -------
    loss : float
        Mean of ``-log p(label)``, in nats, of labels that are not smoothed.
    gradients : list of ndarray
        Gradients of the weights, then of the intercepts, times `scale`.

    References
    ----------
    Rumelhart, Hinton and Williams (1986), "Learning representations by back-propagating
    errors"; Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from
    overfitting", section 10 for the noise that multiplies; Szegedy et al. (2016), "Rethinking
    the Inception architecture for computer vision", section 7 for label smoothing.
    """
    engine, n_layers = network.engine, len(network.weights)
    if adversarial > 0.0:
        direction = adversarial_direction(network, x, labels)
        direction *= adversarial
        x += direction
    if input_dropout > 0.0:
        x *= _dropout_mask(engine, x.shape, input_dropout)
    if input_noise > 0.0:
        memory = engine.buffer(("noise", x.shape[1]), *x.shape)
        x += engine.noise(0.0, input_noise, out=memory)
    inputs, slopes, delta = _forward_with_slopes(network, x, dropout, noise)
    target = engine.one_hot(labels, delta.shape[1])
    loss = _cross_entropy(engine, delta, target)
    if label_smoothing > 0.0:
        target *= 1.0 - label_smoothing
        target += label_smoothing / delta.shape[1]
    delta -= target
    delta *= scale / len(x)
    gradients = [None] * (2 * n_layers)
    for i in reversed(range(n_layers)):
        gradients[i] = engine.matmul(inputs[i].T, delta, out=out[i])
        gradients[n_layers + i] = engine.column_sums(delta, out=out[n_layers + i])
        if i > 0:
            delta = _through_layer(network, i, delta, slopes[i - 1])
    return loss, gradients
