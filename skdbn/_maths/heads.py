"""What a network ends in: how scores become outputs, what an output costs, how a target is read.

A head works on minibatches. The targets of a loss are rows of numbers, one for each output. The
first member documents what all take and return.

The rule: ``output - target`` is the gradient of a row's loss with respect to its scores, unless a
head says otherwise, so that backpropagation needs to know nothing else of it.

References
----------
McCullagh and Nelder (1989), "Generalized linear models", for outputs whose gradient is that.
"""


class LinearHead:
    """Outputs that are the scores themselves, with half the squared error.

    Parameters
    ----------
    engine : engine
        Where arithmetic comes from.
    """

    def __init__(self, engine):
        self.engine = engine

    def target(self, y, n_outputs):
        """Return the targets of rows.

        Parameters
        ----------
        y : ndarray of shape (n_rows, n_outputs)
            What belongs to the rows.
        n_outputs : int
            Number of outputs.

        Returns
        -------
        ndarray of shape (n_rows, n_outputs)
            Targets. They are not to be changed.
        """
        return y

    def output(self, scores):
        """Turn scores into outputs, in place.

        Parameters
        ----------
        scores : ndarray of shape (n_rows, n_outputs)
            Scores, which are overwritten.

        Returns
        -------
        ndarray of shape (n_rows, n_outputs)
            Outputs.
        """
        return scores

    def outcome(self, scores, target):
        """Turn scores into outputs, in place, and return what they cost as well.

        Parameters
        ----------
        scores : ndarray of shape (n_rows, n_outputs)
            Scores, which are overwritten.
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
            Outputs, which become the gradients.
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
        """Return the same for targets that are not smoothed, to all digits however small it is.

        Parameters
        ----------
        scores : ndarray of shape (n_rows, n_outputs)
            Scores, which are overwritten.
        target : ndarray of shape (n_rows, n_outputs)
            Targets.

        Returns
        -------
        ndarray of shape (n_rows, n_outputs)
            Gradients.
        """
        return self.delta(self.output(scores), target)

    def score(self, output, y, weights=None):
        """Return the share of the variance that outputs explain, in the mean over the outputs.

        Parameters
        ----------
        output : ndarray of shape (n_rows, n_outputs)
            Outputs.
        y : ndarray of shape (n_rows, n_outputs)
            What belongs to the rows.
        weights : ndarray of shape (n_rows,), optional
            Weights of the rows.

        Returns
        -------
        float
            The coefficient of determination, R^2, at most 1. An output whose targets are all the
            same counts 0, or 1 where every output is right.
        """
        xp = self.engine.xp
        errors = xp.average((y - output) ** 2, axis=0, weights=weights)
        mean = xp.average(y, axis=0, weights=weights)
        variances = xp.average((y - mean) ** 2, axis=0, weights=weights)
        varies = (y != y[:1]).any(axis=0)  # the mean of equal targets is rounded
        explained = 1.0 - errors / xp.where(varies, variances, 1.0)
        return float(xp.where(varies, explained, 1.0 * (errors == 0.0)).mean())

    def loss_of_guessing(self, y, weights=None):
        """Return the mean loss of the best output that is the same for all rows.

        Parameters
        ----------
        y : ndarray of shape (n_rows, n_outputs)
            What belongs to the rows.
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
        """Return the mean loss of an output that is the same for all rows."""
        scores = 0.0 * y + self._scores_of(guess)
        return float(self.engine.xp.average(self.outcome(scores, y)[1], weights=weights))

    def _scores_of(self, output):
        """Return the scores of outputs."""
        return output


class AbsoluteHead(LinearHead):
    """Outputs that are the scores themselves, with the absolute error: medians."""

    def outcome(self, scores, target):
        """Turn scores into outputs, in place, and return the absolute errors as well."""
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
        """Turn scores into means, in place, and return half the deviances as well."""
        losses = target * (self.engine.xp.log(target + self.engine.tiny) - scores) - target
        output = self.output(scores)
        losses += output
        return output, losses.sum(axis=1)

    def _scores_of(self, output):
        """Return the scores of outputs."""
        return self.engine.xp.log(output + self.engine.tiny)


class LogisticHead(LinearHead):
    """Outputs that are probabilities, each of a label that a row has or not."""

    def output(self, scores):
        """Turn scores into probabilities, in place."""
        return self.engine.logistic(scores, out=scores)

    def outcome(self, scores, target):
        """Turn scores into probabilities, in place, and return the cross-entropies as well."""
        losses = (self.engine.softplus(scores) - target * scores).sum(axis=1)
        return self.output(scores), losses

    def exact_delta(self, scores, target):
        """Return the gradient of each row's loss, to all digits however small it is."""
        signs = 1.0 - 2.0 * target
        scores *= signs
        delta = self.output(scores)
        delta *= signs
        return delta

    def smoothed(self, target, share):
        """Return targets a share of which is spread evenly over both states of each label."""
        return (1.0 - share) * target + share / 2.0

    def score(self, output, y, weights=None):
        """Return the share of the rows all of whose labels are right."""
        is_right = ((output > 0.5) == (y > 0.5)).all(axis=1)
        return float(self.engine.xp.average(is_right, weights=weights))

    def _scores_of(self, output):
        """Return the scores of outputs."""
        xp, tiny = self.engine.xp, self.engine.tiny
        return xp.log(output + tiny) - xp.log(1.0 - output + tiny)


class SoftmaxHead(LinearHead):
    """Outputs that are the probabilities of classes, of which a row has one."""

    def target(self, y, n_outputs):
        """Return a one for the class of each row."""
        return self.engine.one_hot(y, n_outputs)

    def output(self, scores):
        """Turn scores into probabilities, in place."""
        return self.engine.softmax(scores)

    def outcome(self, scores, target):
        """Turn scores into probabilities, in place, and return the cross-entropies as well."""
        output = self.output(scores)
        p = (output * target).sum(axis=1) + self.engine.tiny
        return output, -self.engine.xp.log(p)

    def exact_delta(self, scores, target):
        """Return the gradient of each row's loss, to all digits however small it is."""
        # That of the most probable class is minus the sum of the others: of a row that is nearly
        # certain the difference of two numbers near 1 would keep no digit.
        delta = self.delta(self.output(scores), target)
        top = target.argmax(axis=1)[:, None]
        self.engine.xp.put_along_axis(delta, top, 0.0, axis=1)
        self.engine.xp.put_along_axis(delta, top, -delta.sum(axis=1, keepdims=True), axis=1)
        return delta

    def divergence(self, output, expected):
        """Return how far probabilities are from those that were expected.

        Parameters
        ----------
        output, expected : ndarray of shape (n_rows, n_outputs)
            Probabilities.

        Returns
        -------
        ndarray of shape (n_rows,)
            The Kullback-Leibler divergence of what was expected from the output, in nats.
        """
        xp, tiny = self.engine.xp, self.engine.tiny
        ratios = xp.log(expected + tiny) - xp.log(output + tiny)
        ratios *= expected
        return ratios.sum(axis=1)

    def smoothed(self, target, share):
        """Return targets a share of which is spread evenly over all classes."""
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
