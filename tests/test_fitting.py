"""The frame of every fit: one fit owns every attribute, whatever ends it."""

import copy
import gc
import pickle
import random
import signal
import time
import warnings
import weakref

import numpy as np
import pytest
import sklearn
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdbn import (
    DataRangeWarning,
    DBNClassifier,
    InterruptedTrainingWarning,
    RBMTransformer,
)
from skdbn._training.callbacks import HAS_CALLBACKS
from skdbn._training.fitting import Run
from skdbn._training.rows import one_for_each_row
from skdbn.datasets import load_digits

pytestmark = pytest.mark.filterwarnings(  # most trainings here are short on purpose
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)
needs_callbacks = pytest.mark.skipif(not HAS_CALLBACKS, reason="scikit-learn 1.9 brought callbacks")

X, X_VAL, Y, Y_VAL = load_digits()
X, Y = X[:120], Y[:120]
HELD_OUT = {"X_val": X_VAL, "y_val": Y_VAL}
N_INTERRUPTIONS = 1000  # at random instants, over four kinds of fits


def make_rbm(**parameters):
    return RBMTransformer(**{"n_components": 8, "n_iter": 4, "random_state": 0, **parameters})


def make_net(**parameters):
    quick = {"rbm": RBMTransformer(n_iter=2), "softmax_iter": 2, "finetune_iter": 3}
    return DBNClassifier(**{"hidden_layer_sizes": (8, 6), "random_state": 0, **quick, **parameters})


def fitted_attributes(estimator):
    return {name for name in vars(estimator) if name.endswith("_") and not name.startswith("__")}


class Hooks:
    """A callback whose hooks do what a test wants at the end of a task."""

    def __init__(self, at_end=lambda estimator, context: None, at_teardown=lambda: None):
        self.at_end, self.at_teardown = at_end, at_teardown

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        return self.at_end(estimator, context)

    def teardown(self, estimator, context):
        self.at_teardown()


def interrupt():
    raise KeyboardInterrupt


# -- interruption at any instant


def error_of(rbm, rows):
    return ((rows - rbm.inverse_transform(rbm.transform(rows))) ** 2).mean()


def assert_machine_agrees(rbm, rows, held_out=None):
    """Parameters, curves and what a later fit goes on from must be of the same pass."""
    assert rbm.n_iter_ == len(rbm.loss_curve_) == len(rbm.dead_units_curve_)
    assert rbm.n_iter_ == len(rbm.saturated_units_curve_) == len(rbm._largest_weights)
    losses = rbm.validation_loss_curve_
    assert len(rbm.free_energy_gap_curve_) == len(losses)
    assert len(losses) == (0 if held_out is None else rbm.n_iter_)
    if losses:
        expected = min(losses) if rbm.early_stopping else losses[-1]
        assert error_of(rbm, held_out) == pytest.approx(expected, rel=1e-4)
    elif rbm.n_iter_:
        assert error_of(rbm, rows) == pytest.approx(rbm.loss_curve_[-1], rel=1e-4)
    if rbm.n_iter_ == 0:
        assert not rbm._kept["optimizer"]["velocity"].any()
    else:
        assert rbm._kept["optimizer"]["velocity"].any()


def assert_net_agrees(net, is_watched):
    assert net.n_iter_ == len(net.loss_curve_)
    assert len(net.coefs_) == len(net.intercepts_) == net.n_layers_ - 1 == 3
    scores = getattr(net, "validation_scores_", [])
    assert len(scores) == (net.n_iter_ if is_watched else 0)
    if scores:
        assert net.best_validation_score_ == max(scores)
        expected = max(scores) if net.early_stopping else scores[-1]
        assert net.score(X_VAL, Y_VAL) == pytest.approx(expected)
    rows, held_out = X, X_VAL if is_watched else None
    for rbm in net.rbms_:
        assert_machine_agrees(rbm, rows, held_out)
        rows = rbm.transform(rows)
        held_out = held_out if held_out is None else rbm.transform(held_out)
    if not net.n_iter_:
        for rbm, coef in zip(net.rbms_, net.coefs_, strict=False):
            factors = coef / rbm.components_.T  # other than 1 if the units are spread
            np.testing.assert_allclose(factors, factors[0, 0], rtol=1e-4)
    if len(net.rbms_) < 2:
        assert not net.softmax_loss_curve_
    if len(net.softmax_loss_curve_) < net.softmax_iter:
        assert not net.loss_curve_


WHOLE = {"batch_size": len(X)}  # so that all rows are watched
STOPPING = {"early_stopping": True, "n_iter_no_change": 1, "learning_rate": 1.0, "n_iter": 8}
STOPPING_NET = {"early_stopping": True, "n_iter_no_change": 1, "learning_rate_init": 0.05}
KINDS = {
    "machine": (make_rbm(n_iter=10, **WHOLE), {}),
    "machine that stops early": (make_rbm(**STOPPING), {"X_val": X_VAL}),
    "net": (make_net(rbm=RBMTransformer(n_iter=3, **WHOLE), batch_size=20), {}),
    "net that stops early": (make_net(finetune_iter=6, batch_size=20, **STOPPING_NET), HELD_OUT),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", KINDS)
def test_interruption_at_any_instant_leaves_attributes_that_agree(kind):
    prototype, held_out = KINDS[kind]
    data = (X,) if isinstance(prototype, RBMTransformer) else (X, Y)

    def on_alarm(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, on_alarm)
    durations = []
    for _ in range(3):
        start = time.perf_counter()
        clone(prototype).fit(*data, **held_out)
        durations.append(time.perf_counter() - start)
    generator, n_kept, n_whole = random.Random(0), 0, 0
    try:
        for _ in range(N_INTERRUPTIONS // len(KINDS)):
            estimator = clone(prototype)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    signal.setitimer(signal.ITIMER_REAL, generator.uniform(1e-5, min(durations)))
                    estimator.fit(*data, **held_out)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                except KeyboardInterrupt:
                    pass
                signal.setitimer(signal.ITIMER_REAL, 0)
            n_kept += any(w.category is InterruptedTrainingWarning for w in caught)
            if not fitted_attributes(estimator):
                continue  # interrupted before training
            n_whole += estimator.n_iter_ > 0
            if isinstance(estimator, RBMTransformer):
                assert_machine_agrees(estimator, X, held_out.get("X_val"))
            else:
                assert_net_agrees(estimator, bool(held_out))
            assert not hasattr(pickle.loads(pickle.dumps(estimator)), "_run")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert n_kept > 0.3 * N_INTERRUPTIONS / len(KINDS)
    assert n_whole > 0


@needs_callbacks
@pytest.mark.parametrize("estimator", [make_rbm(), make_net()])
@pytest.mark.parametrize("moment", ["the last pass", "the end of the fit", "teardown"])
def test_interruption_in_the_last_callback_keeps_the_training(estimator, moment):
    def at_end(estimator, context):
        is_last = context.task_name == "pass" and context.parent.task_name in ("fit", "finetune")
        n_made = estimator.n_iter_
        last = {"the last pass": is_last and n_made == estimator.get_params()[n_name]}
        if last.get(moment, moment == "the end of the fit" and context.task_name == "fit"):
            raise KeyboardInterrupt

    is_net = isinstance(estimator, DBNClassifier)
    n_name = "finetune_iter" if is_net else "n_iter"
    data = (X, Y) if is_net else (X,)
    hooks = Hooks(at_end, interrupt if moment == "teardown" else lambda: None)
    whole, interrupted = clone(estimator).fit(*data), clone(estimator).set_callbacks(hooks)
    with pytest.warns(InterruptedTrainingWarning, match="3 of 3|4 of 4"):
        interrupted.fit(*data)
    assert interrupted.n_iter_ == whole.n_iter_
    predict = "predict_proba" if is_net else "transform"
    np.testing.assert_array_equal(getattr(interrupted, predict)(X), getattr(whole, predict)(X))
    assert not {"_run", "_callback_fit_ctx", "_skl_callbacks_to_teardown"} & set(vars(interrupted))


def interrupt_when_printing(monkeypatch, beginning):
    def print_(text, **_):
        if beginning in text:
            raise KeyboardInterrupt

    monkeypatch.setattr("builtins.print", print_)


def test_interrupted_machine_with_early_stopping_keeps_its_best_pass(monkeypatch):
    options = {"early_stopping": True, "learning_rate": 1.0, "n_iter_no_change": 50, "verbose": 1}
    interrupt_when_printing(monkeypatch, "pass 30 of 60")
    rbm = make_rbm(n_iter=60, **options)
    with pytest.warns(InterruptedTrainingWarning):
        rbm.fit(X, X_val=X_VAL)
    best = int(np.argmin(rbm.validation_loss_curve_)) + 1
    assert best < rbm.n_iter_ == 30
    expected = make_rbm(n_iter=best, learning_rate=1.0).fit(X)
    np.testing.assert_array_equal(rbm.components_, expected.components_)


def test_interrupted_training_goes_on_with_a_warm_start(monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_when_printing(patch, "softmax: pass 1 of 2")
        net = make_net(warm_start=True, verbose=1)
        with pytest.warns(InterruptedTrainingWarning, match="1 of 2 .* 'softmax'"):
            net.fit(X, Y)
    machines = net.rbms_
    net.set_params(softmax_iter=1, verbose=0).fit(X, Y)
    assert [a is b for a, b in zip(net.rbms_, machines, strict=True)] == [True, True]
    assert (len(net.softmax_loss_curve_), net.n_iter_) == (2, 3)


@pytest.mark.parametrize("estimator", [make_rbm(), make_net(), make_rbm(early_stopping=True)])
@pytest.mark.parametrize("interrupted", [False, True])
def test_fit_lets_go_of_the_rows_at_once(estimator, interrupted, monkeypatch):
    # and not when the garbage collector comes by, which arrays hardly wake
    if interrupted:
        interrupt_when_printing(monkeypatch, "pass 2 of")
    estimator, rows = clone(estimator).set_params(verbose=int(interrupted)), X.astype(float)
    seen = weakref.ref(rows)
    gc.collect()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator.fit(rows, Y)
        del rows
        assert seen() is None
    finally:
        gc.enable()


def test_interruption_before_training_is_an_interruption():
    net = make_net().fit(X, Y)
    before = copy.copy(vars(net))

    class Interrupting:
        def __array__(self, *_, **__):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        net.fit(Interrupting(), Y)
    assert vars(net) == before


# -- what a fit publishes


@needs_callbacks
@pytest.mark.parametrize("estimator", [make_rbm(gradient="pcd"), make_net()])
def test_published_arrays_are_not_the_memory_of_the_training(estimator):
    seen = []

    def at_end(estimator, context):
        machines = getattr(estimator, "rbms_", [estimator])
        arrays = [array for rbm in machines for array in (rbm.components_, rbm.h_samples_)]
        arrays += [*getattr(estimator, "coefs_", []), *getattr(estimator, "intercepts_", [])]
        seen.extend((array, array.copy()) for array in arrays)

    estimator = clone(estimator).set_callbacks(Hooks(at_end))
    estimator.fit(X, Y)
    assert len(seen) >= 10
    for array, content in seen:
        np.testing.assert_array_equal(array, content)


@needs_callbacks
def test_machine_of_a_layer_and_its_weights_agree_after_each_pass():
    def at_end(net, context):
        if context.task_name == "pass" and context.parent.task_name.startswith("pretrain"):
            for rbm, coef in zip(net.rbms_, net.coefs_, strict=False):
                np.testing.assert_array_equal(rbm.components_.T, coef)
            n_passes.append([rbm.n_iter_ for rbm in net.rbms_])

    n_passes = []
    make_net().set_callbacks(Hooks(at_end)).fit(X, Y)
    assert n_passes == [[1], [2], [2, 1], [2, 2]]


def test_new_fit_leaves_nothing_of_an_earlier_one():
    net = make_net().fit(X, Y, **HELD_OUT)
    assert len(net.validation_scores_) == 3
    net.fit(X, Y)
    assert fitted_attributes(net) == fitted_attributes(make_net().fit(X, Y))
    rbm = make_rbm().fit(X, X_val=X_VAL).fit(X)
    assert rbm.validation_loss_curve_ == rbm.free_energy_gap_curve_ == []


def test_warm_start_continues_the_curves_of_held_out_rows():
    net = make_net(warm_start=True).fit(X, Y, **HELD_OUT)
    first = list(net.validation_scores_)
    net.fit(X, Y, **HELD_OUT)
    assert len(net.validation_scores_) == len(net.loss_curve_) == 6
    assert net.validation_scores_[:3] == first
    assert net.best_validation_score_ == max(net.validation_scores_[3:])
    net.fit(X, Y)  # nothing is watched any more
    assert not hasattr(net, "validation_scores_")
    assert not hasattr(net, "best_validation_score_")
    rbm = make_rbm(warm_start=True).fit(X, X_val=X_VAL).fit(X, X_val=X_VAL)
    assert len(rbm.validation_loss_curve_) == len(rbm.loss_curve_) == 8
    assert rbm.partial_fit(X).validation_loss_curve_ == []


def test_copy_that_is_made_during_a_fit_is_not_being_fitted():
    rbm = make_rbm()
    with Run(rbm):
        assert hasattr(rbm, "_run")
        assert not hasattr(pickle.loads(pickle.dumps(rbm)), "_run")
    assert not hasattr(rbm, "_run")


# -- what a fit goes on from


GAUSSIAN = {"hidden_units": "gaussian", "learning_rate": 1e-3}


@pytest.mark.parametrize("units", [GAUSSIAN, {"visible_units": "gaussian", "learning_rate": 1e-3}])
def test_warm_start_with_other_units_is_refused(units):
    net = make_net(warm_start=True).fit(X, Y)
    net.set_params(rbm=RBMTransformer(n_iter=4, **units))
    with pytest.raises(
        ValueError, match=r"rbm has the visible and hidden units .*warm_start=False"
    ):
        net.fit(X, Y)
    rbm = make_rbm(warm_start=True).fit(X).set_params(**units)
    with pytest.raises(ValueError, match=r"visible_units and hidden_units == .*warm_start=False"):
        rbm.fit(X)
    with pytest.raises(ValueError, match=r"visible_units and hidden_units == .*warm_start=False"):
        rbm.partial_fit(X)


def test_warm_start_of_a_network_without_machines_refuses_other_units():
    net = make_net(pretrain=False, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="hidden units"):
        net.set_params(rbm=RBMTransformer(**GAUSSIAN)).fit(X, Y)


def test_fitted_machine_keeps_its_units_whatever_its_parameters_become():
    rbm = make_rbm().fit(X)
    expected = rbm.transform(X), rbm.score(X)
    rbm.set_params(hidden_units="gaussian", visible_units="gaussian")
    np.testing.assert_array_equal(rbm.transform(X), expected[0])
    assert rbm.score(X) == expected[1]


# -- what comes in


def test_held_out_rows_are_checked_for_their_range():
    for estimator, data, held_out in (
        (make_rbm(), (X,), {"X_val": 16 * X_VAL}),
        (make_net(), (X, Y), {"X_val": 16 * X_VAL, "y_val": Y_VAL}),
        (make_net(pretrain=False), (X, Y), {"X_val": 16 * X_VAL, "y_val": Y_VAL}),
    ):
        with pytest.warns(
            DataRangeWarning, match=r"\d\d% of the values of X_val .* transform_input"
        ) as caught:
            estimator.fit(*data, **held_out)
        assert len([w for w in caught if w.category is DataRangeWarning]) == 1
        with pytest.warns(DataRangeWarning, match="of the values of X_val"):
            estimator.fit(*data, **{**held_out, "X_val": csr_matrix(16 * X_VAL)})


def test_held_out_rows_that_a_pipeline_scales_are_not_warned_of():
    # As the warning says; a few values of other rows always lie beyond the range of a scaler.
    net = make_net(early_stopping=True)
    with sklearn.config_context(enable_metadata_routing=True):
        net.set_fit_request(X_val=True, y_val=True)
        model = make_pipeline(MinMaxScaler(), net, transform_input=["X_val"])
        model.fit(16 * X, Y, X_val=16 * X_VAL, y_val=Y_VAL)
    assert model[0].transform(16 * X_VAL).max() > 1.0
    assert model.score(16 * X_VAL, Y_VAL) == net.best_validation_score_


@pytest.mark.parametrize("value", ["auto", None, -1, "False", 2, 1])
def test_flags_that_are_not_true_or_false_are_refused(value):
    for name in ("pretrain", "early_stopping", "warm_start"):
        with pytest.raises(TypeError, match=f"{name} == {value!r}, must be True or False"):
            make_net(**{name: value}).fit(X, Y)
    for name in ("early_stopping", "warm_start"):
        with pytest.raises(TypeError, match=f"{name} == {value!r}, must be True or False"):
            make_rbm(**{name: value}).fit(X)


@pytest.mark.parametrize("value", [None, "yes", -1])
def test_verbose_that_is_no_number_is_refused(value):
    for estimator, data in ((make_rbm(verbose=value), (X,)), (make_net(verbose=value), (X, Y))):
        with pytest.raises((TypeError, ValueError), match="verbose"):
            estimator.fit(*data)


def test_flags_may_be_numpy_booleans():
    rbm = make_rbm(early_stopping=np.bool_(False), warm_start=np.bool_(True)).fit(X).fit(X)
    assert rbm.n_iter_ == 8
    assert make_rbm(warm_start=np.bool_(False)).fit(X).fit(X).n_iter_ == 4
    net = make_net(pretrain=np.bool_(False), warm_start=np.bool_(True)).fit(X, Y).fit(X, Y)
    assert (net.n_iter_, net.rbms_) == (6, [])
    with pytest.raises(TypeError, match="warm_start == array.*, must be True or False"):
        rbm.set_params(warm_start=np.array([True, False])).fit(X)


class Text:
    shape = ()


IGNORED = [3.0, {"a": 1}, object(), [[1], [2, 3]], "text", Text(), np.array(3), {1, 2}, None]


@pytest.mark.parametrize("y", IGNORED, ids=range(len(IGNORED)))
def test_machine_ignores_y(y, tmp_path):
    expected = make_rbm(early_stopping=True).fit(X)
    rbm = make_rbm(early_stopping=True)
    if HAS_CALLBACKS:
        from skdbn import Checkpoint

        rbm.set_callbacks(Checkpoint(tmp_path / "checkpoint"), Hooks())
    np.testing.assert_array_equal(rbm.fit(X, y).components_, expected.components_)


@needs_callbacks
@pytest.mark.parametrize("kind", [np.asarray, list, lambda y: y.astype(object)])
def test_callbacks_of_a_machine_get_the_y_of_its_rows(kind):
    seen = []

    class Recorder(Hooks):
        def on_fit_task_end(self, estimator, context, *, X=None, y=None):
            seen.append((X, y))

    labels = X.sum(axis=1)
    make_rbm(early_stopping=True).set_callbacks(Recorder()).fit(X, kind(labels))
    rows, y = seen[0]
    np.testing.assert_allclose(rows.sum(axis=1), np.asarray(y, float), rtol=1e-6)
    assert len(y) == 108


def test_y_counts_only_with_an_entry_for_each_row():
    assert one_for_each_row([1, 2], 2) == [1, 2]
    assert one_for_each_row([1, 2], 3) is None
    assert one_for_each_row(np.zeros((2, 3)), 2).shape == (2, 3)
    assert one_for_each_row(np.zeros(()), 1) is None
    assert one_for_each_row({"a": 1}, 1) is None


# -- templates


@needs_callbacks
def test_callbacks_on_a_template_are_refused_with_what_to_do_instead():
    template = RBMTransformer(n_iter=2).set_callbacks(Hooks())
    for rbm in (template, [RBMTransformer(n_iter=1), template]):
        with pytest.raises(ValueError, match="rbm has callbacks, .* Set them on the net"):
            make_net(rbm=rbm).fit(X, Y)
    told = []
    net = make_net().set_callbacks(Hooks(lambda _, context: told.append(context.task_name)))
    net.fit(X, Y)  # as the message says
    assert {"pretrain layer 1", "pretrain layer 2", "pass"} <= set(told)


def test_parameters_of_every_template_are_checked_before_training(monkeypatch):
    monkeypatch.setattr(
        RBMTransformer, "_new_training", lambda *_: pytest.fail("a layer was trained")
    )
    with pytest.raises(ValueError, match="learning_rate == -1, must be > 0"):
        make_net(rbm=[RBMTransformer(), RBMTransformer(learning_rate=-1)]).fit(X, Y)
