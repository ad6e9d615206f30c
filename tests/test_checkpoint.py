"""Checkpoints, and processes that die."""

import copy
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from listeners import Listener
from scipy.sparse import csr_matrix
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import minmax_scale
from test_models import WRONG, places, replaced

import skdbn._dbn_base
from skdbn import DBNClassifier, DBNRegressor, RBMTransformer
from skdbn._dbn_base import OF_HELD_OUT_ROWS
from skdbn._files.storage import read, write
from skdbn.datasets import load_digits

pytest.importorskip("sklearn.callback", reason="came with scikit-learn 1.9")
from skdbn import Checkpoint, load_checkpoint, load_model, resume, save_model

pytestmark = pytest.mark.filterwarnings(
    "ignore::skdbn.FewLabelsWarning",
    "ignore::skdbn.HiddenUnitsWarning",
    "ignore::skdbn.NotConvergedWarning",
)

X, X_TEST, Y, Y_TEST = load_digits()
X, Y = X[:300], Y[:300]
LABELS = np.column_stack([Y > 4, Y % 2 == 0, Y == 3]).astype(int)
TARGETS = np.column_stack([1e3 * Y + 0.1, -0.01 * Y])
APART = np.where(np.arange(64) // 22 == (Y % 3)[:, None], X, 0.0)  # other pixels for each class
WEIGHT = np.arange(len(Y)) % 5 / 2.0
QUICK = {"rbm": RBMTransformer(n_iter=2), "batch_size": 16, "random_state": 0}
N_KILLS = 10  # of each kind of net
MACHINE = ("components_", "intercept_visible_", "intercept_hidden_", "h_samples_")
CURVES = ("loss_curve_", "validation_loss_curve_", "free_energy_gap_curve_", "dead_units_curve_")


@pytest.fixture(autouse=True)
def short_trials_of_a_step(monkeypatch):
    """Where some rows have no label, two nets make this many steps before fine-tuning."""
    monkeypatch.setattr("skdbn._dbn.N_STEPS_OF_TRIAL", 200)


class Copies(Listener):
    """Keeps a copy of the checkpoint of every pass."""

    def __init__(self, path):
        self.path, self.copies = path, []

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "pass":
            self.copies.append(self.path.with_name(f"copy {len(self.copies)}"))
            self.copies[-1].write_bytes(self.path.read_bytes())


def fit_with_copies(estimator, tmp_path, *data, **held_out):
    """Fit; return the files that checkpointing left after each pass."""
    copies = Copies(tmp_path / "checkpoint")
    estimator.set_callbacks(Checkpoint(copies.path), copies).fit(*data, **held_out)
    return copies.copies


def assert_same_machine(one, other):
    for name in MACHINE:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)
    for name in CURVES:
        assert getattr(one, name) == getattr(other, name)
    assert one.n_iter_ == other.n_iter_


def assert_same_net(one, other):
    for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)
    for a, b in zip(one.rbms_, other.rbms_, strict=True):
        assert_same_machine(a, b)
    top = "output" if isinstance(one, DBNRegressor) else "softmax"
    for name in (f"{top}_loss_curve_", "loss_curve_", "n_iter_", "n_layers_"):
        assert getattr(one, name) == getattr(other, name)
    for name in OF_HELD_OUT_ROWS:
        assert getattr(one, name, None) == getattr(other, name, None)
    np.testing.assert_array_equal(one.predict(X_TEST), other.predict(X_TEST))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gradient": "pcd", "n_gibbs_steps": 2, "random_state": None},
        {"early_stopping": True, "tol": 0.01, "n_iter_no_change": 1, "n_iter": 9},
        {"visible_units": "gaussian", "hidden_units": "gaussian", "learning_rate": 0.001},
    ],
)
def test_machine_goes_on_with_the_same_bits_from_any_pass(options, tmp_path):
    rbm = RBMTransformer(**{"n_components": 10, "n_iter": 4, "random_state": 0, **options})
    files = fit_with_copies(rbm, tmp_path, X)
    assert len(files) == rbm.n_iter_
    for file in files:
        assert_same_machine(resume(file, X), rbm)


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": "auto"},
        {"solver": "sgd", "alpha": 1e-3, "random_state": None},
        {"early_stopping": True, "n_iter_no_change": 1, "finetune_iter": 6},
        {"pretrain": False, "dropout": 0.3, "input_dropout": 0.1},
        {"noise": np.float64(0.5), "input_noise": 0.2, "adversarial": 0.5, "alpha": 1e-3},
        {"label_smoothing": 0.1, "adversarial": 0.5},
        # of another type than the data in one of the kinds
        {"rbm": [FrozenEstimator(RBMTransformer(9, n_iter=0).fit(X)), RBMTransformer(n_iter=2)]},
        {"rbm": [RBMTransformer(n_iter=2, gradient="pcd"), RBMTransformer(n_iter=0)]},
    ],
)
@pytest.mark.parametrize("kind", [np.float32, np.float64, csr_matrix])
def test_classifier_goes_on_with_the_same_bits_from_any_pass_of_any_phase(options, kind, tmp_path):
    net = DBNClassifier(**{**QUICK, "softmax_iter": 2, "finetune_iter": 2, **options})
    net.set_params(hidden_layer_sizes=(9, 7))
    data = csr_matrix(X) if kind is csr_matrix else X.astype(kind)
    labels = np.array([f"digit {y}" for y in Y], object)
    files = fit_with_copies(net, tmp_path, data, labels)
    assert len(files) == sum(rbm.n_iter_ for rbm in net.rbms_) + 2 + net.n_iter_
    for file in files:
        assert_same_net(resume(file, data, labels), net)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_net_of_scaled_measurements_resumes_with_the_same_bits(early_stopping, dtype, tmp_path):
    # What is trained are not the weights that the net publishes.
    rng = np.random.default_rng(0)
    table = minmax_scale(rng.normal(size=(60, 4))).astype(dtype)
    net = DBNClassifier((6,), rbm=RBMTransformer(n_iter=1), softmax_iter=1, finetune_iter=4)
    net.set_params(early_stopping=early_stopping, n_iter_no_change=1, random_state=0)
    for file in fit_with_copies(net, tmp_path, table, Y[:60] % 3):
        resumed = resume(file, table, Y[:60] % 3)
        np.testing.assert_array_equal(resumed.predict_proba(table), net.predict_proba(table))
        assert resumed.loss_curve_ == net.loss_curve_
    assert net.n_iter_ > 1


@pytest.mark.parametrize(
    ("kind", "y", "options"),
    [
        (DBNRegressor, TARGETS, {}),
        (DBNRegressor, TARGETS[:, 0], {"loss": "absolute_error", "adversarial": 0.5}),
        (DBNRegressor, Y, {"loss": "poisson", "early_stopping": True, "n_iter_no_change": 1}),
        (DBNClassifier, LABELS, {"label_smoothing": 0.1, "noise": 0.5}),
        (DBNClassifier, LABELS, {"early_stopping": True}),
        (DBNClassifier, Y, {"early_stopping": "loss", "class_weight": {3: 2.5, 4: 0.5}}),
    ],
)
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_net_of_every_head_goes_on_with_the_same_bits(kind, y, options, weight, tmp_path):
    net = kind((9, 7), finetune_iter=3, **QUICK, **options)
    net.set_params(**{f"{'output' if kind is DBNRegressor else 'softmax'}_iter": 2})
    files = fit_with_copies(net, tmp_path, X, y, weight)
    assert len(files) == 4 + 2 + net.n_iter_
    for file in files:
        assert_same_net(resume(file, X, y, weight), net)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    ("unlabeled", "kind", "options"),
    [
        (-1, np.float32, {}),
        ("none", csr_matrix, {"early_stopping": True, "n_iter_no_change": 1}),
        (np.nan, np.float64, {"virtual_adversarial": 0.5, "adversarial": 0.5, "pretrain": False}),
    ],
)
def test_net_of_few_labels_goes_on_with_the_same_bits(unlabeled, kind, options, weight, tmp_path):
    net = DBNClassifier((16, 12), unlabeled=unlabeled, **QUICK)
    net.set_params(softmax_iter=1, finetune_iter=3, **options)
    y = np.array([unlabeled if i % 4 else label for i, label in enumerate(Y % 3)])
    data = csr_matrix(APART) if kind is csr_matrix else APART.astype(kind)
    files = fit_with_copies(net, tmp_path, data, y, weight)
    assert net.virtual_adversarial_ > 0.0
    for file in files:
        resumed = resume(file, data, y, weight)
        assert_same_net(resumed, net)
        assert resumed.virtual_adversarial_ == net.virtual_adversarial_
    with pytest.raises(ValueError, match="other data"):
        resume(files[0], data, np.where(np.arange(len(Y)) == 1, y[0], y), weight)


@pytest.mark.parametrize("has_gaps", [True, False])
def test_length_of_a_virtual_adversarial_step_is_decided_once(has_gaps, tmp_path, monkeypatch):
    data, y = APART, np.where(np.arange(len(Y)) % 4, -1, Y % 3)
    if not has_gaps:
        data = np.random.default_rng(0).normal(size=(len(Y), 30))
        y = np.where(np.arange(len(Y)) < 20, data[:, 0] + data[:, 1] > 0, -1)
    lengths, try_step = [], skdbn._dbn_base.try_step

    def counted(*given):
        trial = try_step(*given)
        lengths.append(trial.length)
        return trial

    monkeypatch.setattr("skdbn._dbn_base.try_step", counted)
    net = DBNClassifier((9,), rbm=RBMTransformer(n_iter=1), unlabeled=-1, random_state=0)
    net.set_params(softmax_iter=2, finetune_iter=3)
    files = fit_with_copies(net, tmp_path, data, y)
    assert lengths == [net.virtual_adversarial_]
    assert (net.virtual_adversarial_ > 0.0) is has_gaps
    assert len(files) == 1 + 2 + 3
    for file, n_decisions in zip(files, [1, 1, 1, 0, 0, 0], strict=True):
        lengths.clear()
        resumed = resume(file, data, y)
        assert lengths == n_decisions * [net.virtual_adversarial_]
        assert resumed.virtual_adversarial_ == net.virtual_adversarial_
        assert resumed.loss_curve_ == net.loss_curve_
        for one, other in zip(resumed.coefs_, net.coefs_, strict=True):
            np.testing.assert_array_equal(one, other)


def test_part_after_a_resumed_fit_keeps_the_length_of_the_step(tmp_path, monkeypatch):
    y = np.where(np.arange(len(Y)) % 4, -1, Y % 3)
    net = DBNClassifier((9,), rbm=RBMTransformer(n_iter=1), unlabeled=-1, random_state=0)
    net.set_params(softmax_iter=1, finetune_iter=2)
    files = fit_with_copies(net, tmp_path, APART, y)
    monkeypatch.setattr("skdbn._dbn.LEAST_AGREEMENT", 2.0)  # another trial would say 0
    resumed = resume(files[-2], APART, y)
    for model in (net, resumed):
        length = model.virtual_adversarial_
        assert model.partial_fit(APART, y).virtual_adversarial_ == length > 0.0


def test_weighted_machine_goes_on_with_the_same_bits(tmp_path):
    rbm = RBMTransformer(5, n_iter=3, early_stopping=True, random_state=0)
    for file in fit_with_copies(rbm, tmp_path, X, None, WEIGHT):
        assert_same_machine(resume(file, X, sample_weight=WEIGHT), rbm)


@pytest.mark.parametrize("kind", [RBMTransformer, DBNClassifier, DBNRegressor])
def test_other_weights_are_refused(kind, tmp_path):
    quick = {"random_state": 0} if kind is RBMTransformer else {"pretrain": False}
    n_iter = "n_iter" if kind is RBMTransformer else "finetune_iter"
    given = {} if kind is RBMTransformer else {"y_val": Y_TEST}
    weight = 1.0 + WEIGHT  # with a weight of 0 the rows that are left would differ, too
    given = {"X_val": X_TEST, **given, "sample_weight_val": 1 + np.arange(len(X_TEST)) % 3}
    estimator = kind(5, **{n_iter: 2}, **quick)
    file = fit_with_copies(estimator, tmp_path, X, Y, sample_weight=weight, **given)[0]
    same = {"sample_weight": 2.0 * weight, **given}  # weights that say the same
    resume(file, X, Y, **same)
    for other in (
        {"sample_weight": None},
        {"sample_weight": weight[::-1]},
        {"sample_weight": weight + 1.0},
        {"sample_weight_val": None},
        {"sample_weight_val": same["sample_weight_val"][::-1]},
    ):
        with pytest.raises(ValueError, match="other data .* same X, y, weights and held-out rows"):
            resume(file, X, Y, **{**same, **other})


@pytest.mark.parametrize("y", [TARGETS[::-1], TARGETS[:, ::-1], TARGETS[:, 0]])
def test_other_targets_are_refused(y, tmp_path):
    net = DBNRegressor(5, pretrain=False, output_iter=0, finetune_iter=1, random_state=0)
    file = fit_with_copies(net, tmp_path, X, TARGETS)[0]
    with pytest.raises(ValueError, match="other data|targets, not"):
        resume(file, X, y)


def test_given_held_out_rows_go_on_too(tmp_path):
    quick = {"rbm": RBMTransformer(n_iter=2), "softmax_iter": 1, "finetune_iter": 3}
    net = DBNClassifier((9,), early_stopping=True, random_state=0, **quick)
    held_out = {"X_val": X_TEST, "y_val": Y_TEST}
    for file in fit_with_copies(net, tmp_path, X, Y, **held_out):
        assert_same_net(resume(file, X, Y, **held_out), net)


def test_warm_start_goes_on_from_its_checkpoint(tmp_path):
    quick = {"rbm": RBMTransformer(n_iter=1), "softmax_iter": 1, "finetune_iter": 2}
    net = DBNClassifier((9,), warm_start=True, random_state=0, **quick).fit(X, Y)
    net.set_params(rbm__n_iter=3)
    for file in fit_with_copies(net, tmp_path, X, Y):
        assert_same_net(resume(file, X, Y), net)


def test_resumed_training_writes_to_the_same_file_as_often(tmp_path):
    path = tmp_path / "checkpoint"
    rbm = RBMTransformer(5, n_iter=7, random_state=0).set_callbacks(Checkpoint(path, every=3))
    rbm.fit(X)
    assert read(path, "checkpoint")["state"]["training"]["n_passes"] == 6
    path.write_bytes(path.read_bytes())
    resumed = resume(path, X)
    assert resumed.n_iter_ == 7
    assert read(path, "checkpoint")["every"] == 3


def test_other_data_are_refused(tmp_path):
    path = tmp_path / "checkpoint"
    net = DBNClassifier((5,), rbm=RBMTransformer(n_iter=1), softmax_iter=0, finetune_iter=1)
    net.set_callbacks(Checkpoint(path)).fit(X, Y)
    for data, labels in ((X[::-1], Y), (X, Y[::-1]), (X[:-1], Y[:-1]), (X[:, :-1], Y)):
        with pytest.raises(
            ValueError,
            match="belongs to a training on other data .* same X, y, weights and held-out",
        ):
            resume(path, data, labels)


@pytest.mark.parametrize("kind", [np.asarray, csr_matrix])
def test_other_held_out_rows_are_refused(kind, tmp_path):
    quick = {"rbm": RBMTransformer(n_iter=1), "softmax_iter": 1, "finetune_iter": 2}
    net = DBNClassifier((5,), early_stopping=True, random_state=0, **quick)
    held_out = {"X_val": kind(X_TEST), "y_val": Y_TEST}
    file = fit_with_copies(net, tmp_path, X, Y, **held_out)[1]
    for other in (
        {},
        {"X_val": kind(X_TEST[:-1]), "y_val": Y_TEST[:-1]},
        {"X_val": kind(X_TEST[::-1]), "y_val": Y_TEST},
        {"X_val": kind(X_TEST), "y_val": Y_TEST[::-1]},
    ):
        with pytest.raises(ValueError, match="other data .* same X, y, weights and held-out rows"):
            resume(file, X, Y, **other)
    assert_same_net(resume(file, X, Y, **held_out), net)
    rbm = RBMTransformer(5, n_iter=2, random_state=0)
    file = fit_with_copies(rbm, tmp_path, X, X_val=kind(X_TEST))[0]
    with pytest.raises(ValueError, match="other data"):
        resume(file, X, X_val=kind(X_TEST[::-1]))
    assert_same_machine(resume(file, X, X_val=kind(X_TEST)), rbm)


@pytest.mark.parametrize(
    "labels", [Y, Y.astype(str).astype(object), [None] * len(Y), csr_matrix(Y[:, None])]
)
def test_machine_resumes_without_the_labels_that_it_ignores(labels, tmp_path):
    rbm = RBMTransformer(5, n_iter=2, early_stopping=True, random_state=0)
    file = fit_with_copies(rbm, tmp_path, X, labels)[0]
    assert_same_machine(resume(file, X), rbm)


def test_sparse_rows_without_a_stored_value_are_recognized(tmp_path):
    rbm, empty = RBMTransformer(5, n_iter=2, random_state=0), csr_matrix((3, X.shape[1]))
    file = fit_with_copies(rbm, tmp_path, X, X_val=empty)[0]
    assert_same_machine(resume(file, X, X_val=empty), rbm)


def test_resumed_estimator_may_be_fitted_to_other_data(tmp_path):
    rbm = RBMTransformer(5, n_iter=2, random_state=0)
    resumed = resume(fit_with_copies(rbm, tmp_path, X)[0], X)
    assert resumed.fit(X[:50]).n_iter_ == 2


def test_checkpoint_without_a_state_is_refused(tmp_path):
    file = fit_with_copies(RBMTransformer(5, n_iter=1), tmp_path, X)[0]
    content = read(file, "checkpoint")
    for state in ({}, {"state": None}, {"state": []}):
        write(file, "checkpoint", {**{k: content[k] for k in content if k != "state"}, **state})
        with pytest.raises(ValueError, match="is damaged"):
            resume(file, X)


def test_damaged_file_and_other_kinds_are_refused(tmp_path):
    path = tmp_path / "checkpoint"
    rbm = RBMTransformer(5, n_iter=1).set_callbacks(Checkpoint(path)).fit(X)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="damaged"):
        resume(path, X)
    save_model(rbm, path)
    with pytest.raises(ValueError, match="contains a model, not a checkpoint"):
        resume(path, X)
    with pytest.raises(FileNotFoundError):
        resume(tmp_path / "nothing", X)


@pytest.mark.parametrize("phase", ["pretrain layer 1", "pretrain layer 2", "softmax", "other"])
@pytest.mark.parametrize("n_machines", [0, 1])
def test_checkpoint_of_a_phase_that_does_not_fit_the_model_is_refused(phase, n_machines, tmp_path):
    quick = {"rbm": RBMTransformer(n_iter=2), "softmax_iter": 2, "finetune_iter": 2}
    net = DBNClassifier((5, 4), random_state=0, **quick)
    file = fit_with_copies(net, tmp_path, X, Y)[2]  # of the second layer
    content = read(file, "checkpoint")
    del content["model"]["attributes"]["rbms_"][n_machines:]
    content["state"]["phase"] = phase
    write(file, "checkpoint", content)
    with pytest.raises(ValueError, match="is damaged"):
        resume(file, X, Y)


def test_impossible_random_numbers_are_refused(tmp_path):
    path = tmp_path / "checkpoint"
    RBMTransformer(5, n_iter=1).set_callbacks(Checkpoint(path)).fit(X)
    content = read(path, "checkpoint")
    content["model"]["attributes"]["_kept"]["engine"]["state"]["state"][0] = -1
    write(path, "checkpoint", content)
    with pytest.raises(ValueError, match=r"is damaged: a part is missing or .* \(OverflowError"):
        load_checkpoint(path)


def test_checkpoint_belongs_on_the_estimator_itself(tmp_path):
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(RBMTransformer()).set_callbacks(Checkpoint(tmp_path / "checkpoint"))
    with pytest.raises(TypeError, match="set on a Pipeline. Set it on the RBMTransformer or DBN"):
        model.fit(X)
    with pytest.raises(ValueError, match="every == 0, must be >= 1"):
        Checkpoint("file", every=0)


class Tasks(Listener):
    """Notes the tasks that begin."""

    def __init__(self):
        self.names = []

    def on_fit_task_begin(self, estimator, context):
        self.names.append(context.task_name)

    def on_fit_task_end(self, estimator, context):
        pass


@pytest.mark.parametrize("where", ["no folder/checkpoint", "pipe"])
def test_file_that_can_not_be_written_is_reported_before_training(where, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    tasks = Tasks()
    rbm = RBMTransformer(5, n_iter=1).set_callbacks(Checkpoint(tmp_path / where), tasks)
    with pytest.raises((FileNotFoundError, ValueError), match="no folder|a folder, a device or"):
        rbm.fit(X)
    assert tasks.names == []
    assert os.listdir(tmp_path) == ["pipe"]


def test_parameter_that_no_file_can_hold_is_reported_before_training(tmp_path):
    class OtherMachine(RBMTransformer):
        """A machine of which the package knows nothing."""

    tasks, net = Tasks(), DBNClassifier((5,), rbm=OtherMachine())
    net.set_callbacks(Checkpoint(tmp_path / "file"), tasks)
    with pytest.raises(TypeError, match="cannot contain a OtherMachine"):
        net.fit(X, Y)
    assert tasks.names == []
    assert os.listdir(tmp_path) == []


def test_long_labels_are_not_copied_for_a_checkpoint(tmp_path):
    labels = np.array([text * 200_000 for text in "ab"], object)[Y % 2]
    quick = {"rbm": RBMTransformer(n_iter=1), "softmax_iter": 1, "finetune_iter": 1}
    net = DBNClassifier((5,), **quick).set_callbacks(Checkpoint(tmp_path / "checkpoint"))
    tracemalloc.start()
    net.fit(X, labels)
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert largest < 20_000_000  # 300 of them, each four bytes a character, are 240 million


KILLS = """
import os, random, signal, sys, time
from pathlib import Path

import skdbn
from skdbn import Checkpoint, RBMTransformer, load_checkpoint, resume, save_model
from skdbn.datasets import load_digits

folder, n_kills = Path(sys.argv[1]), int(sys.argv[2])
X, _, y, _ = load_digits()
X, y = X[:300], y[:300]
weight = 1.0 + y % 3
QUICK = {"rbm": RBMTransformer(n_iter=8), "batch_size": 16, "random_state": 0}


def train(kind, path, out):
    if path.exists():
        net = resume(path, X, y, weight)
    else:
        net = kind((16, 8), finetune_iter=8, early_stopping=True, **QUICK)
        net.set_callbacks(Checkpoint(path)).fit(X, y, weight)
    save_model(net, out)


def killed(kind, path, out, seconds):
    child = os.fork()
    if child == 0:
        train(kind, path, out)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def kill_often(kind, folder):
    folder.mkdir()
    start = time.perf_counter()
    train(kind, folder / "whole", folder / "expected")
    duration = time.perf_counter() - start
    made = n_runs = 0
    while made < n_kills:
        path = folder / f"run {n_runs}"
        while killed(kind, path, folder / "result", random.uniform(0.0, 0.4 * duration)):
            made += 1
            if path.exists():
                load_checkpoint(path)  # whole, whenever the kill came
            if made >= n_kills:
                train(kind, path, folder / "result")
                break
        os.rename(folder / "result", folder / f"result {n_runs}")
        n_runs += 1
    return made


random.seed(0)
for name in sys.argv[3:]:
    print(kill_often(getattr(skdbn, name), folder / name))
"""


@pytest.mark.exhaustive
def test_training_that_is_killed_again_and_again_ends_with_the_same_bits(tmp_path):
    # SIGKILL at random moments, in processes that are forked so that each starts at once.
    kinds = "DBNClassifier", "DBNRegressor"
    command = [sys.executable, "-W", "ignore", "-c", KILLS, tmp_path, str(N_KILLS), *kinds]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert [int(n) >= N_KILLS for n in result.stdout.split()] == [True, True]
    for folder in map(tmp_path.joinpath, kinds):
        expected = load_model(folder / "expected")
        results = sorted(folder.glob("result *"))
        assert results
        assert {path.name for path in folder.glob(".*")} <= {".result.tmp"}  # of the last kill
        for file in results:
            assert_same_net(load_model(file), expected)


def test_checkpoint_can_be_looked_at(tmp_path):
    quick = {"rbm": RBMTransformer(n_iter=2), "softmax_iter": 1, "finetune_iter": 1}
    net = DBNClassifier((9, 7), random_state=0, **quick)
    files = fit_with_copies(net, tmp_path, X, Y)
    early, last = load_checkpoint(files[0]), load_checkpoint(files[-1])
    assert [rbm.n_iter_ for rbm in early.rbms_] == [1]
    assert_same_net(last, net)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("pass_number", "kind"),  # of the first machine, the top layer, fine-tuning
    [(0, csr_matrix), (2, np.asarray), (4, np.asarray), (2, DBNRegressor), (4, DBNRegressor)],
)
def test_checkpoint_with_a_wrong_part_is_refused_or_goes_on(
    pass_number, kind, tmp_path, monkeypatch
):
    quick = {"rbm": RBMTransformer(n_iter=2), "finetune_iter": 2, "random_state": 0}
    if kind is DBNRegressor:
        net, data = DBNRegressor((5,), output_iter=2, **quick), X[:60]
    else:
        net, data = DBNClassifier((5,), softmax_iter=2, **quick), kind(X[:60])
    file = fit_with_copies(net, tmp_path, data, Y[:60])[pass_number]
    whole, n_refused = read(file, "checkpoint"), 0
    parts = {name: whole[name] for name in ("every", "data", "groups", "state")}
    for place in places(parts):
        for value in WRONG:
            content = copy.deepcopy({**whole, **replaced(parts, place, value)})
            monkeypatch.setattr("skdbn._files.checkpoint.read", lambda *_, c=content: c)
            try:
                resumed = resume(file, data, Y[:60])
            except ValueError:
                n_refused += 1
            else:
                assert np.isfinite(resumed.predict(X_TEST[:2])).all()
                assert np.isfinite(resumed.transform(X_TEST[:2])).all()
    assert n_refused > 50


def test_checkpoint_whose_best_pass_is_wrong_is_refused(tmp_path, monkeypatch):
    net = DBNClassifier((5,), finetune_iter=4, early_stopping=True, **QUICK)
    whole = read(fit_with_copies(net, tmp_path, X[:60], Y[:60] % 2)[-2], "checkpoint")
    best = whole["state"]["training"]["best"]
    assert best["parameters"] is not None
    for name in best:
        place = "state", "training", "best", name
        content = replaced(whole, place, "x")
        monkeypatch.setattr("skdbn._files.checkpoint.read", lambda *_, c=content: c)
        with pytest.raises(ValueError, match=r"^The checkpoint is damaged"):
            resume(tmp_path / "file", X[:60], Y[:60] % 2)
