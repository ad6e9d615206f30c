"""scikit-learn's callbacks on the estimators, alone and inside others."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdbn import DBNClassifier, DBNRegressor, RBMTransformer
from skdbn.datasets import load_digits

callback = pytest.importorskip("sklearn.callback", reason="came with scikit-learn 1.9")
pytestmark = pytest.mark.filterwarnings(
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)

X, _, Y, _ = load_digits()
X, Y = X[:300], Y[:300]


def make_net(**parameters):
    rbm = RBMTransformer(n_iter=3)
    quick = {"rbm": rbm, "softmax_iter": 1, "finetune_iter": 2, "random_state": 0}
    return DBNClassifier(**{"hidden_layer_sizes": (12, 8), **quick, **parameters})


def make_regressor(**parameters):
    rbm = RBMTransformer(n_iter=3)
    quick = {"rbm": rbm, "output_iter": 1, "finetune_iter": 2, "random_state": 0}
    return DBNRegressor(**{"hidden_layer_sizes": (12, 8), **quick, **parameters})


LABELS = np.column_stack([Y > 4, Y % 2 == 0]).astype(int)
TARGETS = np.column_stack([1e3 * Y + 0.1, -0.01 * Y])
NETS = {  # what is made, the name of the phase of its top layer, and what it learns
    "classes": (make_net, "softmax", Y),
    "labels": (make_net, "softmax", LABELS),
    "target": (make_regressor, "output", 1e3 * Y + 0.1),
    "targets": (make_regressor, "output", TARGETS),
}
every_net = pytest.mark.parametrize(("make", "top", "y"), NETS.values(), ids=NETS)


class Recorder:
    """Keeps the path of every task; stops where it is told to."""

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.begun, self.ended, self.fitted = [], [], []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        self.torn_down = True

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(self.path(context))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.ended.append(self.path(context))
        self.fitted.append((X, y, fitted_estimator))
        return self.ended[-1] == self.stop_at

    @staticmethod
    def path(context):
        path = []
        while context is not None:
            path.append((context.task_name, context.task_id))
            context = context.parent
        return tuple(path[::-1])


@every_net
def test_tasks_of_a_net_are_its_phases_and_their_passes(make, top, y):
    recorder = Recorder()
    make().set_callbacks(recorder).fit(X, y)
    root = ("fit", 0)
    expected = [
        *((root, (f"pretrain layer {k + 1}", k), ("pass", i)) for k in (0, 1) for i in range(3)),
        (root, (top, 2), ("pass", 0)),
        *((root, ("finetune", 3), ("pass", i)) for i in range(2)),
    ]
    assert [path for path in recorder.ended if path[-1][0] == "pass"] == expected
    assert sorted(recorder.begun) == sorted(recorder.ended)
    assert recorder.begun[0] == recorder.ended[-1] == (root,)
    assert recorder.torn_down


def test_tasks_of_the_transformer_are_its_passes():
    recorder = Recorder()
    RBMTransformer(8, n_iter=2, random_state=0).set_callbacks(recorder).fit(X, Y)
    assert recorder.ended == [(("fit", 0), ("pass", 0)), (("fit", 0), ("pass", 1)), (("fit", 0),)]
    assert recorder.fitted[0][1] is Y


def test_callback_gets_the_model_as_if_training_had_ended_there():
    recorder = Recorder()
    net = make_net(learning_rate="constant").set_callbacks(recorder).fit(X, Y)
    passes = [
        fitted
        for path, (*_, fitted) in zip(recorder.ended, recorder.fitted, strict=True)
        if path[-1][0] == "pass"
    ]
    assert [len(fitted.rbms_) for fitted in passes] == [1] * 3 + [2] * 6
    for n_iter in (1, 2, 3):
        shorter = make_net(rbm=RBMTransformer(n_iter=n_iter), softmax_iter=0, finetune_iter=0)
        np.testing.assert_array_equal(
            passes[n_iter - 1].rbms_[0].components_, shorter.fit(X, Y).rbms_[0].components_
        )
        np.testing.assert_array_equal(
            passes[n_iter - 1].coefs_[0], passes[n_iter - 1].rbms_[0].components_.T
        )
    shorter = make_net(learning_rate="constant", finetune_iter=1).fit(X, Y)
    np.testing.assert_array_equal(passes[-2].predict_proba(X), shorter.predict_proba(X))
    np.testing.assert_array_equal(passes[-1].predict_proba(X), net.predict_proba(X))
    assert not np.shares_memory(passes[-1].coefs_[0], net.coefs_[0])
    np.testing.assert_array_equal(recorder.fitted[-1][1], Y)


@every_net
def test_callback_gets_what_fit_was_given_but_for_rows_of_weight_zero(make, top, y):
    recorder, weight = Recorder(), np.arange(len(X)) % 3
    make().set_callbacks(recorder).fit(X, y, sample_weight=weight)
    for rows, given, _ in recorder.fitted:
        np.testing.assert_array_equal(rows, X[weight > 0])
        np.testing.assert_allclose(given, y[weight > 0], rtol=1e-6, atol=1e-6 * abs(y).max())
        assert given.ndim == y.ndim


@pytest.mark.parametrize(
    ("phase", "n_passes"), [("pretrain layer 2", [3, 1, 1, 2]), ("finetune", [3, 3, 1, 1])]
)
def test_callback_ends_the_phase_that_it_wants_to_end(phase, n_passes):
    task_id = {"pretrain layer 2": 1, "finetune": 3}[phase]
    recorder = Recorder(stop_at=(("fit", 0), (phase, task_id), ("pass", 0)))
    net = make_net().set_callbacks(recorder).fit(X, Y)
    made = [rbm.n_iter_ for rbm in net.rbms_]
    assert [*made, len(net.softmax_loss_curve_), net.n_iter_] == n_passes


def test_callbacks_are_torn_down_and_nothing_is_left_after_an_error():
    recorder = Recorder()
    net = make_net(learning_rate_init=1e38, solver="sgd").set_callbacks(recorder)
    before = set(vars(net))
    with pytest.raises(ValueError, match="diverged"):
        net.fit(X, Y)
    assert recorder.torn_down
    assert set(vars(net)) == before


@every_net
def test_training_is_the_same_with_and_without_callbacks(make, top, y):
    one, other = make().fit(X, y), make().set_callbacks(Recorder()).fit(X, y)
    np.testing.assert_array_equal(one.transform(X), other.transform(X))
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


def score_of_net(estimator, X, y):
    return {"accuracy": float((estimator.predict(X) == y).mean())}


def score_of_rbm(estimator, X, y):
    return {"score": estimator.score(X)}


def test_scoring_monitor_scores_every_pass_of_an_estimator_alone():
    monitor = callback.ScoringMonitor(scoring="accuracy")
    net = make_net().set_callbacks(monitor).fit(X, Y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "pass"]
    assert len(rows) == 9
    assert rows[-1]["accuracy"] == net.score(X, Y)
    monitor = callback.ScoringMonitor(scoring="r2")
    net = make_regressor().set_callbacks(monitor).fit(X, Y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "pass"]
    assert len(rows) == 9
    assert rows[-1]["r2"] == pytest.approx(net.score(X, Y))
    monitor = callback.ScoringMonitor(scoring=score_of_rbm)
    rbm = RBMTransformer(8, n_iter=2, random_state=0).set_callbacks(monitor).fit(X, Y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "pass"]
    assert len(rows) == 2
    assert rows[-1]["score"] == rbm.score(X)


def assert_every_pass_is_scored(n_jobs):
    monitor = callback.ScoringMonitor(scoring=score_of_net)
    model = make_pipeline(MinMaxScaler(), make_net().set_callbacks(monitor))
    grid = {"dbnclassifier__finetune_iter": [1, 2]}
    search = GridSearchCV(model, grid, cv=2, n_jobs=n_jobs).fit(X, Y)
    n_refit = 7 + search.best_params_["dbnclassifier__finetune_iter"]
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "pass"]
    assert len(rows) == 2 * (8 + 9) + n_refit  # both folds of both candidates, and the refit
    assert all(0.0 <= row["accuracy"] <= 1.0 for row in rows)


def assert_every_phase_is_shown(n_jobs, capsys):
    model = make_pipeline(MinMaxScaler(), make_net())
    if n_jobs is not None:
        model = GridSearchCV(model, {"dbnclassifier__finetune_iter": [1]}, cv=2, n_jobs=n_jobs)
    model.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, Y)
    shown = capsys.readouterr().out
    for phase in ("pretrain layer 1", "pretrain layer 2", "softmax", "finetune"):
        assert phase in shown
    assert "100%" in shown


def test_scoring_monitor_scores_every_pass_under_grid_search():
    assert_every_pass_is_scored(n_jobs=1)


@pytest.mark.filterwarnings("ignore:The estimator MinMaxScaler does not support callbacks")
@pytest.mark.parametrize("n_jobs", [None, 1])
def test_progress_bar_shows_every_phase(n_jobs, capsys):
    assert_every_phase_is_shown(n_jobs, capsys)


@pytest.mark.filterwarnings("ignore:The estimator MinMaxScaler does not support callbacks")
def test_scores_and_progress_come_from_other_processes(capsys):
    # in one test, because the processes take seconds to start
    assert_every_pass_is_scored(n_jobs=2)
    assert_every_phase_is_shown(2, capsys)


def test_progress_bar_works_on_the_transformer_alone(capsys):
    RBMTransformer(8, n_iter=2).set_callbacks(callback.ProgressBar()).fit(X)
    assert "RBMTransformer - fit" in capsys.readouterr().out
