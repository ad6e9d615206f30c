"""Options of the command line: what they reach, and what is said when something goes wrong."""

import json
import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from test_cli import (
    FINETUNE_PASS,
    MACHINE_PASS,
    QUICK,
    SHORT,
    InterruptingStream,
    needs_callbacks,
    read_report,
    refusal,
)

from skdbn import DBNClassifier, DBNRegressor, RBMTransformer, __version__, load_model, save_model
from skdbn._cli import main as cli, report as reports, samplers
from skdbn._cli.data import Data, load
from skdbn._cli.main import main
from skdbn._cli.options import INTEGERS, PARAMETERS, parse
from skdbn._cli.training import bytes_exceed, new_net
from skdbn.datasets import load_digits

pytestmark = pytest.mark.filterwarnings(  # trainings are short on purpose
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)
CLASSES, NUMBERS = Data(*[None] * 4), Data(*[None] * 4, is_regression=True)
X, X_TEST, Y, Y_TEST = load_digits()


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "draw", lambda *_: [])
    monkeypatch.setattr(sys, "argv", ["skdbn"])


def write_diabetes():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    np.savetxt("diabetes.csv", np.column_stack([X, y]), delimiter=",")
    return ["--data", "diabetes.csv", "--label", "11", "--regress"]


def last_words(capsys):
    return capsys.readouterr().err.splitlines()[-1]


# -- the command


def test_skdbn_is_a_command():
    (command,) = entry_points(group="console_scripts", name="skdbn")
    assert command.load() is main


def test_version_is_printed():
    command = [sys.executable, "-m", "skdbn", "--version"]
    assert (
        subprocess.run(command, capture_output=True, text=True).stdout == f"skdbn {__version__}\n"
    )


# -- what options reach


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.option)
def test_option_sets_its_parameter(parameter):
    number = "2" if parameter.read in INTEGERS else "0.5"
    value = parameter.choices[-1] if parameter.choices else number
    net = new_net(parse([f"--{parameter.option}", value, "--data", "x.npz"]), CLASSES)
    owner, default = (net.rbm, RBMTransformer()) if parameter.estimator is RBMTransformer else (
        net, DBNClassifier(random_state=0))  # fmt: skip
    assert getattr(owner, parameter.name) == (value if parameter.choices else float(number))
    changed = {
        name
        for name, given in owner.get_params(deep=False).items()
        if name != "rbm" and given != getattr(default, name)
    }
    assert changed == {parameter.name}
    net._check_parameters()


def test_published_recipe_of_mnist_is_a_command():
    text = (
        "--data mnist --layers 500 500 2000 --softmax-iter 2 --finetune-iter 20 "
        "--learning-rate-init 2e-3 --noise 0.3 --input-noise 0.1 --adversarial 1 "
        "--label-smoothing 0.1"
    )
    expected = DBNClassifier(
        (500, 500, 2000),
        rbm=RBMTransformer(),
        softmax_iter=2,
        finetune_iter=20,
        learning_rate_init=2e-3,
        noise=0.3,
        input_noise=0.1,
        adversarial=1.0,
        label_smoothing=0.1,
        random_state=0,
    )
    assert repr(new_net(parse(text.split()), CLASSES)) == repr(expected)
    control = new_net(parse([*text.split(), "--no-pretrain"]), CLASSES)
    assert repr(control) == repr(expected.set_params(pretrain=False))


def test_default_parameters_of_the_digits_are_a_command():
    text = "--layers 100 100 --finetune-iter auto --noise auto --input-noise 0 --adversarial 0"
    expected = DBNClassifier(rbm=RBMTransformer(), random_state=0)
    assert repr(new_net(parse(text.split()), CLASSES)) == repr(expected)


def test_size_of_minibatches_of_pretraining_may_be_another():
    net = new_net(parse(["--batch-size", "20", "--pretrain-batch-size", "auto"]), CLASSES)
    assert (net.batch_size, net.rbm.batch_size) == (20, "auto")


def test_regressor_has_the_passes_of_its_top_layer_and_defaults_of_its_own():
    net = new_net(parse(["--data", "x.npz", "--softmax-iter", "3"]), NUMBERS)
    expected = DBNRegressor(rbm=RBMTransformer(), output_iter=3, random_state=0)
    assert repr(net) == repr(expected)
    with pytest.raises(ValueError, match="--label-smoothing works only with classes, but the t"):
        new_net(parse(["--label-smoothing", "0.1"]), NUMBERS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--noise", "-1"],
        ["--noise", "nan"],
        ["--adversarial", "auto"],
        ["--gradient", "sgd"],
        ["--image-shape", "0", "8"],
        ["--n-labels", "0"],
        ["--n-labels", "10", "--unlabeled", "x"],
        ["--data", "digits", "--regress"],
        ["--data", "digits", "--label", "digit"],
        ["--unlabeled", ""],
    ],
)
def test_wrong_options_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert arguments[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--learning-rate-init", "0"),
        ("--pretrain-learning-rate", "0"),
        ("--label-smoothing", "1"),
    ],
)
def test_wrong_parameter_is_refused_before_anything_is_trained(option, value, capsys):
    assert f"error: {option} == {float(value)}, must be" in refusal([option, value], capsys)


# -- jobs


def test_neighbors_are_left_out_when_asked_for(tmp_path, capsys):
    assert main([*QUICK, "--no-knn", "--out", "out"]) == 0
    names = [row["name"] for row in read_report(tmp_path / "out")["results"]]
    assert names == ["DBNClassifier, softmax phase", "DBNClassifier"]


def test_numbers_are_predicted_and_compared(tmp_path, capsys):
    job = [*write_diabetes(), *SHORT, "--out", "out"]
    assert main(job) == 0
    title, head, *rows = capsys.readouterr().out.splitlines()
    assert title.endswith("368 training rows, 74 test rows, 10 features, targets from 25 to 346")
    assert head.split("  ")[-1].strip() == "predict seconds"
    assert "test R^2  mean absolute error" in head
    names = ["KNeighborsRegressor(3), standardized", "DBNRegressor, output phase", "DBNRegressor"]
    assert [row.split("   ")[0].strip() for row in rows] == names
    last = read_report(tmp_path / "out")["results"][-1]
    data = load(parse(job))
    predicted = load_model("out/model.npz").predict(data.X_test)
    assert last["test_r2"] == pytest.approx(r2_score(data.y_test, predicted))
    assert last["test_absolute_error"] == mean_absolute_error(data.y_test, predicted)

    assert main(["--data", "diabetes.csv", "--label", "11", "--load", "out/model.npz"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[:3] == rows[-1].split()[:3]


def test_rows_without_labels_are_learned_from(tmp_path, capsys):
    assert main([*QUICK, "--n-labels", "100", "--virtual-adversarial", "0", "--out", "out"]) == 0
    assert "1437 training rows (100 with labels), 360 test rows" in capsys.readouterr().out
    model = load_model("out/model.npz")
    assert (model.unlabeled, model.classes_.tolist()) == (-1, list(range(10)))


def test_rows_to_watch_change_nothing_but_are_watched(tmp_path, capsys):
    arrays = {"x_train": X[:500], "y_train": Y[:500], "x_test": X_TEST, "y_test": Y_TEST}
    np.savez("plain.npz", **arrays)
    of_medmnist = {
        name.replace("x_", "").replace("y_", "") + ("_images" if "x_" in name else "_labels"): array
        for name, array in arrays.items()
    }
    np.savez("watched.npz", **of_medmnist, val_images=X[500:600], val_labels=Y[500:600])
    for name in ("plain", "watched"):
        assert main(["--data", f"{name}.npz", *SHORT, "--out", name]) == 0
    plain, watched = (load_model(f"{name}/model.npz") for name in ("plain", "watched"))
    assert len(watched.validation_loss_curve_) == 2
    for one, other in zip(plain.coefs_, watched.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)
    assert ", 100 validation rows, " in capsys.readouterr().out


def test_bytes_of_other_types_are_told_of(capsys):
    np.savez("data.npz", X=(X * 255).round(), y=Y)
    assert main(["--data", "data.npz", *SHORT, "--no-knn"]) == 0
    assert "treated as bytes and divided by 255; if they are measurements, pass" in (
        capsys.readouterr().err
    )
    np.savez("data.npz", X=(X * 255).round().astype(np.uint8), y=Y)
    assert main(["--data", "data.npz", *SHORT, "--no-knn"]) == 0
    assert "treated as bytes" not in capsys.readouterr().err


def test_whole_numbers_that_are_measurements_are_not_divided(capsys):
    measured = (X * 255).round()
    np.savez("data.npz", X=measured, y=Y)
    arguments = ["--data", "data.npz", *SHORT, "--visible-units", "gaussian"]
    options = parse([*arguments, "--splits", "2"])
    assert [load(options, split).X_train.max() for split in (0, 1)] == [255.0, 255.0]
    assert main([*arguments, "--out", "out"]) == 0  # as the message about bytes advises
    assert "treated as bytes" not in capsys.readouterr().err
    net = load_model("out/model.npz")
    assert net._limits[1].max() > 127.0
    assert main(["--data", "data.npz", "--load", "out/model.npz"]) == 0
    assert "bytes" not in capsys.readouterr().err


@pytest.mark.filterwarnings("default:.* test rows have the labels")
def test_test_rows_of_an_unknown_class_are_told_of(capsys):
    y_test = np.where(np.arange(len(Y_TEST)) < 3, 17, Y_TEST)
    np.savez("data.npz", x_train=X, y_train=Y, x_test=X_TEST, y_test=y_test)
    assert main(["--data", "data.npz", *SHORT, "--no-knn"]) == 0
    message = f"test rows have the labels 17, which no training row has: 3 of {len(Y_TEST)} count"
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("part", "wrong", "options", "message"),
    [
        (
            "test_images",
            np.nan,
            [],
            "data.npz: X of the test rows has a missing value (NaN) in row",
        ),
        ("val_images", np.inf, [], "data.npz: X of the validation rows has an infinite value in "),
        ("train_images", 1e200, [], "data.npz: X of the training rows has values as large as 1e+"),
        ("test_labels", -1, ["--unlabeled", "-1"], "data.npz: no test row has a label. Add labels"),
        ("val_labels", -1, ["--unlabeled", "-1"], "data.npz: no validation row has a label. Add "),
        ("val_labels", 7, [], "data.npz: validation rows have the labels 7, which no training row"),
    ],
)
def test_part_in_which_something_is_wrong_is_named(capsys, part, wrong, options, message):
    parts = {
        f"{name}_{kind}": np.array(array[:60], float)
        for name in ("train", "val", "test")
        for kind, array in (("images", X), ("labels", np.arange(60) % 3))
    }
    np.savez("data.npz", **{**parts, part: np.full_like(parts[part], wrong)})
    assert message in refusal(["--data", "data.npz", *options], capsys)


# -- models that do not know the data


@pytest.fixture
def model_of_digits():
    net = DBNClassifier((5,), rbm=RBMTransformer(n_iter=1), softmax_iter=1, finetune_iter=1)
    save_model(net.fit(X, Y), "digits.npz")


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (X, np.where(Y > 4, 1, -1), "digits.npz does not know the labels -1 of data.npz. It was t"),
        (X, Y + 100, "102, 103, 104 and 5 more of data.npz. It was trained on the labels 0"),
        (X, Y.astype(str), "does not know the labels '0', '1', '2', '3', '4' and 5 more"),
        (X[:, :10], Y, "digits.npz was trained on 64 features, but data.npz has 10"),
        (X, Y + 0.5, "digits.npz predicts classes, but the targets of data.npz are numbers"),
    ],
)
@pytest.mark.usefixtures("model_of_digits")
def test_model_that_does_not_know_the_data_is_refused(capsys, X, y, message):
    np.savez("data.npz", X=X, y=y)
    assert message in refusal(["--data", "data.npz", "--load", "digits.npz"], capsys)


def test_model_of_numbers_is_refused_for_text_without_naming_an_option_not_given(capsys):
    net = DBNRegressor((5,), rbm=RBMTransformer(n_iter=1), output_iter=1, finetune_iter=1)
    save_model(net.fit(X, Y), "numbers.npz")
    np.savez("data.npz", X=X, y=Y.astype(str))
    for options in ([], ["--regress"]):
        job = ["--data", "data.npz", "--load", "numbers.npz", *options]
        line = refusal(job, capsys)
        assert "must be a number. numbers.npz predicts numbers: pass a model of classes to" in line
        assert "--regress" not in line


@pytest.mark.usefixtures("model_of_digits")
def test_model_of_pixels_takes_dark_bytes_for_bytes(tmp_path, capsys):
    np.savez("data.npz", X=(X * 100).round().astype(np.uint8), y=Y)
    data = load(parse(["--data", "data.npz"]), bytes_exceed=1)
    assert main(["--data", "data.npz", "--load", "digits.npz", "--no-knn", "--out", "out"]) == 0
    error = np.mean(load_model("digits.npz").predict(data.X_test) != data.y_test)
    assert read_report(tmp_path / "out")["results"][-1]["test_error"] == error


def test_pipeline_with_a_scaler_gets_the_rows_as_they_are(tmp_path, capsys):
    net = DBNClassifier((5,), rbm=RBMTransformer(n_iter=1), softmax_iter=1, finetune_iter=1)
    raw = (X * 255).round().astype(np.uint8)
    save_model(make_pipeline(MinMaxScaler(), net).fit(raw, Y), "pipeline.npz")
    np.savez("data.npz", X=raw, y=Y)
    data = load(parse(["--data", "data.npz"]), bytes_exceed=np.inf)
    assert main(["--data", "data.npz", "--load", "pipeline.npz", "--no-knn", "--out", "out"]) == 0
    report, model = read_report(tmp_path / "out"), load_model("pipeline.npz")
    (row,) = report["results"]
    assert report["softmax_loss"] == model[-1].softmax_loss_curve_
    assert report["finetune_loss"] == model[-1].loss_curve_
    assert row["name"] == "DBNClassifier"
    assert row["test_error"] == np.mean(model.predict(data.X_test) != data.y_test)


@pytest.mark.parametrize(
    ("units", "highest", "divisor"),
    [("binary", 100, 255), ("gaussian", 100, 255), ("auto", 200, 1)],
)
@pytest.mark.parametrize("is_pipeline", [False, True])
def test_what_a_model_was_trained_on_decides_whether_values_are_bytes(
    units, highest, divisor, is_pipeline
):
    raw = np.round(X * highest)
    rbm = RBMTransformer(5, n_iter=1, visible_units=units)
    model = DBNClassifier((5,), rbm=RBMTransformer(n_iter=1), softmax_iter=1, finetune_iter=1)
    if is_pipeline:
        model = make_pipeline("passthrough", make_pipeline(rbm, model))
    else:
        model.set_params(rbm__visible_units=units)
    model.fit(raw / divisor, Y)
    np.savez("data.npz", X=raw, y=Y)
    data = load(parse(["--data", "data.npz"]), bytes_exceed=bytes_exceed(model))
    assert data.X_train.max() == pytest.approx(highest / divisor)


def test_model_of_data_far_from_zero_is_loaded_without_a_warning(capsys):
    net = DBNClassifier((5,), rbm=RBMTransformer(n_iter=1), softmax_iter=1, finetune_iter=1)
    save_model(net.fit(1000 + X, Y), "far.npz")
    np.savez("data.npz", X=1000 + X, y=Y)
    assert main(["--data", "data.npz", "--load", "far.npz", "--no-knn"]) == 0
    assert "warning" not in capsys.readouterr().err


def test_pipeline_within_a_pipeline_has_a_page(tmp_path, capsys):
    net = DBNClassifier((5,), rbm=RBMTransformer(n_iter=1), softmax_iter=1, finetune_iter=1)
    rbm = RBMTransformer(6, n_iter=1)
    model = make_pipeline(MinMaxScaler(), make_pipeline(rbm, net))
    save_model(model.fit(X, Y), "pipeline.npz")
    np.savez("data.npz", X=X, y=Y)
    assert main(["--data", "data.npz", "--load", "pipeline.npz", "--no-knn", "--out", "out"]) == 0
    (row,) = read_report(tmp_path / "out")["results"]
    assert row["name"] == "DBNClassifier"
    assert "finetune" in (tmp_path / "out" / "index.html").read_text()


def test_columns_of_another_order_are_refused(capsys):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X[:, :2], columns=["a", "b"])
    save_model(DBNClassifier((3,), finetune_iter=1).fit(frame, Y), "named.npz")
    frame[["b", "a"]].assign(label=Y).to_csv("data.csv", index=False)
    line = refusal(["--data", "data.csv", "--load", "named.npz"], capsys)
    assert "column 1 was 'a', but is 'b' in data.csv" in line


def write_columns(path, *names):
    """Write two columns and labels; without names, there is no header."""
    columns = {"a": X[:, 2], "b": X[:, 3], "c": X[:, 3], "label": Y}
    rows = np.column_stack([columns[name] for name in names or ("a", "b", "label")])
    np.savetxt(path, rows, fmt="%d", delimiter=",", header=",".join(names), comments="")
    return ["--data", path, "--label", "label" if names else "3"]


def test_model_of_the_command_remembers_the_names_of_its_columns(capsys):
    job = [*write_columns("data.csv", "a", "b", "label"), *QUICK]
    assert main([*job, "--out", "named"]) == 0
    assert load_model("named/model.npz").feature_names_in_.tolist() == ["a", "b"]
    capsys.readouterr()
    load_it = ["--load", "named/model.npz"]
    assert main([*write_columns("same.csv", "label", "a", "b"), *load_it, "--out", "out"]) == 0
    assert main([*write_columns("bare.csv"), *load_it]) == 0
    assert "warning" not in capsys.readouterr().err
    line = refusal([*write_columns("other.csv", "b", "a", "label"), *load_it], capsys)
    assert "column 1 was 'a', but is 'b' in other.csv. Pass the same columns" in line
    line = refusal([*write_columns("other.csv", "a", "c", "label"), *load_it], capsys)
    assert "column 2 was 'b', but is 'c' in other.csv" in line


def test_names_change_no_weight_and_a_table_without_them_leaves_none(capsys):
    assert main([*write_columns("data.csv", "a", "b", "label"), *QUICK, "--out", "named"]) == 0
    assert main([*write_columns("bare.csv"), *QUICK, "--out", "bare"]) == 0
    named, bare = (load_model(f"{name}/model.npz") for name in ("named", "bare"))
    assert not hasattr(bare, "feature_names_in_")
    for one, other in zip(named.coefs_, bare.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)
    assert main([*write_columns("data.csv", "b", "a", "label"), "--load", "bare/model.npz"]) == 0


# -- when training ends early


@pytest.mark.parametrize(
    ("option", "high", "advised"),
    [("--pretrain-learning-rate", "1e30", "auto"), ("--learning-rate-init", "1e300", "0.001")],
)
def test_advice_after_divergence_works(capsys, option, high, advised):
    job = [*QUICK, "--no-knn", option, high]
    assert main(job) == 2
    line = last_words(capsys)
    assert line.startswith("skdbn: error: ")
    assert "diverged" in line
    program, *again = shlex.split(line.partition("Try: ")[2])
    assert program == "skdbn"
    assert again == [*QUICK, "--no-knn", option, advised]
    assert main(again) == 0


@needs_callbacks
def test_divergence_with_a_checkpoint_says_to_remove_it(capsys):
    job = [*QUICK, "--no-knn", "--learning-rate-init", "1e300", "--checkpoint", "state"]
    assert main(job) == 2
    assert "Remove state, the checkpoint of the diverged training. Try: skdbn" in last_words(capsys)


@needs_callbacks
def test_divergence_in_the_first_pass_left_no_checkpoint_to_remove(capsys):
    job = [*QUICK, "--no-knn", "--pretrain-learning-rate", "1e300", "--checkpoint", "state"]
    assert main(job) == 2
    line = last_words(capsys)
    assert "Remove" not in line
    assert main(shlex.split(line.partition("Try: skdbn ")[2])) == 0


@needs_callbacks
def test_interruption_says_how_to_go_on(capsys, monkeypatch):
    job = [*QUICK, "--no-knn", "--checkpoint", "my state"]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", InterruptingStream(FINETUNE_PASS.format(1)))
        assert main(job) == 130
        line = sys.stderr.getvalue().splitlines()[-1]
    program, *again = shlex.split(line.partition("Resume with: ")[2])
    assert (program, again) == ("skdbn", job)
    assert main(again) == 0
    assert "resuming from my state" in capsys.readouterr().err


def test_interruption_without_a_checkpoint_names_the_option(monkeypatch):
    monkeypatch.setattr(sys, "stderr", InterruptingStream(FINETUNE_PASS.format(1)))
    assert main([*QUICK, "--no-knn"]) == 130
    line = sys.stderr.getvalue().splitlines()[-1]
    assert line.endswith("these are the results so far. To be able to resume next time, pass "
                         "--checkpoint FILE")  # fmt: skip


def test_interruption_before_anything_was_learned_leaves_earlier_results(tmp_path, monkeypatch):
    assert main([*QUICK, "--out", "out"]) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    monkeypatch.setattr(sys, "stderr", InterruptingStream("[KNeighborsClassifier"))
    assert main([*QUICK, "--seed", "1", "--out", "out"]) == 130
    assert "nothing has been learned yet" in sys.stderr.getvalue()
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@needs_callbacks
@pytest.mark.parametrize("moment", [MACHINE_PASS.format(1), "output: pass 1 of "])
def test_regressor_goes_on_from_a_checkpoint(capsys, monkeypatch, moment):
    job = [*write_diabetes(), *SHORT, "--no-knn"]
    assert main([*job, "--out", "whole"]) == 0
    job += ["--checkpoint", "state", "--out", "resumed"]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", InterruptingStream(moment))
        assert main(job) == 130
    assert main(job) == 0
    whole, resumed = (load_model(f"{name}/model.npz") for name in ("whole", "resumed"))
    for one, other in zip(whole.coefs_, resumed.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


def test_checkpoint_without_callbacks_is_refused(capsys, monkeypatch):
    monkeypatch.setattr(cli, "DBNClassifier", object)  # as with scikit-learn 1.8
    assert "--checkpoint needs scikit-learn 1.9" in refusal(["--checkpoint", "state"], capsys)


@needs_callbacks
def test_checkpoint_where_nothing_can_be_written_is_refused_before_training(capsys):
    assert "--checkpoint /proc/state: /proc: " in refusal(["--checkpoint", "/proc/state"], capsys)


# -- files of an earlier run


def test_figures_of_an_earlier_run_do_not_stay(tmp_path, monkeypatch, capsys):
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(samplers, "MOST_PASSES", 1)
    monkeypatch.setattr(reports, "DOTS_PER_INCH", 20)
    assert main([*QUICK, "--layers", "5", "4", "--no-knn", "--out", "out"]) == 0
    assert (tmp_path / "out" / "unit_probes_layer_2.png").exists()
    assert main([*QUICK, "--layers", "5", "--no-knn", "--out", "out"]) == 0
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert "unit_probes_layer_2.png" not in files
    assert files == json.loads((tmp_path / "out" / "report.json").read_text())["files"]


@pytest.mark.parametrize("has_results", [False, True])
@pytest.mark.parametrize("trouble", [KeyboardInterrupt, MemoryError])
def test_trouble_with_the_figures_leaves_one_run_and_the_command_works_again(
    monkeypatch, capsys, has_results, trouble
):
    def stop(options, out, data, net):
        out.write("one.png", b"")
        raise trouble

    job, folder = [*QUICK, "--no-knn", "--out", "out"], Path("out")
    if has_results:
        assert main([*job, "--layers", "5"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(cli, "draw", stop)
        assert main(job) in (2, 130)
    report = read_report(folder)
    assert not report["finished"]
    assert report["layers"] == [10]
    assert len(load_model("out/model.npz").intercepts_[0]) == 10
    assert sorted(path.name for path in folder.iterdir()) == ["model.npz", "one.png", "report.json"]
    assert main(job) == 0
    assert read_report(folder)["finished"]
    assert not Path("out/one.png").exists()


def test_folder_of_the_user_is_refused_before_training(tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model.npz").write_text("mine")
    line = refusal(["--out", "out"], capsys)
    assert "--out out has files that skdbn did not write" in line
    assert (tmp_path / "out" / "model.npz").read_text() == "mine"
