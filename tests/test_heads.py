"""Every head: its losses, their gradients, and scikit-learn's metrics of the same."""

import numpy as np
import pytest
from oracles import targets
from scipy.optimize import minimize
from scipy.special import expit, rel_entr, softmax
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    mean_absolute_error,
    mean_poisson_deviance,
    mean_squared_error,
    r2_score,
)

from skdbn._maths.engines import NumpyEngine
from skdbn._maths.heads import HEADS

N_ROWS, N_OUTPUTS = 40, 3
COUNTS = np.random.default_rng(2).integers(0, 4, N_ROWS)  # how often a row stands there
OUTPUTS = {
    "softmax": lambda scores: softmax(scores, axis=1),
    "logistic": expit,
    "linear": np.array,
    "absolute": np.array,
    "poisson": np.exp,
}
LOSSES = {  # as scikit-learn says them, of each output, to be summed
    "softmax": lambda y, p, weights: [log_loss(y, p, sample_weight=weights, labels=[0, 1, 2])],
    "logistic": lambda y, p, weights: [
        log_loss(y[:, i], p[:, i], sample_weight=weights, labels=[0, 1]) for i in range(N_OUTPUTS)
    ],
    "linear": lambda y, p, weights: (
        0.5 * mean_squared_error(y, p, sample_weight=weights, multioutput="raw_values")
    ),
    "absolute": lambda y, p, weights: mean_absolute_error(
        y, p, sample_weight=weights, multioutput="raw_values"
    ),
    "poisson": lambda y, p, weights: [
        0.5 * mean_poisson_deviance(y[:, i], p[:, i], sample_weight=weights)
        for i in range(N_OUTPUTS)
    ],
}
SCORES = {  # as scikit-learn says them
    "softmax": lambda y, p, weights: accuracy_score(y, p.argmax(axis=1), sample_weight=weights),
    "logistic": lambda y, p, weights: accuracy_score(y, p > 0.5, sample_weight=weights),
    **dict.fromkeys(
        ["linear", "absolute", "poisson"],
        lambda y, output, weights: r2_score(y, output, sample_weight=weights),
    ),
}
SCORES_AT_TARGET = {  # of an output that is the target, or nearly so
    "softmax": lambda y: 100.0 * np.eye(N_OUTPUTS)[y],
    "logistic": lambda y: 200.0 * y - 100.0,
    "poisson": lambda y: np.log(np.maximum(y, 1e-30)),
}
every_head = pytest.mark.parametrize("name", HEADS)
every_weight = pytest.mark.parametrize("weights", [None, COUNTS.astype(float), 0.1 + COUNTS])


def make_head(name, dtype=np.float64):
    return HEADS[name](NumpyEngine(dtype, 0))


def data(name, dtype=np.float64):
    """Return scores, and what belongs to the rows."""
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(N_ROWS, N_OUTPUTS)).astype(dtype)
    return scores, targets(name, rng, N_ROWS, N_OUTPUTS, dtype)


def losses(head, scores, y):
    """Return the loss of each row; the scores stay what they are."""
    return head.outcome(scores.copy(), head.target(y, N_OUTPUTS))[1]


def test_every_head_is_compared_with_scikit_learn():
    assert set(OUTPUTS) == set(LOSSES) == set(SCORES) == set(HEADS)


# -- outputs and losses


@every_head
def test_outputs_are_what_the_scores_stand_for(name):
    scores, _ = data(name)
    expected = OUTPUTS[name](scores)
    np.testing.assert_allclose(make_head(name).output(scores), expected, rtol=1e-12)


@every_head
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_outputs_take_the_memory_of_the_scores(name, dtype):
    head, (scores, y) = make_head(name, dtype), data(name, dtype)
    target, expected = head.target(y, N_OUTPUTS), head.output(scores.copy())
    for output in (head.output(scores.copy()), head.outcome(scores, target)[0]):
        np.testing.assert_array_equal(output, expected, strict=True)
    assert np.shares_memory(output, scores)
    np.testing.assert_array_equal(scores, expected)
    memory = scores.copy()
    assert np.shares_memory(head.delta(memory, target), memory)


@every_head
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_keeps_the_type(name, dtype):
    head, (scores, y) = make_head(name, dtype), data(name, dtype)
    target = head.target(y, N_OUTPUTS)
    output, of_rows = head.outcome(scores.copy(), target)
    deltas = head.delta(output.copy(), target), head.exact_delta(scores.copy(), target)
    assert {array.dtype for array in (target, output, of_rows, *deltas)} == {np.dtype(dtype)}
    assert of_rows.shape == (N_ROWS,)
    for weights in (None, COUNTS.astype(dtype)):
        assert type(head.score(output, y, weights)) is float
        assert type(head.loss_of_guessing(y, weights)) is float


@every_head
def test_no_targets_are_changed(name):
    head, (scores, y) = make_head(name), data(name)
    before = y.copy()
    target = head.target(y, N_OUTPUTS)
    head.delta(head.outcome(scores.copy(), target)[0], target)
    head.exact_delta(scores, target)
    np.testing.assert_array_equal(y, before)


@every_head
@every_weight
def test_losses_are_those_of_scikit_learn(name, weights):
    head, (scores, y) = make_head(name), data(name)
    mean = np.average(losses(head, scores, y), weights=weights)
    expected = sum(LOSSES[name](y, head.output(scores), weights))
    np.testing.assert_allclose(mean, expected, rtol=1e-10)


@every_head
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loss_is_zero_at_the_target_and_never_below(name, dtype):
    head, (scores, y) = make_head(name, dtype), data(name, dtype)
    best = SCORES_AT_TARGET.get(name, np.array)(y).astype(dtype)
    tolerance = 8.0 * np.finfo(dtype).eps * max(1, y.max())
    with np.errstate(over="ignore"):  # where exp overflows its reciprocal 0 is right
        assert abs(losses(head, best, y)).max() <= N_OUTPUTS * tolerance
    assert losses(head, scores, y).min() > 0.0


# -- gradients


@every_head
def test_delta_is_the_gradient_of_the_loss(name):
    head, (scores, y), step = make_head(name), data(name), 1e-6
    target = head.target(y, N_OUTPUTS)
    delta = head.delta(head.output(scores.copy()), target)
    for i in range(N_OUTPUTS):
        moved = step * np.eye(N_OUTPUTS)[i]
        slope = (losses(head, scores + moved, y) - losses(head, scores - moved, y)) / (2 * step)
        np.testing.assert_allclose(delta[:, i], slope, atol=1e-7)


@every_head
def test_exact_delta_is_delta_where_nothing_is_small(name):
    head, (scores, y) = make_head(name), data(name)
    target = head.target(y, N_OUTPUTS)
    expected = head.delta(head.output(scores.copy()), target)
    np.testing.assert_allclose(head.exact_delta(scores, target), expected, rtol=1e-10)


@pytest.mark.parametrize("name", ["softmax", "logistic"])
def test_exact_delta_of_a_row_that_is_nearly_certain_keeps_its_digits_in_float32(name):
    scores = np.array([[20.0, 1.0, -1.0]] * 2)
    y = {"softmax": [0, 0], "logistic": [[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]}[name]
    exact = {
        "softmax": [[-(np.exp(-19.0) + np.exp(-21.0)), np.exp(-19.0), np.exp(-21.0)]] * 2,
        "logistic": [
            [-expit(-20.0), -expit(-1.0), expit(-1.0)],
            [-expit(-20.0), expit(1.0), -expit(1.0)],
        ],
    }[name]
    head = make_head(name, np.float32)
    target = head.target(np.array(y, None if name == "softmax" else np.float32), N_OUTPUTS)
    delta = head.exact_delta(scores.astype(np.float32), target)
    np.testing.assert_allclose(delta, exact, rtol=1e-5)


def test_exact_delta_keeps_its_digits_in_float32_where_probabilities_are_expected():
    # What is expected of rows that are nearly certain is nearly what they have.
    scores = np.array([[20.0, 1.0, -1.0], [-2.0, 18.0, 0.5], [0.5, 0.25, -1.0]])
    expected = scores + [[0.25, 0.5, -0.75], [0.5, 0.0, -0.25], [0.5, 0.5, 0.125]]
    exact = softmax(scores, axis=1) - softmax(expected, axis=1)
    top = scores.argmax(axis=1)[:, None]
    np.put_along_axis(exact, top, 0.0, axis=1)
    np.put_along_axis(exact, top, -exact.sum(axis=1, keepdims=True), axis=1)
    target = softmax(expected, axis=1).astype(np.float32)
    delta = make_head("softmax", np.float32).exact_delta(scores.astype(np.float32), target)
    assert delta.dtype == np.float32
    np.testing.assert_allclose(delta, exact, rtol=1e-5)


@pytest.mark.parametrize("name", ["softmax", "logistic"])
def test_smoothed_targets_are_probabilities_that_keep_their_order(name):
    head, (_, y) = make_head(name), data(name)
    target = head.target(y, N_OUTPUTS)
    smoothed = head.smoothed(target.copy(), 0.3)
    n_states = {"softmax": N_OUTPUTS, "logistic": 2}[name]
    np.testing.assert_allclose(smoothed, 0.7 * target + 0.3 / n_states, rtol=1e-12)
    if name == "softmax":
        np.testing.assert_allclose(smoothed.sum(axis=1), 1.0, rtol=1e-12)


# -- divergence


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_divergence_is_that_of_scipy_and_zero_where_outputs_are_as_expected(dtype):
    head, (scores, _) = make_head("softmax", dtype), data("softmax", dtype)
    output, expected = head.output(3.0 * scores), head.output(2.0 * scores[::-1])
    before = output.copy(), expected.copy()
    divergence = head.divergence(output, expected)
    assert divergence.dtype == dtype
    tolerance = 1e-6 if dtype == np.float32 else 1e-13
    reference = rel_entr(expected.astype(float), output.astype(float)).sum(axis=1)
    np.testing.assert_allclose(divergence, reference, rtol=10 * tolerance, atol=tolerance)
    np.testing.assert_array_equal(head.divergence(output, output), 0.0)
    for array, kept in zip((output, expected), before, strict=True):
        np.testing.assert_array_equal(array, kept)


def test_divergence_is_finite_where_a_probability_is_zero():
    head = make_head("softmax", np.float32)
    certain = np.eye(3, dtype=np.float32)
    divergence = head.divergence(certain[[0, 0]], certain[[0, 1]])
    assert divergence[0] == 0.0
    assert 50.0 < divergence[1] < np.inf


# -- scores


@every_head
@every_weight
def test_score_is_that_of_scikit_learn(name, weights):
    head, (scores, y) = make_head(name), data(name)
    output = head.output(scores + SCORES_AT_TARGET.get(name, np.array)(y).clip(-2, 2))
    score = head.score(output, y, weights)
    np.testing.assert_allclose(score, SCORES[name](y, output, weights), rtol=1e-10)


@every_head
def test_score_of_weighted_rows_is_that_of_repeated_rows(name):
    head, (scores, y) = make_head(name), data(name)
    output = head.output(scores)
    expected = head.score(np.repeat(output, COUNTS, axis=0), np.repeat(y, COUNTS, axis=0))
    np.testing.assert_allclose(head.score(output, y, COUNTS.astype(float)), expected, rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weights", [None, COUNTS])
def test_target_that_is_the_same_in_all_rows_explains_nothing_or_all(dtype, weights):
    # The mean of many equal numbers is rounded.
    head, y = make_head("linear", dtype), np.full((N_ROWS, 2), [0.1, 1.1], dtype)
    weights = None if weights is None else weights.astype(dtype)
    assert head.score(y.copy(), y, weights) == 1.0
    assert head.score(y + np.array([0.0, 0.5], dtype), y, weights) == 0.5
    assert head.score(y + dtype(0.5), y, weights) == 0.0


# -- guessing


@every_head
@every_weight
def test_loss_of_guessing_is_that_of_the_best_constant(name, weights):
    head, (_, y) = make_head(name), data(name)

    def loss_of_constant(scores):
        constant = np.repeat(scores[None], N_ROWS, axis=0)
        return np.average(losses(head, constant, y), weights=weights)

    best = minimize(loss_of_constant, np.full(N_OUTPUTS, 0.3), method="Powell", tol=1e-12)
    np.testing.assert_allclose(head.loss_of_guessing(y, weights), best.fun, rtol=1e-7)


@every_head
def test_loss_of_guessing_weighted_rows_is_that_of_repeated_rows(name):
    head, (_, y) = make_head(name), data(name)
    expected = head.loss_of_guessing(np.repeat(y, COUNTS, axis=0))
    loss = head.loss_of_guessing(y, COUNTS.astype(float))
    np.testing.assert_allclose(loss, expected, rtol=1e-10)


@every_head
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_guessing_what_is_the_same_in_all_rows_costs_nothing(name, dtype):
    head, (_, y) = make_head(name, dtype), data(name, dtype)
    for value in np.unique(y):
        loss = head.loss_of_guessing(np.full_like(y, value))
        assert abs(loss) <= 8.0 * N_OUTPUTS * np.finfo(dtype).eps * max(1.0, abs(value))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_label_of_every_row_may_have_a_weighted_share_above_one_by_rounding(dtype):
    rng, y = np.random.default_rng(0), np.ones((150, 2), dtype)
    weights = [rng.uniform(0.1, 3.0, 150).astype(dtype) for _ in range(50)]
    assert max(np.average(y, axis=0, weights=weight).max() for weight in weights) > 1.0
    losses = [make_head("logistic", dtype).loss_of_guessing(y, weight) for weight in weights]
    np.testing.assert_allclose(losses, 0.0, atol=1e-6)
