"""Figures: what is in them, not only that they are there."""

import copy
import itertools
import re
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import bsr_matrix, coo_matrix, dok_array, lil_array
from scipy.special import expit
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from skdbn import (
    DBNClassifier,
    DBNRegressor,
    NotConvergedWarning,
    RBMTransformer,
    load_model,
    save_model,
)
from skdbn.datasets import load_digits
from skdbn.inspection import (
    bias_probe,
    chain_statistics,
    finetuned,
    hidden_activations,
    machines,
    reconstruct,
    unit_probe,
)
from skdbn.plotting import (
    ActivationDisplay,
    BiasProbeDisplay,
    LossCurveDisplay,
    MixingDisplay,
    ReconstructionDisplay,
    SampleDisplay,
    UnitProbeDisplay,
    image_shape_of,
)

X, _, Y, _ = load_digits()
X, Y = X[:300], Y[:300]
pytestmark = pytest.mark.filterwarnings(  # most trainings here are short on purpose
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)

NET = DBNClassifier((30, 20), rbm=RBMTransformer(n_iter=5), softmax_iter=2, finetune_iter=3)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", NotConvergedWarning)
    NET.fit(X, Y)
RBM = NET.rbms_[0]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def tiles(image, height, width, n_columns):
    """Cut the images out of a grid again."""
    canvas = np.asarray(image.get_array())
    n_rows = (canvas.shape[0] + 1) // (height + 1)
    return [
        canvas[i * (height + 1) :, j * (width + 1) :][:height, :width]
        for i in range(n_rows)
        for j in range(n_columns)
    ]


def assert_tiles_are(image, rows, n_columns, shape=(8, 8)):
    for tile, row in zip(tiles(image, *shape[:2], n_columns), rows, strict=False):
        np.testing.assert_array_equal(tile, row.reshape(shape))


# -- reconstructions


@pytest.mark.parametrize("model", [RBM, NET.rbms_, NET])
def test_reconstructions_lie_under_the_data_for_every_depth(model):
    display = ReconstructionDisplay.from_estimator(model, X, n_images=7)
    n_layers = len(machines(model))
    assert len(display.axes_) == len(display.images_) == 1 + n_layers
    assert_tiles_are(display.images_[0], X[:7], 7)
    for n in range(1, n_layers + 1):
        assert_tiles_are(display.images_[n], reconstruct(model, X[:7], n), 7)
    assert display.axes_[0].get_title() == "data"
    error = ((reconstruct(model, X[:7], 1) - X[:7]) ** 2).mean()
    assert display.axes_[1].get_title().endswith(f"mean squared error {error:.4f}")


def test_reconstructions_share_one_scale_that_is_stated():
    display = ReconstructionDisplay.from_estimator(NET, X)
    assert {image.get_clim() for image in display.images_} == {(0.0, 1.0)}
    assert len(display.figure_.axes) == len(display.axes_) + 1  # the bar with the scale
    assert display.figure_.axes[-1].get_ylabel() == "value"


def test_reconstructions_of_a_pipeline_are_in_the_scale_of_its_data():
    model = make_pipeline(MinMaxScaler(), RBM).fit(16 * X)
    display = ReconstructionDisplay.from_estimator(model, 16 * X, n_images=3)
    assert_tiles_are(display.images_[1], reconstruct(model, 16 * X[:3]), 3)
    assert display.images_[0].get_clim()[1] >= 15.0


# -- probes


def test_bias_probes_stand_beside_the_mean():
    display = BiasProbeDisplay.from_estimator(NET, X)
    expected = [X.mean(axis=0), *bias_probe(NET)]
    assert len(display.axes_) == 3
    for image, pattern in zip(display.images_, expected, strict=True):
        np.testing.assert_array_equal(image.get_array(), pattern.reshape(8, 8))
    titles = [axis.get_title() for axis in display.axes_]
    assert titles == ["mean of the data", "layer 1 off", "layer 2 off"]


def test_bias_probes_need_no_data():
    assert len(BiasProbeDisplay.from_estimator(NET).axes_) == 2


@pytest.mark.parametrize("layer", [1, 2])
def test_unit_probes_fill_a_grid(layer):
    display = UnitProbeDisplay.from_estimator(NET, layer, n_rows=3, n_columns=4)
    assert_tiles_are(display.image_, unit_probe(NET, layer)[:12], 4)
    low, high = display.image_.get_clim()
    assert low == -high
    assert 0.99 < (np.abs(display.probes) <= high).mean() < 1.0
    assert f"layer {layer}" in display.ax_.get_title()
    assert not display.ax_.axison


def test_unit_probes_may_keep_the_bias():
    display = UnitProbeDisplay.from_estimator(NET, n_rows=1, n_columns=2, subtract_bias=False)
    np.testing.assert_array_equal(display.probes, unit_probe(NET, 1, False)[:2])
    assert "bias included" in display.ax_.get_title()


def test_units_are_chosen():
    def units(**choice):
        return UnitProbeDisplay.from_estimator(NET, n_rows=2, n_columns=3, **choice).units

    np.testing.assert_array_equal(units(), np.arange(6))
    spread = hidden_activations(NET, X, 1).std(axis=0)
    selective = units(units="selective", X=X)
    assert spread[selective].min() >= np.delete(spread, selective).max()
    np.testing.assert_array_equal(
        units(units="random", random_state=3), units(units="random", random_state=3)
    )
    assert len(set(units(units="random", random_state=3))) == 6
    np.testing.assert_array_equal(units(units=[5, 2]), [5, 2])


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"units": "best"}, "units == 'best', must be one of"),
        ({"units": "selective"}, "needs X"),
        ({"units": [30]}, "units has 30, must be from 0 to 29"),
        ({"units": [-1, 2]}, "units has -1, must be from 0 to 29"),
        ({"image_shape": (8.0, 8.0)}, r"image_shape == \(8.0, 8.0\).*64 values"),
        ({"image_shape": 8}, "image_shape == 8, must be"),
        ({"units": []}, "must be one of .* or a list of units"),
        ({"n_rows": 0}, "n_rows == 0"),
        ({"image_shape": (8, 9)}, r"image_shape == \(8, 9\).*64 values"),
        ({"image_shape": (4, 8, 2)}, "image_shape"),
    ],
)
def test_wrong_choice_is_refused_with_what_is_allowed(choice, message):
    with pytest.raises(ValueError, match=message):
        UnitProbeDisplay.from_estimator(NET, **choice)


# -- samples, curves, activations


def test_title_counts_one_fantasy():
    display = SampleDisplay.from_estimator(RBM, n_samples=1, n_gibbs_steps=3, random_state=0)
    assert display.ax_.get_title().startswith("1 fantasy after 3 Gibbs steps")


@pytest.mark.parametrize("model", [RBM, NET])
def test_fantasies_are_drawn_as_images_under_a_title(model):
    display = SampleDisplay.from_estimator(model, n_samples=5, n_gibbs_steps=3, random_state=0)
    height = np.asarray(display.image_.get_array()).shape[0]
    assert (height == 8) == (model is RBM)  # or there is room for predictions
    np.testing.assert_array_equal(
        display.image_.get_array()[-8:, :8], display.samples[0].reshape(8, 8)
    )
    title = " ".join(display.ax_.get_title().splitlines())
    assert title.startswith(
        "5 fantasies after 3 Gibbs steps from noise, in a machine trained by CD-1"
    )


def test_fantasies_are_what_is_expected_of_the_data_where_samples_are_drawn():
    one = SampleDisplay.from_estimator(RBM, n_samples=400, n_gibbs_steps=3, random_state=1)
    states = RBM.sample(400, 3, random_state=1)
    assert set(np.unique(states)) == {0.0, 1.0}
    p = one.samples
    assert ((p > 0.1) & (p < 0.9)).mean() > 0.05
    error = np.sqrt((p * (1.0 - p)).sum())
    assert abs((states - p).sum()) < 4.0 * error
    surprise = (states - p) ** 2 - p * (1.0 - p)  # 0 on average where p is that of each state
    assert abs(surprise.sum()) < 4.0 * np.sqrt((p * (1.0 - p) * (1.0 - 2.0 * p) ** 2).sum())


def test_expectations_go_down_through_the_layers_of_a_stack():
    machines = copy.deepcopy(NET.rbms_)
    *below, top = machines
    top.components_[:] = 0.0  # so the visible units of the top machine have the same expectations
    drawn = SampleDisplay.from_estimator(machines, n_samples=5, n_gibbs_steps=3, random_state=0)
    expected = expit(top.intercept_visible_)[None]
    for machine in reversed(below):
        expected = machine.inverse_transform(expected)
    np.testing.assert_allclose(drawn.samples, np.repeat(expected, 5, axis=0), atol=1e-6)


def texts_over(display):
    return [text.get_text() for text in display.ax_.texts]


@pytest.mark.parametrize("model", [NET, make_pipeline(MinMaxScaler().fit(16 * X), NET)])
def test_fantasies_are_labelled_with_what_the_net_takes_them_for(model):
    display = SampleDisplay.from_estimator(
        model, n_samples=7, n_gibbs_steps=3, n_columns=5, random_state=0
    )
    net = model if model is NET else model[-1]
    p = net.predict_proba(display.samples)
    expected = [f"{net.classes_[k]} {row[k]:.0%}" for k, row in zip(p.argmax(1), p, strict=True)]
    assert texts_over(display) == expected
    canvas = np.asarray(display.image_.get_array())
    above = canvas.shape[0] // 2 - 8
    assert above >= 1
    for i, (text, row) in enumerate(zip(display.ax_.texts, display.samples, strict=True)):
        top, left = i // 5 * (9 + above) + above, i % 5 * 9
        np.testing.assert_array_equal(canvas[top : top + 8, left : left + 8], row.reshape(8, 8))
        x, y = text.get_position()
        assert (x, y) == (left + 3.5, top - 0.5)  # in the middle of its upper edge
    title = display.ax_.get_title()
    assert title.endswith("above each: prediction of the net, with its probability")


def test_long_names_of_classes_take_a_line_of_their_own():
    names = np.array([f"the class $_{k}" for k in range(10)])
    net = DBNClassifier((5,), rbm=RBMTransformer(n_iter=1), finetune_iter=1).fit(X, names[Y])
    display = SampleDisplay.from_estimator(net, n_samples=4, n_gibbs_steps=1, random_state=0)
    for text in texts_over(display):
        name, share = text.split("\n")
        assert re.fullmatch(r"the c…s \$_\d", name)
        assert share.endswith("%")
    display.figure_.canvas.draw()  # a dollar sign is no formula


@pytest.mark.parametrize("model", [RBM, NET.rbms_, make_pipeline(MinMaxScaler().fit(X), RBM)])
def test_fantasies_of_machines_have_no_labels(model):
    assert not texts_over(SampleDisplay.from_estimator(model, n_samples=2, n_gibbs_steps=1))


def test_net_whose_top_layer_made_no_pass_has_no_opinion():
    net = DBNClassifier((5,), rbm=RBMTransformer(n_iter=1), softmax_iter=0, finetune_iter=0)
    display = SampleDisplay.from_estimator(net.fit(X, Y), n_samples=2, n_gibbs_steps=1)
    assert display.predicted is None
    assert not texts_over(display)


def test_opinions_of_regressors_several_labels_and_pipelines():
    def predicted(model, y):
        model.fit(X, y)
        display = SampleDisplay.from_estimator(model, n_samples=6, n_gibbs_steps=2, random_state=0)
        return display.samples, texts_over(display)

    quick = {"rbm": RBMTransformer(n_iter=2), "finetune_iter": 2, "random_state": 0}
    net = DBNRegressor((6,), **quick)
    samples, texts = predicted(net, Y)
    assert [text.strip() for text in texts] == [f"{value:.4g}" for value in net.predict(samples)]
    net = DBNClassifier((6,), **quick)
    samples, texts = predicted(net, np.column_stack([Y > 4, Y % 2]).astype(int))
    words = {(0, 0): "none", (1, 0): "0", (0, 1): "1", (1, 1): "0,1"}
    assert [text.strip() for text in texts] == [words[tuple(row)] for row in net.predict(samples)]
    pipeline = make_pipeline(
        RBMTransformer(6, n_iter=2, random_state=0), LogisticRegression(max_iter=1000)
    )
    samples, texts = predicted(pipeline, Y)
    assert [int(text.split()[0]) for text in texts] == pipeline.predict(samples).tolist()


@pytest.mark.parametrize("data", [X, None])
def test_mixing_shows_every_chain_and_the_overlap_of_each_start(data):
    arguments = {"n_chains": 4, "n_gibbs_steps": 6, "random_state": 0}
    display = MixingDisplay.from_estimator(NET, data, **arguments)
    parts = chain_statistics(NET, data, **arguments)
    energies, overlaps = (axis.get_lines() for axis in display.axes_)
    curves = [energy for part in parts for energy in part.free_energy.T]
    assert_lines_are(energies, curves, [f"from {p.start}" for p in parts for _ in range(4)])
    assert_lines_are(overlaps[1:], [part.overlap for part in parts])  # the first one is at 0
    assert display.lines_ == [*energies, *overlaps[1:]]
    labels = [text.get_text() for text in display.axes_[1].get_legend().get_texts()]
    assert labels == [f"from {part.start}" for part in parts]
    assert energies[0].get_color() == overlaps[1].get_color()
    assert display.axes_[0].get_xlim() == (0.0, 6.0)


def test_loss_curves_show_every_phase():
    display = LossCurveDisplay.from_estimator(NET)
    assert len(display.axes_) == 3
    curves = [*(rbm.loss_curve_ for rbm in NET.rbms_), NET.softmax_loss_curve_, NET.loss_curve_]
    for line, curve in zip(display.lines_, curves, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), curve)
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, len(curve) + 1))


WATCHED = {"X_val": X[:50], "y_val": Y[:50]}
QUICK = {"rbm": RBMTransformer(n_iter=5), "finetune_iter": 3, "random_state": 0}


def assert_lines_are(lines, curves, labels=None):
    for line, curve in zip(lines, curves, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), curve)
    if labels is not None:
        assert [line.get_label() for line in lines] == labels


@pytest.mark.parametrize(
    ("net", "top", "loss", "score"),
    [
        (DBNClassifier((6, 4), **QUICK), "softmax", "cross-entropy in nats", "accuracy"),
        (DBNRegressor((6, 4), **QUICK), "output", "half the squared error", "R$^2$"),
    ],
)
def test_curves_of_held_out_rows_lie_beside_those_of_training(net, top, loss, score):
    display = LossCurveDisplay.from_estimator(net.fit(X, Y, **WATCHED))
    assert [axis.get_title() for axis in display.axes_] == [
        "pretrain: reconstruction error",
        "pretrain: free energy gap in nats",
        f"{top}: {loss}",
        f"finetune: {loss}",
        f"finetune: {score} of held-out rows",
    ]
    errors, gaps, of_top, losses, scores = (axis.get_lines() for axis in display.axes_)
    rbms = net.rbms_
    expected = [x.loss_curve_ for x in rbms] + [x.validation_loss_curve_ for x in rbms]
    labels = ["layer 1, training", "layer 2, training", "layer 1, held out", "layer 2, held out"]
    assert_lines_are(errors, expected, labels)
    assert_lines_are(gaps, [x.free_energy_gap_curve_ for x in rbms], ["layer 1", "layer 2"])
    assert_lines_are(of_top, [getattr(net, f"{top}_loss_curve_")])
    assert_lines_are(
        losses, [net.loss_curve_, net.validation_loss_curve_], ["training", "held out"]
    )
    assert_lines_are(scores, [net.validation_scores_])
    assert [line.get_linestyle() for line in errors] == ["-", "-", "--", "--"]
    assert errors[0].get_color() == errors[2].get_color() != errors[1].get_color()
    assert scores[0].get_linestyle() == "--"
    legends = [axis.get_legend() is not None for axis in display.axes_]
    assert legends == [True, True, False, True, False]


def test_curves_of_a_machine_have_its_held_out_rows():
    rbm = RBMTransformer(5, n_iter=3, random_state=0).fit(X, X_val=X[:50])
    errors, gap = LossCurveDisplay.from_estimator(rbm).axes_
    expected = [rbm.loss_curve_, rbm.validation_loss_curve_]
    assert_lines_are(errors.get_lines(), expected, ["training", "held out"])
    assert_lines_are(gap.get_lines(), [rbm.free_energy_gap_curve_])


def test_curves_of_rows_held_out_later_begin_with_their_pass():
    net = DBNClassifier((5,), pretrain=False, softmax_iter=0, finetune_iter=2, warm_start=True)
    net.fit(X, Y).fit(X, Y, **WATCHED)
    _, line = LossCurveDisplay.from_estimator(net).axes_[0].get_lines()
    np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4])
    expected = [np.nan, np.nan, *net.validation_loss_curve_]
    np.testing.assert_array_equal(line.get_ydata(), expected)


def rings(display):
    """Axes titles and positions of the best passes."""
    return [
        (mark.axes.get_title(), mark.get_xdata()[0], mark.get_ydata()[0]) for mark in display.marks_
    ]


@pytest.mark.parametrize(
    ("net", "title", "score"),
    [
        (
            DBNClassifier((6,), early_stopping=True),
            "finetune: accuracy of held-out rows",
            lambda net: net.score(X[:100], Y[:100]),
        ),
        (
            DBNClassifier((6,), early_stopping="loss"),
            "finetune: cross-entropy in nats",
            lambda net: -np.log(net.predict_proba(X[:100])[np.arange(100), Y[:100]]).mean(),
        ),
    ],
)
def test_ring_is_around_the_pass_that_early_stopping_restored(net, title, score):
    rbm = RBMTransformer(n_iter=2, learning_rate=0.01)
    net.set_params(rbm=rbm, finetune_iter=30, n_iter_no_change=2, random_state=0)
    net.set_params(learning_rate_init=0.05)
    net.fit(X[100:], Y[100:], X_val=X[:100], y_val=Y[:100])
    ((place, n, value),) = rings(LossCurveDisplay.from_estimator(net))
    assert place == title
    assert 1 <= n < len(net.loss_curve_)  # it went on behind the best pass
    assert value == pytest.approx(score(net), rel=1e-5)  # that of the weights that were kept
    shorter = net.set_params(early_stopping=False, finetune_iter=30)
    assert not rings(LossCurveDisplay.from_estimator(shorter))


def test_ring_of_passes_with_the_same_accuracy_is_at_the_lowest_loss():
    net = DBNClassifier((6,), early_stopping=True, rbm=RBMTransformer(n_iter=1), random_state=0)
    net.set_params(finetune_iter=1).fit(X[100:200], Y[100:200], X_val=X[:100], y_val=Y[:100])
    net.validation_scores_, net.validation_loss_curve_ = [0.9, 0.8, 0.9, 0.9], [3.0, 1.0, 2.0, 2.5]
    net.n_iter_ = 4
    ((_, n, _),) = rings(LossCurveDisplay.from_estimator(net))
    assert n == 3


def test_rings_of_machines_are_at_the_lowest_error_of_each_layer():
    rbm = RBMTransformer(n_iter=30, early_stopping=True, n_iter_no_change=2, learning_rate=0.5)
    net = DBNClassifier((8, 6), rbm=rbm, finetune_iter=1, random_state=0)
    net.fit(X[100:], Y[100:], X_val=X[:100], y_val=Y[:100])
    display = LossCurveDisplay.from_estimator(net)
    states = X[:100]
    for mark, machine, (_, n, value) in zip(display.marks_, net.rbms_, rings(display), strict=True):
        error = ((machine.inverse_transform(machine.transform(states)) - states) ** 2).mean()
        assert value == pytest.approx(error, rel=1e-4)  # of the parameters that were kept
        assert n < len(machine.loss_curve_)
        assert mark.get_color() == f"C{display.marks_.index(mark)}"
        states = machine.transform(states)
    assert display.axes_[0].get_legend().get_texts()[-1].get_text() == "best pass, restored"


def test_curves_over_several_fits_have_no_ring():
    net = DBNClassifier((5,), pretrain=False, early_stopping=True, warm_start=True)
    net.set_params(softmax_iter=0, finetune_iter=3).fit(X, Y).fit(X, Y)
    assert not rings(LossCurveDisplay.from_estimator(net))


@pytest.mark.parametrize(
    ("net", "title"),
    [
        (DBNRegressor(loss="absolute_error"), "finetune: absolute error"),
        (DBNRegressor(loss="poisson"), "finetune: half the deviance"),
    ],
)
def test_losses_are_named(net, title):
    net.set_params(hidden_layer_sizes=(5,), pretrain=False, output_iter=0, finetune_iter=1)
    display = LossCurveDisplay.from_estimator(net.fit(X, Y))
    assert [axis.get_title() for axis in display.axes_] == [title]


def test_losses_of_several_labels_are_named():
    net = DBNClassifier((5,), pretrain=False, softmax_iter=0, finetune_iter=1)
    net.fit(X, np.column_stack([Y > 4, Y % 2]).astype(int))
    (axis,) = LossCurveDisplay.from_estimator(net).axes_
    assert axis.get_title() == "finetune: cross-entropy in nats"


def test_curves_of_a_loaded_model_are_drawn(tmp_path):
    net = DBNClassifier((6, 4), **QUICK).fit(X, Y, **WATCHED)
    save_model(net, tmp_path / "net.npz")
    display = LossCurveDisplay.from_estimator(load_model(tmp_path / "net.npz"))
    assert_lines_are(display.axes_[-1].get_lines(), [net.validation_scores_])


def test_machine_without_a_pass_has_no_curves():
    with pytest.raises(ValueError, match="no curves to draw"):
        LossCurveDisplay.from_estimator(RBMTransformer(5, n_iter=0).fit(X))


def test_loss_curves_of_a_machine_and_of_a_network_without_machines():
    assert len(LossCurveDisplay.from_estimator(RBM).axes_) == 1
    control = DBNClassifier((5,), pretrain=False, softmax_iter=0, finetune_iter=2).fit(X, Y)
    display = LossCurveDisplay.from_estimator(make_pipeline(MinMaxScaler(), control).fit(X, Y))
    assert [axis.get_title() for axis in display.axes_] == ["finetune: cross-entropy in nats"]


def test_network_without_a_pass_has_no_curves():
    net = DBNClassifier((5,), pretrain=False, softmax_iter=0, finetune_iter=0).fit(X, Y)
    with pytest.raises(ValueError, match="no curves to draw"):
        LossCurveDisplay.from_estimator(net)


def test_histograms_show_the_share_of_activations():
    display = ActivationDisplay.from_estimator(NET, X)
    assert len(display.axes_) == 2
    for layer, axis in enumerate(display.axes_, 1):
        heights = [bar.get_height() for bar in axis.patches]
        expected, _ = np.histogram(hidden_activations(NET, X, layer), 50, (0.0, 1.0))
        np.testing.assert_allclose(heights, expected / expected.sum(), atol=1e-12)


def test_images_of_activations_hold_every_one():
    display = ActivationDisplay.from_estimator(NET, X, kind="image")
    for layer, axis in enumerate(display.axes_, 1):
        shown = axis.images[0].get_array()
        np.testing.assert_array_equal(shown, hidden_activations(NET, X, layer))


def test_wrong_kind_is_refused():
    with pytest.raises(ValueError, match="kind == 'pie', must be one of"):
        ActivationDisplay.from_estimator(NET, X, kind="pie")


# -- images of other shapes, and data that are not images


def test_rectangles_and_colours_are_images_when_told():
    display = UnitProbeDisplay.from_estimator(RBM, n_rows=1, n_columns=3, image_shape=(4, 16))
    assert_tiles_are(display.image_, unit_probe(RBM)[:3], 3, (4, 16))
    colours = RBMTransformer(6, n_iter=1, random_state=0).fit(X[:, :48])
    display = UnitProbeDisplay.from_estimator(colours, n_rows=1, n_columns=6, image_shape=(4, 4, 3))
    probes = unit_probe(colours)
    low, scale = display.image_.get_clim()
    assert low == -scale
    for tile, row in zip(tiles(display.image_, 4, 4, 6), probes, strict=True):
        shown = (row.reshape(4, 4, 3) + scale) / (2 * scale)
        np.testing.assert_allclose(tile, np.clip(shown, 0, 1), atol=1e-6)


def test_other_data_are_a_heat_map():
    rbm = RBMTransformer(6, n_iter=1, random_state=0).fit(X[:, :13])
    display = UnitProbeDisplay.from_estimator(rbm)
    np.testing.assert_array_equal(display.image_.get_array(), unit_probe(rbm))
    display = ReconstructionDisplay.from_estimator(rbm, X[:, :13], n_images=4)
    np.testing.assert_array_equal(display.images_[0].get_array(), X[:4, :13])
    display = BiasProbeDisplay.from_estimator(rbm, X[:, :13])
    np.testing.assert_array_equal(display.images_[1].get_array(), bias_probe(rbm))
    display = SampleDisplay.from_estimator(rbm, n_samples=4, n_gibbs_steps=1)
    assert display.image_.get_array().shape == (4, 13)


WINE = load_wine(as_frame=True).data
WINE_RBM = RBMTransformer(6, n_iter=2, random_state=0).fit(WINE)
WINE_NET = DBNClassifier((6,), rbm=RBMTransformer(n_iter=2), finetune_iter=2, random_state=0)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", NotConvergedWarning)
    WINE_NET.fit(WINE, load_wine().target)
BINARY = WINE_RBM.visible_units_ == "binary"
OF_MEAN = "standard deviations\nfrom the column mean"


def in_deviations(rows, differences=False):
    """Rows of wine as a heat map shows them."""
    offset, scale = WINE_RBM.offset_.copy(), WINE_RBM.scale_.copy()
    offset[BINARY], scale[BINARY] = 0.5, 0.5
    return rows / scale if differences else (rows - offset) / scale


def names_below(axis):
    return [label.get_text() for label in axis.get_xticklabels()]


def bar_of(display):
    return display.figure_.axes[-1].get_ylabel()


def test_columns_of_a_table_are_drawn_in_standard_deviations_of_each():
    assert BINARY.sum() == 1  # nonflavanoid_phenols
    display = UnitProbeDisplay.from_estimator(WINE_RBM)
    drawn = in_deviations(unit_probe(WINE_RBM), differences=True)
    np.testing.assert_allclose(display.image_.get_array(), drawn)
    of_differences = "difference in standard\ndeviations of a column"
    assert bar_of(display) == f"{of_differences}\n(binary columns:\nfrom 0 to 1 is 2)"
    display = BiasProbeDisplay.from_estimator(WINE_RBM, WINE)
    patterns = in_deviations(np.vstack([WINE.mean(), bias_probe(WINE_RBM)]))
    for image, pattern in zip(display.images_, patterns, strict=True):
        np.testing.assert_allclose(image.get_array()[0], pattern)
    assert bar_of(display) == f"{OF_MEAN}\n(binary columns:\n0 is -1, 1 is 1)"
    display = SampleDisplay.from_estimator(WINE_NET, n_samples=5, random_state=0)
    np.testing.assert_allclose(display.image_.get_array(), in_deviations(display.samples))
    opinions = [label.get_text() for label in display.ax_.get_yticklabels()]
    taken_for = WINE_NET.predict(pd.DataFrame(display.samples, columns=WINE.columns))
    assert [int(text.split()[0]) for text in opinions] == taken_for.tolist()
    assert "beside each" in display.ax_.get_title()


@pytest.mark.parametrize(
    "model", [WINE_RBM, make_pipeline(StandardScaler(), RBMTransformer(6, n_iter=2))]
)
def test_reconstructions_of_a_table_are_compared_in_standard_deviations(model):
    model = model if model is WINE_RBM else model.fit(WINE)
    display = ReconstructionDisplay.from_estimator(model, WINE, n_images=4)
    scaler = StandardScaler().fit(WINE.to_numpy())
    back = scaler.transform(reconstruct(model, WINE[:4]))
    np.testing.assert_allclose(display.images_[0].get_array(), scaler.transform(WINE.values[:4]))
    np.testing.assert_allclose(display.images_[1].get_array(), back, atol=1e-12)
    error = ((back - scaler.transform(WINE.values[:4])) ** 2).mean()
    assert display.axes_[1].get_title().endswith(f"mean squared error {error:.4f}")
    assert bar_of(display) == OF_MEAN


def test_flat_loss_lies_below_the_frame():
    rbm = copy.copy(WINE_RBM)
    rbm.loss_curve_ = [0.7295, 0.7285, 0.7292]
    (axis,) = LossCurveDisplay.from_estimator(rbm).axes_[:1]
    assert axis.get_ylim() == (0.0, pytest.approx(1.05 * 0.7295))


def test_title_of_one_unit_is_in_the_singular():
    display = UnitProbeDisplay.from_estimator(WINE_RBM, units=[2])
    assert display.ax_.get_title().startswith("1 unit of layer 1, one on")


@pytest.mark.parametrize("shape", ["ab", [4, "a"], 13, (13,)])
def test_shape_that_is_none_is_refused_with_a_sentence(shape):
    with pytest.raises(ValueError, match=r"image_shape == .*, must be \(height, width\)"):
        UnitProbeDisplay.from_estimator(WINE_RBM, image_shape=shape)


NAMELESS = FunctionTransformer(np.asarray, np.asarray)  # which says nothing of its columns
SHORT = [*WINE.columns]
SHORT[SHORT.index("od280/od315_of_diluted_wines")] = "od280/od315_…luted_wines"


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (WINE_RBM, SHORT),
        (WINE_NET, SHORT),
        (make_pipeline(StandardScaler(), RBMTransformer(5, n_iter=1)), SHORT),
        (make_pipeline(PCA(2), RBMTransformer(5, n_iter=1)), ["pca0", "pca1"]),
        (make_pipeline(NAMELESS, RBMTransformer(5, n_iter=1)), None),
        (make_pipeline(FunctionTransformer(), RBMTransformer(5, n_iter=1)), SHORT),
    ],
)
def test_heat_maps_name_the_columns_as_the_first_machine_sees_them(model, names):
    if hasattr(model, "steps"):
        model.fit(WINE)
    for display in (
        UnitProbeDisplay.from_estimator(model),
        BiasProbeDisplay.from_estimator(model, WINE),
        SampleDisplay.from_estimator(model, n_samples=2, n_gibbs_steps=1),
    ):
        axis = display.axes_[-1] if hasattr(display, "axes_") else display.ax_
        expected = [str(i) for i in range(13)] if names is None else names
        assert names_below(axis) == expected
        assert axis.axison
    display = ReconstructionDisplay.from_estimator(model, WINE, n_images=3)
    assert names_below(display.axes_[-1]) == SHORT
    assert not names_below(display.axes_[0])


def test_names_can_be_given_and_are_no_formulas():
    names = [f"${i}_{i}$ <b>" for i in range(13)]
    rbm = RBMTransformer(4, n_iter=1).fit(WINE.to_numpy())
    for display in (
        UnitProbeDisplay.from_estimator(rbm, feature_names=names),
        BiasProbeDisplay.from_estimator(rbm, feature_names=names),
        SampleDisplay.from_estimator(rbm, n_gibbs_steps=1, feature_names=names),
        ReconstructionDisplay.from_estimator(rbm, WINE.to_numpy(), feature_names=names),
    ):
        axis = display.axes_[-1] if hasattr(display, "axes_") else display.ax_
        assert names_below(axis) == names
        display.figure_.canvas.draw()
        assert not any(label.get_parse_math() for label in axis.get_xticklabels())
    with pytest.raises(ValueError, match="feature_names has 2 names, must have 13"):
        UnitProbeDisplay.from_estimator(rbm, feature_names=["a", "b"])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["temperature_sensor_morning", "temperature_sensor_evening"],
            ["temperature_…sor_morning", "temperature_…sor_evening"],
        ),
        (
            ["measurement_of_a_sensor_at_noon", "measurement_of_the_sensor_at_noon"],
            ["0 measuremen…sor_at_noon", "1 measuremen…sor_at_noon"],
        ),
    ],
)
def test_long_names_of_columns_stay_distinct(names, expected):
    rbm = RBMTransformer(3, n_iter=1).fit(WINE.iloc[:, :2].to_numpy())
    display = UnitProbeDisplay.from_estimator(rbm, feature_names=names)
    assert names_below(display.ax_) == expected


def texts_outside(figure):
    """Titles and labels that the edge of a figure cuts."""
    figure.canvas.draw()
    width, height = figure.bbox.size
    texts = [text for ax in figure.axes for text in (ax.title, ax.xaxis.label, ax.yaxis.label)]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    return [
        text
        for text, box in boxes
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]


@pytest.mark.parametrize("data", ["table", "small images"])
def test_figures_of_few_rows_cut_no_text(data):
    rows = (
        WINE.assign(is_of_the_first_vineyard=Y[: len(WINE)] % 2) if data == "table" else X[:, :16]
    )
    rbm = RBMTransformer(5, n_iter=1, random_state=0).fit(rows)
    chains = {"n_gibbs_steps": 10, "random_state": 0}
    for display in (
        BiasProbeDisplay.from_estimator(rbm),
        BiasProbeDisplay.from_estimator(rbm, rows),
        UnitProbeDisplay.from_estimator(rbm),
        SampleDisplay.from_estimator(rbm, n_samples=1, **chains),
        SampleDisplay.from_estimator(rbm, n_samples=4, **chains),
        ReconstructionDisplay.from_estimator(rbm, rows, n_images=8),
    ):
        assert not texts_outside(display.figure_)


def test_curves_on_a_single_axes_do_not_overlap():
    net = DBNClassifier((5,), rbm=RBMTransformer(n_iter=2), finetune_iter=2).fit(X[:100], Y[:100])
    display = LossCurveDisplay.from_estimator(net, ax=plt.subplots()[1])
    display.figure_.canvas.draw()
    assert len(display.axes_) == 3
    for above, below in itertools.pairwise(display.axes_):
        label = above.xaxis.label.get_window_extent()
        assert not label.overlaps(below.title.get_window_extent())


def test_curves_on_a_wide_axes_lie_side_by_side():
    net = DBNClassifier((5,), rbm=RBMTransformer(n_iter=2), finetune_iter=2).fit(X[:100], Y[:100])
    ax = plt.subplots(figsize=(13.0, 3.0))[1]
    display = LossCurveDisplay.from_estimator(net, ax=ax)
    tops = {axis.get_position().y1 for axis in display.axes_}
    assert (len(display.axes_), len(tops)) == (3, 1)
    for left, right in itertools.pairwise(axis.title for axis in display.axes_):
        assert not left.get_window_extent().overlaps(right.get_window_extent())


def drawn_beside_another(draw, **figure):
    """Return the display of a table on the left of two axes, and the axes on the right."""
    net = DBNClassifier((5,), rbm=RBMTransformer(n_iter=2), finetune_iter=2)
    net.fit(WINE, np.arange(len(WINE)) % 2)
    _, (left, right) = plt.subplots(1, 2, figsize=(10.0, 6.0), **figure)
    right.plot([0.0, 1.0])
    display = draw(net, left)
    display.figure_.canvas.draw()
    return display, right


def test_loss_curves_need_axes():
    with pytest.raises(ValueError, match="ax has 0 axes, but this figure needs 1"):
        LossCurveDisplay.from_estimator(WINE_RBM, ax=[])


@pytest.mark.parametrize("size", [(6.4, 4.8), (4.0, 4.0)])
def test_title_in_several_lines_is_not_cut(size):
    chains = {"n_samples": 5, "n_gibbs_steps": 9, "random_state": 0}
    display = SampleDisplay.from_estimator(WINE_NET, ax=plt.subplots(figsize=size)[1], **chains)
    display.figure_.canvas.draw()
    box = display.ax_.title.get_window_extent()
    assert box.y1 < display.figure_.bbox.height
    assert "\n" in display.ax_.get_title()


def test_curves_on_a_single_axes_do_not_overlap_in_a_tight_layout():
    ax = plt.subplots(figsize=(5.0, 7.0), layout="tight")[1]
    display = LossCurveDisplay.from_estimator(NET, ax=ax)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # nested axes are not what it is made for
        display.figure_.canvas.draw()
    for above, below in itertools.pairwise(display.axes_):
        label = above.xaxis.label.get_window_extent()
        assert not label.overlaps(below.title.get_window_extent())


@pytest.mark.parametrize(
    "draw",
    [
        lambda net, ax: ReconstructionDisplay.from_estimator(net, WINE, n_images=5, ax=ax),
        lambda net, ax: LossCurveDisplay.from_estimator(net, ax=ax),
    ],
)
def test_a_divided_axes_fits_a_layout_that_makes_room(draw):
    # Spaces of our own beside those of the layout would leave nothing for the axes: a warning,
    # which is an error here.
    display, _ = drawn_beside_another(draw, layout="constrained")
    assert all(axis.get_position().height > 0.1 for axis in display.axes_)


@pytest.mark.parametrize(
    "draw",
    [
        lambda net, ax: BiasProbeDisplay.from_estimator(net, ax=ax),
        lambda net, ax: UnitProbeDisplay.from_estimator(net, ax=ax),
        lambda net, ax: ReconstructionDisplay.from_estimator(net, WINE, n_images=5, ax=ax),
        lambda net, ax: SampleDisplay.from_estimator(
            net, n_samples=5, n_gibbs_steps=9, random_state=0, ax=ax
        ),
    ],
)
def test_neither_colour_bar_nor_title_reaches_the_neighbour(draw):
    display, neighbour = drawn_beside_another(draw)
    right = neighbour.get_window_extent().x0
    drawn = [axis for axis in display.figure_.axes if axis is not neighbour and axis.axison]
    assert len(drawn) > 1  # a colour bar, too
    for axis in drawn:
        assert axis.get_tightbbox().x1 < right
        assert axis.title.get_window_extent().x1 < right


def test_many_columns_have_some_of_their_names():
    rbm = RBMTransformer(3, n_iter=1).fit(np.tile(X, (1, 3))[:, :190])
    display = UnitProbeDisplay.from_estimator(rbm, feature_names=[f"c{i}" for i in range(190)])
    assert names_below(display.ax_) == [f"c{i}" for i in range(0, 190, 5)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"n_features": 64}, (8, 8)),
        ({"n_features": 13}, None),
        ({"n_features": 4}, None),  # too small to be an image
        ({"n_features": 64, "image_shape": False}, None),
        ({"n_features": 64, "image_shape": [4, 16]}, (4, 16)),
        ({"n_features": 9, "names": [f"pixel_{i // 3}_{i % 3}" for i in range(9)]}, (3, 3)),
        ({"n_features": 9, "names": ["age", *"bcdefghi"]}, None),
    ],
)
def test_shape_of_an_image_is_guessed_or_told(arguments, expected):
    assert image_shape_of(**arguments) == expected


def test_square_tables_with_names_are_no_images():
    table = WINE.iloc[:, :9]
    rbm = RBMTransformer(4, n_iter=1).fit(table)
    assert UnitProbeDisplay.from_estimator(rbm).image_.get_array().shape == (4, 9)
    rbm = RBMTransformer(4, n_iter=1).fit(table.to_numpy())
    display = UnitProbeDisplay.from_estimator(rbm, image_shape=False)
    assert display.image_.get_array().shape == (4, 9)


# -- where it is drawn


def displays_of(model, data):
    return {
        "reconstruction": lambda **ax: ReconstructionDisplay.from_estimator(model, data, **ax),
        "bias": lambda **ax: BiasProbeDisplay.from_estimator(model, data, **ax),
        "units": lambda **ax: UnitProbeDisplay.from_estimator(model, **ax),
        "samples": lambda **ax: SampleDisplay.from_estimator(model, n_gibbs_steps=1, **ax),
        "mixing": lambda **ax: MixingDisplay.from_estimator(
            model, data, n_chains=3, n_gibbs_steps=2, **ax
        ),
        "loss": lambda **ax: LossCurveDisplay.from_estimator(model, **ax),
        "activations": lambda **ax: ActivationDisplay.from_estimator(model, data, **ax),
    }


DISPLAYS = displays_of(NET, X)


@pytest.mark.parametrize("name", DISPLAYS)
def test_displays_draw_where_they_are_told_and_again_elsewhere(name):
    display = DISPLAYS[name]()
    n_axes = len(getattr(display, "axes_", [display])) if hasattr(display, "axes_") else 1
    figure, axes = plt.subplots(1, n_axes)
    assert display.plot(axes) is display
    assert display.figure_ is figure
    drawn = display.axes_ if hasattr(display, "axes_") else [display.ax_]
    assert list(drawn) == list(np.atleast_1d(axes))
    with pytest.raises(
        ValueError, match=f"ax has {n_axes + 1} axes, but this figure needs {n_axes}"
    ):
        display.plot(plt.subplots(1, n_axes + 1)[1])


SEVERAL = [name for name in DISPLAYS if name not in ("units", "samples")]


@pytest.mark.parametrize("place", ["cell", "anywhere"])
@pytest.mark.parametrize("name", SEVERAL)
def test_displays_of_several_axes_divide_the_place_of_a_single_one(name, place):
    figure = plt.figure(figsize=(12, 6))
    if place == "cell":
        _, ax = figure.subplots(1, 2)
    else:
        ax = figure.add_axes([0.5, 0.1, 0.4, 0.8])
    bounds = ax.get_position()
    display = DISPLAYS[name](ax=ax)
    assert display.figure_ is figure
    assert not ax.axison
    figure.canvas.draw()
    boxes = [axis.get_position() for axis in display.axes_]
    assert len(boxes) > 1
    for box in boxes:
        assert bounds.x0 - 1e-9 <= box.x0 < box.x1 <= bounds.x1 + 1e-9
        assert bounds.y0 - 1e-9 <= box.y0 < box.y1 <= bounds.y1 + 1e-9
    for box, other in itertools.combinations(boxes, 2):
        assert box.x1 <= other.x0 or other.x1 <= box.x0 or box.y0 >= other.y1 or other.y0 >= box.y1


@pytest.mark.parametrize("name", [name for name in DISPLAYS if name not in ("loss", "mixing")])
def test_colour_map_can_be_chosen_at_both_places(name):
    kind = {"kind": "image"} if name == "activations" else {}
    display = DISPLAYS[name](cmap="magma", **kind)

    def colour_maps():
        axes = display.axes_ if hasattr(display, "axes_") else [display.ax_]
        return {axis.images[0].get_cmap().name for axis in axes}

    assert colour_maps() == {"magma"}
    display.plot(cmap=plt.colormaps["viridis"])
    assert colour_maps() == {"viridis"}
    display.plot()
    assert colour_maps() == {"gray"}


@pytest.mark.parametrize("name", DISPLAYS)
def test_figures_can_be_saved(name, tmp_path):
    path = tmp_path / "figure.png"
    DISPLAYS[name]().figure_.savefig(path)
    assert plt.imread(path).std() > 0.05


BOTH = ColumnTransformer([("scaled", MinMaxScaler(), ["length", "width"])])


@pytest.mark.parametrize("scaler", [MinMaxScaler(), BOTH])
def test_displays_take_what_goes_into_a_pipeline(scaler):
    frame = pd.DataFrame({"length": [50.0, 60.0, 40.0, 55.0], "width": [1.0, 2.0, 4.0, 3.0]})
    model = make_pipeline(scaler, RBMTransformer(3, n_iter=2, random_state=0)).fit(frame)
    bias = BiasProbeDisplay.from_estimator(model, frame)
    np.testing.assert_allclose(bias.mean, MinMaxScaler().fit_transform(frame).mean(axis=0))
    ActivationDisplay.from_estimator(model, frame)
    if hasattr(scaler, "inverse_transform"):
        display = ReconstructionDisplay.from_estimator(model, frame, n_images=3)
        np.testing.assert_array_equal(display.originals, frame.to_numpy()[:3])
    else:
        with pytest.raises(TypeError, match=r"has no way back. Pass the RBMs, machines\(m"):
            ReconstructionDisplay.from_estimator(model, frame)


def test_missing_values_are_neither_drawn_nor_counted_as_errors():
    gaps = X[:20].copy()
    gaps[:, ::3] = np.nan
    gaps[0] = X[0]  # a column without any value would be dropped
    model = make_pipeline(SimpleImputer(), RBMTransformer(3, n_iter=2, random_state=0)).fit(gaps)
    display = ReconstructionDisplay.from_estimator(model, gaps, n_images=5)
    error = np.nanmean((display.reconstructions[0] - gaps[:5]) ** 2)
    assert f"error {error:.4f}" in display.axes_[1].get_title()
    assert display.axes_[0].get_title() == "data, white where values are missing"
    table = ReconstructionDisplay.from_estimator(model, gaps, n_images=5, image_shape=False)
    assert table.axes_[0].get_title() == "data, hatched where values are missing"
    assert table.axes_[0].patch.get_hatch()


@pytest.mark.parametrize("container", [coo_matrix, dok_array, bsr_matrix, lil_array])
def test_reconstructions_of_sparse_rows_of_any_format(container):
    model = RBMTransformer(3, n_iter=1, random_state=0).fit(X)
    display = ReconstructionDisplay.from_estimator(model, container(X), n_images=4)
    np.testing.assert_array_equal(display.originals, X[:4])


def test_curves_of_a_pipeline_within_a_pipeline():
    net = DBNClassifier((6, 4), **QUICK)
    nested = make_pipeline(MinMaxScaler(), make_pipeline(MinMaxScaler(), net)).fit(X, Y)
    assert len(LossCurveDisplay.from_estimator(nested).axes_) >= 3


@pytest.mark.parametrize("name", DISPLAYS)
@pytest.mark.parametrize("estimator", [DBNClassifier, DBNRegressor])
def test_displays_take_finetuned_nets_and_pipelines(estimator, name):
    pipeline = make_pipeline(MinMaxScaler(), estimator((6, 4), **QUICK)).fit(16 * X, Y)
    display = displays_of(finetuned(pipeline), 16 * X)[name]()
    if name == "activations":
        top = pipeline.transform(16 * X)
        np.testing.assert_allclose(display.activations[-1], top, atol=1e-6)
    assert displays_of(finetuned(pipeline[-1]), X)[name]().figure_ is not display.figure_


@pytest.fixture(scope="module")
def search():
    net = DBNClassifier((6, 4), rbm=RBMTransformer(n_iter=1), finetune_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GridSearchCV(net, {"softmax_iter": [1]}, cv=2).fit(X, Y)


@pytest.mark.parametrize("name", DISPLAYS)
def test_displays_of_a_search_say_what_to_pass(name, search):
    pipeline = make_pipeline(MinMaxScaler().fit(16 * X), search)
    check = {
        "model is a GridSearchCV, which has no RBMs of its own: pass its best_estimator_.": (
            search,
            search.best_estimator_,
            X,
        ),
        "model ends in a GridSearchCV, which has no RBMs of its own: pass "
        "make_pipeline(model[:-1], model[-1].best_estimator_).": (
            pipeline,
            make_pipeline(pipeline[:-1], pipeline[-1].best_estimator_),
            16 * X,
        ),
    }
    for message, (model, followed, data) in check.items():
        with pytest.raises(TypeError) as caught:
            displays_of(model, data)[name]()
        assert str(caught.value) == message
        displays_of(followed, data)[name]()
