"""The command line, mostly in this process."""

import json
import signal
import subprocess
import sys

import joblib
import numpy as np
import pytest

from skdbn import DBNClassifier, RBMTransformer
from skdbn._cli import main
from skdbn.datasets import load_digits

QUICK = ["--layers", "10", "--pretrain-iter", "1", "--softmax-iter", "2", "--finetune-iter", "2"]
RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, 256, (60, 6)), np.arange(60) % 3


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write_npz(path, **arrays):
    np.savez(path, **{"X": X.astype(np.uint8), "y": Y, **arrays})
    return path


def write_csv(path, header, rows):
    lines = [",".join(header), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def write_kaggle(folder, labels=Y, train_header=None, test_header=None, train=None, test=None):
    folder.mkdir(exist_ok=True)
    pixels = [f"pixel{i}" for i in range(X.shape[1])]
    train = np.column_stack([labels, X]).tolist() if train is None else train
    write_csv(folder / "train.csv", train_header or ["label", *pixels], train)
    write_csv(folder / "test.csv", test_header or pixels, X[:7].tolist() if test is None else test)
    return folder


def read_report(folder):
    return json.loads((folder / "report.json").read_text())


# -- the main job


def test_command_prints_the_table_and_writes_report_and_model(tmp_path, capsys):
    command = [sys.executable, "-m", "skdbn", *QUICK, "--out", "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    title, head, *rows = done.stdout.splitlines()
    assert title == "digits: 1437 training rows, 360 test rows, 64 features, 10 classes"
    assert head.split() == ["test", "error", "fit", "seconds", "predict", "seconds"]
    names = [row.split("  ")[0] for row in rows]
    assert names == ["KNeighborsClassifier(3)", "DBNClassifier, softmax phase", "DBNClassifier"]
    assert "reconstruction error" in done.stderr

    report, model = read_report(tmp_path / "out"), joblib.load(tmp_path / "out" / "model.joblib")
    for row, result in zip(rows, report["results"], strict=True):
        assert f"{result['test_error']:.2%}" in row
    assert report["finished"]
    _, X_test, _, y_test = load_digits()
    assert 1 - model.score(X_test, y_test) == pytest.approx(report["results"][-1]["test_error"])


def test_two_fits_end_where_one_fit_ends(tmp_path, capsys):
    assert main([*QUICK, "--seed", "3", "--batch-size", "20", "--out", "out"]) == 0
    model = joblib.load(tmp_path / "out" / "model.joblib")
    X_train, _, y_train, _ = load_digits()
    plain = DBNClassifier(
        (10,),
        rbm=RBMTransformer(n_iter=1, batch_size=20),
        softmax_iter=2,
        finetune_iter=2,
        batch_size=20,
        random_state=3,
    ).fit(X_train, y_train)
    for one, other in zip(model.coefs_, plain.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)
    given, expected = model.get_params(deep=False), plain.get_params(deep=False)
    assert given.pop("rbm").get_params() == expected.pop("rbm").get_params()
    assert given == expected


def test_seed_decides_the_result(tmp_path, capsys):
    errors = []
    for seed, out in (("0", "a"), ("0", "b"), ("1", "c")):
        main([*QUICK, "--seed", seed, "--out", out])
        errors.append(read_report(tmp_path / out)["finetune_loss"])
    assert errors[0] == errors[1] != errors[2]


def test_npz_file_is_split(tmp_path, capsys):
    path = write_npz(tmp_path / "data.npz")
    assert main(["--data", str(path), *QUICK]) == 0
    assert f"{path}: 50 training rows, 10 test rows, 6 features, 3 classes" in (
        capsys.readouterr().out
    )
    write_npz(path, X=(X / 255).astype(np.float64), y=Y.astype(str))
    assert main(["--data", str(path), *QUICK]) == 0


@pytest.mark.parametrize("out", [None, "out"])
def test_kaggle_folder_gets_a_submission(tmp_path, capsys, out):
    folder = write_kaggle(tmp_path / "kaggle")
    options = [] if out is None else ["--out", out]
    assert main(["--data", str(folder), *QUICK, *options]) == 0
    lines = (tmp_path / (out or ".") / "submission.csv").read_text().splitlines()
    assert lines[0] == "ImageId,Label"
    assert [line.split(",")[0] for line in lines[1:]] == list("1234567")
    assert {line.split(",")[1] for line in lines[1:]} <= set("012")
    if out:
        model = joblib.load(tmp_path / out / "model.joblib")
        labels = model.predict((X[:7] / 255).astype(np.float32))
        assert [int(line.split(",")[1]) for line in lines[1:]] == labels.tolist()


# -- interruption


def test_ctrl_c_saves_what_was_learned_so_far(tmp_path):
    command = [sys.executable, "-m", "skdbn", "--layers", "30", "20", "--out", "out"]
    command += ["--pretrain-iter", "100000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        for line in process.stderr:
            if "pass 3:" in line:
                process.send_signal(signal.SIGINT)
                break
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "interrupted" in err
    assert "KNeighborsClassifier" in out
    report, model = read_report(tmp_path / "out"), joblib.load(tmp_path / "out" / "model.joblib")
    assert not report["finished"]
    assert len(report["reconstruction_error"][0]) >= 3
    assert model.predict(load_digits()[1]).shape == (360,)


def test_ctrl_c_between_the_fits_saves_the_softmax_phase(tmp_path, capsys, monkeypatch):
    from skdbn import _cli

    def interrupt(name, *args, evaluate=_cli._evaluate):
        if name.startswith("DBN"):
            raise KeyboardInterrupt
        return evaluate(name, *args)

    monkeypatch.setattr(_cli, "_evaluate", interrupt)
    assert main([*QUICK, "--out", "out"]) == 130
    assert len(joblib.load(tmp_path / "out" / "model.joblib").softmax_loss_curve_) == 2


# -- what is refused


def refusal(arguments, capsys):
    """Run what must fail; return the one line of standard error."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("skdbn: error: ")
    assert captured.out == ""
    return lines[0]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.array([object()] * 60)}, "not an .npz file with X and y"),
        ({"X": X[:, 0]}, r"X has shape (60,)"),
        ({"X": X.astype(str)}, "must be a matrix of numbers"),
        ({"X": np.empty((0, 6)), "y": np.empty(0, int)}, "X has shape (0, 6)"),
        ({"X": np.where(X > 250, np.nan, 0.5)}, "values from nan to nan"),
        ({"X": X.astype(float)}, "must be bytes or in [0, 1]"),
        ({"y": Y[:-1]}, "y has shape (59,)"),
        ({"y": Y + 0.5}, "type float64"),
        ({"y": np.zeros(60, int)}, "60 rows of 1 classes"),
        ({"y": np.arange(60)}, "the rarest with 1"),
    ],
)
def test_wrong_npz_file_is_refused(tmp_path, capsys, arrays, message):
    path = write_npz(tmp_path / "data.npz", **arrays)
    line = refusal(["--data", str(path)], capsys)
    assert str(path) in line
    assert message in line


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "not an .npz"), (b"PK\x03\x04garbage", "not an .npz"), (b"\x93NUMPY\x01", "not an")],
)
def test_file_that_is_no_npz_is_refused(tmp_path, capsys, content, message):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    line = refusal(["--data", str(path)], capsys)
    assert str(path) in line
    assert message in line


def test_npz_file_without_y_or_cut_short_is_refused(tmp_path, capsys):
    path = tmp_path / "data.npz"
    np.savez(path, X=X)
    assert "it has no array y" in refusal(["--data", str(path)], capsys)
    with path.open("wb") as file:
        np.save(file, X)
    assert "it has no array X and no array y" in refusal(["--data", str(path)], capsys)
    write_npz(path)
    path.write_bytes(path.read_bytes()[:-100])
    assert str(path) in refusal(["--data", str(path)], capsys)


def test_missing_or_unknown_data_are_refused(tmp_path, capsys):
    assert "nowhere does not exist" in refusal(["--data", "nowhere"], capsys)
    (tmp_path / "data.txt").write_text("1 2 3")
    assert "neither a folder nor an .npz" in refusal(["--data", "data.txt"], capsys)
    (tmp_path / "empty").mkdir()
    assert "empty has no file train-images" in refusal(["--data", "empty"], capsys)
    assert "nowhere.npz" in refusal(["--data", "nowhere.npz"], capsys)


PIXELS = [f"pixel{i}" for i in range(6)]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"train_header": ["digit", *PIXELS]}, "first column is 'digit', must be 'label'"),
        ({"test_header": ["pixel0", "pixel9", *PIXELS[2:]]}, "'pixel9' where train.csv has"),
        ({"test_header": PIXELS[:5], "test": X[:7, :5].tolist()}, "5 columns, must be the 6"),
        ({"labels": np.where(np.arange(60) == 4, 11, Y)}, "train.csv, line 6: label 11"),
        ({"labels": np.where(np.arange(60) == 4, 2.5, Y)}, "train.csv, line 6: label 2.5"),
        ({"labels": np.where(np.arange(60) == 4, np.nan, Y)}, "train.csv, line 6: label nan"),
        ({"test": [[0, 0, 300, 0, 0, 0]]}, "test.csv, line 2: a pixel is not in 0 to 255"),
        ({"test": [[0, 0, "nan", 0, 0, 0]]}, "test.csv, line 2: a pixel is not in 0 to 255"),
        ({"test": [[0, 0, "x", 0, 0, 0]]}, "could not convert string 'x'"),
        ({"test": [[0] * 6, [0] * 5]}, "number of columns changed"),
        ({"test": [[0] * 5]}, "rows have 5 values, the header has 6 names"),
        ({"test": []}, "has no rows"),
    ],
)
def test_wrong_csv_file_is_refused(tmp_path, capsys, parts, message):
    folder = write_kaggle(tmp_path / "kaggle", **parts)
    line = refusal(["--data", str(folder)], capsys)
    assert str(folder) in line
    assert message in line


@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00garbage\x80,\n1,2\n"])
def test_missing_empty_or_binary_csv_file_is_refused(tmp_path, capsys, name, content):
    folder = write_kaggle(tmp_path / "kaggle")
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    assert str(folder / name) in refusal(["--data", str(folder)], capsys)


def test_output_folder_that_is_a_file_is_refused_before_training(tmp_path, capsys):
    (tmp_path / "out").write_text("")
    assert "out" in refusal(["--out", "out"], capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--layers", "0"],
        ["--layers", "x"],
        ["--layers"],
        ["--batch-size", "0"],
        ["--batch-size", "many"],
        ["--pretrain-iter", "-1"],
        ["--seed", "-1"],
        ["--unknown"],
    ],
)
def test_wrong_options_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert arguments[0] in capsys.readouterr().err
