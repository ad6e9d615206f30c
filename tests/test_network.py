"""The network against finite differences and against scikit-learn's."""

from itertools import pairwise, product

import numpy as np
import pytest
from oracles import targets
from scipy.special import log_softmax, rel_entr, softmax
from sklearn.neural_network import MLPClassifier

from skdbn._maths.engines import NumpyEngine
from skdbn._maths.heads import HEADS
from skdbn._maths.network import (
    Network,
    adversarial_direction,
    hidden_layers,
    loss_gradient,
    outputs,
    scores,
    virtual_adversarial_direction,
)
from skdbn._maths.units import UNITS

SIZES = (4, 5, 3, 3)
KINDS = ("binary", "binary")
WEIGHTS = np.array([0.5, 2.0, 0.0, 1.0, 1.0, 3.0, 0.1])  # of the rows


def make_network(kinds=KINDS, sizes=SIZES, seed=0, dtype=np.float64, head="softmax"):
    rng = np.random.default_rng(0)
    engine = NumpyEngine(dtype, seed)
    weights = [rng.normal(size=shape).astype(dtype) for shape in pairwise(sizes)]
    intercepts = [rng.normal(size=size).astype(dtype) for size in sizes[1:]]
    units = [UNITS[kind](engine) for kind in kinds]
    return Network(weights, intercepts, units, HEADS[head](engine), engine)


def data(n_rows=7, head="softmax"):
    rng = np.random.default_rng(1)
    return rng.random((n_rows, SIZES[0])), targets(head, rng, n_rows, SIZES[-1])


def loss_and_gradients(network, x, y, seed, **options):
    """Restart the random numbers, so that the same units are struck by the same numbers."""
    engine = NumpyEngine(np.float64, seed)
    units = [type(units)(engine) for units in network.hidden_units]
    head = type(network.head)(engine)
    network = network._replace(engine=engine, hidden_units=units, head=head)
    out = [np.empty_like(array) for array in (*network.weights, *network.intercepts)]
    return loss_gradient(network, x.copy(), y, out, **options)


def losses_of_rows(network, x, y):
    """The loss of each row, from the scores."""
    top = scores(network, x)
    return network.head.outcome(top, network.head.target(y, top.shape[1]))[1]


@pytest.mark.parametrize(
    "perturbations",
    [
        {},
        {"dropout": 0.4, "input_dropout": 0.3},
        {"noise": 0.7, "input_noise": 0.3},
        {"dropout": 0.2, "noise": 0.5},
        {"weights": WEIGHTS},
        {"weights": WEIGHTS, "noise": 0.5},
    ],
)
@pytest.mark.parametrize("kinds", list(product(UNITS, UNITS)))
@pytest.mark.parametrize("head", HEADS)
def test_backpropagation_agrees_with_finite_differences(head, kinds, perturbations):
    network, (x, y), step = make_network(kinds, head=head), data(head=head), 1e-6
    loss, gradients = loss_and_gradients(network, x, y, 0, **perturbations)
    parameters = [*network.weights, *network.intercepts]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        for index in np.ndindex(parameter.shape):
            kept = parameter[index]
            parameter[index] = kept + step
            above, _ = loss_and_gradients(network, x, y, 0, **perturbations)
            parameter[index] = kept - step
            below, _ = loss_and_gradients(network, x, y, 0, **perturbations)
            parameter[index] = kept
            difference = (above - below) / (2 * step) - gradient[index]
            assert abs(difference) < 1e-7 * max(1.0, loss)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("head", HEADS)
def test_loss_and_gradients_are_the_means_of_those_of_the_rows_times_their_weights(head, weights):
    network, (x, y) = make_network(head=head), data(head=head)
    loss, gradients = loss_and_gradients(network, x, y, 0, weights=weights)
    factors = np.ones(len(x)) if weights is None else weights
    of_rows = [loss_and_gradients(network, x[[i]], y[[i]], 0) for i in range(len(x))]
    np.testing.assert_allclose(loss, np.mean(factors * [row[0] for row in of_rows]), rtol=1e-12)
    np.testing.assert_allclose(loss, np.mean(factors * losses_of_rows(network, x, y)), rtol=1e-12)
    for i, gradient in enumerate(gradients):
        expected = np.tensordot(factors, [row[1][i] for row in of_rows], 1) / len(x)
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-14)


def test_loss_is_the_mean_negative_log_probability_of_the_labels():
    network, (x, labels) = make_network(), data()
    loss, _ = loss_and_gradients(network, x, labels, 0)
    p = outputs(network, x)[np.arange(len(labels)), labels]
    np.testing.assert_allclose(loss, -np.log(p).mean(), rtol=1e-12)


@pytest.mark.parametrize(
    ("head", "all_classes"),
    [("softmax", [0, 1, 2]), ("logistic", [0.0, 1.0])],  # of each label: not there, and there
)
def test_label_smoothing_mixes_the_gradients_of_the_labels_and_of_all_classes(head, all_classes):
    network, (x, labels) = make_network(head=head), data(head=head)
    loss, gradients = loss_and_gradients(network, x, labels, 0, label_smoothing=0.3)
    plain_loss, of_labels = loss_and_gradients(network, x, labels, 0)
    of_classes = [loss_and_gradients(network, x, 0 * labels + i, 0)[1] for i in all_classes]
    for smoothed, of_label, of_class in zip(
        gradients, of_labels, zip(*of_classes, strict=True), strict=True
    ):
        expected = 0.7 * of_label + 0.3 * np.mean(of_class, axis=0)
        np.testing.assert_allclose(smoothed, expected, rtol=1e-12, atol=1e-15)
    assert loss == plain_loss  # so that curves with and without it can be compared


def test_dropout_keeps_the_expected_activation():
    # With weights of zero above, the gradient of the top weights shows the dropped activations.
    network = make_network(("binary",), (4, 5, 3))
    x = np.repeat(data(1)[0], 50_000, axis=0)
    top = network.weights[1]
    top[...] = 0.0
    labels = np.zeros(len(x), int)
    _, plain = loss_and_gradients(network, x, labels, 0)
    _, dropped = loss_and_gradients(network, x, labels, 0, dropout=0.4)
    np.testing.assert_allclose(dropped[1], plain[1], atol=5 / np.sqrt(len(x)))
    _, once = loss_and_gradients(network, x[:1], labels[:1], 0, dropout=0.4)
    ratio = once[1] / plain[1]
    assert ((abs(ratio) < 1e-9) | (abs(ratio - 1 / 0.6) < 1e-9)).all()


def activations(network, x, **options):
    """Activations of the one hidden layer, from the gradient of weights of zero above."""
    network.weights[1][...] = 0.0
    labels = np.zeros(len(x), int)
    for i in range(len(x)):
        _, gradients = loss_and_gradients(network, x[i : i + 1], labels[:1], i, **options)
        yield -gradients[1][:, 0] / (1 - 1 / SIZES[-1])


def test_noise_multiplies_each_activation_by_numbers_of_mean_one_and_its_deviation():
    network, n = make_network(("binary",), (4, 5, 3)), 4000
    x = np.repeat(data(1)[0], n, axis=0)
    plain = next(activations(network, x))
    factors = np.array(list(activations(network, x, noise=0.5))) / plain
    assert abs(factors.mean() - 1.0) < 5 * 0.5 / np.sqrt(factors.size)
    assert abs(factors.std() - 0.5) < 5 * 0.5 / np.sqrt(2 * factors.size)
    correlation = np.corrcoef(factors.T) - np.eye(5)  # each unit has its own noise
    assert abs(correlation).max() < 5 / np.sqrt(n)


def test_noise_on_the_inputs_is_added_and_has_mean_zero_and_its_deviation():
    network, n = make_network((), (4, 3)), 4000
    network.weights[0][...] = 0.0
    x, labels = data(1)[0], np.zeros(1, int)
    noise = []
    for seed in range(n):
        _, gradients = loss_and_gradients(network, x, labels, seed, input_noise=0.3)
        _, plain = loss_and_gradients(network, x, labels, seed)
        noise.append((gradients[0] - plain[0])[:, 0] / (plain[0][:, 0] / x[0]))
    noise = np.array(noise)
    assert abs(noise.mean()) < 5 * 0.3 / np.sqrt(noise.size)
    assert abs(noise.std() - 0.3) < 5 * 0.3 / np.sqrt(2 * noise.size)


@pytest.mark.parametrize("kinds", list(product(UNITS, UNITS)))
@pytest.mark.parametrize("head", HEADS)
def test_adversarial_direction_is_the_scaled_gradient_of_the_loss(head, kinds):
    network, (x, y), step = make_network(kinds, head=head), data(head=head), 1e-6
    direction = adversarial_direction(network, x, y).copy()
    gradient = np.empty_like(x)
    for row, column in np.ndindex(x.shape):
        moved = np.repeat(x[row : row + 1], 2, axis=0)
        moved[:, column] += [step, -step]
        above, below = losses_of_rows(network, moved, y[[row, row]])
        gradient[row, column] = (above - below) / (2 * step)
    gradient /= np.linalg.norm(gradient, axis=1, keepdims=True)
    np.testing.assert_allclose(direction, gradient, atol=1e-7)


@pytest.mark.parametrize(
    ("head", "intercepts", "y"),
    [("softmax", [18, 0, 1], [0] * 7), ("logistic", [18, 18, -18], [[1, 1, 0]] * 7)],
)
def test_adversarial_direction_of_a_row_that_is_nearly_certain_is_right_in_float32(
    head, intercepts, y
):
    # 1 - p is far below the spacing of float32 numbers near 1.
    directions = []
    for dtype in (np.float32, np.float64):
        network, (x, _) = make_network(dtype=dtype, head=head), data()
        network.intercepts[-1][:] = intercepts
        y = np.array(y, int if head == "softmax" else dtype)
        directions.append(adversarial_direction(network, x.astype(dtype), y))
    np.testing.assert_allclose(*directions, atol=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_adversarial_step_has_its_length_and_raises_the_loss(head):
    network, (x, y) = make_network(head=head), data(head=head)
    losses = [
        loss_and_gradients(network, x, y, 0, adversarial=length)[0] for length in (0.0, 0.01, 0.1)
    ]
    assert losses == sorted(losses)
    assert losses[0] < losses[1]
    moved = x + 0.1 * adversarial_direction(network, x, y)
    np.testing.assert_allclose(losses[2], loss_and_gradients(network, moved, y, 0)[0])


def test_row_that_is_certain_is_not_moved():
    network, (x, labels) = make_network(dtype=np.float32), data()
    network.intercepts[-1][:] = [1e4, 0, 0]  # no other class has any probability left
    direction = adversarial_direction(network, x.astype(np.float32), np.zeros_like(labels))
    np.testing.assert_array_equal(direction, np.zeros_like(x))


def test_forward_agrees_with_the_network_of_scikit_learn():
    network, (x, _) = make_network(), data()
    peer = MLPClassifier(SIZES[1:-1], activation="logistic")
    peer.classes_, peer.n_layers_, peer.out_activation_ = np.arange(3), 4, "softmax"
    peer.coefs_, peer.intercepts_, peer.n_features_in_ = network.weights, network.intercepts, 4
    peer._label_binarizer = None
    np.testing.assert_allclose(outputs(network, x), peer._forward_pass_fast(x), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_rows_sum_to_one(dtype):
    network, (x, _) = make_network(dtype=dtype), data()
    for scale in (1.0, 1e4):
        with np.errstate(over="ignore"):
            p = outputs(network, (scale * x).astype(dtype))
        assert p.dtype == dtype
        assert p.min() >= 0.0
        np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-6 if dtype == np.float32 else 1e-14)


@pytest.mark.parametrize("head", ["softmax", "logistic"])
@pytest.mark.filterwarnings("ignore:overflow")  # where exp overflows its reciprocal 0 is right
def test_loss_stays_finite_when_the_probability_of_a_label_underflows(head):
    network, (x, y) = make_network(("gaussian", "gaussian"), head=head), data(head=head)
    loss, gradients = loss_and_gradients(network, 1e6 * x, y, 0)
    assert np.isfinite(loss)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_top_layer_alone_sees_the_hidden_layers_as_its_input():
    network, (x, _) = make_network(), data()
    top = network._replace(
        weights=network.weights[-1:], intercepts=network.intercepts[-1:], hidden_units=[]
    )
    np.testing.assert_allclose(outputs(top, hidden_layers(network, x)), outputs(network, x))


# -- rows without labels


def output_form(network, row, step=1e-5):
    """The exact Hessian of the divergence from the outputs of a row, by its Jacobian."""
    moved = np.concatenate([row + step * np.eye(len(row)), row - step * np.eye(len(row))])
    above, below = np.split(scores(network, moved), 2)
    jacobian = (above - below).T / (2 * step)  # (n_outputs, n_in)
    p = softmax(scores(network, row[None])[0])
    return jacobian.T @ (np.diag(p) - np.outer(p, p)) @ jacobian


def unit_vectors(shape, seed=3):
    start = np.random.default_rng(seed).normal(size=shape)
    return start / np.linalg.norm(start, axis=1, keepdims=True)


@pytest.mark.parametrize("kinds", [*product(UNITS, UNITS), ()])
def test_virtual_adversarial_direction_is_the_product_of_the_hessian_and_the_start(kinds):
    network, (x, _) = make_network(kinds, SIZES if kinds else (4, 3)), data()
    start, output = unit_vectors(x.shape), outputs(network, x)
    expected = [output_form(network, *pair) for pair in zip(x, strict=True)] @ start[..., None]
    expected = expected[..., 0] / np.linalg.norm(expected, axis=1)
    direction = virtual_adversarial_direction(network, x, output, start.copy(), 1e-5)
    np.testing.assert_allclose(direction, expected, atol=1e-4)


@pytest.mark.parametrize("kinds", [*product(UNITS, UNITS), ()])
def test_virtual_adversarial_directions_lead_to_the_leading_eigenvector(kinds):
    network, (x, _) = make_network(kinds, SIZES if kinds else (4, 3)), data()
    direction, output = unit_vectors(x.shape), outputs(network, x)
    for _ in range(100):
        direction = virtual_adversarial_direction(network, x, output, direction.copy(), 1e-4)
    for row, reached in zip(x, direction, strict=True):
        values, vectors = np.linalg.eigh(output_form(network, row))
        assert values[-2] < 0.9 * values[-1]  # else there is no one direction
        assert abs(reached @ vectors[:, -1]) > 1.0 - 1e-6


def test_virtual_adversarial_direction_of_a_row_that_is_nearly_certain_is_right_in_float32():
    directions = []
    for dtype in (np.float32, np.float64):
        network, (x, _) = make_network(dtype=dtype), data()
        network.intercepts[-1][:] = [18, 0, 1]
        x, start = x.astype(dtype), unit_vectors(x.shape).astype(dtype)
        output = outputs(network, x)
        directions.append(virtual_adversarial_direction(network, x, output, start, 0.5))
    np.testing.assert_allclose(*directions, atol=1e-4)


N_LABELLED = 3


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize(
    "perturbations",
    [{}, {"label_smoothing": 0.3}, {"adversarial": 0.5}, {"label_smoothing": 0.3, "scale": 0.1}],
)
@pytest.mark.parametrize("kinds", list(product(UNITS, UNITS)))
def test_gradient_with_rows_without_labels_agrees_with_finite_differences(
    kinds, perturbations, weights
):
    # Neither the way that the rows were moved nor what is expected of them has a gradient.
    network, (x, y) = make_network(kinds), data()
    y, factors = y[:N_LABELLED], np.ones(len(x)) if weights is None else weights
    expected = softmax(scores(network, x[N_LABELLED:]), axis=1)
    out = [np.empty_like(array) for array in (*network.weights, *network.intercepts)]
    options = {"weights": weights, "virtual_adversarial": 0.7, **perturbations}
    reported, gradients = loss_gradient(network, x, y, out, **options)

    def loss(share):
        top = scores(network, x)  # of rows that were moved
        target = (1 - share) * np.eye(3)[y] + share / 3
        of_labels = -(target * log_softmax(top[:N_LABELLED], axis=1)).sum(axis=1)
        of_others = rel_entr(expected, softmax(top[N_LABELLED:], axis=1)).sum(axis=1)
        return (factors * [*of_labels / N_LABELLED, *of_others / len(of_others)]).sum()

    assert reported == pytest.approx(loss(0.0), rel=1e-10)
    share, step = perturbations.get("label_smoothing", 0.0), 1e-6
    for parameter, gradient in zip([*network.weights, *network.intercepts], gradients, strict=True):
        for index in np.ndindex(parameter.shape):
            kept = parameter[index]
            parameter[index] = kept + step
            above = loss(share)
            parameter[index] = kept - step
            slope = (above - loss(share)) / (2 * step)
            parameter[index] = kept
            slope *= perturbations.get("scale", 1.0)
            assert gradient[index] == pytest.approx(slope, abs=1e-7 * max(1.0, reported))


def test_rows_without_labels_are_moved_by_the_length_where_outputs_change_more_than_at_random():
    network, (x, y), length = make_network(), data(200), 0.3
    moved, out = x.copy(), [np.empty_like(a) for a in (*network.weights, *network.intercepts)]
    loss_gradient(network, moved, y[:50], out, virtual_adversarial=length)
    np.testing.assert_array_equal(moved[:50], x[:50])
    steps = (moved - x)[50:]
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), length, rtol=1e-12)
    p = outputs(network, x[50:])
    at_random = x[50:] + length * unit_vectors(steps.shape)
    of_step, of_chance = (
        rel_entr(p, outputs(network, rows)).sum(axis=1) for rows in (moved[50:], at_random)
    )
    assert of_step.mean() > 1.5 * of_chance.mean()


def test_rows_without_labels_are_moved_in_a_direction_found_a_step_from_them():
    network, (x, y), length = make_network(seed=5), data(), 0.7
    moved, out = x.copy(), [np.empty_like(a) for a in (*network.weights, *network.intercepts)]
    loss_gradient(network, moved, y[:N_LABELLED], out, virtual_adversarial=length)
    others, engine = x[N_LABELLED:], NumpyEngine(np.float64, 5)
    start = engine.normal(others.shape)
    start /= np.linalg.norm(start, axis=1, keepdims=True)
    output = outputs(network, others)
    direction = virtual_adversarial_direction(network, others, output, start, length)
    np.testing.assert_allclose(moved[N_LABELLED:], others + length * direction, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_network_learns_nothing_from_rows_without_labels(dtype):
    network, (x, y) = make_network(dtype=dtype), data()
    for weights in network.weights:
        weights[...] = 0.0
    x, y = x.astype(dtype), y[:N_LABELLED]
    direction = virtual_adversarial_direction(
        network, x, outputs(network, x), unit_vectors(x.shape).astype(dtype), 0.5
    )
    np.testing.assert_array_equal(direction, np.zeros_like(x))
    outs = [[np.empty_like(a) for a in (*network.weights, *network.intercepts)] for _ in "ab"]
    loss, gradients = loss_gradient(network, x.copy(), y, outs[0], virtual_adversarial=0.7)
    alone, of_labels = loss_gradient(network, x[:N_LABELLED], y, outs[1])
    assert loss == pytest.approx(alone, rel=1e-6)
    for gradient, other in zip(gradients, of_labels, strict=True):
        np.testing.assert_allclose(gradient, other, atol=1e-6 if dtype == np.float32 else 1e-14)
