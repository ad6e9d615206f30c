"""Which data the command line takes, and what it takes them for."""

import csv
import gzip
import io
import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from test_datasets import idx

from skdbn._cli import data as cli_data
from skdbn._cli.options import parse
from skdbn._cli.tables import read_table
from skdbn._cli.targets import hide_labels

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (60, 4, 5)).astype(np.uint8)
IMAGES[0, 0, 0] = 255
LABELS = np.arange(60) % 3
IRIS = load_iris()
SPECIES = IRIS.target_names[IRIS.target]
NAMES = ["sepal, length", "sepal width", "petal length", "petal width"]


def load(path, *arguments, **others):
    return cli_data.load(parse(["--data", str(path), *arguments]), **others)


def rows(data):
    """All rows with their labels, in an order that does not depend on the split."""
    X, y = np.vstack([data.X_train, data.X_test]), np.concatenate([data.y_train, data.y_test])
    order = np.lexsort(np.round(X, 4).T)
    return X[order], y[order]


def assert_is(data, X, y, dtype=np.float32):
    given, labels = rows(data)
    order = np.lexsort(np.round(X, 4).T)
    assert given.dtype == data.X_test.dtype == dtype
    np.testing.assert_allclose(given, X[order], rtol=1e-6)
    np.testing.assert_array_equal(labels, y[order])


def test_each_class_has_its_share_of_the_rows_that_are_held_out(tmp_path):
    y = np.repeat([0, 1], [48, 12])
    np.savez(tmp_path / "data.npz", X=IMAGES, y=y)
    for seed in range(5):
        data = load(tmp_path / "data.npz", "--seed", str(seed))
        assert np.bincount(data.y_test).tolist() == [8, 2]


@pytest.mark.parametrize("unlabeled", [None, "2"])
def test_test_rows_have_their_indices_in_the_files(tmp_path, unlabeled):
    options = [] if unlabeled is None else ["--unlabeled", unlabeled]
    np.savez(tmp_path / "whole.npz", X=IMAGES, y=LABELS)
    data = load(tmp_path / "whole.npz", *options)
    np.testing.assert_allclose(data.X_test * 255, IMAGES.reshape(60, 20)[data.test_rows], rtol=1e-6)
    parts = {"x_train": IMAGES[:30], "y_train": LABELS[:30]}
    np.savez(tmp_path / "split.npz", **parts, x_test=IMAGES[30:], y_test=LABELS[30:])
    data = load(tmp_path / "split.npz", *options)
    expected = [i for i in range(30) if str(LABELS[30 + i]) != unlabeled]
    assert data.test_rows.tolist() == expected
    np.testing.assert_array_equal(data.y_test, LABELS[30:][expected])


# -- arrays


def layouts(images, labels):
    """The same data under the names that others give to their arrays."""
    train, val, test = slice(0, 40), slice(40, 50), slice(50, 60)
    yield {"X": images, "y": labels}
    yield {"x": images, "Y": labels[:, None]}
    yield {
        "x_train": images[:50],
        "y_train": labels[:50, None],
        "x_test": images[test],
        "y_test": labels[test, None],
    }
    yield {
        f"{name}_{kind}": array[part]
        for name, part in (("train", train), ("val", val), ("test", test))
        for kind, array in (("images", images), ("labels", labels[:, None]))
    }


@pytest.mark.parametrize("i", range(4))
@pytest.mark.parametrize(
    "given", [IMAGES, IMAGES.astype(float), IMAGES[..., None], IMAGES[:, None]]
)
def test_layouts_of_arrays_are_read(tmp_path, i, given):
    arrays = list(layouts(given, LABELS))[i]
    np.savez(tmp_path / "data.npz", **arrays)
    data = load(tmp_path / "data.npz")
    assert data.image_shape == (4, 5)
    X = IMAGES.reshape(60, 20) / 255
    if i == 3:
        np.testing.assert_allclose(data.X_val, X[40:50], rtol=1e-6)
        np.testing.assert_array_equal(data.y_val, LABELS[40:50])
        kept = np.r_[0:40, 50:60]
        assert_is(data, X[kept], LABELS[kept])
    else:
        assert_is(data, X, LABELS)
    assert data.comes_split == (i >= 2)


def test_colours_keep_their_shape(tmp_path):
    np.savez(tmp_path / "data.npz", X=np.repeat(IMAGES[..., None], 3, axis=3), y=LABELS)
    assert load(tmp_path / "data.npz").image_shape == (4, 5, 3)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (LABELS + 100, LABELS + 100),
        (LABELS.astype(float), LABELS),
        (LABELS.astype(np.uint8)[:, None], LABELS),
        (LABELS > 0, LABELS > 0),
        (np.array(["a", "b", "c"])[LABELS], np.array(["a", "b", "c"])[LABELS]),
        (np.array([b"a", b"b", b"c"])[LABELS], np.array(["a", "b", "c"])[LABELS]),
    ],
)
def test_labels_may_be_anything(tmp_path, y, expected):
    np.savez(tmp_path / "data.npz", X=IMAGES, y=y)
    data = load(tmp_path / "data.npz")
    assert_is(data, IMAGES.reshape(60, 20) / 255, expected)
    assert not data.is_regression


def test_fractions_are_numbers_to_predict_and_whole_numbers_when_asked(tmp_path):
    for y, arguments in ((LABELS + 0.5, []), (LABELS, ["--regress"])):
        np.savez(tmp_path / "data.npz", X=IMAGES, y=y)
        data = load(tmp_path / "data.npz", *arguments)
        assert data.is_regression
        assert data.y_train.dtype == float
        assert_is(data, IMAGES.reshape(60, 20) / 255, y)


@pytest.mark.parametrize(
    "X",
    [
        100 * RNG.normal(size=(60, 5)),
        RNG.integers(0, 1000, (60, 5)),
        RNG.integers(0, 100, (60, 5)),  # ages
        RNG.normal(size=(60, 5)).astype(np.float32),
    ],
)
def test_measurements_are_left_as_they_are(tmp_path, X):
    np.savez(tmp_path / "data.npz", X=X, y=LABELS)
    data = load(tmp_path / "data.npz")
    assert data.are_measurements
    assert_is(data, X, LABELS, np.float32 if X.dtype == np.float32 else np.float64)


def test_pixels_with_fractions_are_known_by_both_ends(tmp_path):
    X = RNG.random((60, 20)) * 255
    np.savez(tmp_path / "data.npz", X=X, y=LABELS)
    assert load(tmp_path / "data.npz").are_measurements
    X[0, :2] = 0, 255
    np.savez(tmp_path / "data.npz", X=X, y=LABELS)
    assert_is(load(tmp_path / "data.npz"), X / 255, LABELS)


def test_scaled_pixels_of_a_kaggle_folder_are_not_scaled_again(tmp_path):
    flat, expected = IMAGES.reshape(60, 20).astype(float), IMAGES.reshape(60, 20) / 255
    names = ",".join(f"pixel{i}" for i in range(20))
    for divisor in (1, 255):
        train = np.column_stack([LABELS, flat / divisor])
        header = {"delimiter": ",", "comments": ""}
        np.savetxt(tmp_path / "train.csv", train, header=f"label,{names}", **header)
        np.savetxt(tmp_path / "test.csv", flat[:7] / 2 / divisor, header=names, **header)
        data = load(tmp_path)
        assert_is(data, expected, LABELS)
        np.testing.assert_allclose(data.X_submission, expected[:7] / 2, rtol=1e-6)


def test_a_model_that_was_trained_on_bytes_decides_for_dark_rows(tmp_path):
    np.savez(tmp_path / "data.npz", X=IMAGES // 3, y=LABELS)
    assert load(tmp_path / "data.npz").are_measurements
    data = load(tmp_path / "data.npz", bytes_exceed=1)
    assert_is(data, (IMAGES // 3).reshape(60, 20) / 255, LABELS)
    data = load(tmp_path / "data.npz", bytes_exceed=np.inf)
    assert_is(data, (IMAGES // 3).reshape(60, 20), LABELS)


def save_split(path, X_train, X_test):
    y = LABELS[: len(X_train)], LABELS[: len(X_test)]
    np.savez(path, X_train=X_train, y_train=y[0], X_test=X_test, y_test=y[1])
    return path


def test_rows_for_testing_are_not_judged_alone(tmp_path):
    flat = IMAGES.reshape(60, 20)
    black = flat[50:] // 255
    data = load(save_split(tmp_path / "a.npz", flat[:50], black))
    np.testing.assert_allclose(data.X_test, black / 255)
    data = load(save_split(tmp_path / "d.npz", flat[:50] // 3, flat[50:]))
    np.testing.assert_allclose(data.X_train, flat[:50] // 3 / 255, rtol=1e-6)
    resized = flat[50:] / 2
    data = load(save_split(tmp_path / "b.npz", flat[:50], resized))
    np.testing.assert_allclose(data.X_test, resized / 255, rtol=1e-6)
    scaled = flat[50:] / 255 * 1.2  # by a scaler that has seen training rows alone
    data = load(save_split(tmp_path / "c.npz", flat[:50] / 255, scaled))
    np.testing.assert_allclose(data.X_test, scaled, rtol=1e-6)


@pytest.mark.parametrize(("divisor", "other"), [(1, 255), (255, 1)])
def test_parts_on_different_scales_are_refused(tmp_path, divisor, other):
    flat = IMAGES.reshape(60, 20)
    path = save_split(tmp_path / "a.npz", flat[:50] / divisor, flat[50:] / other)
    with pytest.raises(ValueError, match="training rows have values from .* the others from"):
        load(path)


def test_black_and_white_is_not_taken_for_nearly_black(tmp_path):
    flat = IMAGES.reshape(60, 20)
    with pytest.raises(ValueError, match="from 0 to 1, the others .* Scale both the same way"):
        load(save_split(tmp_path / "data.npz", flat[:50] // 128, flat[50:]))


def test_image_shape_is_checked(tmp_path):
    np.savez(tmp_path / "data.npz", X=IMAGES.reshape(60, 20), y=LABELS)
    assert load(tmp_path / "data.npz").image_shape is None
    assert load(tmp_path / "data.npz", "--image-shape", "5", "4").image_shape == (5, 4)
    for wrong in ("5 5", "20", "4 5 2", "2 5 2", "4 5 1 1"):
        with pytest.raises(ValueError, match=f"--image-shape {wrong}: pass height .* features, 20"):
            load(tmp_path / "data.npz", "--image-shape", *wrong.split())


def test_rows_of_other_widths_are_refused(tmp_path):
    path = save_split(tmp_path / "a.npz", IMAGES[:50], IMAGES[50:, :3])
    with pytest.raises(ValueError, match="have (20 and 15|15 and 20) features"):
        load(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_memory_of_loading_is_near_what_is_kept(tmp_path, dtype):
    X = RNG.integers(0, 256, (5000, 1000)).astype(dtype)
    np.savez_compressed(tmp_path / "data.npz", X=X, y=np.arange(5000) % 3)
    kept = X.size * 4
    tracemalloc.start()
    load(tmp_path / "data.npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < kept + 1.3 * X.nbytes + 20e6  # what is kept, what was read, and blocks


# -- folders of images


def write_emnist(folder, prefix, labels=LABELS, suffix=".gz", compress=gzip.compress):
    folder.mkdir(exist_ok=True)
    for part, numbers in (("train", slice(0, 50)), ("test", slice(50, 60))):
        for kind, array in (("images-idx3", IMAGES), ("labels-idx1", labels)):
            path = folder / f"{prefix}{part}-{kind}-ubyte{suffix}"
            path.write_bytes(compress(idx(array[numbers])))
    return folder


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".gz", bytes),
                                                  ("", gzip.compress), ("", bytes)])  # fmt: skip
def test_names_of_emnist_and_any_labels_are_read_by_content(tmp_path, suffix, compress):
    write_emnist(tmp_path / "a", "emnist-letters-", LABELS + 24, suffix, compress)
    data = load(tmp_path / "a")
    assert_is(data, IMAGES.reshape(60, 20) / 255, LABELS + 24)
    assert data.image_shape == (4, 5)


def test_one_of_several_data_sets_is_named(tmp_path):
    folder = write_emnist(tmp_path / "a", "emnist-letters-")
    write_emnist(folder, "emnist-digits-", LABELS + 5)
    with pytest.raises(ValueError, match="several data sets. Pass one of .*emnist-digits, .*-lett"):
        load(folder)
    np.testing.assert_array_equal(load(folder / "emnist-letters").classes, [0, 1, 2])
    np.testing.assert_array_equal(load(folder / "emnist-digits").classes, [5, 6, 7])


def test_path_that_names_a_data_set_finds_it_beside_others(tmp_path):
    folder = write_emnist(tmp_path / "a", "")
    write_emnist(folder, "fashion-", LABELS + 5)
    write_emnist(folder, "fashion-new-", LABELS + 7)
    write_emnist(folder, "._", LABELS + 9)  # hidden
    np.testing.assert_array_equal(load(folder).classes, [0, 1, 2])
    np.testing.assert_array_equal(load(folder / "fashion").classes, [5, 6, 7])
    np.testing.assert_array_equal(load(folder / "fashion-new").classes, [7, 8, 9])


def test_labels_with_underscores_are_text(tmp_path):
    path = tmp_path / "a.csv"
    rows = [f"{i},{i % 7},{label}" for i, label in enumerate(["1_12", "11_2", "3_1"] * 9)]
    path.write_text("\n".join(["a,b,label", *rows]))
    assert load(path).classes.tolist() == ["11_2", "1_12", "3_1"]


def test_arrays_of_kmnist_are_read(tmp_path):
    for part, numbers in (("train", slice(0, 50)), ("test", slice(50, 60))):
        np.savez_compressed(tmp_path / f"kmnist-{part}-imgs.npz", IMAGES[numbers])
        np.savez_compressed(tmp_path / f"kmnist-{part}-labels.npz", LABELS[numbers])
    assert_is(load(tmp_path), IMAGES.reshape(60, 20) / 255, LABELS)
    np.savez(tmp_path / "kmnist-test-imgs.npz", IMAGES, LABELS)
    with pytest.raises(ValueError, match="test-imgs.npz is not .* single array: it has arr_0, ar"):
        load(tmp_path)


# -- tables


def table(names=NAMES, separator=",", quoting=csv.QUOTE_MINIMAL, label_at=4):
    """Irises as text."""
    file = io.StringIO()
    writer = csv.writer(file, delimiter=separator, quoting=quoting)
    header = [*names[:label_at], "species", *names[label_at:]]
    lines = [header] if names else []
    for values, label in zip(IRIS.data.tolist(), SPECIES.tolist(), strict=True):
        lines.append([*values[:label_at], label, *values[label_at:]])
    writer.writerows(lines)
    return file.getvalue()


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("has_names", [True, False])
def test_separators_quotes_and_names_are_found_out(tmp_path, separator, quoting, has_names):
    names = [name.replace(" ", "_") for name in NAMES] if separator == " " else NAMES
    path = tmp_path / "iris.csv"
    path.write_text(table(names if has_names else [], separator, quoting))
    data = load(path, "--label", "species" if has_names else "5")
    assert_is(data, IRIS.data, SPECIES, np.float64)
    assert data.feature_names == (names if has_names else None)


@pytest.mark.parametrize("label_at", [0, 2, 4])
def test_labels_may_be_any_column(tmp_path, label_at):
    (tmp_path / "iris.csv").write_text(table(label_at=label_at))
    for label in ("species", str(label_at + 1)):
        assert_is(load(tmp_path / "iris.csv", "--label", label), IRIS.data, SPECIES, np.float64)


def test_names_that_are_numbers_are_names(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("label,0,1\n" + "\n".join(f"{y},{y / 4},{i}" for i, y in enumerate(LABELS)))
    assert load(path).feature_names == ["0", "1"]


def test_number_of_the_labels_is_not_taken_for_a_name(tmp_path):
    rows = np.column_stack([IMAGES.reshape(60, 20)[:, :2], LABELS])
    rows[0, 0] = 3  # as the number of the column of labels
    np.savetxt(tmp_path / "data.csv", rows, "%d", delimiter=",")
    assert_is(load(tmp_path / "data.csv", "--label", "3"), rows[:, :2] / 255, LABELS)


@pytest.mark.parametrize("label", ["label", "species", "4"])
def test_columns_that_pandas_has_numbered_have_names(tmp_path, label):
    frame = pd.DataFrame(IRIS.data)
    frame[label if label != "4" else 4] = SPECIES
    frame.to_csv(tmp_path / "data.csv", index=False)
    for given in {label, "5"} - ({"5"} if label == "label" else set()):
        data = load(tmp_path / "data.csv", "--label", given)
        assert_is(data, IRIS.data, SPECIES, np.float64)
    assert data.feature_names == ["0", "1", "2", "3"]
    if label == "label":
        assert_is(load(tmp_path / "data.csv"), IRIS.data, SPECIES, np.float64)


def test_advice_on_categories_works(tmp_path):
    path, frame = tmp_path / "data.csv", pd.DataFrame(IRIS.data, columns=NAMES)
    frame = frame.assign(colour=np.resize(["red", "blue"], 150), flag=[True] * 75 + [False] * 75)
    frame = frame.assign(label=SPECIES)
    for _ in range(2):
        frame.to_csv(path, index=False)
        with pytest.raises(ValueError, match="get_dummies with columns=") as caught:
            load(path)
        advice = re.search(r"get_dummies with (.*)\)", str(caught.value)).group(1)
        frame = eval(f"pd.get_dummies(frame, {advice})", {"pd": pd, "frame": frame})
    frame.to_csv(path, index=False)
    assert load(path).feature_names[4:] == ["colour_blue", "colour_red", "flag_False", "flag_True"]


def test_table_is_read_whatever_its_name(tmp_path):
    path = tmp_path / "data.txt"
    path.write_text(table())
    assert len(load(path, "--label", "species").X_train) == 125


@pytest.mark.parametrize("quoting", [csv.QUOTE_NONNUMERIC, csv.QUOTE_ALL])
@pytest.mark.parametrize(("separator", "written"), [(",", ", "), (";", ";  "), (" ", "   ")])
@pytest.mark.parametrize("has_names", [True, False])
def test_spaces_may_stand_before_quotes_and_within_them(
    tmp_path, quoting, separator, written, has_names
):
    labels = np.array(['iris, of "Bob"', "iris; x", "iris virginica"])[IRIS.target]
    path, names = tmp_path / "iris.txt", ["sl", "sepal width", "pl", "pw", "kind of iris"]
    rows = [[*values, label] for values, label in zip(IRIS.data.tolist(), labels, strict=True)]
    file = io.StringIO()
    csv.writer(file, delimiter="|", quoting=quoting).writerows([names, *rows][not has_names :])
    path.write_text(file.getvalue().replace("|", written))
    data = load(path, "--label", "kind of iris" if has_names else "5")
    assert_is(data, IRIS.data, labels, np.float64)
    assert data.feature_names == (names[:4] if has_names else None)


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        ("a,b\n1,2\n", None, "line 1: there is no column 'label' among a, b. Pass --label NAME"),
        ("1,2\n3,4\n", None, "there is no header. Pass --label N, .* from 1 to 2"),
        ("1,2\n3,4\n", "3", "Pass --label N, .* from 1 to 2"),
        ("label\n1\n", None, "line 1: only one column; columns must be separated by commas"),
        (",a,label\n0,1,2\n", None, r"column 1 has no name; .* numbers the rows.*index=False"),
        ("a,label\n1,0\n,1\n", None, r"line 3: no value in column 'a' \(''\). Fill"),
        ("a,label\n1,0\nNA,1\n", None, r"line 3: no value in column 'a' \('NA'\)"),
        ("a,label\n1,0\n?,1\n", None, "line 3: no value in column 'a'"),
        ("a,label\n1.5,0\nnan,1\n", None, "line 3: no value in column 'a'"),
        ("a,label\n1.5,0\n1e999,1\n", None, "line 3: column 'a' has 'inf', which is not finite"),
        ("a;label\n1,5;0\n2,5;1\n", None, "line 2: column 'a' has '1,5'. Use decimal points"),
        ("sep=;\na;label\n1;0\n2;1\n", None, "line 1: 'sep=;' is no row. Remove the line"),
        ('a,label\n1,0\n"1,100",1\n', None, "line 3: column 'a' has '1,100'. Remove commas that s"),
        ('a,label\n1,0\n"-1,234,567.8",1\n', None, "567.8'. Remove commas that separate thousands"),
        ("a,b,label\n1,2,0\n1,Bonn,1\n", None, "line 3: column 'b' has 'Bonn', which is not a nu"),
        ("?,7,a\n3,4,b\n", "3", r"line 1: no value in column 1 \('\?'\). Fill"),
        ("a,a,b\n1,2,3\n", "a", "line 1: 2 columns are named 'a'. Give the label column"),
        ("a,label\n1,0\n1\n", None, "line 3: 1 values, but the first line has 2.$"),
        ("a,label\n1,0\n1,2,3\n", None, "line 3: 3 values, but the first line has 2"),
        ("a,label\n1,0\n\n2,1\n", None, "line 3: empty, but more rows follow. Remove the line.$"),
        ('a,label\n1,x\n2,"y\nz"\n', None, "line 4: quotes that do not come in pairs. Repla"),
        ('"a" "label"\n"1" 5 "x"\n', None, "line 2: 3 val.* the first line has 2. If .* row.names"),
        ("my label\n1\n2\n", None, "line 1: only one column"),
        ("\na,label\n1,0\n", None, "line 1: empty, but more rows follow"),
        ("# a title\na,label\n1,0\n", None, "line 1: only one col.*no title or comment may stand"),
        ('a,"b\nc",label\n1,2,0\n', None, "line 1: quotes that do not come in pairs"),
        ("a,label\n1,0\n1_000,1\n", None, "line 3: column 'a' has '1_000', which is not a num"),
        ("", None, "line 1: the file is empty"),
        ("\n\n", None, "line 1: the file is empty"),
        ("a,label\n", None, "line 2: there are no rows"),
        ('a,label\n"' + "x" * 200_000 + '",1\n', None, "line|field larger"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, text, label, message):
    (tmp_path / "data.csv").write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_table(tmp_path / "data.csv", label)
    assert str(caught.value).startswith(str(tmp_path / "data.csv"))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("line", [1, 2, 40])
def test_table_that_is_not_in_utf_8_is_refused_and_not_learned(tmp_path, line):
    lines = ["a,b,label", *(f"{i},{i / 2},Muehle" for i in range(50))]
    lines[line - 1] = lines[line - 1].replace("Muehle", "M\xfchle").replace("b,", "\xdf,")
    (tmp_path / "data.csv").write_text("\n".join(lines), encoding="latin-1")
    with pytest.raises(ValueError, match=f"data.csv, line {line}: not text; save .* as UTF-8"):
        read_table(tmp_path / "data.csv")


@pytest.mark.parametrize(
    ("cells", "shown", "advice"),
    [
        (["0,5", "1,0", "63,5"], "0,5", "use decimal points instead of commas"),
        (["1,063", "2,500", "7"], "1,063", "remove commas that separate thousands"),
    ],
)
def test_numbers_with_commas_as_labels_are_told_of(tmp_path, cells, shown, advice):
    lines = [f"{i};{cells[i % 3]}" for i in range(60)]
    path = tmp_path / "data.csv"
    path.write_text("\n".join(["a;price", *lines]))
    with pytest.raises(ValueError, match=f"is text, '{shown}', must .* {advice.capitalize()}"):
        load(path, "--label", "price", "--regress")
    model_of_numbers = parse(["--data", str(path), "--label", "price", "--regress"])
    model_of_numbers.loads_regressor = True
    with pytest.raises(ValueError, match=advice.capitalize()):
        cli_data.load(model_of_numbers)
    message = f"such as '{shown}', and are taken .* To predict numbers: {advice}"
    with pytest.warns(UserWarning, match=message):
        assert len(load(path, "--label", "price").classes) == 3


def test_labels_with_commas_that_are_no_numbers_are_classes(tmp_path):
    lines = [f"{i};{['1,0', 'a,b', 'c'][i % 3]}" for i in range(60)]
    (tmp_path / "data.csv").write_text("\n".join(["a;label", *lines]))
    assert len(load(tmp_path / "data.csv").classes) == 3


def test_archive_for_which_memory_does_not_suffice_is_not_called_wrong(tmp_path, monkeypatch):
    def fail(*_):
        raise MemoryError

    np.savez(tmp_path / "data.npz", X=IMAGES, y=LABELS)
    monkeypatch.setattr("skdbn._cli.readers.read_array", fail)
    with pytest.raises(MemoryError):
        load(tmp_path / "data.npz")


def test_array_in_a_file_of_its_own_is_refused_with_advice(tmp_path):
    np.save(tmp_path / "data.npy", IMAGES)
    with pytest.raises(ValueError, match=r"arrays with numpy\.savez\(path, X=X, y=y\)"):
        load(tmp_path / "data.npy")


def test_many_labels_are_read(tmp_path):  # more than the numbers of the fast way
    values = np.arange(40_000) / 4
    np.savetxt(tmp_path / "data.csv", np.column_stack([values, values]), delimiter=",")
    labels = read_table(tmp_path / "data.csv", "1").labels.astype(float)
    np.testing.assert_array_equal(labels, values)


@pytest.mark.parametrize("labels", [(2**53, 2**53 + 1), ("1e300", "2e300")])
def test_labels_that_floats_do_not_tell_apart_are_refused(tmp_path, labels):
    path = tmp_path / "data.csv"
    path.write_text("a,label\n" + "".join(f"{i},{labels[i % 2]}\n" for i in range(60)))
    with pytest.raises(ValueError, match="too many digits to be told apart.*pass --regress"):
        load(path)
    assert load(path, "--regress").is_regression


def test_labels_beyond_int64_are_refused_and_not_turned_negative(tmp_path):
    path, labels = tmp_path / "data.npz", LABELS.astype(np.uint64)
    np.savez(path, X=IMAGES, y=labels + np.uint64(2**63))
    with pytest.raises(
        ValueError, match="9223372036854775810 are too large, must be below 2\\*\\*63"
    ):
        load(path)
    assert load(path, "--regress").is_regression
    np.savez(path, X=IMAGES, y=labels + np.uint64(2**63 - 3))
    assert load(path).classes.tolist() == [2**63 - 3, 2**63 - 2, 2**63 - 1]


def test_one_long_label_does_not_take_its_length_for_every_row(tmp_path):
    path = tmp_path / "data.csv"
    lines = "".join(f"1,{i}\n" for i in range(2000))
    path.write_text(f"a,label\n1,{'x' * 10**6}\n{lines}")  # 1 MB, as an array of text 8 GB
    with pytest.raises(ValueError, match="'label' has labels of up to 1000000 characters"):
        load(path)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["", "1.5", "x"], r"target of row 2 \(counted from 0\) is text, 'x', must be a number"),
        (["1", "2", "n/a"], r"row 2 \(counted from 0\) is text, 'n/a'"),
        (["1", "2", "3"], r"row 0 \(counted from 0\) is text, '1'"),
    ],
)
def test_text_that_is_no_number_to_predict_is_named(tmp_path, labels, message):
    np.savez(tmp_path / "data.npz", X=IMAGES, y=np.resize(labels, 60))
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "data.npz", "--regress", *["--unlabeled", ""] * ("" in labels))


@pytest.mark.parametrize(("step", "options"), [(0.5, []), (1, ["--regress"])])
def test_advice_on_missing_numbers_to_predict_works(tmp_path, step, options):
    path, lines = tmp_path / "data.csv", [f"{i / 7},{i * step}" for i in range(60)]
    path.write_text("\n".join(["a,label", "3,", *lines, "4,"]))
    with pytest.raises(ValueError, match=r"row 0 \(counted from 0\) has no target, .* of 2. Fill"):
        load(path, *options)
    with pytest.raises(ValueError, match="Omit them, and fill in the missing .* remove their rows"):
        load(path, *options, "--unlabeled", "")
    path.write_text("\n".join(["a,label", *lines]))
    assert load(path, *options).is_regression


def test_label_with_a_file_that_does_not_exist(tmp_path):
    with pytest.raises(ValueError, match="nothere.csv does not exist"):
        load(tmp_path / "nothere.csv", "--label", "species")


def test_label_of_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "data.npz", X=IMAGES, y=LABELS)
    with pytest.raises(ValueError, match="is not a text table. Omit --label"):
        load(tmp_path / "data.npz", "--label", "y")


def test_kaggle_folder_may_have_labels_of_another_name(tmp_path):
    (tmp_path / "train.csv").write_text(table())
    test = "\n".join([",".join(f'"{name}"' for name in NAMES), "5,3,1,0.5", "6,3,5,2"])
    (tmp_path / "test.csv").write_text(test)
    data = load(tmp_path, "--label", "species")
    np.testing.assert_array_equal(data.X_submission, [[5, 3, 1, 0.5], [6, 3, 5, 2]])
    assert set(data.y_train) == set(SPECIES)


@pytest.mark.parametrize("name", ["species", "label"])
def test_rows_to_predict_that_have_labels_are_refused_with_advice_that_works(tmp_path, name):
    irises = pd.DataFrame(IRIS.data, columns=NAMES).assign(**{name: SPECIES})
    shuffled = irises.sample(frac=1.0, random_state=0)
    train, test = shuffled[:100], shuffled[100:]
    train.to_csv(tmp_path / "train.csv", index=False)
    test.to_csv(tmp_path / "test.csv", index=False)
    options = () if name == "label" else ("--label", name)
    with pytest.raises(ValueError, match=f"test.csv, line 1: column '{name}' has the labels"):
        load(tmp_path, *options)
    test.drop(columns=name).to_csv(tmp_path / "test.csv", index=False)
    assert len(load(tmp_path, *options).X_submission) == 50
    (tmp_path / "test.csv").unlink()
    pd.concat([train, test]).to_csv(tmp_path / "train.csv", index=False)
    data = load(tmp_path / "train.csv", *options)
    assert len(data.X_train) + len(data.X_test) == 150


def test_folder_of_tables_is_told_to_name_one(tmp_path):
    (tmp_path / "iris.csv").write_text(table())
    with pytest.raises(ValueError, match="Pass the path of a .csv file to --data"):
        load(tmp_path)
    with pytest.raises(ValueError, match="Pass the path of a .csv file to --data"):
        load(tmp_path, "--label", "species")
    assert len(load(tmp_path / "iris.csv", "--label", "species").X_train) > 0


# -- columns that only number the rows


@pytest.fixture
def irises():
    return pd.DataFrame(IRIS.data, columns=NAMES).assign(species=SPECIES)


@pytest.mark.parametrize(
    "name", ["Id", "ID", "iD", "PassengerId", "ImageID", "user_id", "user id", "ROW_ID"]
)
@pytest.mark.parametrize("at", [0, 2, 5])
def test_column_that_only_numbers_the_rows_is_no_feature(tmp_path, irises, name, at):
    irises.insert(at, name, range(1, 151))
    for separator, quoting in ((",", csv.QUOTE_MINIMAL), (";", csv.QUOTE_ALL)):
        irises.to_csv(tmp_path / "iris.csv", sep=separator, quoting=quoting, index=False)
        data = load(tmp_path / "iris.csv", "--label", "species")
        assert_is(data, IRIS.data, SPECIES, np.float64)
        assert data.feature_names == NAMES
        assert [*data.ids] == [name]


@pytest.mark.parametrize(
    "name",
    ["Grid", "humid", "Paid", "PAID", "is COVID", "ÜID", "ID of", "id_", "identity", "number"],
)
def test_column_of_another_name_is_a_feature(tmp_path, irises, name):
    irises.assign(**{name: range(150)}).to_csv(tmp_path / "iris.csv", index=False)
    data = load(tmp_path / "iris.csv", "--label", "species")
    assert data.feature_names == [*NAMES, name]
    assert_is(data, np.column_stack([IRIS.data, np.arange(150)]), SPECIES, np.float64)


@pytest.mark.parametrize(
    "values", [np.arange(150) // 2, np.arange(150) / 2, 7 - np.arange(150) % 2]
)
def test_ids_that_are_fractions_or_repeat_are_features(tmp_path, irises, values):
    irises.assign(Id=values).to_csv(tmp_path / "iris.csv", index=False)
    data = load(tmp_path / "iris.csv", "--label", "species")
    assert not data.ids
    assert_is(data, np.column_stack([IRIS.data, values]), SPECIES, np.float64)


def test_ids_may_be_longer_than_floats_tell_apart(tmp_path, irises):
    ids = [f"{10**18 + i}" for i in range(150)]
    irises.assign(id=ids, other_id=[f"{i}.0" for i in range(150)]).to_csv(tmp_path / "iris.csv")
    text = (tmp_path / "iris.csv").read_text()
    (tmp_path / "iris.csv").write_text(f"row ID{text}")  # the column without a name
    data = load(tmp_path / "iris.csv", "--label", "species")
    assert [*data.ids] == ["row ID", "id", "other_id"]
    assert data.ids["id"] == ids
    assert_is(data, IRIS.data, SPECIES, np.float64)


def test_ids_may_be_labels_and_need_a_header(tmp_path):
    path = tmp_path / "data.csv"
    rows = "".join(f"{i / 4},{i}\n" for i in range(60))
    path.write_text(f"a,id\n{rows}")
    assert load(path, "--label", "id", "--regress").feature_names == ["a"]
    path.write_text(rows)
    assert not load(path, "--label", "1").ids


def test_table_of_nothing_but_ids_is_refused(tmp_path, irises):
    irises.assign(Id=range(150))[["Id", "species"]].to_csv(tmp_path / "iris.csv", index=False)
    with pytest.raises(ValueError, match="iris.csv: column 'Id' only numbers .* no column is left"):
        load(tmp_path / "iris.csv", "--label", "species")


@pytest.mark.parametrize("cell", ["A-17", "", "nan", "inf"])
def test_ids_that_are_no_numbers_are_refused(tmp_path, cell):
    (tmp_path / "data.csv").write_text(f"id,a,label\n1,2,0\n{cell},3,1\n")
    with pytest.raises(ValueError, match="line 3: .*column 'id'.* remove the"):
        load(tmp_path / "data.csv")


def write_kaggle(folder, irises, ids_of_test):
    irises.assign(Id=range(1, 151)).to_csv(folder / "train.csv", index=False)
    test = irises.drop(columns="species").iloc[: len(ids_of_test)].assign(Id=ids_of_test)
    test.to_csv(folder / "test.csv", index=False)


def test_ids_of_a_kaggle_folder_are_those_of_the_rows_to_predict(tmp_path, irises):
    write_kaggle(tmp_path, irises, ["0007", "151"])
    data = load(tmp_path, "--label", "species")
    assert (data.ids, data.label_name) == ({"Id": ["0007", "151"]}, "species")
    assert data.feature_names == NAMES
    assert_is(data, IRIS.data, SPECIES, np.float64)
    np.testing.assert_array_equal(data.X_submission, IRIS.data[:2])


@pytest.mark.parametrize("ids_of_test", [[151, 151], [151, 151.5]])
def test_columns_of_a_kaggle_folder_are_judged_by_both_files(tmp_path, irises, ids_of_test):
    write_kaggle(tmp_path, irises, ids_of_test)
    data = load(tmp_path, "--label", "species")
    assert not data.ids
    assert data.feature_names == [*NAMES, "Id"]
    np.testing.assert_array_equal(data.X_submission[:, 4], ids_of_test)


# -- codes


@pytest.mark.parametrize("in_a_folder", [False, True])
def test_labels_with_leading_zeros_are_text(tmp_path, irises, in_a_folder):
    codes = np.array(["0012", "12", "0007"])[IRIS.target]
    irises["species"] = codes
    path = tmp_path if in_a_folder else tmp_path / "iris.csv"
    write_kaggle(tmp_path, irises, [151, 152])
    irises.to_csv(tmp_path / "iris.csv", index=False)
    assert_is(load(path, "--label", "species"), IRIS.data, codes, np.float64)
    data = load(path, "--label", "species", "--regress")
    assert_is(data, IRIS.data, codes.astype(float), np.float64)
    data = load(path, "--label", "species", "--unlabeled", "0007")
    assert data.classes.tolist() == ["0012", "12"]


@pytest.mark.parametrize("labels", [["0", "10", "20"], ["0", "0.5", "-0.5"]])
def test_zeros_alone_and_before_a_point_are_numbers(tmp_path, irises, labels):
    irises["species"] = np.resize(labels, 150)
    irises.to_csv(tmp_path / "iris.csv", index=False)
    y = np.resize(labels, 150).astype(float)
    assert_is(load(tmp_path / "iris.csv", "--label", "species"), IRIS.data, y, np.float64)


# -- rows without labels


@pytest.mark.parametrize("unlabeled", ["", "nan", "7"])
@pytest.mark.parametrize("y", [LABELS, SPECIES[:60]])
def test_label_that_no_row_has_is_told(tmp_path, y, unlabeled):
    np.savez(tmp_path / "data.npz", X=IMAGES, y=y)
    with pytest.warns(UserWarning, match=f"no row has the label '{unlabeled}' passed to"):
        assert load(tmp_path / "data.npz", "--unlabeled", unlabeled).is_labelled.all()


@pytest.mark.parametrize(
    ("y", "unlabeled"),
    [
        (np.where(LABELS == 2, -1, LABELS), "-1"),
        (np.where(LABELS == 2, np.nan, LABELS), ""),
        (np.where(LABELS == 2, np.nan, LABELS), "nan"),
        (np.where(LABELS == 2, "", LABELS.astype(str)), ""),
        (np.where(LABELS == 2, "none", LABELS.astype(str)), "none"),
        (np.where(LABELS == 2, "nan", LABELS.astype(str)), "nan"),
    ],
)
def test_rows_without_labels_are_for_training_alone(tmp_path, y, unlabeled):
    np.savez(tmp_path / "data.npz", X=IMAGES, y=y)
    data = load(tmp_path / "data.npz", "--unlabeled", unlabeled)
    n_labelled = (LABELS != 2).sum()
    assert data.is_labelled.sum() + len(data.y_test) == n_labelled
    assert len(data.y_train) + len(data.y_test) == 60
    assert (data.y_train[~data.is_labelled] == data.unlabeled).all()
    assert data.unlabeled not in data.y_test
    assert data.classes.astype(str).tolist() == ["0", "1"]
    for X, label in zip(data.X_train, data.y_train, strict=True):
        i = np.flatnonzero(np.isclose(IMAGES.reshape(60, 20) / 255, X, atol=1e-5).all(axis=1))
        assert str(label) == str(data.unlabeled if LABELS[i] == 2 else LABELS[i][0])


@pytest.mark.parametrize("cell", ["", "NA", "null", "?", "NaN", "n/a"])
def test_cells_without_a_value_among_numbers_lack_a_label(tmp_path, cell):
    path, labels = tmp_path / "data.csv", [cell, *map(str, LABELS[1:])]
    path.write_text("\n".join(["a,label", *(f"{i},{y}" for i, y in enumerate(labels))]))
    with pytest.raises(ValueError, match=r"row 0 \(counted from 0\) has no label, .* pass --unl"):
        load(path)
    for unlabeled in ("", cell):
        data = load(path, "--unlabeled", unlabeled)
        assert data.classes.tolist() == [0, 1, 2]
        assert (~data.is_labelled).sum() == 1


def test_cells_without_a_value_among_text_are_labels(tmp_path, irises):
    irises["species"] = np.array(["NA", "null", "Europe"])[IRIS.target]  # as of continents
    irises.to_csv(tmp_path / "iris.csv", index=False)
    assert load(tmp_path / "iris.csv", "--label", "species").classes.tolist() == [
        "Europe",
        "NA",
        "null",
    ]


def test_only_some_labels_are_kept():
    hidden, unlabeled = hide_labels(LABELS, 7, seed=0)
    kept = hidden != unlabeled
    np.testing.assert_array_equal(np.bincount(hidden[kept]), [2, 2, 2])
    np.testing.assert_array_equal(hidden[kept], LABELS[kept])
    assert not np.array_equal(hidden, hide_labels(LABELS, 7, seed=1)[0])
    everything, unlabeled = hide_labels(LABELS, 3 * len(LABELS), seed=0)
    np.testing.assert_array_equal(everything, LABELS)
    assert unlabeled is None
    with pytest.raises(ValueError, match="--n-labels 2 is less than the number of classes, 3"):
        hide_labels(LABELS, 2, seed=0)


def test_wrong_mark_of_rows_without_labels_is_refused(tmp_path):
    np.savez(tmp_path / "data.npz", X=IMAGES, y=LABELS)
    with pytest.raises(ValueError, match="--unlabeled 'x' is not a number, but the labels are"):
        load(tmp_path / "data.npz", "--unlabeled", "x")
    np.savez(tmp_path / "data.npz", X=IMAGES, y=LABELS + 0.5)
    with pytest.raises(ValueError, match="--n-labels work only with classes. Omit them"):
        load(tmp_path / "data.npz", "--n-labels", "10")
