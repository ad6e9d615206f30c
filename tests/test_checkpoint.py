"""Checkpoints, and processes that die."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from skdbn import DBNClassifier, RBMTransformer
from skdbn._storage import read
from skdbn.datasets import load_digits

pytest.importorskip("sklearn.callback", reason="came with scikit-learn 1.9")
from skdbn import Checkpoint, resume

pytestmark = pytest.mark.filterwarnings(
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)

X, X_TEST, Y, Y_TEST = load_digits()
X, Y = X[:300], Y[:300]
N_KILLS = 20
MACHINE = ("components_", "intercept_visible_", "intercept_hidden_", "h_samples_")
CURVES = ("loss_curve_", "validation_loss_curve_", "free_energy_gap_curve_", "dead_units_curve_")


class Copies:
    """Keeps a copy of the checkpoint of every pass."""

    def __init__(self, path):
        self.path, self.copies = path, []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

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
    for name in ("softmax_loss_curve_", "loss_curve_", "n_iter_", "n_layers_"):
        assert getattr(one, name) == getattr(other, name)
    assert getattr(one, "validation_scores_", None) == getattr(other, "validation_scores_", None)


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
        {},
        {"solver": "sgd", "alpha": 1e-3, "random_state": None},
        {"early_stopping": True, "n_iter_no_change": 1, "finetune_iter": 6},
        {"pretrain": False, "dropout": 0.3, "input_dropout": 0.1},
        {"rbm": [RBMTransformer(n_iter=2, gradient="pcd"), RBMTransformer(n_iter=0)]},
    ],
)
@pytest.mark.parametrize("kind", [np.float32, np.float64, csr_matrix])
def test_classifier_goes_on_with_the_same_bits_from_any_pass_of_any_phase(options, kind, tmp_path):
    quick = {"rbm": RBMTransformer(n_iter=2), "softmax_iter": 2, "finetune_iter": 2}
    net = DBNClassifier(**{"hidden_layer_sizes": (9, 7), "random_state": 0, **quick, **options})
    data = csr_matrix(X) if kind is csr_matrix else X.astype(kind)
    labels = np.array([f"digit {y}" for y in Y], object)
    files = fit_with_copies(net, tmp_path, data, labels)
    assert len(files) == sum(rbm.n_iter_ for rbm in net.rbms_) + 2 + net.n_iter_
    for file in files:
        assert_same_net(resume(file, data, labels), net)


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
    assert read(path, "checkpoint")["state"]["n_passes"] == 6
    path.write_bytes(path.read_bytes())
    resumed = resume(path, X)
    assert resumed.n_iter_ == 7
    assert read(path, "checkpoint")["every"] == 3


def test_other_data_are_refused(tmp_path):
    path = tmp_path / "checkpoint"
    net = DBNClassifier((5,), rbm=RBMTransformer(n_iter=1), softmax_iter=0, finetune_iter=1)
    net.set_callbacks(Checkpoint(path)).fit(X, Y)
    for data, labels in ((X[::-1], Y), (X, Y[::-1]), (X[:-1], Y[:-1])):
        with pytest.raises(ValueError, match="belongs to a training on other data .* same X and y"):
            resume(path, data, labels)


def test_damaged_file_and_other_kinds_are_refused(tmp_path):
    path = tmp_path / "checkpoint"
    rbm = RBMTransformer(5, n_iter=1).set_callbacks(Checkpoint(path)).fit(X)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="damaged"):
        resume(path, X)
    from skdbn import save_model

    save_model(rbm, path)
    with pytest.raises(ValueError, match="holds a model, not a checkpoint"):
        resume(path, X)
    with pytest.raises(FileNotFoundError):
        resume(tmp_path / "nothing", X)


def test_checkpoint_belongs_on_the_estimator_itself(tmp_path):
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(RBMTransformer()).set_callbacks(Checkpoint(tmp_path / "checkpoint"))
    with pytest.raises(TypeError, match="set on a Pipeline: set it on the RBMTransformer or DBN"):
        model.fit(X)
    with pytest.raises(ValueError, match="every == 0, must be >= 1"):
        Checkpoint("file", every=0)


TRAINING = """
import sys
from pathlib import Path

import numpy as np

from skdbn import Checkpoint, DBNClassifier, RBMTransformer, resume, save_model
from skdbn.datasets import load_digits

path, out = map(Path, sys.argv[1:])
X, _, y, _ = load_digits()
print("begin", flush=True)
if path.exists():
    net = resume(path, X, y)
else:
    net = DBNClassifier((64, 32), rbm=RBMTransformer(n_iter=12), early_stopping=True,
                        random_state=0)
    net.set_callbacks(Checkpoint(path)).fit(X, y)
save_model(net, out)
"""


def test_training_that_is_killed_again_and_again_ends_with_the_same_bits(tmp_path):
    from skdbn import load_model

    command = [sys.executable, "-W", "ignore", "-c", TRAINING]
    whole = subprocess.Popen([*command, tmp_path / "whole", tmp_path / "a"], stdout=-1)
    whole.stdout.readline()
    start = time.perf_counter()
    assert whole.wait() == 0
    duration = time.perf_counter() - start
    whole.stdout.close()
    expected = load_model(tmp_path / "a")
    rng = np.random.default_rng(0)
    path, n_kills = tmp_path / "checkpoint", 0
    while n_kills < N_KILLS:
        process = subprocess.Popen([*command, path, tmp_path / "b"], stdout=-1)
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.5 * duration))
        process.send_signal(signal.SIGKILL)
        ended_by_itself = process.wait() == 0
        process.stdout.close()
        n_kills += not ended_by_itself
        if path.exists():
            read(path, "checkpoint")  # whole, whenever the kill came
        if ended_by_itself or n_kills == N_KILLS // 2:
            if not ended_by_itself:
                subprocess.run([*command, path, tmp_path / "b"], check=True, stdout=-1)
            assert_same_net(load_model(tmp_path / "b"), expected)
            path.unlink()  # and once more from the start
