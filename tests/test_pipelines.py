"""The estimators inside scikit-learn's tools, as users combine them."""

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import shift
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler
from threadpoolctl import threadpool_limits

from skdbn import DBNClassifier, RBMTransformer

pytestmark = pytest.mark.filterwarnings(  # most trainings here are short on purpose
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)
X, Y = load_digits(return_X_y=True)
QUICK = DBNClassifier(
    (30,), rbm=RBMTransformer(n_iter=5), softmax_iter=5, finetune_iter=5, random_state=0
)


def test_cross_validation_of_a_pipeline():
    scores = cross_val_score(make_pipeline(MinMaxScaler(), QUICK), X, Y, cv=3)
    assert scores.mean() > 0.8
    p = cross_val_predict(QUICK, X / 16, Y, cv=3, method="predict_proba")
    assert p.shape == (len(X), 10)


def test_grid_search_over_layers_and_the_rate_of_the_machines():
    grid = {
        "net__hidden_layer_sizes": [(5,), (40,), (20, 20)],
        "net__rbm__learning_rate": [0.01, 0.1],
    }
    pipeline = Pipeline([("scale", MinMaxScaler()), ("net", QUICK)])
    search = GridSearchCV(pipeline, grid, cv=StratifiedKFold(2))
    search.fit(X[:600], Y[:600])
    scores = search.cv_results_["mean_test_score"]
    assert scores.shape == (6,)
    assert len(set(scores)) > 3  # both parameters reach the net
    best = search.best_estimator_["net"]
    assert best.rbms_[0].learning_rate == search.best_params_["net__rbm__learning_rate"]
    assert [rbm.n_components for rbm in best.rbms_] == list(best.hidden_layer_sizes)


def test_parameters_of_templates_can_be_searched_however_they_are_given():
    grid = {"rbm__learning_rate": [0.05, 0.1]}
    net = DBNClassifier((5,), softmax_iter=1, finetune_iter=1, random_state=0)
    search = GridSearchCV(net, grid, cv=2).fit(X[:100] / 16, Y[:100])
    assert search.best_estimator_.rbm.learning_rate == search.best_params_["rbm__learning_rate"]
    templates = [RBMTransformer(n_iter=1), RBMTransformer(n_iter=2)]
    two = clone(net).set_params(hidden_layer_sizes=(5, 4), rbm=templates)
    search = GridSearchCV(two, {"rbm__1__n_iter": [3]}, cv=2).fit(X[:100] / 16, Y[:100])
    assert [rbm.n_iter_ for rbm in search.best_estimator_.rbms_] == [1, 3]
    for name in ("rbm__n_iter", "rbm__2__n_iter"):
        with pytest.raises(ValueError, match="is a list of length 2, so name an RBM"):
            two.set_params(**{name: 3})
    for model, name in ((net, "rbm__n_components"), (two, "rbm__0__n_components")):
        with pytest.raises(ValueError, match=f"{name} has no effect\\. Set hidden_layer_sizes"):
            model.set_params(**{name: 3})
    with pytest.raises(ValueError, match="Invalid parameter 'unknown'"):
        net.set_params(rbm__unknown=1)


def test_searched_parameters_reach_the_template():
    net = clone(QUICK).set_params(rbm__learning_rate=0.02, rbm__gradient="pcd")
    assert net.get_params()["rbm__learning_rate"] == 0.02
    assert QUICK.rbm.learning_rate == "auto"  # the original keeps its own


def test_rbm_can_be_searched_by_its_own_score():
    search = GridSearchCV(
        RBMTransformer(n_components=16, n_iter=5, random_state=0),
        {"learning_rate": [1e-6, 0.1]},
        cv=2,
    ).fit(X[:500] / 16)
    assert search.best_params_ == {"learning_rate": 0.1}


def test_pandas_output_goes_through_a_pipeline_of_two_machines():
    frame = pd.DataFrame(X / 16, columns=[f"pixel{i}" for i in range(64)])
    pipeline = make_pipeline(
        RBMTransformer(20, n_iter=1, random_state=0), RBMTransformer(7, n_iter=1, random_state=0)
    ).set_output(transform="pandas")
    features = pipeline.fit_transform(frame)
    assert isinstance(features, pd.DataFrame)
    assert list(features.columns) == [f"rbmtransformer{i}" for i in range(7)]
    assert list(features.columns) == list(pipeline.get_feature_names_out())
    assert list(pipeline[1].feature_names_in_) == [f"rbmtransformer{i}" for i in range(20)]
    np.testing.assert_array_equal(pipeline.transform(frame), features)


def test_inverse_transform_goes_back_through_a_pipeline():
    pipeline = make_pipeline(MinMaxScaler(), RBMTransformer(100, n_iter=30, random_state=0))
    back = pipeline.inverse_transform(pipeline.fit_transform(X))
    assert back.shape == X.shape
    assert ((back - X) ** 2).mean() < 0.3 * X.var(axis=0).mean()


def test_global_pandas_output_does_not_leak_into_the_net():
    import sklearn

    expected = clone(QUICK).fit(X / 16, Y)
    with sklearn.config_context(transform_output="pandas"):
        net = clone(QUICK).set_params(hidden_layer_sizes=(30,)).fit(X / 16, Y)
        assert not hasattr(net.rbms_[0], "feature_names_in_")
        np.testing.assert_array_equal(net.predict(X / 16), expected.predict(X / 16))


def test_fitted_pipeline_survives_joblib(tmp_path):
    pipeline = make_pipeline(MinMaxScaler(), QUICK).fit(X, Y)
    joblib.dump(pipeline, tmp_path / "model.joblib")
    for mmap_mode in (None, "r"):
        loaded = joblib.load(tmp_path / "model.joblib", mmap_mode=mmap_mode)
        np.testing.assert_array_equal(loaded.predict_proba(X), pipeline.predict_proba(X))


@pytest.mark.exhaustive
def test_features_beat_raw_pixels_on_shifted_digits():
    # Copies of a digit shifted by a pixel stay in one fold: else they leak into training.
    images = X.reshape(-1, 8, 8) / 16
    shifts = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)]
    data = np.vstack([[shift(i, s, order=0).ravel() for i in images] for s in shifts])
    data = data.astype(np.float32)
    labels, groups = np.tile(Y, 5), np.tile(np.arange(len(Y)), 5)
    folds = list(GroupKFold(3).split(data, labels, groups))
    raw = LogisticRegression(C=1.0, max_iter=200, tol=1e-2)
    features = make_pipeline(
        RBMTransformer(100, random_state=0), LogisticRegression(C=10.0, max_iter=200, tol=1e-2)
    )
    raw_score, score = (cross_val_score(m, data, labels, cv=folds).mean() for m in (raw, features))
    assert score > raw_score + 0.03


# -- the same results, whoever does the work


def test_two_processes_give_the_scores_of_one():
    grid = {"net__hidden_layer_sizes": [(10,), (20, 20)], "net__rbm__learning_rate": [0.01, 0.1]}
    pipeline = Pipeline([("scale", MinMaxScaler()), ("net", QUICK)])
    one, two = (
        GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs).fit(X[:600], Y[:600]) for n_jobs in (1, 2)
    )
    for name in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(one.cv_results_[name], two.cv_results_[name])
    assert one.best_params_ == two.best_params_


WIDE = np.random.default_rng(0).random((500, 300), dtype=np.float32)


def fit_with_threads(n_threads):
    """Train a network that is wide enough for BLAS to share out its products."""
    net = DBNClassifier(
        (200,), rbm=RBMTransformer(n_iter=2), softmax_iter=2, finetune_iter=2, random_state=0
    )
    with threadpool_limits(n_threads, user_api="blas"):
        return net.set_params(batch_size=100, rbm__batch_size=100).fit(WIDE, np.arange(500) % 3)


def test_same_seed_and_number_of_threads_give_the_same_bits():
    nets = [fit_with_threads(2) for _ in range(2)]
    for one, other in zip(*(net.coefs_ + net.intercepts_ for net in nets), strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_number_of_threads_gives_the_same_predictions_to_rounding():
    p = [fit_with_threads(n_threads).predict_proba(WIDE) for n_threads in (1, 2)]
    np.testing.assert_allclose(*p, atol=1e-4)
