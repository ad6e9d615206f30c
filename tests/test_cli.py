"""The command line, mostly in this process."""

import errno
import gzip
import io
import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from test_datasets import DAMAGES, GZIP_DAMAGES, LABELS, damaged_folder, idx, write_folder
from threadpoolctl import threadpool_limits

from skdbn import DBNClassifier, RBMTransformer, __version__, load_model, save_model
from skdbn._cli import data as cli_data, main as cli, report, samplers, scores
from skdbn._cli.main import main
from skdbn._cli.options import RECIPES, parse
from skdbn._cli.training import new_net as net_of
from skdbn.datasets import load_digits

pytestmark = pytest.mark.filterwarnings(  # most trainings here are short on purpose
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)
SHORT = ["--layers", "10", "--pretrain-iter", "1", "--softmax-iter", "2", "--finetune-iter", "2"]
QUICK = [*SHORT, "--splits", "1"]
RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, 256, (60, 6)), np.arange(60) % 3
DRAW = report.draw
PIXELS = [f"pixel{i}" for i in range(6)]
DIGITS = RECIPES["digits"]
HAS_CALLBACKS = hasattr(DBNClassifier, "set_callbacks")
NEIGHBORS = "[KNeighborsClassifier(3)] predicting 360 rows\n"
MACHINE_PASS, SOFTMAX_PASS = "pretrain layer 1: pass {} of ", "softmax: pass {} of "
FINETUNE_PASS = "finetune: pass {} of "
# Without callbacks the net itself prints its passes.
BEFORE_A_PASS = (
    "" if HAS_CALLBACKS else "[DBNClassifier] pretrain layer 1: 64 to 10 units\n[DBNClassifier] "
)


# Two BLAS threads of which one waits for a busy core take a hundred times as long as one.
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "draw", lambda *_: [])  # takes longer than the short trainings
    with threadpool_limits(1):
        yield


@pytest.fixture
def with_figures(monkeypatch):
    monkeypatch.setattr(cli, "draw", DRAW)
    monkeypatch.setattr(samplers, "MOST_PASSES", 1)


def write_npz(path, **arrays):
    np.savez(path, **{"X": X.astype(np.uint8), "y": Y, **arrays})
    return path


def write_csv(path, header, rows):
    lines = [",".join(header), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def write_kaggle(folder, labels=Y, train_header=None, test_header=None, test=X[:7]):
    folder.mkdir(exist_ok=True)
    train = [[label, *row] for label, row in zip(labels, X, strict=True)]
    write_csv(folder / "train.csv", train_header or ["label", *PIXELS], train)
    write_csv(folder / "test.csv", test_header or PIXELS, test)
    return folder


def frame(rows):
    """The rows with the names of their columns."""
    return pd.DataFrame(rows, columns=PIXELS)


def read_report(folder):
    return json.loads((folder / "report.json").read_text())


def new_net(options):
    """The net that is trained on classes."""
    return net_of(options, cli_data.Data(*[None] * 4))


def loaded(path):
    """What the command line trains on."""
    return cli_data.load(parse(["--data", str(path)]))


# -- the main job


def test_command_prints_the_table_and_writes_report_and_model(tmp_path, capsys):
    code = (  # the machine that fantasies come from is trained for one pass
        "import runpy; from skdbn._cli import samplers; samplers.MOST_PASSES = 1; "
        "runpy.run_module('skdbn', run_name='__main__')"
    )
    command = [sys.executable, "-c", code, *QUICK, "--out", "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ONE_THREAD)
    title, head, *rows, last = done.stdout.splitlines()
    assert last == "wrote 7 figures to out; open index.html there to see all results"
    assert title == "digits: 1437 training rows, 360 test rows, 64 features, 10 classes"
    assert head.split() == ["test", "error", "fit", "seconds", "predict", "seconds"]
    names = [row.split("  ")[0] for row in rows]
    assert names == ["KNeighborsClassifier(3)", "DBNClassifier, softmax phase", "DBNClassifier"]
    assert MACHINE_PASS.format(1) in done.stderr
    assert FINETUNE_PASS.format(2) in done.stderr
    assert done.stderr.count(" left\n") == (5 if HAS_CALLBACKS else 0)

    report, model = read_report(tmp_path / "out"), load_model(tmp_path / "out" / "model.npz")
    for row, result in zip(rows, report["results"], strict=True):
        assert f"{result['test_error']:.2%}" in row
    assert report["finished"]
    _, X_test, _, y_test = load_digits()
    assert 1 - model.score(X_test, y_test) == pytest.approx(report["results"][-1]["test_error"])


@pytest.mark.usefixtures("with_figures")
def test_figures_are_written_for_every_layer(tmp_path, capsys):
    assert main([*QUICK, "--layers", "12", "8", "--out", "out"]) == 0
    names = {path.stem for path in (tmp_path / "out").glob("*.png")}
    assert names == {
        "reconstruction",
        "bias_probes",
        "unit_probes_layer_1",
        "unit_probes_layer_2",
        "samples",
        "mixing",
        "activations",
        "loss_curves",
    }
    for path in (tmp_path / "out").glob("*.png"):
        assert plt.imread(path).std() > 0.05
    assert not plt.get_fignums()


@pytest.mark.usefixtures("with_figures")
def test_net_without_a_pass_has_figures_but_no_loss_curves(tmp_path, capsys):
    no_pass = ["--pretrain-iter", "0", "--softmax-iter", "0", "--finetune-iter", "0"]
    assert main([*QUICK, *no_pass, "--out", "out"]) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"bias_probes.png", "index.html"} <= names
    assert "loss_curves.png" not in names


@pytest.mark.usefixtures("with_figures")
def test_show_opens_the_figures_or_says_that_it_cannot(capsys, monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(len(plt.get_fignums())))
    assert main([*QUICK, "--show"]) == 0
    assert "no display to show figures on; pass --out DIR" in capsys.readouterr().err
    monkeypatch.setattr("matplotlib.get_backend", lambda: "windows")
    assert main([*QUICK, "--show"]) == 0
    assert shown == [7]


def test_command_ends_where_a_fit_ends(tmp_path, capsys):
    assert main([*QUICK, "--seed", "3", "--batch-size", "20", "--out", "out"]) == 0
    model = load_model(tmp_path / "out" / "model.npz")
    X_train, X_test, y_train, y_test = load_digits()
    plain = DBNClassifier(
        (10,),
        rbm=RBMTransformer(n_iter=1, batch_size=20),
        softmax_iter=2,
        finetune_iter=2,
        batch_size=20,
        noise=DIGITS["noise"],
        input_noise=DIGITS["input_noise"],
        adversarial=DIGITS["adversarial"],
        random_state=3,
    ).fit(X_train, y_train)
    for name in ("coefs_", "intercepts_"):
        for one, other in zip(getattr(model, name), getattr(plain, name), strict=True):
            np.testing.assert_array_equal(one, other)
    for name in ("softmax_loss_curve_", "loss_curve_", "n_iter_"):
        assert getattr(model, name) == getattr(plain, name)
    error = np.mean(plain.predict(X_test) != y_test)
    assert read_report(tmp_path / "out")["results"][-1]["test_error"] == error
    for one, other in ((model, plain), (model.rbms_[0], plain.rbms_[0])):
        assert repr(one.get_params()) == repr(other.get_params())  # those that were asked for


def test_softmax_row_is_the_error_before_fine_tuning(tmp_path, capsys):
    main([*QUICK, "--out", "all"])
    main([*QUICK, "--finetune-iter", "0", "--out", "part"])
    softmax, final = (row["test_error"] for row in read_report(tmp_path / "all")["results"][1:])
    assert softmax != final
    part = read_report(tmp_path / "part")["results"]
    assert [row["test_error"] for row in part[1:]] == [softmax, softmax]


def test_seed_decides_the_result(tmp_path, capsys):
    errors = []
    for seed, out in (("0", "a"), ("0", "b"), ("1", "c")):
        main([*QUICK, "--seed", seed, "--out", out])
        errors.append(read_report(tmp_path / out)["finetune_loss"])
    assert errors[0] == errors[1] != errors[2]


def test_other_data_get_the_default_net(tmp_path):
    options = parse(["--data", "data.npz"])
    default = DBNClassifier(rbm=RBMTransformer(), random_state=0)
    assert repr(new_net(options).get_params()) == repr(default.get_params())
    assert options.splits == 1


def test_options_go_before_the_choice_for_the_digits():
    given = ["--layers", "40", "--pretrain-iter", "3", "--softmax-iter", "0"]
    net = new_net(parse([*given, "--finetune-iter", "4"]))
    assert (net.hidden_layer_sizes, net.rbm.n_iter) == ((40,), 3)
    assert (net.softmax_iter, net.finetune_iter, net.noise) == (0, 4, DIGITS["noise"])
    assert new_net(parse([])).finetune_iter == DIGITS["finetune_iter"]


# -- several splits


def test_digits_are_split_five_times(tmp_path, capsys):
    assert main([*SHORT, "--out", "out"]) == 0
    _, head, *rows, _ = capsys.readouterr().out.splitlines()
    assert head.startswith("mean of 5 splits ")
    report, model = read_report(tmp_path / "out"), load_model(tmp_path / "out" / "model.npz")
    splits = [report["results"], *report["results_of_further_splits"]]
    for i, row in enumerate(rows):
        errors = [results[i]["test_error"] for results in splits]
        assert len(set(errors)) > 1
        assert f"{np.mean(errors):.2%} {np.std(errors, ddof=1):8.2%} " in row
    _, X_test, _, y_test = load_digits()
    assert 1 - model.score(X_test, y_test) == pytest.approx(splits[0][-1]["test_error"])


def test_each_split_has_a_seed_of_its_own(tmp_path, capsys):
    main([*SHORT, "--splits", "2", "--seed", str(2**32 - 1), "--out", "out"])
    (further,) = read_report(tmp_path / "out")["results_of_further_splits"]
    X, X_test, y, y_test = load_digits(random_state=1)
    net = new_net(parse([*QUICK, "--seed", "0"])).fit(X, y)
    assert further[-1]["test_error"] == np.mean(net.predict(X_test) != y_test)


def test_data_that_come_unsplit_are_split_as_often_as_asked_for(tmp_path, capsys):
    path = write_npz(tmp_path / "data.npz")
    assert main(["--data", str(path), *SHORT, "--splits", "3"]) == 0
    captured = capsys.readouterr()
    assert "mean of 3 splits" in captured.out
    splits = [line for line in captured.err.splitlines() if line.startswith("split")]
    assert splits == ["split 1 of 3", "split 2 of 3", "split 3 of 3"]
    options = parse(["--data", str(path)])
    one, other = (cli_data.load(options, split) for split in (0, 1))
    assert not np.array_equal(one.X_test, other.X_test)


@pytest.mark.parametrize(
    "moment",
    [
        "split 3 of 3\n",
        f"split 3 of 3\n{NEIGHBORS}",
        f"split 3 of 3\n{NEIGHBORS}{BEFORE_A_PASS}{MACHINE_PASS.format(1)}",
    ],
)
def test_table_after_ctrl_c_is_of_the_finished_splits(tmp_path, capsys, monkeypatch, moment):
    monkeypatch.setattr(sys, "stderr", InterruptingStream(moment))
    assert main([*SHORT, "--splits", "3", "--out", "out"]) == 130
    assert "mean of 2 splits" in capsys.readouterr().out
    report = read_report(tmp_path / "out")
    assert (report["finished"], report["n_finished_splits"]) == (False, 2)
    assert len(report["results_of_further_splits"]) == 1
    page = (tmp_path / "out" / "index.html").read_text()
    assert "The run was interrupted after 2 of 3 splits." in page
    assert "in phase" not in page


def test_npz_file_is_split(tmp_path, capsys):
    path = write_npz(tmp_path / "data.npz", y=np.array(list("abc"))[Y])
    assert main(["--data", str(path), *QUICK]) == 0
    assert f"{path}: 50 training rows, 10 test rows, 6 features, 3 classes" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (X.astype(np.uint8), X / 255),
        (X / 255, X / 255),
        ((X > 99).astype(np.uint8), X > 99),  # bytes, but not from 0 to 255
        (X > 99, X > 99),
        (np.where(X > 99, 1 + 1e-12, 0), X > 99),  # what MinMaxScaler leaves
    ],
)
def test_npz_file_is_scaled(tmp_path, given, expected):
    data = loaded(write_npz(tmp_path / "data.npz", X=given))
    rows = np.vstack([data.X_train, data.X_test])
    assert rows.dtype == np.float32
    order, expected_order = (np.lexsort(np.round(a, 3).T) for a in (rows, expected * 1.0))
    np.testing.assert_allclose(rows[order], expected[expected_order], rtol=1e-6)


def test_idx_folder_is_read(tmp_path, capsys):
    folder = write_folder(tmp_path / "idx", zipped=True)
    assert main(["--data", str(folder), *QUICK]) == 0
    assert "12 training rows, 6 test rows, 20 features, 10 classes" in capsys.readouterr().out


@pytest.mark.parametrize("step", [1, 0.5])
def test_kaggle_folder_is_split_and_scaled(tmp_path, step):
    # Whole numbers take a way of their own, and so do other numbers.
    folder = write_kaggle(tmp_path / "kaggle", test=X[:7] * step)
    data = loaded(folder)
    assert (len(data.y_train), len(data.y_test)) == (50, 10)
    np.testing.assert_allclose(data.X_submission, X[:7] * step / 255, rtol=1e-6)
    for rows, labels in ((data.X_train, data.y_train), (data.X_test, data.y_test)):
        assert rows.dtype == np.float32
        for row, label in zip(rows, labels, strict=True):
            assert Y[np.isclose(X / 255, row).all(axis=1)].tolist() == [label]


def test_csv_files_of_other_programs_are_read(tmp_path):
    folder = write_kaggle(tmp_path / "kaggle")
    expected = loaded(folder)
    for path in folder.iterdir():
        header, *lines = path.read_text().splitlines()
        header = ",".join(f'"{name}"' for name in header.split(","))
        path.write_bytes("\r\n".join(["\ufeff" + header, *lines, "", "  ", ""]).encode())
    for given, array in zip(loaded(folder), expected, strict=True):
        np.testing.assert_array_equal(given, array)


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
        model = load_model(tmp_path / out / "model.npz")
        labels = model.predict(frame((X[:7] / 255).astype(np.float32)))
        assert [int(line.split(",")[1]) for line in lines[1:]] == labels.tolist()


@pytest.fixture
def folder_with_ids(tmp_path):
    header = ["PassengerId", "Survived", *PIXELS]
    train = [[f"{i:03}", Y[i], *X[i]] for i in range(60)]
    test = [[f"{900 + 7 * i}", *X[i]] for i in range(7)]
    (tmp_path / "titanic").mkdir()
    write_csv(tmp_path / "titanic" / "train.csv", header, train)
    write_csv(tmp_path / "titanic" / "test.csv", ["PassengerId", *PIXELS], test)
    return "titanic"


@pytest.mark.parametrize("label", ["Survived", "2"])
def test_submission_has_the_ids_and_the_name_of_the_labels(
    tmp_path, capsys, folder_with_ids, label
):
    data = ["--data", folder_with_ids, "--label", label]
    assert main([*data, *SHORT, "--splits", "1", "--no-knn", "--out", "out"]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "PassengerId" in line]
    assert told == [
        "skdbn: column 'PassengerId' only numbers the rows and is not used; to make it a feature, "
        "rename it"
    ]
    model = load_model(tmp_path / "out" / "model.npz")
    labels = model.predict(frame((X[:7] / 255).astype(np.float32)))
    rows = [f"{900 + 7 * i},{label}" for i, label in enumerate(labels)]
    content = (tmp_path / "out" / "submission.csv").read_text()
    assert content == "\n".join(["PassengerId,Survived", *rows, ""])


def test_column_that_numbers_the_rows_is_named_once(capsys, folder_with_ids):
    data = ["--data", f"{folder_with_ids}/train.csv", "--label", "Survived"]
    assert main([*data, *SHORT, "--splits", "2", "--no-knn"]) == 0
    captured = capsys.readouterr()
    assert captured.err.count("'PassengerId' only numbers the rows and is not used") == 1
    assert "50 training rows, 10 test rows, 6 features, 3 classes" in captured.out


def test_model_takes_the_files_of_its_training_whose_rows_have_ids(
    tmp_path, capsys, folder_with_ids
):
    for data in (folder_with_ids, f"{folder_with_ids}/train.csv"):
        start = ["--data", data, "--label", "Survived", "--no-knn"]
        assert main([*start, *QUICK, "--out", "out"]) == 0
        assert main([*start, "--load", "out/model.npz", "--out", "again"]) == 0
        scores = [read_report(tmp_path / name)["results"][-1] for name in ("out", "again")]
        assert scores[0]["test_error"] == scores[1]["test_error"]
        assert capsys.readouterr().err.count("'PassengerId' only numbers the rows") == 2


def test_codes_are_labels_of_models_and_submissions(tmp_path):
    codes = np.array(["0012", "0007", "1200"])
    folder = write_kaggle(tmp_path / "kaggle", labels=codes[Y])
    assert main(["--data", str(folder), *QUICK, "--out", "out"]) == 0
    lines = (tmp_path / "out" / "submission.csv").read_text().splitlines()
    assert {line.split(",")[1] for line in lines[1:]} <= set(codes)
    assert main(["--data", str(folder), "--load", "out/model.npz", "--out", "again"]) == 0
    assert (tmp_path / "again" / "submission.csv").read_text().splitlines() == lines


# -- interruption


def test_ctrl_c_saves_what_was_learned_so_far(tmp_path):
    # Whoever starts the tests in the background may have told its children to ignore Ctrl-C.
    code = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('skdbn', run_name='__main__')"
    )
    command = [sys.executable, "-c", code, "--layers", "30", "20", "--out", "out"]
    command += ["--pretrain-iter", "1000000"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=ONE_THREAD) as process:
        try:
            seen = next(line for line in process.stderr if MACHINE_PASS.format(3) in line)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=100)
        finally:
            process.kill()
    assert seen.endswith("left\n" if HAS_CALLBACKS else "s\n")
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("skdbn: interrupted")
    assert "KNeighborsClassifier" in out
    report, model = read_report(tmp_path / "out"), load_model(tmp_path / "out" / "model.npz")
    assert not report["finished"]
    assert len(report["reconstruction_error"][0]) >= 3
    assert model.predict(load_digits()[1]).shape == (360,)


class InterruptingStream(io.StringIO):
    """Standard error that presses Ctrl-C after the first line with a text in it."""

    def __init__(self, text):
        super().__init__()
        self.text = text

    def write(self, text):
        super().write(text)
        if self.text and text.endswith("\n") and self.text in self.getvalue():
            self.text = None
            raise KeyboardInterrupt


@pytest.mark.exhaustive
@pytest.mark.usefixtures("with_figures")
@pytest.mark.parametrize(
    ("moment", "n_passes"),
    [
        ("[KNeighborsClassifier", None),
        (MACHINE_PASS.format(1), (1, 0, 0)),
        (SOFTMAX_PASS.format(1), (2, 1, 0)),
        (FINETUNE_PASS.format(1), (2, 2, 1)),
    ],
)
def test_ctrl_c_at_any_moment_keeps_the_parameters_that_were_asked_for(
    tmp_path, capsys, monkeypatch, moment, n_passes
):
    monkeypatch.setattr(sys, "stderr", InterruptingStream(moment))
    assert main([*QUICK, "--pretrain-iter", "2", "--out", "out"]) == 130
    assert sys.stderr.getvalue().splitlines()[-1].startswith("skdbn: interrupted")
    assert "warning" not in sys.stderr.getvalue()  # one line says it
    report = read_report(tmp_path / "out")
    assert not report["finished"]
    assert (tmp_path / "out" / "model.npz").exists() == (n_passes is not None)
    if n_passes is None:
        return
    model = load_model(tmp_path / "out" / "model.npz")
    curves = (
        sum(report["reconstruction_error"], []),
        report["softmax_loss"],
        report["finetune_loss"],
    )
    assert tuple(map(len, curves)) == n_passes
    assert model.predict(load_digits()[1]).shape == (360,)
    assert (model.softmax_iter, model.finetune_iter, model.rbm.n_iter) == (2, 2, 2)
    assert (model.warm_start, model.verbose) == (False, 0)
    assert {rbm.verbose for rbm in model.rbms_} <= {0}


def test_ctrl_c_between_the_fits_saves_the_softmax_phase(tmp_path, capsys, monkeypatch):
    def interrupt(name, *args, evaluate=scores.evaluate):
        if name.startswith("DBN"):
            raise KeyboardInterrupt
        return evaluate(name, *args)

    monkeypatch.setattr(cli, "evaluate", interrupt)
    assert main([*QUICK, "--out", "out"]) == 130
    model = load_model(tmp_path / "out" / "model.npz")
    assert len(model.softmax_loss_curve_) == 2
    assert model.finetune_iter == 2


@pytest.mark.parametrize("function", ["load", "write"])
def test_ctrl_c_outside_of_training_is_no_traceback(capsys, monkeypatch, function):
    def interrupt(*args, **others):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, function, interrupt)
    assert main(QUICK) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "skdbn: interrupted"


def test_ctrl_c_without_out_writes_no_submission(tmp_path, monkeypatch):
    write_kaggle(tmp_path / "kaggle")
    monkeypatch.setattr(sys, "stderr", InterruptingStream(FINETUNE_PASS.format(1)))
    assert main(["--data", "kaggle", *QUICK]) == 130
    assert not (tmp_path / "submission.csv").exists()


@pytest.mark.parametrize(
    ("moment", "is_written"), [(MACHINE_PASS.format(1), False), (SOFTMAX_PASS.format(1), True)]
)
def test_net_that_was_not_trained_to_predict_writes_no_submission(
    tmp_path, monkeypatch, moment, is_written
):
    write_kaggle(tmp_path / "kaggle")
    monkeypatch.setattr(sys, "stderr", InterruptingStream(moment))
    assert main(["--data", "kaggle", *QUICK, "--out", "out"]) == 130
    text = "skdbn: no submission.csv is written: the top layer has not been trained\n"
    assert (text in sys.stderr.getvalue()) == (not is_written)
    assert (tmp_path / "out" / "submission.csv").exists() == is_written


def test_submission_of_the_user_is_not_replaced(tmp_path, capsys):
    write_kaggle(tmp_path / "kaggle")
    (tmp_path / "submission.csv").write_text("the best one")
    line = refusal(["--data", "kaggle", *QUICK], capsys)
    assert "submission.csv in the current folder is never replaced. Move it, or pass --out" in line
    assert main(["--data", "kaggle", *QUICK, "--out", "out"]) == 0
    assert (tmp_path / "submission.csv").read_text() == "the best one"


# -- what is refused


def refusal(arguments, capsys):
    """Run what must fail before training; return the one line of standard error."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("skdbn: error: ")
    assert captured.out == ""
    return lines[0]


@pytest.mark.parametrize(("name", "content", "message"), DAMAGES)
def test_wrong_idx_file_is_refused(tmp_path, capsys, name, content, message):
    folder = damaged_folder(tmp_path / "idx", name, content, zipped=False)
    line = refusal(["--data", str(folder)], capsys)
    assert str(folder) in line
    assert message in line


def test_idx_folder_comes_split(tmp_path, capsys):
    folder = write_folder(tmp_path / "idx")
    line = refusal(["--data", str(folder), "--splits", "2"], capsys)
    assert f"{folder} comes with test rows of its own. Omit --splits" in line


@pytest.mark.parametrize("content", GZIP_DAMAGES.values(), ids=GZIP_DAMAGES.keys())
def test_damaged_gzip_file_is_refused(tmp_path, capsys, content):
    path = write_folder(tmp_path, zipped=True) / "train-images-idx3-ubyte.gz"
    path.write_bytes(content)
    assert f"{path}: damaged gzip file" in refusal(["--data", str(tmp_path)], capsys)


def test_idx_folder_of_one_class_is_refused(tmp_path, capsys):
    folder = write_folder(tmp_path / "idx")
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(0 * LABELS["train"]))
    assert f"{folder}: all training rows have the same label" in (
        refusal(["--data", str(folder)], capsys)
    )


class Unpickled:
    """What leaves a file behind when it is unpickled."""

    def __reduce__(self):
        return open, ("unpickled", "w")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"X": np.array([[Unpickled()]] * 60)},
            "contains objects, which could execute code",
        ),
        (
            {"y": np.array([Unpickled()] * 60)},
            "contains objects, which could execute code",
        ),
        ({"X": X[:, 0]}, r"X has shape (60,)"),
        ({"X": X.astype(str)}, "must be a matrix of numbers"),
        ({"X": np.empty((0, 6)), "y": np.empty(0, int)}, "X has shape (0, 6)"),
        (
            {"X": np.where(np.arange(360).reshape(60, 6) % 100 == 99, np.nan, 0.5)},
            "a missing value (NaN) in row 16, column 3 (counted from 0); 3 of its 60 rows have "
            "such values. Drop these rows, or fill the values with sklearn.impute.SimpleImputer",
        ),
        ({"X": np.where(X.max() == X, np.inf, X)}, "an infinite value in row"),
        ({"X": np.where(X.max() == X, -1e300, X)}, "values as large as 1e+300, but at most 1e+150"),
        ({"y": Y[:-1]}, "y has shape (59,)"),
        ({"y": Y + 1j}, "type complex128"),
        (
            {"y": np.where(Y == 2, np.nan, Y)},
            "row 2 (counted from 0) has no label, the first of 20",
        ),
        ({"y": np.where(Y == 2, np.inf, Y)}, "y has an infinite value"),
        ({"y": np.full(60, np.nan)}, "row 0 (counted from 0) has no label, the first of 60"),
        ({"y": np.zeros(60, int)}, "60 labelled rows in 1 class(es)"),
        ({"y": np.arange(60)}, "class(es), 1 in the smallest, 0. There must be"),
    ],
)
def test_wrong_npz_file_is_refused(tmp_path, capsys, arrays, message):
    path = write_npz(tmp_path / "data.npz", **arrays)
    line = refusal(["--data", str(path)], capsys)
    assert str(path) in line
    assert message in line

    assert not (tmp_path / "unpickled").exists()


def npz_of(content, name="X.npy"):
    """Bytes of a zip archive with `content` in place of X."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
        archive.writestr("y.npy", npy(Y))
    return file.getvalue()


def npy(array, shape=None):
    """Bytes of an array whose header may lie about its shape."""
    file = io.BytesIO()
    header = {**np.lib.format.header_data_from_array_1_0(array)}
    np.lib.format.write_array_header_1_0(file, {**header, "shape": shape or array.shape})
    return file.getvalue() + array.tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is not a zip archive"),
        (b"PK\x03\x04garbage", "it is not a zip archive"),
        (npy(X), "it is not a zip archive"),
        (gzip.compress(npy(X)), "it is not a zip archive"),
        (npz_of(npy(X))[:-100], "it is not a zip archive"),
        (npz_of(npy(X), "Z.npy"), "it has Z, y"),
        (npz_of(b"text", "X"), "it has y"),
        (npz_of(npy(X)[:-1]), "not an .npz file with X and y"),
        (npz_of(npy(X, (10**15, 6))), "not an .npz file with X and y"),
        (npz_of(npy(X, (59, 6))), "would take"),
        (npz_of(npy(X).replace(b"}", b"(")), "not an .npz file with X and y"),
    ],
    ids=range(11),  # not the bytes, which hold the time: all processes must find the same tests
)
def test_damaged_npz_file_is_refused(tmp_path, capsys, content, message):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    line = refusal(["--data", str(path)], capsys)
    assert str(path) in line
    assert message in line


def test_npz_file_without_y_is_refused(tmp_path, capsys):
    np.savez(tmp_path / "data.npz", X=X)
    assert "X and y; or x_train, y_train, x_test and y_test; or train_images, " in (
        refusal(["--data", "data.npz"], capsys)
    )


def test_missing_or_unknown_data_are_refused(tmp_path, capsys):
    assert "nowhere does not exist" in refusal(["--data", "nowhere"], capsys)
    (tmp_path / "data.txt").write_text("1 2 3")
    assert "data.txt, line 1: there is no header. Pass --label N, the number" in (
        refusal(["--data", "data.txt"], capsys)
    )
    (tmp_path / "data.bin").write_bytes(bytes(100))
    assert "data.bin, line 1: not text" in refusal(["--data", "data.bin"], capsys)
    (tmp_path / "empty").mkdir()
    assert "empty has no file train-images" in refusal(["--data", "empty"], capsys)
    assert "nowhere.npz does not exist" in refusal(["--data", "nowhere.npz"], capsys)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"train_header": ["digit", *PIXELS]},
            "train.csv, line 1: there is no column 'label' among digit, pixel0, pixel1, pixel2, "
            "pixel3, pixel4, pixel5. Pass --label NAME",
        ),
        (
            {"test_header": ["pixel0", "pixel9", *PIXELS[2:]]},
            "column 2 is 'pixel9', but 'pixel1' in train.csv",
        ),
        ({"test_header": PIXELS[:5], "test": X[:7, :5]}, "5 columns, must be the 6"),
        ({"labels": [*Y[:-1], "inf"]}, "y has an infinite value"),
        ({"labels": [*Y[:-1], ""]}, "row 59 (counted from 0) has no label, the first of 1"),
        ({"labels": [*Y[:-1], 9]}, "class(es), 1 in the smallest, 9. There must be"),
        ({"labels": [*Y[:-1], "#1"]}, "class(es), 1 in the smallest"),
        ({"labels": 0 * Y}, "60 labelled rows in 1 class(es)"),
        ({"test": [[0, 0, 300, 0, 0, 0]]}, "255, the others from 0 to 300. Scale both the same"),
        ({"test": [[0, 0, 40000, 0, 0, 0]]}, "the others from 0 to 40000"),
        ({"test": [[0] * 6, [0, 0, 0, 0, 0, -1]]}, "the others from -1 to 0"),
        ({"test": [[0, 0, 0.5, 0, 0, 0]]}, "the others from 0 to 0.5. Scale both the same way"),
        ({"test": [[0, 0, "nan", 0, 0, 0]]}, "test.csv, line 2: no value in column 'pixel2'"),
        (
            {"test": [[0] * 6, [0, 0, "x", 0, 0, 0]]},
            "test.csv, line 3: column 'pixel2' has 'x', which is not a number",
        ),
        ({"test": [[0, 0, "", 0, 0, 0]]}, "test.csv, line 2: no value in column 'pixel2'"),
        ({"test": [[0] * 6, [0] * 5]}, "test.csv, line 3: 5 values, but the first line has 6"),
        ({"test": [[0] * 6, [0] * 7]}, "test.csv, line 3: 7 values, but the first line has 6"),
        ({"test": [[0] * 6, [], [0] * 6]}, "test.csv, line 3: empty, but"),
        ({"test": [[0] * 5]}, "test.csv, line 2: 5 values, but the first line has 6"),
        ({"test": []}, "test.csv, line 2: there are no rows"),
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


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("file", "--out file exists and is not a folder. Pass another path"),
        ("file/out", "file/out: Not a directory"),
        ("/proc", "/proc"),  # a folder that nobody can write to
    ],
)
def test_wrong_output_folder_is_refused_before_training(tmp_path, capsys, out, message):
    (tmp_path / "file").write_text("")
    assert message in refusal(["--out", out], capsys)


@pytest.mark.parametrize("text", ["Unable to allocate 1 PiB", ""])
def test_too_little_memory_is_one_line(capsys, monkeypatch, text):
    def fit(*args):
        raise MemoryError(text)

    monkeypatch.setattr(DBNClassifier, "fit", fit)
    assert main(QUICK) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"skdbn: error: out of memory: {text}")
    assert last.endswith(text or "too large.")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--layers", "0"],
        ["--layers", "x"],
        ["--layers"],
        ["--batch-size", "0"],
        ["--batch-size", "many"],
        ["--pretrain-iter", "-1"],
        ["--softmax-iter", "-1"],
        ["--finetune-iter", "1.5"],
        ["--seed", "-1"],
        ["--seed", str(2**32)],
        ["--splits", "0"],
        ["--splits", "2", "--load", "model.npz"],
        ["--splits", "2", "--checkpoint", "checkpoint"],
        ["--unknown"],
    ],
)
def test_wrong_options_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert arguments[0] in capsys.readouterr().err


# -- saved models and checkpoints


def test_loaded_model_is_evaluated_and_not_trained(tmp_path, capsys):
    assert main([*QUICK, "--out", "out"]) == 0
    first = capsys.readouterr()
    assert main(["--load", "out/model.npz"]) == 0
    second = capsys.readouterr()
    assert "pass" not in second.err
    row_before, row_after = (shown.out.splitlines()[-1].split() for shown in (first, second))
    assert row_before[:2] == row_after[:2]  # the same error


def test_report_of_a_loaded_model_names_its_file_and_claims_no_training(tmp_path):
    assert main([*QUICK, "--out", "out"]) == 0
    assert main(["--load", "out/model.npz", "--out", "again"]) == 0
    report = read_report(tmp_path / "again")
    assert report["load"] == "out/model.npz"
    assert "layers" not in report
    assert "pretrain_iter" not in report
    assert "load" not in read_report(tmp_path / "out")


def test_warnings_of_training_advise_options(capsys):
    assert main([*QUICK, "--no-knn", "--pretrain-learning-rate", "3"]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning: " in line]
    of_machine, of_net = (line.split(". ", 1)[1] for line in lines)
    assert of_machine == "Lower --pretrain-learning-rate, which was 3, tenfold or more."
    assert of_net.startswith("Raise --finetune-iter, ")
    assert "--learning-rate-init" in of_net
    assert main([*QUICK, "--no-knn", "--pretrain-learning-rate", "0.3"]) == 0
    assert "--pretrain-learning-rate" not in capsys.readouterr().err


def test_advice_after_a_divergence_names_options(capsys):
    np.savez("measured.npz", X=RNG.normal(10.0, 5.0, (60, 4)), y=Y)
    command = ["--data", "measured.npz", "--no-knn", "--layers", "5", "--pretrain-iter", "20"]
    assert main([*command, "--pretrain-learning-rate", "50"]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert "Lower --pretrain-learning-rate tenfold or more, or set it to 'auto'. Try: " in message
    assert message.endswith("--pretrain-learning-rate auto")
    assert main([*command, "--pretrain-learning-rate", "auto"]) == 0


@pytest.mark.exhaustive
def test_advice_after_a_divergence_of_the_automatic_rate_gives_a_rate_that_works(capsys):
    factors, loadings = RNG.normal(size=(60, 2)), RNG.normal(size=(2, 300))
    np.savez("measured.npz", X=factors @ loadings, y=Y)
    command = ["--data", "measured.npz", "--no-knn", "--layers", "50", "--pretrain-iter", "300"]
    command += ["--hidden-units", "gaussian", "--pretrain-batch-size", "1", "--finetune-iter", "1"]
    assert main(command) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    rate = re.search(r"Set --pretrain-learning-rate to (\S+) or less\.", message)[1]
    assert message.endswith(f"--pretrain-learning-rate {rate}")
    assert main([*command, "--pretrain-learning-rate", rate]) == 0


def test_warning_of_measurements_with_binary_units_advises_an_option(capsys):
    np.savez("measured.npz", X=RNG.normal(10.0, 5.0, (60, 4)), y=Y)
    command = [*QUICK, "--no-knn", "--data", "measured.npz", "--visible-units"]
    assert main([*command, "binary"]) == 0
    advice = "Set --visible-units auto, which takes measurements on any scale, or scale X"
    assert advice in capsys.readouterr().err
    assert main([*command, "auto"]) == 0
    assert "visible" not in capsys.readouterr().err


@pytest.mark.exhaustive
def test_warning_of_narrow_measurements_advises_an_option_that_works(capsys):
    narrow = 0.001 * RNG.uniform(size=300)
    X = np.column_stack([RNG.uniform(size=(300, 3)), narrow])
    np.savez("narrow.npz", X=X, y=(narrow > 0.0005).astype(int))
    command = ["--no-knn", "--data", "narrow.npz"]
    assert main(command) == 0
    advice = "If columns within [0, 1] are measurements, set --visible-units gaussian.\n"
    assert advice in capsys.readouterr().err
    assert main([*command, "--visible-units", "gaussian"]) == 0
    assert "warning" not in capsys.readouterr().err


def test_loaded_model_of_another_version_is_a_warning_of_one_line(tmp_path, capsys, monkeypatch):
    assert main([*QUICK, "--out", "out"]) == 0
    capsys.readouterr()
    monkeypatch.setattr("skdbn._version.__version__", "9.9")
    assert main(["--load", "out/model.npz"]) == 0
    line = capsys.readouterr().err.splitlines()[0]
    expected = (
        f"skdbn: warning: out/model.npz was saved by skdbn {__version__}, but this is skdbn 9.9"
    )
    assert line.startswith(expected)


def test_loaded_model_must_fit_the_data(tmp_path, capsys):
    rbm = RBMTransformer(3, n_iter=1).fit(load_digits()[0])
    save_model(rbm, "rbm.npz")
    line = refusal(["--load", "rbm.npz"], capsys)
    assert "rbm.npz holds a model of type RBMTransformer, which cannot predict. Pass a DBN" in line
    Path("text.npz").write_text("text")
    assert "text.npz is damaged or not a file of skdbn" in refusal(["--load", "text.npz"], capsys)
    assert "nothing.npz" in refusal(["--load", "nothing.npz"], capsys)
    with pytest.raises(SystemExit):
        main(["--load", "rbm.npz", "--checkpoint", "file"])


needs_callbacks = pytest.mark.skipif(not HAS_CALLBACKS, reason="scikit-learn 1.9 brought callbacks")


@needs_callbacks
@pytest.mark.parametrize(
    ("moment", "n_rows"),
    [("pretrain layer 2: pass 1", 3), ("softmax: pass 1", 3), ("finetune: pass 1", 2)],
)
def test_checkpoint_goes_on_to_the_same_model(tmp_path, capsys, monkeypatch, moment, n_rows):
    job = [*QUICK, "--layers", "12", "8"]
    assert main([*job, "--out", "whole"]) == 0
    job += ["--checkpoint", "checkpoint"]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", InterruptingStream(moment))
        assert main(job) == 130
    capsys.readouterr()
    assert main([*job, "--out", "resumed"]) == 0
    shown = capsys.readouterr()
    assert "resuming from checkpoint" in shown.err
    report = read_report(tmp_path / "resumed")
    assert (len(report["results"]), report["resumed"]) == (n_rows, True)
    assert not read_report(tmp_path / "whole")["resumed"]
    whole, resumed = (load_model(tmp_path / f"{name}/model.npz") for name in ("whole", "resumed"))
    X = load_digits()[1]
    np.testing.assert_array_equal(whole.predict_proba(X), resumed.predict_proba(X))
    assert whole.get_params(deep=False).keys() == resumed.get_params(deep=False).keys()
    assert (resumed.warm_start, resumed.softmax_iter) == (False, 2)


def test_results_are_saved_if_nobody_reads_the_table(tmp_path):
    command = [sys.executable, "-m", "skdbn", *QUICK, "--no-knn", "--gradient", "pcd"]
    command += ["--out", "out"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=ONE_THREAD) as running:
        running.stdout.close()  # as after `| head -0`
    assert running.returncode == 0
    assert read_report(tmp_path / "out")["finished"]
    assert (tmp_path / "out" / "model.npz").exists()
    assert (tmp_path / "out" / "index.html").exists()


def test_scores_do_not_depend_on_the_disk(capsys, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "out/model.npz")

    monkeypatch.setattr("skdbn._cli.outputs.save_model", fail)
    assert main([*QUICK, "--no-knn", "--out", "out"]) == 2
    shown = capsys.readouterr()
    assert "DBNClassifier, softmax phase" in shown.out
    assert "skdbn: error: out/model.npz: No space left on device" in shown.err


def test_folder_in_which_nothing_can_be_written_is_named(tmp_path, capsys, monkeypatch):
    def refuse(path, _):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    write_kaggle(tmp_path / "data")
    (tmp_path / "out").mkdir()
    main(["--data", "data", *QUICK, "--no-knn", "--out", "old"])
    capsys.readouterr()
    monkeypatch.setattr("skdbn._cli.outputs.check_can_write", refuse)
    line = refusal(["--data", "data", *QUICK], capsys)
    assert f"submission.csv cannot be written, pass --out DIR: {tmp_path}: Permission" in line
    line = refusal([*QUICK, "--out", "old"], capsys)
    assert f"--out old: {tmp_path}/old: Permission denied." in line
    if HAS_CALLBACKS:
        line = refusal([*QUICK, "--checkpoint", "file"], capsys)
        assert f"--checkpoint file: {tmp_path}: Permission denied." in line


@needs_callbacks
def test_checkpoint_in_a_folder_that_is_missing_is_refused_before_training(capsys):
    line = refusal([*QUICK, "--checkpoint", "nothing/checkpoint"], capsys)
    assert "--checkpoint nothing/checkpoint: its folder does not exist" in line


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        (MACHINE_PASS.format(1), "DBNClassifier, pretraining"),
        (SOFTMAX_PASS.format(1), "DBNClassifier, softmax phase"),
        (FINETUNE_PASS.format(1), "DBNClassifier"),
    ],
)
def test_last_row_is_named_by_the_phase_that_training_reached(
    moment, name, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(sys, "stderr", InterruptingStream(moment))
    assert main([*QUICK, "--out", "out"]) == 130
    assert read_report(tmp_path / "out")["results"][-1]["name"] == name


@needs_callbacks
def test_checkpoint_of_other_options_is_refused(tmp_path, capsys):
    assert main([*QUICK, "--checkpoint", "checkpoint"]) == 0
    capsys.readouterr()
    line = refusal([*QUICK, "--seed", "1", "--checkpoint", "checkpoint"], capsys)
    assert "made with other options (--seed). Remove it to start again" in line


@needs_callbacks
@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (np.array(list("abc"))[Y], [], "the labels 0, 1, 2. Remove it to start"),
        (Y, ["--n-labels", "12"], "other options (--unlabeled or --n-labels). Remove it"),
    ],
)
@pytest.mark.parametrize("moment", [MACHINE_PASS.format(1), FINETUNE_PASS.format(1)])
def test_checkpoint_of_other_labels_is_refused_with_advice_that_works(
    tmp_path, capsys, monkeypatch, moment, y, options, message
):
    job = ["--data", "data.npz", *QUICK, "--no-knn", "--checkpoint", "state"]
    write_npz(tmp_path / "data.npz")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", InterruptingStream(moment))
        assert main(job) == 130
    capsys.readouterr()
    write_npz(tmp_path / "data.npz", y=y)
    line = refusal([*job, *options], capsys)
    assert f"--checkpoint state already exists and was made with {message}" in line
    Path("state").unlink()
    assert main([*job, *options]) == 0


@needs_callbacks
def test_progress_is_one_line_on_a_terminal(monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    assert main(QUICK) == 0
    shown = sys.stderr.getvalue()
    assert shown.count("\r") == 5
    assert shown.count("left\n") == 1  # where the fit ends
    assert "finetune: pass 2 of 2" in shown.rpartition("\r")[2]


def test_npz_bomb_is_refused_before_it_takes_memory(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("skdbn._cli.readers.MAX_BYTES", 10**6)
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, X=np.zeros((5_000, 1_000), np.uint8), y=np.zeros(5_000, int))
    assert path.stat().st_size < 10**5
    assert "X takes 5000128 bytes unpacked, but at most 1000000 are" in refusal(
        ["--data", str(path)], capsys
    )


def test_npz_member_that_lies_about_its_size_is_refused(tmp_path, capsys):
    path = tmp_path / "lie.npz"
    path.write_bytes(npz_of(npy(X, (10**6, 10**6))))
    assert "would take" in refusal(["--data", str(path)], capsys)
