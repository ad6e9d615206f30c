"""Training on a cluster: the bits of the plain estimators, averages, faults, prediction."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import dask
import dask.array as da
import dask.dataframe as dd
import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from distributed import Client, Future, LocalCluster
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import minmax_scale

from skdbn import (
    Checkpoint,
    DBNClassifier,
    DBNRegressor,
    DivergenceError,
    RBMTransformer,
    load_model,
    save_model,
    to_onnx,
)
from skdbn._cluster.client import Cluster
from skdbn._cluster.partitions import averaged
from skdbn._cluster.reading import partitions_of
from skdbn._training.callbacks import HAS_CALLBACKS
from skdbn._training.rows import Rows
from skdbn.dask import (
    DaskDBNClassifier,
    DaskDBNRegressor,
    DaskRBMTransformer,
    LostRowsError,
    resume,
)
from skdbn.datasets import load_digits

pytestmark = pytest.mark.xdist_group("dask")
needs_callbacks = pytest.mark.skipif(not HAS_CALLBACKS, reason="scikit-learn 1.9 brought callbacks")

X_ALL, _, Y_ALL, _ = load_digits()
X, Y = X_ALL[:400], Y_ALL[:400]
SHORT = {"n_iter": 2, "random_state": 0}
QUICK = {"softmax_iter": 2, "finetune_iter": 3, "noise": 0.1, "random_state": 0}
NET = {**QUICK, "hidden_layer_sizes": (12, 8), "rbm": RBMTransformer(n_iter=2)}


@pytest.fixture(scope="module")
def cluster():
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    # On a busy computer, dask would give up workers that tests killed before they are back.
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "120s"}),
        LocalCluster(**options, memory_limit=None) as cluster,
    ):
        yield cluster


@pytest.fixture
def client(cluster):
    with Client(cluster) as client:
        answers = ()
        while len(answers) < 2:  # a test may have killed a worker
            client.wait_for_workers(2, timeout=120)  # in seconds
            with contextlib.suppress(OSError):
                answers = client.run(os.getpid)
        yield client


def in_parts(array, n_parts):
    """Return a dask array of so many parts."""
    return da.from_array(array, chunks=(-(-len(array) // n_parts), *array.shape[1:]))


def same(one, other, *names):
    """Tell whether fitted attributes of two estimators have the same bits."""
    pairs = [(getattr(one, name), getattr(other, name)) for name in names]
    return all(
        all(map(np.array_equal, a, b)) if isinstance(a, list) else np.array_equal(a, b)
        for a, b in pairs
    )


MACHINE = ("components_", "intercept_visible_", "intercept_hidden_", "h_samples_", "loss_curve_")
GAPS = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
WEIGHT = np.random.default_rng(1).integers(0, 3, len(X))
COUNTS = np.where(np.random.default_rng(2).random(X.shape) < 0.08, np.rint(9.0 * X), 0.0)  # rare


# -- the same bits


@pytest.mark.parametrize(
    ("parameters", "data"),
    [
        ({}, X),
        ({"gradient": "pcd", "learning_rate_schedule": "linear"}, X),
        ({"gradient": "ptt", "centering": True}, X),
        ({"early_stopping": True, "sample_visible": True}, X.astype(np.float64)),
        ({"visible_units": "gaussian"}, 100.0 * X - 3.0),
        ({}, GAPS),
        ({"visible_units": "gaussian", "hidden_units": "gaussian"}, GAPS),
        ({"visible_units": "binary"}, sp.csr_matrix(X)),
        ({}, sp.csr_matrix(COUNTS)),
    ],
)
def test_machine_of_one_partition_has_the_bits_of_the_plain_one(client, parameters, data):
    plain = RBMTransformer(10, **SHORT, **parameters).fit(data)
    machine = DaskRBMTransformer(10, **SHORT, **parameters, client=client)
    parts = da.from_array(data, chunks=(-1, -1), asarray=False)
    machine.fit(parts)
    curves = ("validation_loss_curve_", "free_energy_gap_curve_", "offset_", "scale_")
    assert same(plain, machine, *MACHINE, *curves, "_share_beyond")
    more = machine.to_local().partial_fit(data)  # the optimizer and the random numbers go on
    assert same(more, plain.partial_fit(data), *MACHINE)


@pytest.mark.parametrize(
    ("plain", "targets", "parameters", "weight"),
    [
        (DBNClassifier, Y, {"early_stopping": True, "class_weight": "balanced"}, None),
        (DBNClassifier, np.where(Y < 5, -1, Y), {"unlabeled": -1, "virtual_adversarial": 0}, None),
        (DBNClassifier, (Y[:, None] >> np.arange(3)) & 1, {"solver": "sgd"}, WEIGHT),
        (DBNRegressor, Y, {"early_stopping": True, "loss": "absolute_error"}, WEIGHT),
        (DBNRegressor, np.stack([Y, Y**2], axis=1), {"pretrain": False}, None),
    ],
)
@pytest.mark.filterwarnings("ignore::skdbn.NotConvergedWarning")
def test_net_of_one_partition_has_the_bits_of_the_plain_one(
    client, plain, targets, parameters, weight
):
    parameters = {**NET, **parameters}
    if plain is DBNRegressor:
        parameters["output_iter"] = parameters.pop("softmax_iter")
    expected = plain(**parameters).fit(X, targets, weight)
    kind = {DBNClassifier: DaskDBNClassifier, DBNRegressor: DaskDBNRegressor}[plain]
    net = kind(**parameters, client=client)
    net.fit(in_parts(X, 1), in_parts(targets, 3), None if weight is None else in_parts(weight, 2))
    assert same(expected, net, "coefs_", "intercepts_", "loss_curve_", "scale_")
    if "early_stopping" in parameters:
        assert same(expected, net, "validation_scores_", "validation_loss_curve_")
    assert all(same(a, b, *MACHINE) for a, b in zip(expected.rbms_, net.rbms_, strict=True))
    assert type(net.to_local()) is plain


@pytest.mark.filterwarnings("ignore::skdbn.NotConvergedWarning")
def test_scaled_measurements_are_trained_alike(client):
    table = minmax_scale(np.random.default_rng(0).normal(size=(len(Y), 3)))
    expected = DBNClassifier(**NET).fit(table, Y, WEIGHT)
    net = DaskDBNClassifier(**NET, client=client)
    net.fit(in_parts(table, 1), in_parts(Y, 1), in_parts(WEIGHT, 1))
    assert same(expected, net, "coefs_", "intercepts_", "loss_curve_")
    several = DaskDBNClassifier(**NET, client=client)
    several.fit(in_parts(table, 3), in_parts(Y, 3), in_parts(WEIGHT, 3))
    assert several.loss_curve_[-1] == pytest.approx(expected.loss_curve_[-1], rel=0.1)


# -- several parts


def test_result_depends_on_the_partitions_and_the_seed_alone(client):
    def fitted(parts):
        return DaskRBMTransformer(10, **SHORT, client=client).fit(parts)

    parts = in_parts(X, 4)
    first = fitted(parts)
    workers = list(client.nthreads())
    for order in (workers, workers[::-1]):  # the same rows, held by either worker
        held = [
            client.persist(part, workers=[order[i % 2]], allow_other_workers=False)
            for i, part in enumerate(parts.blocks[i] for i in range(4))
        ]
        assert same(first, fitted(da.concatenate(held)), *MACHINE)
    assert not same(first, fitted(in_parts(X, 1)), "components_")
    assert not same(first, fitted(in_parts(X[::-1], 4)), "components_")


def test_parameters_are_the_mean_of_what_the_groups_learned_by_their_rows(client):
    values = [{"a": np.array([1.0, 4.0]), "n": 3}, {"a": np.array([5.0, 0.0]), "n": 8}]
    mean = averaged(values, [0.75, 0.25])
    assert_array_equal(mean["a"], [2.0, 3.0])
    assert mean["n"] == 4
    one = averaged(values[:1], [1.0])
    assert one is values[0]


def test_columns_are_what_the_plain_estimator_finds(client):
    data = np.column_stack([X[:, 20:24], 1000.0 * X[:, 30:33] - 5.0])
    data[::7, 5] = np.nan
    plain = RBMTransformer(5, n_iter=0).fit(data)
    machine = DaskRBMTransformer(5, n_iter=0, client=client).fit(in_parts(data, 5))
    assert same(plain, machine, "visible_units_")
    assert_allclose(machine.offset_, plain.offset_, rtol=1e-12)
    assert_allclose(machine.scale_, plain.scale_, rtol=1e-12)


def test_each_part_is_trained_on_once_in_a_pass(client, monkeypatch):
    monkeypatch.setattr("skdbn._cluster.reading.PIECE", 1)
    apart = partitions_of(in_parts(X, 8), Cluster(client))
    assert [len(group) for group in apart.groups] == [4, 4]
    assert apart.lengths == [50] * 8
    assert_array_equal(apart.gathered(), X)
    spans = apart._spans(3, 10)
    assert [spans[i][0] for i in range(4)] == [3.0, 3.25, 3.5, 3.75]
    assert {span[1:] for span in spans.values()} == {(10, 0.25)}


def test_rows_without_missing_values_are_not_read_again_to_find_some(client, monkeypatch):
    parts = partitions_of(in_parts(X, 2), Cluster(client))
    assert not parts.has_missing
    monkeypatch.setattr(parts, "reduced", lambda *_: pytest.fail("rows were read"))
    assert not Rows(parts).has_missing()


@pytest.mark.filterwarnings("ignore::skdbn.NotConvergedWarning")
def test_rows_that_are_not_held_lead_to_the_same_bits(client, monkeypatch):
    monkeypatch.setattr("skdbn._cluster.reading.PIECE", 140 * X.itemsize * X.shape[1])
    net = DaskDBNClassifier(**NET, client=client).fit(in_parts(X, 6), Y)
    limits = dict.fromkeys(client.nthreads(), 1)
    monkeypatch.setattr("skdbn._cluster.client._memory_limits", lambda dask_scheduler: limits)
    assert not isinstance(partitions_of(in_parts(X, 6), Cluster(client)).parts[0], Future)
    other = DaskDBNClassifier(**NET, client=client).fit(in_parts(X, 6), Y)
    assert same(net, other, "coefs_", "loss_curve_")


def test_reductions_are_those_of_all_rows(client):
    parts = partitions_of(in_parts(GAPS, 7), Cluster(client))
    rows = Rows(parts)
    assert rows.has_missing()
    found = rows.reduced(lambda rows: [rows.X.shape[0]], lambda one, other: one + other)
    assert sum(found) == len(X)
    order = np.random.default_rng(0).permutation(len(X))
    assert_array_equal(parts.read(order, np.empty_like(X)), GAPS[order])
    some = rows.take(order[:99])
    assert_array_equal(some.X.gathered(), GAPS[parts.in_order(order[:99])])


@pytest.mark.filterwarnings("ignore::skdbn.NotConvergedWarning")
def test_learns_from_several_partitions(client):
    net = DaskDBNClassifier((40,), random_state=0, finetune_iter=20, client=client)
    net.fit(in_parts(X_ALL, 4), in_parts(Y_ALL, 4))
    assert net.score(X_ALL, Y_ALL) > 0.9
    assert net.score(in_parts(X_ALL, 3), Y_ALL) == net.score(X_ALL, Y_ALL)


def test_workers_share_a_minibatch_so_that_they_make_as_many_steps(client):
    machine = DaskRBMTransformer(8, n_iter=1, batch_size=40, random_state=0, client=client)
    one = clone(machine).fit(in_parts(X, 1))
    two = clone(machine).fit(da.concatenate([in_parts(X, 1), in_parts(X, 1)]))
    # Both make ten steps from the same start; half as many rows of each minibatch are enough.
    distance = np.linalg.norm(one.components_ - two.components_)
    assert distance < 0.5 * np.linalg.norm(one.components_)


@pytest.mark.filterwarnings("ignore::skdbn.NotConvergedWarning")
def test_workers_that_are_threads_of_one_process_do_not_disturb_each_other(client):
    data = in_parts(X_ALL, 4), in_parts(Y_ALL, 4)
    net = DaskDBNClassifier(**{**NET, "finetune_iter": 10, "client": client}).fit(*data)
    options = {"n_workers": 2, "threads_per_worker": 2, "dashboard_address": ":0"}
    with Client(**options, processes=False, memory_limit=None) as threads:
        other = clone(net).set_params(client=threads).fit(*data)
    assert same(net, other, "coefs_", "intercepts_", "loss_curve_")


@pytest.mark.parametrize("n_workers", [1, 2])
def test_workers_that_share_a_process_multiply_on_one_thread_each(monkeypatch, n_workers):
    asked = []

    def recorded(n_multiplications):
        asked.append(n_multiplications)
        return contextlib.nullcontext()

    monkeypatch.setattr("skdbn._cluster.tasks.threads_for", recorded)
    options = {"n_workers": n_workers, "threads_per_worker": 1, "dashboard_address": ":0"}
    with Client(**options, processes=False, memory_limit=None) as client:
        DaskRBMTransformer(10, n_iter=1, batch_size=50, client=client).fit(in_parts(X, 2))
    assert set(asked) == {50 * 64 * 10 if n_workers == 1 else 0}


# -- data that are awkward


@pytest.mark.filterwarnings("ignore::skdbn.NotConvergedWarning")
def test_partitions_may_lack_a_class_be_empty_or_of_unknown_size(client):
    order = np.argsort(Y, kind="stable")
    data, labels = in_parts(X[order], 4), in_parts(Y[order], 4)
    expected = DaskDBNClassifier(**NET, client=client).fit(data, labels)
    assert_array_equal(expected.classes_, np.arange(10))
    with_empty_ones = da.from_array(X[order], chunks=((0, 100, 100, 0, 100, 100), -1))
    net = DaskDBNClassifier(**NET, client=client).fit(with_empty_ones, labels)
    assert same(expected, net, "coefs_")
    unknown = data[da.ones(len(X), chunks=data.chunks[0], dtype=bool)]
    assert np.isnan(unknown.chunks[0]).all()
    net = DaskDBNClassifier(**NET, client=client).fit(unknown, labels)
    assert same(expected, net, "coefs_")


@pytest.mark.filterwarnings("ignore::skdbn.NotConvergedWarning")
def test_frames_are_read_with_their_names_and_predicted_with_their_index(client):
    names = [f"pixel {i}" for i in range(X.shape[1])]
    table = pd.DataFrame(X, columns=names, index=np.arange(len(X)) + 7)
    labels = pd.Series(Y, table.index).astype(str)
    plain = DBNClassifier(**NET).fit(table, labels)
    frame = dd.from_pandas(table, npartitions=1)
    net = DaskDBNClassifier(**NET, client=client).fit(frame, dd.from_pandas(labels, npartitions=2))
    assert same(plain, net, "coefs_", "feature_names_in_", "classes_")
    frame = dd.from_pandas(table, npartitions=3)
    predicted = net.predict(frame).compute()
    assert_array_equal(predicted.index, table.index)
    assert_array_equal(predicted, plain.predict(table))
    p = net.predict_proba(frame).compute()
    assert_array_equal(p.columns, plain.classes_)
    assert_allclose(p, plain.predict_proba(table), rtol=1e-5)
    assert list(net.transform(frame).compute()) == [f"dbnclassifier{i}" for i in range(8)]
    with pytest.raises(ValueError, match="feature names"):
        net.predict(frame.rename(columns={"pixel 3": "other"})).compute()
    with pytest.raises(ValueError, match="X has 5 features, but DBNClassifier is expecting 64"):
        net.predict(frame[names[:5]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (X, "must be a two-dimensional dask array .*from_array"),
        (da.from_array(X[0], chunks=10), "must be a two-dimensional dask array"),
        (da.from_array(X[:0], chunks=(1, 64)), "0 sample"),
        (in_parts(GAPS, 2), "Part . .*missing value"),
        (in_parts(np.where(X == 1.0, np.inf, X), 2), "Part . .*infinite"),
    ],
)
def test_what_cannot_be_learned_is_refused(client, data, message):
    net = DaskDBNClassifier(**NET, client=client)
    with pytest.raises((TypeError, ValueError), match=message):
        net.fit(data, Y)
    assert not hasattr(net, "coefs_")


def test_partitions_of_another_width_or_number_of_rows_are_refused(client):
    parts = [dask.delayed(X[:50]), dask.delayed(X[50:100, :60])]
    parts = [da.from_delayed(part, (50, 64), X.dtype) for part in parts]
    machine = DaskRBMTransformer(5, **SHORT, client=client)
    with pytest.raises(ValueError, match=r"Partition 1 .* shape \(50, 60\).*\(50, 64\)"):
        machine.fit(da.concatenate(parts))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        DaskDBNClassifier(**NET, client=client).fit(in_parts(X, 2), Y[:-1])


def test_frames_with_columns_in_another_order_are_refused(client):
    table = pd.DataFrame(X[:100]).add_prefix("pixel ")
    parts = [dask.delayed(table), dask.delayed(table[table.columns[::-1]])]
    frame = dd.from_delayed(parts, meta=table[:0], verify_meta=False)
    with pytest.raises(ValueError, match=r"Partition 1 .* in another order"):
        DaskRBMTransformer(5, **SHORT, client=client).fit(frame)


def test_unlabelled_rows_are_not_moved_on_a_cluster(client):
    net = DaskDBNClassifier(**NET, unlabeled=-1, client=client)
    with pytest.raises(ValueError, match="Set virtual_adversarial=0"):
        net.fit(in_parts(X, 2), Y)
    with pytest.raises(ValueError, match="Set virtual_adversarial=0"):
        clone(net).set_params(unlabeled=None, virtual_adversarial=0.5).fit(in_parts(X, 2), Y)


def test_a_fit_that_fails_leaves_no_rows_on_the_workers(client):
    with pytest.raises(ValueError, match="infinite"):
        DaskRBMTransformer(5, client=client).fit(in_parts(np.where(X == 1.0, np.inf, X), 2))
    deadline = time.monotonic() + 5.0
    while client.futures and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not client.futures


def test_divergence_is_an_error_that_leaves_the_estimator_as_it_was(client):
    machine = DaskRBMTransformer(5, learning_rate=1e30, hidden_units="gaussian", client=client)
    with pytest.raises(DivergenceError, match="pass 1"):
        machine.fit(in_parts(X, 2))
    assert not hasattr(machine, "components_")


def as_csr(X):
    """Return rows as a CSR matrix."""
    return sp.csr_matrix(X)


def sparse_where_even(X, block_info=None):
    """Return every other part as a CSR matrix."""
    return X if block_info[0]["chunk-location"][0] % 2 else sp.csr_matrix(X)


@pytest.mark.filterwarnings("ignore::skdbn.NotConvergedWarning")
def test_sparse_parts_are_learned_and_predicted_like_dense_ones(client):
    dense = in_parts(X, 4)
    expected = DaskDBNClassifier(**NET, client=client).fit(dense, Y)
    sparse = dense.map_blocks(as_csr, dtype=X.dtype, meta=as_csr(X[:0]))
    mixed = [dense.map_blocks(sparse_where_even, dtype=X.dtype, meta=X[:0])]
    mixed.append(da.concatenate([mixed[0].blocks[i] for i in (1, 0, 3, 2)]))
    order = np.concatenate([np.arange(400).reshape(4, 100)[i] for i in (1, 0, 3, 2)])
    unknown = [da.from_delayed(part, (np.nan, 64), X.dtype) for part in sparse.to_delayed().ravel()]
    unknown = da.concatenate(unknown, allow_unknown_chunksizes=True)
    for data in (sparse, unknown, mixed[0]):
        assert same(expected, clone(expected).fit(data, Y), "coefs_", "loss_curve_")
    other = clone(expected).fit(in_parts(X[order], 4), Y[order])
    assert same(other, clone(expected).fit(mixed[1], Y[order]), "coefs_", "loss_curve_")
    for method in ("predict", "predict_proba", "transform"):
        lazy = getattr(expected, method)
        assert_array_equal(lazy(sparse).compute(), lazy(dense).compute())


# -- as estimators


def test_parameters_are_those_of_the_plain_estimator_and_a_client(client):
    machine = DaskRBMTransformer(7, learning_rate=0.5, client=client)
    plain = RBMTransformer(7, learning_rate=0.5)
    assert machine.get_params() == {**plain.get_params(), "client": client}
    assert clone(machine).get_params() == machine.get_params()
    assert "DaskRBMTransformer(" in repr(machine)
    with pytest.raises(TypeError, match="wrong"):
        DaskRBMTransformer(wrong=1)
    copied = pickle.loads(pickle.dumps(machine))
    assert copied.get_params() == {**plain.get_params(), "client": None}
    net = DaskDBNClassifier(client=client).set_params(rbm__learning_rate=0.2)
    assert net.rbm.learning_rate == 0.2


def test_saving_and_conversion_point_to_the_plain_estimator(client, tmp_path):
    machine = DaskRBMTransformer(4, **SHORT, client=client).fit(in_parts(X, 2))
    for refused in (lambda: save_model(machine, tmp_path / "m.npz"), lambda: to_onnx(machine)):
        with pytest.raises(TypeError, match=r"model\.to_local\(\)"):
            refused()
    save_model(machine.to_local(), tmp_path / "m.npz")


def test_collections_are_transformed_lazily(client):
    machine = DaskRBMTransformer(6, **SHORT, client=client).fit(in_parts(X, 2))
    plain = machine.to_local()
    for method in ("transform", "free_energy", "score_samples"):
        expected = getattr(plain, method)(X)
        lazy = getattr(machine, method)(da.from_array(X, chunks=(150, 20)))
        assert dask.is_dask_collection(lazy)
        assert lazy.dtype == expected.dtype
        assert lazy.shape == expected.shape
        assert_allclose(lazy.compute(), expected, rtol=1e-5)
        assert_array_equal(getattr(machine, method)(X), expected)
    with pytest.raises(ValueError, match="two-dimensional dask array"):
        machine.transform(da.from_array(X[0], chunks=10))
    copied = clone(machine).set_output(transform="pandas")
    assert isinstance(copied.fit_transform(in_parts(X, 2)), da.Array)
    back = machine.inverse_transform(machine.transform(in_parts(X, 3))).compute()
    assert_allclose(back, plain.inverse_transform(plain.transform(X)), rtol=1e-5)
    parts = in_parts(X, 3)  # of a plain estimator
    lazy = parts.map_blocks(plain.transform, chunks=(parts.chunks[0], (6,)), dtype=X.dtype)
    assert_allclose(lazy.compute(), plain.transform(X), rtol=1e-5)


def test_lazy_results_carry_only_what_they_need_of_the_estimator(client):
    machine = DaskRBMTransformer(100, n_iter=9, gradient="ptt", random_state=0, client=client)
    machine.fit(in_parts(X, 2))
    assert len(pickle.dumps(machine._kept)) > 2 * machine.components_.nbytes
    lazy = machine.transform(da.zeros((400, 64), chunks=(200, 64)))
    assert len(pickle.dumps(dict(lazy.__dask_graph__()))) < 2 * machine.components_.nbytes


@pytest.mark.filterwarnings("ignore::skdbn.NotConvergedWarning")
def test_warm_start_goes_on_and_frozen_machines_are_used(client):
    machine = DaskRBMTransformer(6, **SHORT, warm_start=True, client=client).fit(in_parts(X, 1))
    plain = RBMTransformer(6, **SHORT, warm_start=True).fit(X)
    assert same(plain.fit(X), machine.fit(in_parts(X, 1)), *MACHINE)
    parameters = {**NET, "hidden_layer_sizes": (6,), "rbm": FrozenEstimator(plain)}
    net = DaskDBNClassifier(**parameters, client=client).fit(in_parts(X, 1), Y)
    assert same(DBNClassifier(**parameters).fit(X, Y), net, "coefs_")


@pytest.mark.filterwarnings("ignore::skdbn.NotConvergedWarning")
def test_another_fit_leaves_nothing_of_the_first(client, tmp_path):
    frame = dd.from_pandas(pd.DataFrame(X[:100, :4]).add_prefix("pixel "), npartitions=2)
    net = DaskDBNClassifier(**NET, client=client)
    net.fit(frame, Y[:100], X_val=frame.compute(), y_val=Y[:100])
    net.fit(in_parts(X[:100, :3], 2), Y[:100])
    assert not hasattr(net, "feature_names_in_")
    assert not hasattr(net, "best_validation_score_")
    save_model(net.to_local(), tmp_path / "net.npz")
    assert_array_equal(load_model(tmp_path / "net.npz").predict(X[:, :3]), net.predict(X[:, :3]))


def test_warm_start_keeps_the_type_of_the_first_fit(client):
    double, single = X.astype(np.float64), X.astype(np.float32)
    machine = DaskRBMTransformer(6, **SHORT, warm_start=True, client=client)
    machine.fit(in_parts(double, 1)).fit(in_parts(single, 1))
    plain = RBMTransformer(6, **SHORT, warm_start=True).fit(double).fit(single)
    assert machine.components_.dtype == np.float64
    assert same(plain, machine, *MACHINE)


@pytest.mark.filterwarnings("ignore::skdbn.NotConvergedWarning")
def test_frames_are_scored(client):
    frame = dd.from_pandas(pd.DataFrame(X).add_prefix("pixel "), npartitions=3)
    machine = DaskRBMTransformer(6, **SHORT, client=client).fit(frame)
    assert machine.score(frame) == pytest.approx(machine.to_local().score(frame.compute()))
    y = pd.Series(np.where(np.arange(len(Y)) % 3, Y, -1))
    net = DaskDBNClassifier(**NET, unlabeled=-1, virtual_adversarial=0, client=client).fit(frame, y)
    expected = net.to_local().score(frame.compute(), y, np.arange(len(y)))
    assert net.score(frame, dd.from_pandas(y, npartitions=3), np.arange(len(y))) == expected


# -- callbacks and checkpoints


class Stop:
    """A callback that stops the fit, or interrupts it, after so many passes."""

    def __init__(self, n_passes, error=None):
        self.n_passes, self.error = n_passes, error

    def setup(self, estimator, context):
        self.n_made = 0

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.n_made += context.task_name == "pass"
        if self.error is not None and self.n_made == self.n_passes:
            raise self.error
        return self.n_made >= self.n_passes


@needs_callbacks
def test_callbacks_are_told_of_each_pass_and_may_stop_it(client):
    machine = DaskRBMTransformer(6, n_iter=5, random_state=0, client=client)
    machine.set_callbacks(Stop(3)).fit(in_parts(X, 2))
    assert machine.n_iter_ == 3


@needs_callbacks
@pytest.mark.parametrize("n_passes", [1, 3, 6])
@pytest.mark.filterwarnings("ignore::skdbn.NotConvergedWarning")
def test_training_goes_on_from_a_checkpoint_with_the_same_bits(client, tmp_path, n_passes):
    data, labels = in_parts(X, 4), in_parts(Y, 4)
    parameters = {**NET, "rbm": RBMTransformer(n_iter=2, gradient="pcd", centering=True)}
    expected = DaskDBNClassifier(**parameters, client=client).fit(data, labels)
    path = tmp_path / "net.ckpt"
    net = DaskDBNClassifier(**parameters, client=client)
    net.set_callbacks(Checkpoint(path), Stop(n_passes, RuntimeError("power")))
    with pytest.raises(RuntimeError, match="power"):
        net.fit(data, labels)
    resumed = resume(path, data, labels, client=client)
    assert type(resumed) is DaskDBNClassifier
    assert same(expected, resumed, "coefs_", "intercepts_", "loss_curve_")
    with pytest.raises(ValueError, match="other data"):
        resume(path, in_parts(X[::-1], 4), labels, client=client)
    with (
        Client(processes=False, n_workers=1, dashboard_address=":0") as alone,
        pytest.raises(ValueError, match=r"with 2 group.* now there are 1. Resume with as many w"),
    ):
        resume(path, data, labels, client=alone)


# -- faults

N_KILLS = 2


def slowly(X):
    """Return a part after some time."""
    time.sleep(0.05)
    return X


def kill_once_busy(client, stop, n_kills, killed):
    """Kill a worker that is in the midst of a pass, but not of the first ones, so many times."""
    seen = set()
    while len(killed) < n_kills and not stop.is_set():
        busy = {w: keys for w, keys in client.processing().items() if "go_over" in str(keys)}
        seen.update(map(str, busy.values()))
        if busy and len(seen) > 4:
            with contextlib.suppress(OSError):  # where one is being started
                pid = client.run(os.getpid)[next(iter(busy))]
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                seen = set()


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore::skdbn.NotConvergedWarning")
def test_a_killed_worker_changes_no_bit(client):
    data = da.map_blocks(slowly, in_parts(X, 4), meta=X[:0])
    expected = DaskRBMTransformer(10, n_iter=6 * N_KILLS + 5, random_state=0, client=client).fit(
        data
    )
    stop, killed = threading.Event(), []
    killer = threading.Thread(target=kill_once_busy, args=(client, stop, N_KILLS, killed))
    killer.start()
    try:
        machine = clone(expected).fit(data)
    finally:
        stop.set()
        killer.join()
    assert len(set(killed)) == N_KILLS
    assert same(expected, machine, *MACHINE)


@pytest.mark.exhaustive
def test_a_fit_goes_on_when_all_workers_were_gone_for_a_while(client):
    data = da.map_blocks(slowly, in_parts(X, 4), meta=X[:0])
    machine = DaskRBMTransformer(10, n_iter=40, random_state=0, client=client)
    expected = clone(machine).fit(data)
    thread = threading.Thread(target=machine.fit, args=(data,))
    thread.start()
    time.sleep(1.0)
    for pid in client.run(os.getpid).values():
        os.kill(pid, signal.SIGKILL)
    thread.join()
    assert same(expected, machine, *MACHINE)


def test_rows_that_are_lost_for_good_leave_what_the_last_pass_learned(client):
    held = client.scatter([X[:200], X[200:]])
    data = da.concatenate([da.from_delayed(part, (200, 64), X.dtype) for part in held])
    machine = DaskRBMTransformer(10, n_iter=500, random_state=0, client=client)
    stop = threading.Event()
    killer = threading.Thread(target=kill_once_busy, args=(client, stop, 1, []))
    killer.start()
    try:
        with pytest.raises(LostRowsError, match="scattered"):
            machine.fit(data)
    finally:
        stop.set()
        killer.join()
    assert 0 < machine.n_iter_ < 500
    assert machine.transform(X).shape == (400, 10)


def test_two_fits_at_once_do_not_wait_for_each_other(client):
    data, found = in_parts(X, 4), {}

    def fit(seed):
        machine = DaskRBMTransformer(10, n_iter=5, random_state=seed, client=client)
        found[seed] = machine.fit(data)

    threads = [threading.Thread(target=fit, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 3
    for seed, machine in found.items():
        assert same(clone(machine).set_params(random_state=seed).fit(data), machine, *MACHINE)


def test_fits_at_once_leave_the_options_of_dask_as_they_were(client, monkeypatch):
    option = "distributed.admin.large-graph-warning-threshold"
    before = dask.config.get(option)
    cluster, submit, second_is_in = Cluster(client), client.submit, threading.Event()

    def slow_submit(function, *args, **options):
        # The thread that sets the option first also restores it first.
        if threading.current_thread() is threads[0]:
            second_is_in.wait(0.3)
        else:
            second_is_in.set()
            threads[0].join()
        return submit(function, *args, **options)

    monkeypatch.setattr(client, "submit", slow_submit)
    threads = [threading.Thread(target=cluster.put, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert dask.config.get(option) == before


def fitted_in_a_task(data):
    """Fit within a task, with the client of the worker."""
    return DaskRBMTransformer(10, **SHORT).fit(in_parts(data, 2)).to_local()


def test_a_task_that_fits_makes_room_for_the_tasks_that_it_waits_for():
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": ":0"}
    with Client(**options, processes=False, memory_limit=None) as client:
        expected = DaskRBMTransformer(10, **SHORT, client=client).fit(in_parts(X, 2))
        future = client.submit(fitted_in_a_task, X)
        assert same(expected, future.result(timeout=30), *MACHINE)


# -- without dask


def test_without_dask_the_rest_works_and_the_import_says_what_to_install():
    code = (
        "import sys; sys.modules['dask'] = sys.modules['distributed'] = None\n"
        "import skdbn, skdbn.plotting, skdbn._cli.main\n"
        "try:\n    import skdbn.dask\n"
        "except ImportError as error:\n    message = str(error)\n"
        "    assert message.endswith(\"pip install 'dask[array]' distributed.\")\n"
        "else:\n    sys.exit(1)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# -- searches on the cluster


@pytest.mark.filterwarnings("ignore::skdbn.NotConvergedWarning")
@pytest.mark.filterwarnings("ignore::skdbn.HiddenUnitsWarning")
def test_searches_on_a_cluster_find_what_they_find_serially(client):
    pipeline = make_pipeline(
        RBMTransformer(20, n_iter=8, random_state=0),
        RBMTransformer(10, n_iter=8, random_state=1),
        LogisticRegression(max_iter=300),
    )
    grid = {"rbmtransformer-1__learning_rate": [0.1, 0.2, 0.4]}
    for search in (
        GridSearchCV(pipeline, grid, cv=2),
        HalvingGridSearchCV(pipeline, grid, cv=2, factor=3, random_state=0),
        GridSearchCV(DBNClassifier(**NET), {"rbm__learning_rate": [0.05, 0.1]}, cv=2),
    ):
        serial = clone(search).fit(X, Y)
        with joblib.parallel_config("dask"):
            search.fit(X, Y)
        assert_frame_equal(scores_of(search), scores_of(serial))
        assert search.best_params_ == serial.best_params_


def scores_of(search):
    """Return the table of a search without times."""
    table = pd.DataFrame(search.cv_results_)
    return table[[name for name in table if not name.endswith("_time")]]
