"""The page that the command line writes, read back and compared with numbers of its own."""

import base64
import io
import re
import warnings
from argparse import Namespace
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler
from threadpoolctl import threadpool_limits

from skdbn import DBNClassifier, DBNRegressor, DivergenceError, RBMTransformer
from skdbn._cli import report, samplers
from skdbn._cli.data import Data
from skdbn._cli.figures import FORGOTTEN, _verdict, figures_of
from skdbn._cli.main import main
from skdbn._cli.outcome import Confusion, confusion, misses, phases, shape_of_images
from skdbn._cli.page import MOST_COLUMNS, MOST_IMAGES, MOST_LINES, Result, _matrix, page
from skdbn._cli.samplers import sampler_of
from skdbn._cli.scores import evaluate
from skdbn._maths.gradients import ParallelTrajectoryTempering
from skdbn.datasets import load_digits
from skdbn.inspection import ChainStatistics

pytestmark = pytest.mark.filterwarnings(  # most trainings here are short on purpose
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)
NASTY = np.array(["<b>zero</b>", 'one" onload="x', "two & three", "vier"])
SHORT = {"rbm": RBMTransformer(n_iter=2), "finetune_iter": 3, "random_state": 0}


def digits(n_test=360):
    X, X_test, y, y_test = load_digits()
    return Data(X[:400], X_test[:n_test], y[:400], y_test[:n_test])


def wine():
    """A table with names that are to be escaped, and a class that no test row has."""
    bunch = load_wine()
    X, y = bunch.data[::2], NASTY[bunch.target[::2]]
    y[:4] = NASTY[3]
    names = ["<i>", *bunch.feature_names[1:]]
    test = slice(1, None, 2)
    labels = NASTY[bunch.target[test]]
    return Data(X, bunch.data[test], y, labels, feature_names=names)


def diabetes():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    names = load_diabetes().feature_names
    return Data(X[:200], X[200:], y[:200], y[200:], is_regression=True, feature_names=names)


def fitted(data, **parameters):
    estimator = DBNRegressor if data.is_regression else DBNClassifier
    net = estimator(**{"hidden_layer_sizes": (12,), **SHORT, **parameters})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return net.fit(data.X_train, data.y_train)


def written(data, net, figures=(), **changes):
    """The page of a run, as text."""
    options = Namespace(data="<data> & 'more'.csv", load=None, splits=1, seed=0)
    vars(options).update({k: v for k, v in changes.items() if k in vars(options)})
    rows = [evaluate("net", net, data, 1.5)] if hasattr(net, "n_features_in_") else []
    result = Result(
        "python -m skdbn --data '<data>'",
        options,
        data,
        net,
        changes.get("splits_of", [rows]),
        changes.get("n_finished", options.splits),
        changes.get("resumed", False),
        {"skdbn": "1", "numpy": "2"},
        ["model.npz", "report.json"],
    )
    return page(result, figures)


class Reader(HTMLParser):
    """What a browser makes of a page: tables, images, notes, text, and what it would fetch."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.images, self.notes, self.tags, self.fetched = [], [], [], set(), []
        self.text, self._cell, self._note, self._open = [], None, None, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.add(tag)
        assert not any(name.startswith("on") for name in attributes), attributes
        if tag not in ("meta", "img", "br"):
            self._open.append(tag)
        self.fetched += [attributes[name] for name in ("src", "href") if name in attributes]
        if tag == "table":
            self.tables.append((attributes["class"], []))
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag in ("td", "th"):
            self._cell = []
        elif tag == "img":
            png = base64.b64decode(attributes["src"].removeprefix("data:image/png;base64,"))
            self.images.append((attributes["alt"], plt.imread(io.BytesIO(png))))
        elif tag == "p" and attributes.get("class") == "note":
            self._note = []

    def handle_endtag(self, tag):
        assert self._open.pop() == tag  # what was opened is closed
        if tag in ("td", "th"):
            self.tables[-1][1][-1].append("".join(self._cell))
            self._cell = None
        elif tag == "p" and self._note is not None:
            self.notes.append("".join(self._note))
            self._note = None

    def handle_data(self, data):
        self.text.append(data)
        for part in (self._cell, self._note):
            if part is not None:
                part.append(data)

    def table(self, kind, beginning):
        (found,) = [rows for k, rows in self.tables if (k, rows[0][0]) == (kind, beginning)]
        return found


# -- what is counted


def test_confusion_counts_every_test_row_once():
    data = wine()
    net = fitted(data)
    predicted = net.predict(data.X_test)
    classes, counts = confusion(net, data.y_test, predicted)
    assert classes.tolist() == sorted(NASTY)
    for i, true in enumerate(classes):
        for k, other in enumerate(classes):
            expected = sum(
                t == true and p == other for t, p in zip(data.y_test, predicted, strict=True)
            )
            assert counts[i, k] == expected
    assert counts.sum() == len(data.y_test)


def test_misses_are_the_wrong_rows_with_the_surest_first():
    data = digits()
    net = fitted(data)
    found = misses(net, data.X_test, data.y_test, net.predict(data.X_test))
    p = net.predict_proba(data.X_test)
    wrong = [i for i in range(360) if net.classes_[p[i].argmax()] != data.y_test[i]]
    assert 0 < len(wrong) < 360
    assert sorted(found.rows) == wrong
    np.testing.assert_array_equal(found.true, data.y_test[found.rows])
    np.testing.assert_array_equal(found.predicted, net.classes_[p[found.rows].argmax(axis=1)])
    np.testing.assert_allclose(found.probability, p[found.rows].max(axis=1))
    assert (np.diff(found.probability) <= 0).all()


def test_misses_of_a_regressor_are_all_rows_with_the_largest_error_first():
    data = diabetes()
    net = fitted(data)
    found = misses(net, data.X_test, data.y_test, net.predict(data.X_test))
    assert sorted(found.rows) == list(range(len(data.y_test)))
    errors = np.abs(net.predict(data.X_test[found.rows]) - data.y_test[found.rows])
    assert (np.diff(errors) <= 1e-9).all()
    np.testing.assert_array_equal(found.true, data.y_test[found.rows])


# -- the page


def test_page_has_the_confusion_matrix_and_the_pictures_of_the_misclassified_rows():
    data = digits()
    net = fitted(data)
    read = Reader(written(data, net))
    predicted = net.predict(data.X_test)
    head, *lines = read.table("confusion", "true \\ predicted")
    assert head[1:] == [*map(str, range(10)), "rows", "correct"]
    for k, line in enumerate(lines):
        of_class = predicted[data.y_test == k]
        assert line[0] == str(k)
        assert [int(cell or 0) for cell in line[1:11]] == [(of_class == i).sum() for i in range(10)]
        assert line[11:] == [str(len(of_class)), f"{(of_class == k).mean():.1%}"]
    p = net.predict_proba(data.X_test).max(axis=1)
    wrong = np.flatnonzero(predicted != data.y_test)
    n_shown = min(MOST_IMAGES, len(wrong))
    assert len(wrong) > n_shown  # the page is to say so
    text = f"{len(wrong)} of 360 test rows are misclassified; {n_shown} of them are shown"
    assert text in "".join(read.text)
    assert len(read.images) == n_shown
    surest = sorted(p[wrong], reverse=True)[:n_shown]
    for (description, image), probability in zip(read.images, surest, strict=True):
        parts = re.fullmatch(r"true (\d), predicted (\d) \((\d+)%\), row (\d+)", description)
        true, taken_for, percent, row = map(int, parts.groups())
        assert (data.y_test[row], predicted[row]) == (true, taken_for)
        assert percent == pytest.approx(100 * probability, abs=0.6)
        np.testing.assert_allclose(image[..., 0].ravel(), data.X_test[row], atol=1 / 128)
    most = max(
        ((data.y_test == i) & (predicted == k)).sum()
        for i in range(10)
        for k in range(10)
        if i != k
    )
    assert int(read.table("", "true")[1][2]) == most
    for true, taken_for, n_rows in read.table("", "true")[1:]:
        assert ((data.y_test == int(true)) & (predicted == int(taken_for))).sum() == int(n_rows)


def test_right_cells_of_a_confusion_matrix_are_green_and_wrong_ones_red():
    text = _matrix(Confusion(np.array(["a", "b"]), np.array([[3, 1], [2, 4]])))
    assert re.findall(r"rgba\((\d+), .{0,14}?\)\">(\d)", text) == [
        ("46", "3"), ("198", "1"), ("198", "2"), ("46", "4"),
    ]  # fmt: skip


def test_images_of_labels_with_quotes_are_described_and_keep_their_grey():
    data = digits()
    names = np.array([f'{k}" onload="x' for k in range(10)])
    y, y_test = names[data.y_train], names[data.y_test]
    data = data._replace(y_train=y, y_test=y_test, X_test=data.X_test * 0.5)
    net = fitted(data)
    images = Reader(written(data, net)).images
    assert images
    for description, image in images:
        assert '" onload="x, predicted' in description
        row = int(description.rpartition(" ")[2])
        np.testing.assert_allclose(image[..., 0].ravel(), data.X_test[row], atol=1 / 128)


def test_rows_of_a_table_are_shown_with_their_columns_and_everything_is_escaped():
    data = wine()
    net = fitted(data)
    text = written(data, net)
    read = Reader(text)
    assert not read.images
    head, *lines = read.table("numbers", "row")
    assert head == ["row", "true", "predicted", "probability", *data.feature_names]
    predicted = net.predict(data.X_test)
    assert len(lines) == min(MOST_LINES, (predicted != data.y_test).sum())
    for row, true, taken_for, _, *values in lines:
        assert (data.y_test[int(row)], predicted[int(row)]) == (true, taken_for)
        assert true != taken_for
        np.testing.assert_allclose(np.array(values, float), data.X_test[int(row)], rtol=1e-3)
    assert not read.tags & {"script", "link", "iframe", "b", "i", "data"}
    assert read.fetched == ["model.npz", "report.json"]
    assert "http" not in text
    assert read.text.count("<data> & 'more'.csv") == 2  # the heading, and the table at the end


@pytest.mark.parametrize("make", [digits, wine, diabetes])
@pytest.mark.parametrize("comes_split", [False, True])
def test_rows_have_their_numbers_in_the_data(make, comes_split):
    data = make()
    net = fitted(data)
    numbers = 10_000 - 7 * np.arange(len(data.y_test))
    plain, numbered = (
        written(part, net)
        for part in (data, data._replace(test_rows=numbers, comes_split=comes_split))
    )
    if make is digits:
        plain, shown = (re.findall(r"<br>row (\d+)", text) for text in (plain, numbered))
    else:
        plain, shown = (
            [row for row, *_ in Reader(text).table("numbers", "row")[1:]]
            for text in (plain, numbered)
        )
    assert len(plain) >= 3
    assert shown == [str(numbers[int(row)]) for row in plain]
    among = "among the test rows" if comes_split else "among all rows"
    assert f"Rows are counted from 0, {among}." in numbered


def test_page_of_a_regressor_shows_the_largest_errors():
    data = diabetes()
    net = fitted(data)
    head, *lines = Reader(written(data, net)).table("numbers", "row")
    assert head == ["row", "true", "predicted", "error", *data.feature_names]
    errors = net.predict(data.X_test) - data.y_test
    assert len(lines) == MOST_LINES
    expected = np.sort(np.abs(errors))[::-1][:MOST_LINES]
    for (row, true, predicted, error, *_), size in zip(lines, expected, strict=True):
        assert float(true) == data.y_test[int(row)]
        assert float(error) == pytest.approx(errors[int(row)], rel=1e-3)
        assert float(predicted) - float(true) == pytest.approx(float(error), abs=0.06)
        assert abs(float(error)) == pytest.approx(size, rel=1e-3)
    assert not any(kind == "confusion" for kind, _ in Reader(written(data, net)).tables)


def test_wide_tables_are_cut_and_the_page_says_so():
    data = digits()
    data = data._replace(
        X_train=np.hstack([data.X_train, data.X_train[:, :1]]),
        X_test=np.hstack([data.X_test, data.X_test[:, :1]]),
    )
    text = written(data, fitted(data))
    head, *_ = Reader(text).table("numbers", "row")
    assert len(head) == 4 + MOST_COLUMNS
    assert f"The first {MOST_COLUMNS} of 65 columns" in text


def test_net_without_an_error_says_that_there_is_none():
    data = digits(n_test=20)
    net = fitted(data)
    data = data._replace(y_test=net.predict(data.X_test))
    read = Reader(written(data, net))
    assert "None of the 20 test rows is misclassified." in "".join(read.text)


def test_parameters_and_circumstances_are_there():
    read = Reader(written(digits(), fitted(digits(), label_smoothing=0.125)))
    parameters = dict(read.table("values", "parameter")[1:])
    assert parameters["label_smoothing"] == "0.125"
    assert parameters["rbm__n_iter"] == "2"
    run = dict(read.table("values", "command"))
    assert run["command"] == "python -m skdbn --data '<data>'"
    assert run["versions"] == "skdbn 1, numpy 2"


# -- runs that were interrupted, loaded, resumed


def test_interrupted_run_says_how_far_it_came():
    data = digits()
    unfitted = DBNClassifier((12,), **SHORT)
    read = Reader(written(data, unfitted, n_finished=0, splits_of=[[]]))
    assert read.notes == [
        "The run was interrupted before the first pass ended, so nothing was learned."
    ]
    assert "Nothing was evaluated." in read.text
    pretrained = fitted(data, softmax_iter=0, finetune_iter=0)
    pretrained.set_params(softmax_iter=4)
    read = Reader(written(data, pretrained, n_finished=0))
    assert read.notes == [
        "The run was interrupted. This page shows what was learned up to pass 2 of 2 in phase "
        "pretrain layer 1. The top layer has not been trained yet, so predictions are meaningless."
    ]
    assert not any(kind == "confusion" for kind, _ in read.tables)
    half = fitted(data).set_params(finetune_iter=7)
    read = Reader(written(data, half, n_finished=0))
    assert read.notes[0].endswith("was learned up to pass 3 of 7 in phase finetune.")
    assert read.table("numbers", "phase")[-1][:3] == ["finetune", "3", "7"]


def test_page_says_what_was_loaded_resumed_and_averaged():
    data = digits()
    net = fitted(data)
    rows = [evaluate("net", net, data, 1.0)]
    read = Reader(written(data, net, load=Path("<model>.npz"), resumed=True))
    assert "was resumed from a checkpoint" in read.notes[0]
    assert "loaded from <model>.npz, not trained in this run" in read.notes[1]
    read = Reader(written(data, net, splits=3, splits_of=[rows, rows]))
    assert "means over 2 random splits" in read.notes[0]
    read = Reader(written(data, net, splits=3, n_finished=2, splits_of=[rows, rows]))
    assert read.notes[0] == "The run was interrupted after 2 of 3 splits."
    assert "means over 2 random splits" in read.notes[1]
    (note,) = Reader(written(data, net, splits=3, n_finished=1, splits_of=[rows])).notes
    assert note.endswith("interrupted after 1 of 3 splits. All results are of the first split.")
    (note,) = Reader(written(data, net, splits=3, n_finished=0, splits_of=[rows])).notes
    assert "up to pass 3 of 3 in phase finetune" in note
    read = Reader(written(data, net, splits=2, splits_of=[rows, rows]))
    assert read.table("numbers", "mean of 2 splits")[1][2] == "0.00%"  # the spread


def test_phases_still_to_come_are_listed():
    net = DBNClassifier((3, 2), rbm=RBMTransformer(n_iter=2), random_state=0)
    made = [(phase.name, phase.n_made) for phase in phases(net)]
    assert made == [
        ("pretrain layer 1", 0),
        ("pretrain layer 2", 0),
        ("softmax", 0),
        ("finetune", 0),
    ]


# -- figures


@pytest.mark.parametrize(("make", "n_figures"), [(wine, 7), (diabetes, 8)])
def test_every_figure_has_its_sentence_and_is_part_of_the_page(make, n_figures):
    data = make()
    net = fitted(data)
    figures = []
    for figure in figures_of(net, data):
        buffer = io.BytesIO()
        figure.figure.savefig(buffer, format="png", dpi=20)
        figures.append(figure._replace(png=buffer.getvalue()))
        plt.close(figure.figure)
    assert len(figures) == n_figures
    read = Reader(written(data, net, figures))
    assert [description for description, _ in read.images] == [figure.title for figure in figures]
    for figure in figures:
        assert figure.sentence in read.text


def test_pipelines_have_figures_and_a_page():
    data = wine()._replace(are_measurements=True)
    net = DBNClassifier((6,), **SHORT)
    pipeline = make_pipeline(StandardScaler(), PCA(9), net).fit(data.X_train, data.y_train)
    names = [figure.name for figure in figures_of(pipeline, data)]
    assert names[:3] == ["reconstruction", "bias_probes", "unit_probes_layer_1"]
    plt.close("all")
    read = Reader(written(data, pipeline))
    wrong = (pipeline.predict(data.X_test) != data.y_test).sum()
    assert f"{wrong} of {len(data.y_test)} test rows are misclassified" in "".join(read.text)
    assert dict(read.table("values", "parameter")[1:])["finetune_iter"] == "3"


def test_step_that_has_no_way_back_leaves_the_other_figures():
    data = wine()._replace(are_measurements=True)
    inner = make_pipeline(Normalizer(), DBNClassifier((6,), **SHORT))
    pipeline = make_pipeline(StandardScaler(), inner).fit(data.X_train, data.y_train)
    names = [figure.name for figure in figures_of(pipeline, data)]
    assert names[:2] == ["bias_probes", "unit_probes_layer_1"]
    plt.close("all")


def test_measurements_are_no_images_unless_their_shape_is_known():
    data = diabetes()
    square = data._replace(X_test=data.X_test[:, :9], feature_names=None, are_measurements=True)
    assert shape_of_images(square) is False
    assert shape_of_images(square._replace(image_shape=(3, 3))) == (3, 3)
    assert shape_of_images(square._replace(are_measurements=False)) is None


MEASURED = {"visible_units": "gaussian"}


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("data", "scaler", "of_machine", "looked_for"),
    [
        (diabetes(), "passthrough", {}, "within 1 of 0"),
        (diabetes(), MinMaxScaler(), {}, "a pale version of the mean"),
        (diabetes(), MinMaxScaler(), MEASURED, "within 1 of 0"),
        (digits(), "passthrough", {}, "a pale version of the mean"),
        (digits(), "passthrough", MEASURED, "a pale version of the mean"),  # drawn as images
    ],
)
def test_sentence_about_bias_probes_is_about_what_is_drawn(data, scaler, of_machine, looked_for):
    estimator = DBNRegressor if data.is_regression else DBNClassifier
    net = estimator((12,), **{**SHORT, "rbm": RBMTransformer(n_iter=1, **of_machine)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make_pipeline(scaler, net).fit(data.X_train, data.y_train)
    probes = [*figures_of(model, data._replace(are_measurements=data.is_regression))][1]
    assert looked_for in probes.sentence
    drawn = probes.figure.axes[0].images[0].get_array()
    assert ("pale" in looked_for) == (len(drawn) > 1 or "gaussian" not in net.visible_units_)
    plt.close("all")


@pytest.mark.exhaustive
def test_fantasies_come_from_a_top_machine_trained_for_them(monkeypatch):
    monkeypatch.setattr(samplers, "N_ROWS_OF_ALL_PASSES", 800)
    monkeypatch.setattr(samplers, "MOST_ROWS", 200)
    data = digits()
    net = fitted(data, hidden_layer_sizes=(12, 9))
    net.rbms_[-1].hidden_units = "gaussian"  # a parameter of the next fit
    before = [rbm.components_.copy() for rbm in net.rbms_]
    sampler = sampler_of(net, data.X_train)
    below, top = sampler.rbms_
    assert below is net.rbms_[0]
    assert (top.gradient, top.components_.shape, top.n_iter) == ("ptt", (9, 12), 4)  # of 200 rows
    for rbm, components in zip(net.rbms_, before, strict=True):
        np.testing.assert_array_equal(rbm.components_, components)
    samples = next(f for f in figures_of(net, data) if f.name == "samples")
    assert "a top RBM of 9 units" in samples.sentence
    mixing = next(f for f in figures_of(net, data) if f.name == "mixing")
    assert "of the RBM that fantasies come from" in mixing.sentence
    assert "with 4 passes" in samples.sentence
    assert "for features, by CD-1" in samples.sentence
    np.testing.assert_array_equal(net.predict(data.X_test), sampler.predict(data.X_test))
    plt.close("all")


@pytest.mark.parametrize(
    "parameters",
    [
        {"rbm": RBMTransformer(n_iter=2, gradient="pcd")},
        {"rbm": RBMTransformer(n_iter=2, hidden_units="gaussian")},
        {"softmax_iter": 0, "finetune_iter": 0},  # pretrained, but not yet trained to predict
    ],
)
def test_fantasies_come_from_the_top_machine_of_the_net_where_no_better_one_is_trained(parameters):
    data = digits()
    net = fitted(data, hidden_layer_sizes=(6, 5), **parameters)
    assert sampler_of(net, data.X_train) is net


def test_machine_of_measurements_is_not_replaced():
    data = wine()
    net = fitted(data, hidden_layer_sizes=(6,))
    assert sampler_of(net, data.X_train) is net
    pipeline = make_pipeline(StandardScaler(), net)
    assert sampler_of(pipeline, data.X_train) is pipeline


def test_machine_for_fantasies_has_binary_units_even_where_activations_hardly_vary(monkeypatch):
    monkeypatch.setattr(samplers, "MOST_PASSES", 4)
    data = digits()
    dark = data._replace(X_train=0.1 * data.X_train[:30], y_train=data.y_train[:30])
    rbm = RBMTransformer(n_iter=1, visible_units="binary")
    for sizes in ((9,), (12, 9)):  # on the data, and on probabilities near 0.5
        net = fitted(dark, hidden_layer_sizes=sizes, rbm=rbm)
        sampler = sampler_of(net, dark.X_train)
        assert sampler is not net
        assert set(sampler.rbms_[-1].visible_units_) == {"binary"}


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, MemoryError, DivergenceError])
def test_trouble_with_the_machine_for_fantasies_leaves_that_of_the_net(trouble, monkeypatch):
    data = digits()
    net = fitted(data, hidden_layer_sizes=(6, 5))

    def fail(*_):
        raise trouble

    monkeypatch.setattr(ParallelTrajectoryTempering, "__call__", fail)
    assert sampler_of(net, data.X_train) is net
    monkeypatch.setattr(samplers, "MOST_WEIGHTS", 29)  # 5 times 6 are too many
    monkeypatch.setattr(RBMTransformer, "fit", None)
    assert sampler_of(net, data.X_train) is net


def test_predictions_are_drawn_against_what_is_true():
    data = diabetes()
    net = fitted(data, pretrain=False)
    figure = [*figures_of(net, data)][-1]
    assert figure.name == "predictions"
    dots = figure.figure.axes[0].collections[0].get_offsets()
    expected = np.column_stack([data.y_test, net.predict(data.X_test)])
    np.testing.assert_allclose(np.sort(dots, axis=0), np.sort(expected, axis=0))
    assert {tuple(dot) for dot in np.round(dots, 6)} == {tuple(x) for x in np.round(expected, 6)}
    plt.close("all")


@pytest.mark.parametrize(
    ("overlap", "gap", "mixed"),
    [
        (0.0, 0.0, True),
        (2 * FORGOTTEN, 0.0, False),
        (0.0, 5.0, False),
        (0.0, np.repeat([0.0, 80.0], [18, 2]), False),  # two chains are stuck
    ],
)
def test_fantasies_are_labelled_by_whether_their_chains_were_seen_to_mix(overlap, gap, mixed):
    rng = np.random.default_rng(0)
    parts = [
        ChainStatistics(start, shift + rng.normal(size=(101, 20)), np.full(101, share))
        for start, shift, share in (("data", gap, overlap), ("noise", 0.0, 0.0))
    ]
    sentence = _verdict(parts, "Training by CD-1 suits features.")
    assert f"{overlap:.2f} for chains from data and 0.00 for chains from noise" in sentence
    assert ("the chains have mixed" in sentence) == mixed
    assert ("the chains have not mixed" in sentence) == (not mixed)
    assert ("Training by CD-1" in sentence) == (not mixed)


# -- the command


def test_command_writes_the_page_and_leaves_what_is_not_its_own(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(samplers, "MOST_PASSES", 1)
    monkeypatch.setattr(report, "DOTS_PER_INCH", 20)
    short = ["--pretrain-iter", "1", "--softmax-iter", "1", "--finetune-iter", "1"]
    short += ["--splits", "1", "--out", "out"]
    with threadpool_limits(1):
        assert main([*short, "--layers", "6", "5"]) == 0
        out = tmp_path / "out"
        assert (out / "unit_probes_layer_2.png").exists()
        read = Reader((out / "index.html").read_text())
        files = {name for name in read.fetched if not name.startswith("data:")}
        assert files == {path.name for path in out.iterdir()} - {"index.html"}
        (out / "mine.png").write_bytes(b"mine")
        assert main([*short, "--layers", "6"]) == 0
    assert not (out / "unit_probes_layer_2.png").exists()
    assert (out / "mine.png").read_bytes() == b"mine"
    titles = [d for d, _ in Reader((out / "index.html").read_text()).images if d[:4] != "true"]
    assert "Hidden units of layer 1" in titles
    assert "Hidden units of layer 2" not in titles
    plt.close("all")


def test_page_of_somebody_else_is_not_replaced(tmp_path, capsys):
    (tmp_path / "report.json").write_text('{"versions": {"skdbn": "0.1.0"}}')
    (tmp_path / "index.html").write_text("mine")
    assert main(["--splits", "1", "--out", str(tmp_path)]) == 2
    assert "has a file index.html that its report.json does not list" in capsys.readouterr().err
    assert (tmp_path / "index.html").read_text() == "mine"
