"""Numbers about models against the same numbers put together by hand."""

import warnings
from copy import copy

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skdbn import DBNClassifier, DBNRegressor, RBMTransformer, load_model, save_model
from skdbn.datasets import load_digits
from skdbn.inspection import (
    bias_probe,
    chain_statistics,
    finetuned,
    hidden_activations,
    machine_input,
    machines,
    predictor,
    reconstruct,
    unit_probe,
    unit_statistics,
    visible_columns,
)

pytestmark = pytest.mark.filterwarnings(  # most trainings here are short on purpose
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)

X, _, Y, _ = load_digits()
X, Y = X[:300], Y[:300]
LOWER = RBMTransformer(30, n_iter=5, random_state=0).fit(X)
UPPER = RBMTransformer(20, n_iter=5, random_state=1).fit(LOWER.transform(X))
NET = DBNClassifier((30, 20), rbm=RBMTransformer(n_iter=5), softmax_iter=1, finetune_iter=1)
NET.fit(X, Y)
REGRESSOR = DBNRegressor((30, 20), rbm=RBMTransformer(n_iter=5), output_iter=1, finetune_iter=1)
REGRESSOR.fit(X, Y)
PIPELINE = make_pipeline(
    RBMTransformer(30, n_iter=5, random_state=0), RBMTransformer(20, n_iter=5, random_state=1)
).fit(X)
MODELS = {
    "list": [LOWER, UPPER],
    "tuple": (LOWER, UPPER),
    "pipeline": PIPELINE,
    "classifier": NET,
    "regressor": REGRESSOR,
    "pipeline with a classifier": make_pipeline(MinMaxScaler(), NET).fit(X, Y),
    "fine-tuned classifier": finetuned(NET),
    "fine-tuned regressor": finetuned(REGRESSOR),
    "pipeline with a fine-tuned classifier": finetuned(make_pipeline(MinMaxScaler().fit(X), NET)),
}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


# -- models


def test_machines_are_found_in_every_kind_of_model(model):
    assert [rbm.components_.shape for rbm in machines(model)] == [(30, 64), (20, 30)]


def test_machine_alone_is_a_model():
    assert machines(LOWER) == [LOWER]


def test_pipelines_may_pass_and_end_with_other_steps():
    pipeline = make_pipeline("passthrough", MinMaxScaler(), LOWER, UPPER, LogisticRegression())
    assert machines(pipeline) == [LOWER, UPPER]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (LogisticRegression(), TypeError, "no restricted Boltzmann machine"),
        ([], TypeError, "no restricted Boltzmann machine"),
        (RBMTransformer(), NotFittedError, "not fitted"),
        ([LOWER, LOWER], ValueError, "30 hidden units lies below .* 64 features"),
        (
            DBNClassifier((5,), pretrain=False, softmax_iter=1, finetune_iter=1).fit(X, Y),
            TypeError,
            "pretrain=False",
        ),
    ],
)
def test_what_is_no_stack_of_machines_is_refused(wrong, error, message):
    with pytest.raises(error, match=message):
        machines(wrong)


# -- identities


def test_search_that_has_no_best_estimator_is_to_be_fitted_first():
    unfitted = GridSearchCV(NET, {"softmax_iter": [1]})
    message = "model is a GridSearchCV, .*: fit it with refit=True, then pass its best_estimator_."
    for function in (machines, finetuned, visible_columns, predictor):
        with pytest.raises(TypeError, match=message):
            function(unfitted)
    message = "model ends in a RandomizedSearchCV, .* then pass make_pipeline"
    with pytest.raises(TypeError, match=message):
        machines(make_pipeline(MinMaxScaler(), RandomizedSearchCV(NET, {"softmax_iter": [1]})))


FRAME = pd.DataFrame(16 * X, columns=[f"pixel_{i}" for i in range(64)])


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("estimator", [LOWER, NET, REGRESSOR])
def test_columns_are_those_of_the_first_machine_with_the_names_of_the_data(estimator, prepared):
    model = clone(estimator)
    if prepared:
        model = make_pipeline(MinMaxScaler(), "passthrough", model)
    columns = visible_columns(model.fit(FRAME, Y))
    lowest = machines(model)[0]
    assert columns.names.tolist() == FRAME.columns.tolist()
    np.testing.assert_array_equal(columns.visible_units, lowest.visible_units_)
    np.testing.assert_array_equal(columns.offset, lowest.offset_)
    np.testing.assert_array_equal(columns.scale, lowest.scale_)
    assert ("gaussian" in columns.visible_units) == (not prepared)


def test_columns_without_names_have_none():
    assert visible_columns(NET).names is None
    assert visible_columns([LOWER, UPPER]).names is None


def test_what_predicts_takes_rows_as_the_first_machine_sees_them():
    assert predictor(LOWER) is predictor([LOWER, UPPER]) is predictor(PIPELINE) is None
    assert predictor(NET) is NET
    scaled = make_pipeline(MinMaxScaler().fit(16 * X), "passthrough", NET)
    seen = scaled[0].transform(16 * X)
    np.testing.assert_array_equal(predictor(scaled).predict(seen), scaled.predict(16 * X))
    on_top = make_pipeline(MinMaxScaler(), clone(LOWER), LogisticRegression(max_iter=1000))
    on_top.fit(16 * X, Y)
    np.testing.assert_array_equal(predictor(on_top).predict(seen), on_top.predict(16 * X))


def test_net_that_learned_no_targets_predicts_nothing():
    net = DBNClassifier((5,), rbm=RBMTransformer(n_iter=1), softmax_iter=0, finetune_iter=0)
    assert predictor(net.fit(X, Y)) is None
    assert predictor(net.set_params(finetune_iter=1).fit(X, Y)) is net


def test_reconstruction_through_one_layer_is_up_and_down():
    expected = LOWER.inverse_transform(LOWER.transform(X))
    np.testing.assert_array_equal(reconstruct(LOWER, X), expected)
    np.testing.assert_array_equal(reconstruct([LOWER, UPPER], X, n_layers=1), expected)


def test_reconstruction_goes_up_and_down_all_layers(model):
    lower, upper = machines(model)
    scaler = MinMaxScaler().fit(X)
    scaled = isinstance(model, Pipeline) and isinstance(model[0], MinMaxScaler)
    H = upper.transform(lower.transform(scaler.transform(X) if scaled else X))
    expected = lower.inverse_transform(upper.inverse_transform(H))
    if scaled:
        expected = scaler.inverse_transform(expected)
    np.testing.assert_allclose(reconstruct(model, X), expected, rtol=1e-6, atol=1e-7)


def test_bias_probe_is_the_way_down_of_zeros(model):
    lower, upper = machines(model)
    first = lower.inverse_transform(np.zeros((1, 30), np.float32))
    second = lower.inverse_transform(upper.inverse_transform(np.zeros((1, 20), np.float32)))
    np.testing.assert_array_equal(bias_probe(model), np.concatenate([first, second]))


def test_unit_probe_and_bias_probe_add_up_to_the_way_down_of_the_identity(model):
    lower, _ = machines(model)
    expected = lower.inverse_transform(np.eye(30, dtype=np.float32))
    np.testing.assert_allclose(unit_probe(model, 1) + bias_probe(model)[0], expected, atol=1e-6)
    np.testing.assert_array_equal(unit_probe(model, 1, subtract_bias=False), expected)


def test_unit_probe_of_layer_2_is_two_ways_down(model):
    lower, upper = machines(model)
    expected = lower.inverse_transform(upper.inverse_transform(np.eye(20, dtype=np.float32)))
    np.testing.assert_array_equal(unit_probe(model, 2, subtract_bias=False), expected)
    difference = expected - bias_probe(model)[1]
    np.testing.assert_array_equal(unit_probe(model, 2), difference)


def test_hidden_activations_are_what_transform_gives():
    np.testing.assert_array_equal(hidden_activations(LOWER, X), LOWER.transform(X))
    stack, H = [LOWER, UPPER], LOWER.transform(X)
    np.testing.assert_array_equal(hidden_activations(stack, X, 1), H)
    np.testing.assert_array_equal(hidden_activations(stack, X), UPPER.transform(H))


def test_statistics_count_dead_and_saturated_units():
    rbm = RBMTransformer(4, n_iter=0).fit(np.array([[0.0, 1.0], [1.0, 0.0]]))
    rbm.components_ = np.array([[0.0, 0.0], [0.0, 0.0], [9.0, -9.0], [1.0, 0.0]])
    rbm.intercept_hidden_ = np.array([-9.0, 0.0, 0.0, 0.0])
    (statistics,) = unit_statistics(rbm, np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert (statistics.layer, statistics.n_units, statistics.n_dead) == (1, 4, 2)
    assert statistics.fraction_saturated == 0.5  # the first unit and the third
    expected = rbm.transform(np.array([[0.0, 1.0], [1.0, 0.0]])).mean()
    assert statistics.mean_activation == pytest.approx(expected)
    rbm.hidden_units = "gaussian"  # a parameter of the next fit
    assert unit_statistics(rbm, np.array([[0.0, 1.0], [1.0, 0.0]])) == [statistics]


def test_statistics_of_gaussian_units_have_no_saturation():
    rbm = RBMTransformer(3, hidden_units="gaussian", learning_rate=1e-3, n_iter=1).fit(X)
    assert np.isnan(unit_statistics(rbm, X)[0].fraction_saturated)


def test_statistics_make_a_table(model):
    table = pd.DataFrame(unit_statistics(model, X))
    assert list(table.columns) == [
        "layer",
        "n_units",
        "mean_activation",
        "fraction_saturated",
        "n_dead",
    ]
    assert list(table["n_units"]) == [30, 20]


# -- the fine-tuned net


def activations_of_network(net, X, layer):
    H = (X - net.offset_) / net.scale_
    for coef, intercept in zip(net.coefs_[:layer], net.intercepts_[:layer], strict=True):
        H = expit(H @ coef + intercept)
    return H


@pytest.mark.parametrize("net", [NET, REGRESSOR])
def test_finetuned_machines_compute_what_the_network_computes(net):
    model = finetuned(net)
    for layer in (1, 2):
        expected = activations_of_network(net, X, layer)
        np.testing.assert_allclose(hidden_activations(model, X, layer), expected, atol=1e-6)
        assert abs(hidden_activations(net, X, layer) - expected).max() > 1e-3
    np.testing.assert_array_equal(hidden_activations(model, X), net.transform(X))


def test_finetuned_machines_read_measurements_as_the_network_does():
    data = 50.0 + 10.0 * np.random.default_rng(0).normal(size=(200, 5))
    net = DBNRegressor((6, 4), rbm=RBMTransformer(n_iter=2), random_state=0)
    net.fit(data, data.sum(axis=1))
    np.testing.assert_allclose(hidden_activations(finetuned(net), data), net.transform(data))


def test_finetuned_frozen_machines_cut_nothing_off_between_layers(tmp_path):
    # After one pass hidden units hardly vary, and the machine above stands for that narrow range.
    lower = RBMTransformer(30, n_iter=1, random_state=0).fit(X)
    upper = RBMTransformer(20, visible_units="gaussian", n_iter=2, random_state=0)
    frozen = [FrozenEstimator(lower), FrozenEstimator(upper.fit(lower.transform(X)))]
    net = DBNClassifier((30, 20), rbm=frozen, finetune_iter=20, random_state=0).fit(X, Y)
    H, limits = hidden_activations(finetuned(net), X, 1), upper._limits.copy()
    assert (np.clip(H, *limits) != H).mean() > 0.1
    np.testing.assert_allclose(hidden_activations(finetuned(net), X), net.transform(X), atol=1e-4)
    np.testing.assert_array_equal(net.rbms_[1]._limits, limits)
    save_model(finetuned(net)[1], tmp_path / "upper.npz")
    loaded = load_model(tmp_path / "upper.npz").transform(H)
    np.testing.assert_allclose(loaded, net.transform(X), atol=1e-4)


def test_finetuned_leaves_the_net_as_it_is():
    before = [rbm.components_.copy() for rbm in NET.rbms_]
    model = finetuned(NET)
    for rbm, copied, expected in zip(NET.rbms_, model, before, strict=True):
        assert rbm is not copied
        np.testing.assert_array_equal(rbm.components_, expected)
        np.testing.assert_array_equal(rbm.intercept_visible_, copied.intercept_visible_)


def test_finetuned_pipeline_takes_what_goes_into_the_pipeline():
    net = DBNClassifier((5,), rbm=RBMTransformer(n_iter=1), softmax_iter=1, finetune_iter=1)
    pipeline = make_pipeline(MinMaxScaler(), "passthrough", net).fit(16 * X, Y)
    expected = pipeline.transform(16 * X)
    np.testing.assert_allclose(hidden_activations(finetuned(pipeline), 16 * X), expected, atol=1e-6)
    on_top = make_pipeline(*pipeline, LogisticRegression())
    np.testing.assert_allclose(hidden_activations(finetuned(on_top), 16 * X), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (LOWER, TypeError, "no net with fine-tuned weights. Pass a fitted DBNClassifier"),
        ([LOWER, UPPER], TypeError, "no net with fine-tuned weights"),
        (PIPELINE, TypeError, "no net with fine-tuned weights"),
        (DBNClassifier(), NotFittedError, "not fitted"),
        (
            DBNRegressor((5,), pretrain=False, output_iter=1, finetune_iter=1).fit(X, Y),
            ValueError,
            "0 of 1 hidden layers were pretrained.* Set pretrain=True",
        ),
    ],
)
def test_what_has_no_finetuned_machines_is_refused(wrong, error, message):
    with pytest.raises(error, match=message):
        finetuned(wrong)


# -- nets as transformers


NETS = [NET, REGRESSOR]


@pytest.mark.parametrize("net", NETS)
def test_net_transforms_into_its_top_hidden_layer_by_name(net):
    H = net.transform(X)
    assert H.shape == (300, 20)
    names = [f"{type(net).__name__.lower()}{i}" for i in range(20)]
    assert list(net.get_feature_names_out()) == names
    frame = clone(net).set_output(transform="pandas").fit(X, Y).transform(X)
    assert list(frame.columns) == names
    np.testing.assert_array_equal(copy(net).set_output(transform="pandas").transform(X), H)


@pytest.mark.exhaustive
@pytest.mark.parametrize("net", [DBNClassifier(random_state=0), DBNRegressor(random_state=0)])
def test_way_back_from_the_top_layer_comes_nearer_to_the_data_than_their_mean(net):
    digits, digits_test, labels, _ = load_digits()
    net.fit(digits, labels)
    error = ((net.inverse_transform(net.transform(digits_test)) - digits_test) ** 2).mean()
    of_the_mean = ((digits.mean(axis=0) - digits_test) ** 2).mean()
    of_machines = ((reconstruct(net, digits_test) - digits_test) ** 2).mean()
    assert of_machines < error < of_the_mean


@pytest.mark.parametrize("net", NETS)
def test_way_back_goes_down_through_the_machines_as_pretraining_left_them(net):
    H, (lower, upper) = net.transform(X), net.rbms_
    expected = lower.inverse_transform(upper.inverse_transform(H))
    np.testing.assert_array_equal(net.inverse_transform(H), expected)


@pytest.mark.parametrize("estimator", [DBNClassifier, DBNRegressor])
def test_net_without_pretraining_has_no_way_back(estimator):
    net = estimator((5,), pretrain=False, finetune_iter=1).fit(X, Y)
    assert net.transform(X).shape == (300, 5)
    assert not hasattr(net, "inverse_transform")
    assert not hasattr(make_pipeline(MinMaxScaler(), net), "inverse_transform")
    with pytest.raises(AttributeError, match="has no attribute 'inverse_transform'") as caught:
        net.inverse_transform(net.transform(X))
    assert "only pretrained layers have a way back to the data" in str(caught.value.__cause__)


@pytest.mark.parametrize("net", NETS)
def test_way_back_of_a_pipeline_ends_in_the_scale_of_its_data(net):
    pipeline = make_pipeline(MinMaxScaler(), clone(net)).fit(16 * X, Y)
    scaler, net = pipeline
    expected = scaler.inverse_transform(
        net.inverse_transform(net.transform(scaler.transform(16 * X)))
    )
    back = pipeline.inverse_transform(pipeline.transform(16 * X))
    np.testing.assert_array_equal(back, expected)


@pytest.mark.parametrize("net", NETS)
def test_global_pandas_output_does_not_disturb_the_way_back(net):
    frame = pd.DataFrame(X, columns=[f"pixel {i}" for i in range(64)])
    with config_context(transform_output="pandas"), warnings.catch_warnings():
        warnings.simplefilter("error")
        named = clone(net).set_params(random_state=0).fit(frame, Y)
        H = named.transform(frame)
        back = named.inverse_transform(H)
    plain = clone(net).set_params(random_state=0).fit(X, Y)
    assert isinstance(H, pd.DataFrame)
    assert type(back) is np.ndarray
    np.testing.assert_array_equal(back, plain.inverse_transform(plain.transform(X)))


# -- types and containers


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types_are_kept(dtype):
    rbm = RBMTransformer(5, n_iter=1).fit(X.astype(dtype))
    results = [
        reconstruct(rbm, X.astype(dtype)),
        bias_probe(rbm),
        unit_probe(rbm),
        hidden_activations(rbm, X.astype(dtype)),
    ]
    assert {result.dtype for result in results} == {np.dtype(dtype)}


@pytest.mark.parametrize("container", [csr_matrix, pd.DataFrame, np.asfortranarray])
def test_containers_make_no_difference(container):
    stack, given = [LOWER, UPPER], container(X)
    np.testing.assert_allclose(reconstruct(stack, given), reconstruct(stack, X), atol=1e-6)
    np.testing.assert_allclose(
        hidden_activations(stack, given), hidden_activations(stack, X), atol=1e-6
    )


def test_feature_names_and_a_global_pandas_output_make_no_trouble():
    frame = pd.DataFrame(X, columns=[f"pixel {i}" for i in range(64)])
    with config_context(transform_output="pandas"), warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline = make_pipeline(MinMaxScaler(), RBMTransformer(5, n_iter=1), LogisticRegression())
        pipeline.fit(frame, Y)
        net = DBNClassifier((5,), rbm=RBMTransformer(n_iter=1), softmax_iter=1, finetune_iter=1)
        net = finetuned(make_pipeline(MinMaxScaler(), net).fit(frame, Y))
        results = [
            result
            for model in (pipeline, net)
            for result in (
                reconstruct(model, frame),
                hidden_activations(model, frame),
                unit_probe(model),
            )
        ]
    assert all(type(result) is np.ndarray for result in results)


# -- bad input


@pytest.mark.parametrize("layer", [0, 3])
def test_layer_out_of_range_is_refused(layer):
    stack = [LOWER, UPPER]
    for call in (
        lambda: reconstruct(stack, X, n_layers=layer),
        lambda: unit_probe(stack, layer),
        lambda: hidden_activations(stack, X, layer),
    ):
        with pytest.raises(ValueError, match=f"layer.* == {layer}, must be [<>]= [12]"):
            call()


def test_wrong_width_is_refused_with_both_numbers():
    with pytest.raises(ValueError, match="X has 63 features, .* trained on 64"):
        reconstruct(LOWER, X[:, 1:])


def test_columns_in_another_order_are_refused():
    frame = pd.DataFrame(X).add_prefix("pixel ")
    net = clone(NET).fit(frame, Y)
    for model in (clone(LOWER).fit(frame), net, finetuned(net)):
        assert hidden_activations(model, frame).shape[0] == len(X)
        for inspect in (hidden_activations, reconstruct, unit_statistics, machine_input):
            with pytest.raises(ValueError, match="feature names should match"):
                inspect(model, frame[frame.columns[::-1]])


def test_pipelines_within_pipelines_are_taken_apart():
    net = make_pipeline(MinMaxScaler(), clone(NET))
    nested = make_pipeline(StandardScaler(), net).fit(X, Y)
    flat = Pipeline([("s", nested[0]), ("m", net[0]), ("n", net[1])])
    np.testing.assert_array_equal(reconstruct(nested, X), reconstruct(flat, X))
    np.testing.assert_array_equal(
        hidden_activations(finetuned(nested), X), hidden_activations(finetuned(flat), X)
    )
    rows = machine_input(nested, X)
    np.testing.assert_array_equal(predictor(nested).predict(rows), nested.predict(X))


def test_imputer_is_no_obstacle_on_the_way_back():
    gaps = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
    model = make_pipeline(SimpleImputer(), clone(LOWER)).fit(gaps)
    np.testing.assert_array_equal(
        reconstruct(model, gaps), reconstruct(model[1], model[0].transform(gaps))
    )
    with_indicators = make_pipeline(SimpleImputer(add_indicator=True), clone(LOWER)).fit(gaps)
    with pytest.raises(TypeError, match=r"no way back. Pass the RBMs, machines\(model\)"):
        reconstruct(with_indicators, gaps)


def test_step_without_a_way_back_is_refused():
    pipeline = make_pipeline(NoWayBack(), LOWER)
    hidden_activations(pipeline, X)
    with pytest.raises(TypeError, match="no way back. Pass the RBMs, machines"):
        reconstruct(pipeline, X)


class NoWayBack:
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


# -- chains


def test_free_energies_of_chains_begin_with_those_of_the_data(model):
    lower, upper = machines(model)
    scaled = isinstance(model, Pipeline) and isinstance(model[0], MinMaxScaler)
    H = lower.transform(MinMaxScaler().fit(X).transform(X[:9]) if scaled else X[:9])
    of_data, of_noise = chain_statistics(model, X[:9], 20, 3, random_state=0)
    assert (of_data.start, of_noise.start) == ("data", "noise")
    first = np.sort(of_data.free_energy[0])  # rows are drawn, here all of them
    np.testing.assert_allclose(first, np.sort(upper.free_energy(H)), rtol=1e-5)
    assert of_data.free_energy.shape == (4, 9)
    assert of_noise.free_energy.shape == (4, 20)
    assert of_data.overlap[0] == pytest.approx(1.0)


def test_chains_without_weights_forget_their_start_in_one_step():
    rbm = copy(LOWER)
    rbm.components_ = np.zeros_like(LOWER.components_)
    n_chains = 200
    for part in chain_statistics(rbm, X, n_chains, 5, random_state=0):
        assert part.overlap[0] == pytest.approx(1.0)
        assert (abs(part.overlap[1:]) < 5.0 / np.sqrt(n_chains)).all()


def test_chains_between_two_states_keep_their_start():
    # All visible units on or all off: one hidden unit says which, and no step leaves it.
    rbm = RBMTransformer(1, n_iter=0, visible_units="binary").fit(X)
    n_features = rbm.components_.shape[1]
    rbm.components_ = np.full((1, n_features), 10.0, np.float32)
    rbm.intercept_visible_ = np.full(n_features, -5.0, np.float32)
    rbm.intercept_hidden_ = np.full(1, -5.0 * n_features, np.float32)
    start = np.repeat([[0.0], [1.0]], 10, axis=0) * np.ones(n_features)
    of_data, _ = chain_statistics(rbm, start, 20, 30, random_state=0)
    assert of_data.overlap.min() > 0.95


def test_overlap_is_a_correlation_around_the_mean_of_each_unit():
    of_data, _ = chain_statistics(LOWER, X, 300, 2, random_state=0)
    rows = np.random.RandomState(0).permutation(len(X))[:300]
    seed = np.random.RandomState(0)
    seed.permutation(len(X))
    drawn = LOWER.sample(300, 2, start=X[rows], random_state=seed)
    a, b = (v - v.mean(axis=0) for v in (X[rows], drawn))
    np.testing.assert_allclose(
        of_data.overlap[2], np.corrcoef(a.ravel(), b.ravel())[0, 1], rtol=1e-4
    )
    np.testing.assert_allclose(of_data.free_energy[2], LOWER.free_energy(drawn), rtol=1e-4)


def test_chains_alike_have_no_overlap_and_names_of_columns_no_warning():
    frame = pd.DataFrame(X[:50, :9]).rename(columns=str)
    rbm = RBMTransformer(4, random_state=0).fit(frame)
    of_data, _ = chain_statistics(rbm, frame.iloc[[3] * 5], 5, 1, random_state=0)
    assert np.isnan(of_data.overlap[0])


@pytest.mark.parametrize(
    ("wrong", "name"), [({"n_chains": 1}, "n_chains"), ({"n_gibbs_steps": 0}, "n_gibbs_steps")]
)
def test_chains_are_counted(wrong, name):
    with pytest.raises(ValueError, match=name):
        chain_statistics(LOWER, X, **wrong)


def test_a_single_row_of_data_is_refused_as_the_start_of_chains():
    with pytest.raises(ValueError, match="X has 1 row, .* at least 2"):
        chain_statistics(LOWER, X[:1])
