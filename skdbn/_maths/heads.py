"""Heads of networks: how scores become outputs, what an output costs, how targets are read.

A head works on minibatches. The targets of a loss are rows of numbers, one for each output. The
first head documents what all take and return.

The rule: ``output - target`` is the gradient of a row's loss with respect to its scores, unless a
head overrides `delta`, so backpropagation needs to know nothing else of a head.

References
----------
McCullagh and Nelder (1989), "Generalized linear models", for outputs with this gradient.
"""


class LinearHead:
    """Outputs equal to the scores, with half the squared error.

    Parameters
    ----------
    engine : engine
        Provides arithmetic.
    """

    def __init__(self, engine):
        self.engine = engine

    def target(self, y, n_outputs):
        """Return the targets of rows.

        Parameters
        ----------
        y : ndarray of shape (n_rows, n_outputs)
            Targets of the rows, as encoded by the estimator.
        n_outputs : int
            Number of outputs.

        Returns
        -------
        ndarray of shape (n_rows, n_outputs)
            Targets of the loss. They must not be changed.
        """
        return y

    def output(self, scores):
        """Turn scores into outputs, in place.

        Parameters
        ----------
        scores : ndarray of shape (n_rows, n_outputs)
            Scores, overwritten.

        Returns
        -------
        ndarray of shape (n_rows, n_outputs)
            Outputs.
        """
        return scores

    def outcome(self, scores, target):
        """Turn scores into outputs, in place, and return them and their losses.

        Parameters
        ----------
        scores : ndarray of shape (n_rows, n_outputs)
            Scores, overwritten.
        target : ndarray of shape (n_rows, n_outputs)
            Targets.

        Returns
        -------
        output : ndarray of shape (n_rows, n_outputs)
            Outputs.
        losses : ndarray of shape (n_rows,)
            Loss of each row: a sum over the outputs.
        """
        difference = scores - target
        return scores, 0.5 * (difference * difference).sum(axis=1)

    def delta(self, output, target):
        """Return the gradient of each row's loss with respect to its scores.

        Parameters
        ----------
        output : ndarray of shape (n_rows, n_outputs)
            Outputs, overwritten with the gradients.
        target : ndarray of shape (n_rows, n_outputs)
            Targets.

        Returns
        -------
        ndarray of shape (n_rows, n_outputs)
            Gradients.
        """
        output -= target
        return output

    def exact_delta(self, scores, target):
        """Return the same for targets without smoothing, to full precision however small it is.

        Parameters
        ----------
        scores : ndarray of shape (n_rows, n_outputs)
            Scores, overwritten.
        target : ndarray of shape (n_rows, n_outputs)
            Targets.

        Returns
        -------
        ndarray of shape (n_rows, n_outputs)
            Gradients.
        """
        return self.delta(self.output(scores), target)

    def score(self, output, y, weights=None):
        """Return the share of the variance explained, averaged over the outputs.

        Parameters
        ----------
        output : ndarray of shape (n_rows, n_outputs)
            Outputs.
        y : ndarray of shape (n_rows, n_outputs)
            Targets of the rows, as encoded by the estimator.
        weights : ndarray of shape (n_rows,), optional
            Weights of the rows.

        Returns
        -------
        float
            The coefficient of determination, R^2, at most 1. An output whose targets are all the
            same counts as 0, or as 1 if it is right in every row.
        """
        xp = self.engine.xp
        output, y = output.astype(float), y.astype(float)  # squares of wild targets are large
        errors = xp.average((y - output) ** 2, axis=0, weights=weights)
        mean = xp.average(y, axis=0, weights=weights)
        variances = xp.average((y - mean) ** 2, axis=0, weights=weights)
        varies = (y != y[:1]).any(axis=0)  # the mean of equal targets is rounded
        explained = 1.0 - errors / xp.where(varies, variances, 1.0)
        return float(xp.where(varies, explained, 1.0 * (errors == 0.0)).mean())

    def loss_of_guessing(self, y, weights=None):
        """Return the mean loss of the best constant output.

        Parameters
        ----------
        y : ndarray of shape (n_rows, n_outputs)
            Targets of the rows, as encoded by the estimator.
        weights : ndarray of shape (n_rows,), optional
            Weights of the rows.

        Returns
        -------
        float
            Mean loss.
        """
        guess = self.engine.xp.average(y, axis=0, weights=weights)
        return self._mean_loss_of(guess, y, weights)

    def _mean_loss_of(self, guess, y, weights):
        """Return the mean loss of a constant output."""
        scores = 0.0 * y + self._scores_of(guess)
        return float(self.engine.xp.average(self.outcome(scores, y)[1], weights=weights))

    def _scores_of(self, output):
        """Return the scores of outputs."""
        return output


class AbsoluteHead(LinearHead):
    """Outputs equal to the scores, with the absolute error: medians."""

    def outcome(self, scores, target):
        """Return the scores as outputs, and the absolute errors."""
        return scores, abs(scores - target).sum(axis=1)

    def delta(self, output, target):
        """Return the signs of the errors."""
        output -= target
        return self.engine.xp.sign(output, out=output)

    def loss_of_guessing(self, y, weights=None):
        """Return the mean loss of the medians."""
        options = {} if weights is None else {"weights": weights, "method": "inverted_cdf"}
        return self._mean_loss_of(self.engine.xp.quantile(y, 0.5, axis=0, **options), y, weights)


class PoissonHead(LinearHead):
    """Outputs that are exponentials of the scores, for counts, with half the Poisson deviance."""

    def output(self, scores):
        """Turn scores into means, in place."""
        return self.engine.xp.exp(scores, out=scores)

    def outcome(self, scores, target):
        """Turn scores into means, in place, and return them and half the deviances."""
        losses = target * (self.engine.xp.log(target + self.engine.tiny) - scores) - target
        output = self.output(scores)
        losses += output
        return output, losses.sum(axis=1)

    def _scores_of(self, output):
        """Return the scores of outputs."""
        return self.engine.xp.log(output + self.engine.tiny)


class LogisticHead(LinearHead):
    """Outputs that are probabilities, each of a label that a row may have."""

    def output(self, scores):
        """Turn scores into probabilities, in place."""
        return self.engine.logistic(scores, out=scores)

    def outcome(self, scores, target):
        """Turn scores into probabilities, in place, and return them and the cross-entropies."""
        losses = (self.engine.softplus(scores) - target * scores).sum(axis=1)
        return self.output(scores), losses

    def exact_delta(self, scores, target):
        """Return the gradient of each row's loss, to full precision however small it is."""
        signs = 1.0 - 2.0 * target
        scores *= signs
        delta = self.output(scores)
        delta *= signs
        return delta

    def smoothed(self, target, share):
        """Return targets with a share of them spread evenly over both states of each label."""
        return (1.0 - share) * target + share / 2.0

    def score(self, output, y, weights=None):
        """Return the share of the rows all of whose labels are right."""
        is_right = ((output > 0.5) == (y > 0.5)).all(axis=1)
        return float(self.engine.xp.average(is_right, weights=weights))

    def _scores_of(self, output):
        """Return the scores of outputs."""
        xp, tiny = self.engine.xp, self.engine.tiny
        output = xp.clip(output, 0.0, 1.0)  # a weighted mean of ones may be rounded above 1
        return xp.log(output + tiny) - xp.log(1.0 - output + tiny)


class SoftmaxHead(LinearHead):
    """Outputs that are probabilities of classes, of which each row has one."""

    def target(self, y, n_outputs):
        """Return rows with a one for the class and zeros elsewhere."""
        return self.engine.one_hot(y, n_outputs)

    def output(self, scores):
        """Turn scores into probabilities, in place."""
        return self.engine.softmax(scores)

    def outcome(self, scores, target):
        """Turn scores into probabilities, in place, and return them and the cross-entropies."""
        output = self.output(scores)
        p = (output * target).sum(axis=1) + self.engine.tiny
        return output, -self.engine.xp.log(p)

    def exact_delta(self, scores, target):
        """Return the gradient of each row's loss, to full precision however small it is."""
        # The gradient for the class of a row is minus the sum of the others: in a nearly certain
        # row the difference of two numbers near 1 would lose all digits.
        delta = self.delta(self.output(scores), target)
        top = target.argmax(axis=1)[:, None]
        self.engine.xp.put_along_axis(delta, top, 0.0, axis=1)
        self.engine.xp.put_along_axis(delta, top, -delta.sum(axis=1, keepdims=True), axis=1)
        return delta

    def divergence(self, output, expected):
        """Return the divergence of probabilities from expected ones.

        Parameters
        ----------
        output, expected : ndarray of shape (n_rows, n_outputs)
            Probabilities.

        Returns
        -------
        ndarray of shape (n_rows,)
            The Kullback-Leibler divergence ``KL(expected || output)``, in nats.
        """
        xp, tiny = self.engine.xp, self.engine.tiny
        ratios = xp.log(expected + tiny) - xp.log(output + tiny)
        ratios *= expected
        return ratios.sum(axis=1)

    def smoothed(self, target, share):
        """Return targets with a share of them spread evenly over all classes."""
        target *= 1.0 - share
        target += share / target.shape[1]
        return target

    def score(self, output, y, weights=None):
        """Return the share of the rows whose most probable class is right."""
        return float(self.engine.xp.average(output.argmax(axis=1) == y, weights=weights))

    def loss_of_guessing(self, y, weights=None):
        """Return the entropy of the shares of the classes."""
        counts = self.engine.xp.bincount(y, weights=weights)
        shares = counts[counts > 0] / counts.sum()
        return -float(shares @ self.engine.xp.log(shares))


HEADS = {
    "softmax": SoftmaxHead,
    "logistic": LogisticHead,
    "linear": LinearHead,
    "absolute": AbsoluteHead,
    "poisson": PoissonHead,
}
