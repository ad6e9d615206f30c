"""Figures: what is in them, not only that they are there."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

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


@pytest.mark.parametrize("model", [RBM, NET])
def test_fantasies_are_what_is_expected_of_the_data_where_samples_are_drawn(model):
    display = SampleDisplay.from_estimator(model, n_samples=5, n_gibbs_steps=3, random_state=0)
    assert_tiles_are(display.image_, display.samples, 5)
    assert display.ax_.get_title() == "5 fantasies after 3 Gibbs steps"
    one = SampleDisplay.from_estimator(model, n_samples=400, n_gibbs_steps=3, random_state=1)
    states = model.sample(400, 3, random_state=1)
    assert set(np.unique(states)) == {0.0, 1.0}
    p = one.samples
    assert ((p > 0.1) & (p < 0.9)).mean() > 0.05
    error = np.sqrt((p * (1.0 - p)).sum())
    assert abs((states - p).sum()) < 4.0 * error
    surprise = (states - p) ** 2 - p * (1.0 - p)  # 0 on average where p is that of each state
    assert abs(surprise.sum()) < 4.0 * np.sqrt((p * (1.0 - p) * (1.0 - 2.0 * p) ** 2).sum())


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


# -- images of other shapes, and data that are no images


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
    with pytest.raises(ValueError, match=f"ax has {n_axes + 1} axes, this picture needs {n_axes}"):
        display.plot(plt.subplots(1, n_axes + 1)[1])


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
        with pytest.raises(TypeError, match="has no inverse_transform"):
            ReconstructionDisplay.from_estimator(model, frame)


@pytest.mark.parametrize("name", DISPLAYS)
@pytest.mark.parametrize("estimator", [DBNClassifier, DBNRegressor])
def test_displays_take_finetuned_nets_and_pipelines(estimator, name):
    pipeline = make_pipeline(MinMaxScaler(), estimator((6, 4), **QUICK)).fit(16 * X, Y)
    display = displays_of(finetuned(pipeline), 16 * X)[name]()
    if name == "activations":
        top = pipeline.transform(16 * X)
        np.testing.assert_allclose(display.activations[-1], top, atol=1e-6)
    assert displays_of(finetuned(pipeline[-1]), X)[name]().figure_ is not display.figure_
