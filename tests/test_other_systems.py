"""What other systems do differently, imitated: Windows, network drives, other Pythons, threads."""

import errno
import io
import json
import os
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer
from threadpoolctl import threadpool_limits

from skdbn import (
    Checkpoint,
    DBNClassifier,
    DBNRegressor,
    RBMTransformer,
    load_model,
    resume,
    save_model,
)
from skdbn._cli.main import main
from skdbn._cli.options import command
from skdbn._cli.outputs import Folder
from skdbn._cli.report import say
from skdbn._files import steps, storage
from skdbn._files.storage import read, write
from skdbn._training.callbacks import HAS_CALLBACKS

pytestmark = pytest.mark.filterwarnings(
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)
needs_callbacks = pytest.mark.skipif(not HAS_CALLBACKS, reason="scikit-learn 1.9 brought callbacks")
X = np.random.default_rng(0).random((60, 5), dtype=np.float32)
Y = np.arange(60) % 2
QUICK = [
    *("--splits", "1", "--layers", "4", "--no-knn", "--pretrain-iter", "1"),
    *("--softmax-iter", "1", "--finetune-iter", "2"),
]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("skdbn._cli.main.draw", lambda *_: [])
    with threadpool_limits(1):
        yield


# -- files


@pytest.mark.parametrize("n_failures", [1, 3])
def test_file_that_another_process_reads_is_replaced_once_it_is_free(monkeypatch, n_failures):
    failures, replace = iter([True] * n_failures), os.replace

    def replace_when_free(*paths):
        if next(failures, False):
            raise PermissionError(errno.EACCES, "Access is denied")
        replace(*paths)

    monkeypatch.setattr(storage, "WAITS", (0.0, 0.0))
    monkeypatch.setattr(os, "replace", replace_when_free)
    if n_failures < 3:
        write("file", "model", {"a": 1})
        assert read("file", "model") == {"a": 1}
    else:
        with pytest.raises(PermissionError, match="Access is denied"):
            write("file", "model", {"a": 1})
    assert os.listdir() == ["file"] * (n_failures < 3)


def test_file_is_written_where_folders_can_not_be_synced(tmp_path, monkeypatch):
    fsync = os.fsync

    def sync_files(handle):
        if os.path.samestat(os.fstat(handle), os.stat(tmp_path)):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", sync_files)
    write(tmp_path / "file", "model", {"a": 1})
    assert read(tmp_path / "file", "model") == {"a": 1}


def test_model_of_a_computer_with_another_byte_order_works(monkeypatch):
    def swapped(array):
        return array.astype(array.dtype.newbyteorder("S"))

    rbm = RBMTransformer(3, n_iter=1, random_state=0).fit(X)
    net = DBNClassifier((3,), finetune_iter=2, random_state=0).fit(X, Y)
    regressor = DBNRegressor((3,), finetune_iter=2, random_state=0).fit(X, X[:, 0])
    encode = storage._encode
    for model in (rbm, net, regressor):
        with monkeypatch.context() as patch:

            def encode_swapped(value, arrays):
                is_number = isinstance(value, np.ndarray) and value.dtype.kind in "iuf"
                return encode(swapped(value) if is_number else value, arrays)

            patch.setattr(storage, "_encode", encode_swapped)
            save_model(model, "model.npz")
        loaded = load_model("model.npz")
        assert not any(
            not array.dtype.isnative
            for array in vars(loaded).values()
            if isinstance(array, np.ndarray)
        )
        np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    assert load_model("model.npz").predict(X).dtype.isnative
    save_model(rbm, "rbm.npz")
    assert load_model("rbm.npz").sample(2, 3, random_state=0).shape == (2, 5)


@needs_callbacks
def test_training_goes_on_where_the_disk_is_full_and_the_checkpoint_stays_whole(monkeypatch):
    numbers, replaced = iter(range(1, 100)), storage.replaced

    @contextmanager
    def replaced_unless_full(path):
        if next(numbers) in (3, 4):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        with replaced(path) as file:
            yield file

    rbm = RBMTransformer(3, n_iter=4, random_state=0)
    expected = RBMTransformer(3, n_iter=4, random_state=0).fit(X)
    monkeypatch.setattr(storage, "replaced", replaced_unless_full)
    message = r"rbm.ckpt could not be written: No space left on device\. Training goes on"
    with pytest.warns(UserWarning, match=message) as caught:
        rbm.set_callbacks(Checkpoint("rbm.ckpt")).fit(X)
    of_disk = [warning for warning in caught if warning.category is UserWarning]
    assert [warning.filename for warning in of_disk] == [__file__]
    np.testing.assert_array_equal(rbm.components_, expected.components_)
    resumed = resume("rbm.ckpt", X)  # from pass 2
    assert len(resumed.loss_curve_) == 4
    np.testing.assert_array_equal(resumed.components_, expected.components_)


@needs_callbacks
def test_command_line_tells_at_once_that_a_checkpoint_can_not_be_written(monkeypatch, capsys):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("skdbn._files.checkpoint.write", fail)
    assert main([*QUICK, "--checkpoint", "state"]) == 0
    lines = capsys.readouterr().err.splitlines()
    told = [i for i, line in enumerate(lines) if "state could not be written: No space" in line]
    assert len(told) == 1
    assert "finetune: pass 1" in "".join(lines[told[0] :])


# -- threads and warnings


@pytest.mark.filterwarnings("ignore::skdbn.GrowingWeightsWarning")
def test_errors_that_products_only_report_are_no_warnings(monkeypatch):
    def alarmed(product):
        def with_alarm(*arguments, **options):
            np.divide(1.0, np.zeros(1))
            return product(*arguments, **options)

        return with_alarm

    for name in ("dot", "matmul"):
        monkeypatch.setattr(np, name, alarmed(getattr(np, name)))
    rbm = RBMTransformer(3, n_iter=2, random_state=0).fit(X)
    rbm.inverse_transform(rbm.transform(X))
    rbm.sample(2, 3)
    rbm.score(X)
    rbm.log_likelihood(X > 0.5)
    net = DBNClassifier((3, 2), adversarial=0.1, finetune_iter=2, random_state=0).fit(X, Y)
    net.predict_proba(X)
    net.log_likelihood_bound(X > 0.5)
    few = net.set_params(unlabeled=-1).fit(X, np.where(np.arange(60) < 20, Y, -1))
    few.partial_fit(X, Y)


def test_pipelines_that_are_loaded_in_threads_leave_the_filters_of_warnings():
    pipeline = make_pipeline(QuantileTransformer(n_quantiles=20), RBMTransformer(3, n_iter=1))
    save_model(pipeline.fit(X), "pipeline.npz")
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            list(pool.map(load_model, ["pipeline.npz"] * 16))
    assert warnings.filters == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # from Python 3.12 on
def test_pipelines_load_in_a_process_forked_while_another_thread_loads_one():
    save_model(make_pipeline(MinMaxScaler(), RBMTransformer(3, n_iter=1)).fit(X), "pipeline.npz")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(steps._lock.acquire).result()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                load_model("pipeline.npz")
                status = 0
            finally:
                os._exit(status)
        steps._lock.release()
    deadline = threading.Timer(60, os.kill, (child, 9))
    deadline.start()
    assert os.waitpid(child, 0)[1] == 0
    deadline.cancel()


class OfContext:
    """`warnings.catch_warnings` where warnings belong to a context, as in free-threaded Python."""

    def __init__(self, *, record=False):
        self.record = record

    def __enter__(self):
        self.filters = list(warnings.filters)
        return [] if self.record else None  # a function in place of showwarning comes before it

    def __exit__(self, *_):
        warnings.filters[:] = self.filters
        warnings._filters_mutated()


@needs_callbacks
def test_interrupted_run_is_unfinished_where_warnings_belong_to_a_context(monkeypatch, capsys):
    class Interrupting(io.StringIO):
        def write(self, text):
            if "finetune: pass 1" in text:
                raise KeyboardInterrupt
            return super().write(text)

    shown_before = warnings.showwarning
    with monkeypatch.context() as patch:
        patch.setattr(warnings, "catch_warnings", OfContext)
        patch.setattr(sys, "stderr", Interrupting())
        status = main([*QUICK, "--out", "out"])
        told = sys.stderr.getvalue()
    assert warnings.showwarning is shown_before
    assert status == 130
    assert "InterruptedTraining" not in told
    assert "warm_start" not in told
    with open("out/report.json") as file:
        assert not json.load(file)["finished"]


# -- the command line


def test_names_that_standard_output_can_not_show_end_no_run(monkeypatch):
    output = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", errors="strict")
    np.savez("данные.npz", X=X, y=Y)
    monkeypatch.setattr(sys, "stdout", output)
    assert main(["--data", "данные.npz", *QUICK, "--out", "результат"]) == 0
    output.flush()
    assert rb"\u0434\u0430" in output.buffer.getvalue()
    with open("результат/report.json") as file:
        assert json.load(file)["finished"]


def test_closed_pipe_is_recognized_by_the_error_of_windows(monkeypatch, tmp_path):
    class Closed(io.StringIO):
        def write(self, _):
            raise OSError(number, "an error")

        def fileno(self):
            return handle

    with open(tmp_path / "standard output", "w") as file:
        handle = file.fileno()
        monkeypatch.setattr(sys, "stdout", Closed())
        for number in (errno.EPIPE, errno.EINVAL):  # noqa: B007, the stream raises it
            say("a line")
        number = errno.ENOSPC
        with pytest.raises(OSError, match="an error"):
            say("a line")


def test_folder_that_a_file_manager_opened_counts_as_empty(tmp_path):
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / name).write_text("")
    Folder(tmp_path / "out")
    assert (tmp_path / "out" / ".DS_Store").exists()


def test_command_to_paste_is_quoted_for_the_shell_of_the_system(monkeypatch):
    options = SimpleNamespace(arguments=["--data", r"C:\data\my table.csv", "--out", r"a\b"])
    assert command(options).endswith(r"--data 'C:\data\my table.csv' --out 'a\b'")
    monkeypatch.setattr("skdbn._cli.options.QUOTED", subprocess.list2cmdline)
    assert command(options).endswith(r'--data "C:\data\my table.csv" --out a\b')
