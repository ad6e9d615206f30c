"""Every warning points at the line of the user, whatever stands between."""

import inspect
import pickle
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skdbn
from skdbn import (
    DataRangeWarning,
    DBNClassifier,
    FewLabelsWarning,
    FittedTemplateWarning,
    GrowingWeightsWarning,
    HiddenUnitsWarning,
    InterruptedTrainingWarning,
    MixingWarning,
    NotConvergedWarning,
    RBMTransformer,
    VersionWarning,
    load_model,
    save_model,
)
from skdbn._training.callbacks import HAS_CALLBACKS
from skdbn._training.diagnosis import warn
from skdbn.datasets import load_digits

X, X_VAL, Y, Y_VAL = load_digits()
X, Y = X[:150], Y[:150]

# -- what warns, and the category


RBM = RBMTransformer(8, visible_units="binary", n_iter=1, random_state=0)
NET = DBNClassifier((8,), rbm=RBM, softmax_iter=1, finetune_iter=2, random_state=0)
MACHINES = {
    "range": (RBM, 3 * X, DataRangeWarning),
    "saturated": (RBMTransformer(8, learning_rate=9.0, n_iter=5), X, HiddenUnitsWarning),
    "constant": (RBMTransformer(8, n_iter=1, learning_rate=1e-6), X, HiddenUnitsWarning),
    "growing": (clone(RBM).set_params(n_iter=4), 16 * X, GrowingWeightsWarning),
    "interrupted": (clone(RBM).set_params(verbose=1), X, InterruptedTrainingWarning),
}
BAD_TEMPLATE = RBMTransformer(learning_rate=9.0, n_iter=5)
GROWING_TEMPLATE = RBMTransformer(visible_units="binary", n_iter=4)
LONG_STEPS = {"batch_size": 10, "learning_rate_init": 0.02}
FITTED = clone(RBM).fit(X)
FROZEN = FrozenEstimator(FITTED)
NETS = {
    "range": (NET, 3 * X, DataRangeWarning),
    "range of a frozen machine": (clone(NET).set_params(rbm=[FROZEN]), 3 * X, DataRangeWarning),
    "saturated layer": (clone(NET).set_params(rbm=BAD_TEMPLATE), X, HiddenUnitsWarning),
    "growing layer": (clone(NET).set_params(rbm=GROWING_TEMPLATE), 16 * X, GrowingWeightsWarning),
    "not converged": (NET, X, NotConvergedWarning),
    "guessing": (clone(NET).set_params(learning_rate_init=1e-9), X, NotConvergedWarning),
    "few labels": (clone(NET).set_params(unlabeled=9, **LONG_STEPS), X, FewLabelsWarning),
    "interrupted": (clone(NET).set_params(verbose=1), X, InterruptedTrainingWarning),
}


# -- the ways in: each a single call on one line


def fit(estimator, data):
    return line(), estimator.fit(data, Y)


def fit_transform(estimator, data):
    return line(), estimator.fit_transform(data, Y)


def partial_fit(estimator, data):
    return line(), estimator.partial_fit(data)


def pipeline(estimator, data):
    return line(), make_pipeline(FunctionTransformer(), estimator).fit(data, Y)


def pipeline_fit_transform(estimator, data):
    return line(), make_pipeline(FunctionTransformer(), estimator).fit_transform(data, Y)


def step_of_a_pipeline(estimator, data):
    return line(), make_pipeline(estimator, FunctionTransformer()).fit(data, Y)


def cross_validation(estimator, data):
    return line(), cross_val_score(estimator, data, Y, cv=2)


def cross_prediction(estimator, data):
    return line(), cross_val_predict(estimator, data, Y, cv=2)


def grid_search(estimator, data):
    return line(), GridSearchCV(estimator, {"random_state": [0]}, cv=2, scoring=zero).fit(data, Y)


def grid_search_of_a_pipeline(estimator, data):
    model = make_pipeline(FunctionTransformer(), estimator)
    return line(), GridSearchCV(model, {"memory": [None]}, cv=2, scoring=zero).fit(data, Y)


def bagging(estimator, data):
    return line(), BaggingClassifier(estimator, 2, random_state=0).fit(data, Y)


def zero(*_):
    return 0.0


def line():
    """The line of the caller."""
    return inspect.currentframe().f_back.f_lineno


COMMON = [fit, pipeline, cross_validation, grid_search, grid_search_of_a_pipeline]
WAYS_OF_MACHINES = [*COMMON, fit_transform, pipeline_fit_transform, step_of_a_pipeline]
WAYS_OF_NETS = [*COMMON, cross_prediction, bagging]


def caught_from(way, estimator, data):
    """The line of the call, and the warnings that it leads to."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        expected, _ = way(clone(estimator), data)
    return expected, caught


def assert_points_here(expected, caught, category):
    found = [warning for warning in caught if warning.category is category]
    assert found, f"no {category.__name__} among {[w.category for w in caught]}"
    ours = [warning for warning in caught if warning.category.__module__.startswith("skdbn")]
    for warning in ours:
        assert (warning.filename, warning.lineno) == (__file__, expected), warning.message


@pytest.fixture(autouse=True)
def short_trials_of_a_step(monkeypatch):
    """Where some rows have no label, two nets make this many steps before fine-tuning."""
    monkeypatch.setattr("skdbn._dbn.N_STEPS_OF_TRIAL", 300)


@pytest.fixture(autouse=True)
def ctrl_c_at_the_first_line_of_progress(monkeypatch):
    def print_(text, **_):
        if "pass 1" in text:
            raise KeyboardInterrupt

    monkeypatch.setattr("builtins.print", print_)


@pytest.mark.parametrize("way", WAYS_OF_MACHINES, ids=lambda way: way.__name__)
@pytest.mark.parametrize("what", MACHINES)
def test_warning_of_a_machine_points_at_the_line_of_the_user(what, way):
    estimator, data, category = MACHINES[what]
    assert_points_here(*caught_from(way, estimator, data), category)


@pytest.mark.parametrize("what", ["range", "interrupted"])
def test_warning_of_a_pass_points_at_the_line_of_the_user(what):
    estimator, data, category = MACHINES[what]
    assert_points_here(*caught_from(partial_fit, estimator, data), category)


@pytest.mark.parametrize("way", WAYS_OF_NETS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("what", NETS)
def test_warning_of_a_net_points_at_the_line_of_the_user(what, way):
    estimator, data, category = NETS[what]
    assert_points_here(*caught_from(way, estimator, data), category)


def test_warning_of_a_fitted_template_points_at_the_line_of_the_user_and_can_be_followed():
    for way in (fit, pipeline):  # in searches templates are clones, which are not fitted
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            expected, _ = way(clone(NET).set_params(rbm=FITTED), X)
        assert_points_here(expected, caught, FittedTemplateWarning)
    for template in (FROZEN, clone(FITTED)):  # as the warning says
        with warnings.catch_warnings():
            warnings.simplefilter("error", FittedTemplateWarning)
            warnings.simplefilter("ignore", NotConvergedWarning)
            fit(clone(NET).set_params(rbm=template), X)


def test_fitted_template_is_warned_of_only_where_it_is_trained(tmp_path):
    net = clone(NET).set_params(rbm=FITTED)
    with pytest.warns(FittedTemplateWarning) as caught:
        net.partial_fit(X, Y)
    assert sum(warning.category is FittedTemplateWarning for warning in caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", FittedTemplateWarning)
        warnings.simplefilter("ignore", NotConvergedWarning)
        net.partial_fit(X, Y)
        save_model(net, tmp_path / "net")
        fit(clone(NET).set_params(rbm=FITTED, pretrain=False), X)


def test_warning_of_a_likelihood_points_at_the_line_of_the_user():
    rbm = RBMTransformer(21, visible_units="binary", n_iter=0, random_state=0).fit(X)
    rbm.components_ = 5.0 * np.random.default_rng(0).normal(size=rbm.components_.shape)
    for function in (
        lambda: (line(), rbm.log_partition(n_temperatures=1, random_state=0)),
        lambda: (line(), rbm.log_partition(method="ais", n_temperatures=1, random_state=0)),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            expected, _ = function()
        assert_points_here(expected, caught, MixingWarning)


def test_range_of_held_out_rows_points_at_the_line_of_the_user():
    for estimator, data, held_out in (
        (RBM, (X,), {"X_val": 3 * X_VAL}),
        (NET, (X, Y), {"X_val": 3 * X_VAL, "y_val": Y_VAL}),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            expected, _ = line(), clone(estimator).fit(*data, **held_out)
        assert_points_here(expected, caught, DataRangeWarning)


# -- files


def through_load_model(path):
    return line(), load_model(path / "model")


def through_joblib(path):
    return line(), joblib.load(path / "model.joblib")


def through_pickle(path):
    return line(), pickle.loads((path / "model.pickle").read_bytes())


@pytest.mark.parametrize("way", [through_load_model, through_joblib, through_pickle])
@pytest.mark.parametrize("estimator", [RBM, NET])
def test_word_about_another_version_points_at_the_line_of_the_user(
    way, estimator, tmp_path, monkeypatch
):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = clone(estimator).fit(X, Y)
    with monkeypatch.context() as patch:
        patch.setattr("skdbn._version.__version__", "0.0.1")
        save_model(model, tmp_path / "model")
        joblib.dump(model, tmp_path / "model.joblib")
        (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        expected, _ = way(tmp_path)
    assert_points_here(expected, caught, VersionWarning)


@pytest.mark.skipif(not HAS_CALLBACKS, reason="scikit-learn 1.9 brought callbacks")
@pytest.mark.parametrize("estimator", [RBM, NET])
def test_warnings_of_a_resumed_training_point_at_the_line_of_the_user(estimator, tmp_path):
    from skdbn import Checkpoint, load_checkpoint, resume

    path = tmp_path / "checkpoint"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clone(estimator).set_callbacks(Checkpoint(path)).fit(3 * X, Y)
    for function in (
        lambda: (line(), resume(path, 3 * X, Y)),
        lambda: (line(), load_checkpoint(path)),
    ):
        with warnings.catch_warnings(record=True) as caught, pytest.MonkeyPatch.context() as patch:
            patch.setattr("skdbn._version.__version__", "9.9")
            warnings.simplefilter("always")
            expected, _ = function()
        assert_points_here(expected, caught, VersionWarning)


# -- the mechanism


def test_warning_is_shown_once_for_each_line_by_default():
    def twice():
        for _ in range(2):
            warn("said once", DataRangeWarning)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        twice()
        twice()
    assert len(caught) == 1


def test_warning_can_be_filtered_by_the_module_of_the_user_and_made_an_error():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=DataRangeWarning, module=__name__)
        with pytest.raises(DataRangeWarning, match="from 0 to 3"):
            clone(RBM).fit(3 * X)


def test_every_warning_of_the_package_is_tested_here():
    tested = {category for *_, category in (*MACHINES.values(), *NETS.values())}
    tested |= {VersionWarning, FittedTemplateWarning, MixingWarning}
    public = {getattr(skdbn, name) for name in skdbn.__all__}
    defined = {x for x in public if isinstance(x, type) and issubclass(x, Warning)}
    assert defined == tested
