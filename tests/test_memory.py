"""What training and inference allocate beside their data and their result.

Sizes are such that one copy of the data would break the bound several times over.
"""

import gc
import io
import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from skdbn import DBNClassifier, DBNRegressor, RBMTransformer
from skdbn._files.storage import read_array

pytestmark = pytest.mark.filterwarnings(  # most trainings here are short on purpose
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)
N_ROWS, N_FEATURES = 40_000, 50  # 8 MB in float32
DATA = N_ROWS * N_FEATURES * 4
BOUND = 2_000_000
X = np.random.default_rng(0).random((N_ROWS, N_FEATURES), dtype=np.float32)


def peak(function):
    """Return by how many bytes the memory of NumPy and Python grows at most."""
    gc.collect()
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def make_rbm(**parameters):
    return RBMTransformer(20, n_iter=1, batch_size=400, random_state=0, **parameters)


def memory_map(path):
    X.tofile(path)
    return np.memmap(path, np.float32, "r", shape=X.shape)


def test_peak_sees_a_copy():
    assert peak(lambda: X.copy()) >= DATA


@pytest.mark.parametrize("gradient", ["cd", "pcd"])
def test_training_makes_no_copy_of_dense_rows(gradient):
    assert peak(lambda: make_rbm(gradient=gradient).fit(X)) < BOUND


def test_training_makes_no_copy_of_a_memory_map(tmp_path):
    rows = memory_map(tmp_path / "rows")
    assert peak(lambda: make_rbm().fit(rows)) < BOUND


def test_sparse_rows_are_made_dense_one_minibatch_at_a_time():
    # The positions of the values are checked in one piece, a byte for each.
    rows = csr_matrix(X * (X < 0.9))
    assert peak(lambda: make_rbm().fit(rows)) < BOUND + rows.nnz


@pytest.mark.parametrize("method", ["transform", "free_energy", "score_samples"])
def test_inference_takes_its_result_and_little_more(method):
    rbm = make_rbm().fit(X[:200])
    function = getattr(rbm, method)
    assert peak(lambda: function(X)) < BOUND + function(X[:1]).nbytes * N_ROWS


def test_way_back_takes_its_result_and_little_more():
    rbm = make_rbm().fit(X[:200])
    H = rbm.transform(X)
    assert peak(lambda: rbm.inverse_transform(H)) < BOUND + DATA


def test_prediction_takes_its_result_and_little_more():
    net = DBNClassifier((20, 20), pretrain=False, softmax_iter=0, finetune_iter=0)
    net.fit(X[:200], np.arange(200) % 10)
    assert peak(lambda: net.predict_proba(X)) < BOUND + 10 * N_ROWS * 4


def test_classifier_holds_the_activations_of_two_neighbouring_layers_at_most():
    sizes, y = (40, 20, 40, 30), np.arange(N_ROWS) % 10
    net = DBNClassifier(sizes, rbm=make_rbm(), softmax_iter=1, finetune_iter=1, batch_size=400)
    largest_pair = (40 + 30) * N_ROWS * 4
    labels = 3 * y.nbytes  # among them the index of each row's class
    assert peak(lambda: net.fit(X, y)) < BOUND + largest_pair + labels


def make_small_net(kind, **parameters):
    rbm = make_rbm(early_stopping=parameters.get("early_stopping", False))
    top = "output_iter" if kind is DBNRegressor else "softmax_iter"
    quick = {"finetune_iter": 1, "batch_size": 400, "random_state": 0, top: 0}
    return kind((5,), rbm=rbm, **quick, **parameters)


# What an index of the rows, the targets and the activations of five units take.
OF_ROWS = 10 * N_ROWS * 8


@pytest.mark.parametrize("visible_units", ["auto", "binary"])
def test_machine_that_stops_early_makes_no_copy_of_the_rows(visible_units):
    rbm = make_rbm(early_stopping=True, visible_units=visible_units)
    assert peak(lambda: rbm.fit(X)) < BOUND + OF_ROWS < DATA


@pytest.mark.parametrize("kind", [DBNClassifier, DBNRegressor])
def test_net_that_stops_early_makes_no_copy_of_the_rows(kind):
    net, y = make_small_net(kind, early_stopping=True), np.arange(N_ROWS) % 2
    assert peak(lambda: net.fit(X, y)) < BOUND + OF_ROWS < DATA


def test_rows_that_do_not_count_are_left_out_without_a_copy_of_the_others():
    weight = 1.0 * (np.arange(N_ROWS) % 10 > 0)
    assert peak(lambda: make_rbm().fit(X, sample_weight=weight)) < BOUND + OF_ROWS < DATA


def test_array_of_a_file_takes_its_bytes_and_little_more():
    file = io.BytesIO()
    np.save(file, X)
    size = file.tell()
    file.seek(0)
    assert peak(lambda: read_array(file, size)) < 1.3 * DATA
