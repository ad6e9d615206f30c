"""What the columns of a table are taken for, and the map that follows from it."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.sparse import csr_matrix, issparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine, make_blobs
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler

from skdbn import DataRangeWarning, DBNClassifier, RBMTransformer, load_model, save_model
from skdbn._training import columns
from skdbn.datasets import load_digits
from skdbn.inspection import bias_probe, reconstruct, unit_probe

RNG = np.random.default_rng(0)
N = 300
# Machines and nets of a pass or two have learned little.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::skdbn.{category}")
    for category in ("HiddenUnitsWarning", "NotConvergedWarning")
]
MEASURED = RNG.normal(size=(N, 3)) * [1.0, 20.0, 1e4] + [0.0, 300.0, -5e4]
ONE_HOT = np.eye(4)[RNG.integers(4, size=N)]
SHARES = RNG.uniform(size=(N, 2))
RATE = 0.02 + 0.04 * SHARES[:, :1]
MOSTLY_NO = np.arange(N)[:, None] % 3 == 0
IMAGES, _, LABELS, _ = load_digits()
RARE = IMAGES * (RNG.uniform(size=IMAGES.shape) < 0.02)  # hardly any value is stored


def kinds(X, **parameters):
    rbm = RBMTransformer(3, n_iter=0, random_state=0, **parameters).fit(X)
    return "".join(kind[0] for kind in rbm.visible_units_)


# -- what a column is


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (MEASURED, "ggg"),
        (ONE_HOT, "bbbb"),
        (np.hstack([MEASURED, ONE_HOT, SHARES]), "gggbbbbbb"),
        (SHARES * (1 + 1e-9), "bb"),
        (SHARES * 2, "gg"),
        (-SHARES, "gg"),
        (SHARES * [1.0, 0.01], "bb"),  # a dim pixel beside a bright one
        (np.hstack([ONE_HOT, RATE]), "bbbbg"),
        (np.hstack([ONE_HOT, RATE * MOSTLY_NO]), "bbbbg"),  # flags are no bright pixels
        (np.hstack([ONE_HOT, RATE, SHARES]), "bbbbbbb"),
        (SHARES * 0.2, "gg"),  # all data in a corner of [0, 1]
        (0.4 + SHARES * 0.2, "gg"),
        (np.hstack([MEASURED, SHARES * 0.01]), "ggggg"),
        (np.hstack([ONE_HOT, np.zeros((N, 1))]), "bbbbb"),
        (np.hstack([MEASURED, np.zeros((N, 1))]), "gggb"),
        (np.zeros((N, 2)), "bb"),
        (SHARES * 1.005, "bb"),
    ],
)
def test_columns_are_what_the_data_say(X, expected):
    assert kinds(X) == expected
    assert kinds(csr_matrix(X)) == expected
    assert kinds(X.astype(np.float32)) == expected
    assert kinds(X, visible_units="gaussian") == "g" * X.shape[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataRangeWarning)
        assert kinds(X, visible_units="binary") == "b" * X.shape[1]


def test_images_get_what_binary_units_get():
    automatic, binary = (
        RBMTransformer(20, visible_units=units, n_iter=3, random_state=0).fit(IMAGES)
        for units in ("auto", "binary")
    )
    np.testing.assert_array_equal(automatic.components_, binary.components_)
    np.testing.assert_array_equal(automatic.transform(IMAGES), binary.transform(IMAGES))
    np.testing.assert_array_equal(automatic.offset_, np.zeros(64))
    np.testing.assert_array_equal(automatic.scale_, np.ones(64))


def test_map_is_mean_and_deviation_where_there_are_no_outliers():
    rbm = RBMTransformer(3, n_iter=0).fit(SHARES * [2.0, 50.0] - 7.0)
    np.testing.assert_allclose(rbm.offset_, SHARES.mean(axis=0) * [2.0, 50.0] - 7.0)
    np.testing.assert_allclose(rbm.scale_, SHARES.std(axis=0) * [2.0, 50.0])


def test_outliers_do_not_ruin_a_column():
    damaged = MEASURED.copy()
    damaged[5] = [1e6, -1e9, 1e12]
    clean, rbm = (RBMTransformer(5, random_state=0).fit(X) for X in (MEASURED, damaged))
    np.testing.assert_allclose(rbm.scale_, clean.scale_, rtol=0.1)
    np.testing.assert_allclose(rbm.offset_, clean.offset_, atol=0.1 * clean.scale_.max())
    assert rbm.loss_curve_[-1] < 1.2 * clean.loss_curve_[-1]
    assert np.isfinite(rbm.transform(damaged)).all()


CUBE = np.indices((2,) * 6).reshape(6, -1).T  # each column has mean 1/2 and deviation 1/2


@pytest.mark.parametrize("X", [CUBE + 0.0, 2.0 * CUBE - 1.0], ids=["binary", "gaussian"])
@pytest.mark.parametrize("others", [0, 1])
def test_outlier_is_clipped_whatever_the_other_columns_are(X, others, tmp_path):
    X = np.hstack([X, 30.0 * RNG.normal(size=(len(X), others))])
    rbm = RBMTransformer(5, random_state=0).fit(X)
    assert (rbm.offset_[:6] == 0.0).all()
    assert (rbm.scale_[:6] == 1.0).all()
    save_model(rbm, tmp_path / "rbm.npz")
    loaded = load_model(tmp_path / "rbm.npz")
    far, at_the_limit = X[:20].copy(), X[:20].copy()
    far[0, 0], at_the_limit[0, 0] = 255.0, rbm._limits[1, 0]
    for model in (rbm, loaded, clone(rbm).partial_fit(X)):
        np.testing.assert_array_equal(model.transform(far), model.transform(at_the_limit))
    far[:, 1] = at_the_limit[:, 1] = np.nan
    np.testing.assert_array_equal(rbm.free_energy(far), rbm.free_energy(at_the_limit))
    np.testing.assert_array_equal(rbm.impute(far)[:, 1], rbm.impute(at_the_limit)[:, 1])
    net = DBNClassifier((5,), finetune_iter=2, random_state=0).fit(X, X[:, 1])
    far[:, 1] = at_the_limit[:, 1] = 0.0
    np.testing.assert_array_equal(net.predict_proba(far), net.predict_proba(at_the_limit))


def test_values_that_binary_units_were_fitted_to_are_not_clipped():
    with pytest.warns(DataRangeWarning, match="from 0 to 255"):
        rbm = RBMTransformer(5, visible_units="binary", n_iter=0, random_state=0).fit(255.0 * CUBE)
    assert (rbm.free_energy(255.0 * CUBE[-1:]) != rbm.free_energy(1.5 * CUBE[-1:])).all()


def test_rare_values_of_a_column_that_hardly_varies_count():
    X = np.hstack([MEASURED, np.zeros((N, 1))])
    X[7, 3] = 12.0
    rbm = RBMTransformer(3, n_iter=0).fit(X)
    assert rbm.scale_[3] == pytest.approx(1.2)  # a tenth of the span, and more than the deviation
    amounts = np.where(RNG.random((8000, 10)) < 0.01, RNG.uniform(1, 1000, (8000, 10)), 0.0)
    amounts = amounts[(amounts > 0).sum(axis=1) == 1]
    is_large = (amounts.max(axis=1) > 600).astype(int)
    half = len(amounts) // 2
    net = DBNClassifier((20,), random_state=0).fit(amounts[:half], is_large[:half])
    assert net.score(amounts[half:], is_large[half:]) > 0.95


@pytest.mark.parametrize("share", [0.053, 0.08])
def test_amounts_that_are_mostly_zero_are_told_apart(share):
    # 95 % of all values reach only to the smallest amounts.
    rng = np.random.default_rng(0)
    is_some = rng.permutation(2000) < share * 2000
    X = np.column_stack([is_some * rng.lognormal(3.0, 1.0, 2000), rng.normal(size=2000)])
    rbm = RBMTransformer(5, n_iter=0, random_state=0).fit(X)
    assert (X[:, 0] > rbm._limits[1, 0]).sum() < 0.15 * is_some.sum()
    mirrored = RBMTransformer(5, n_iter=0, random_state=0).fit(7.0 - 3.0 * X)
    np.testing.assert_allclose(mirrored.scale_, 3.0 * rbm.scale_)


@pytest.mark.parametrize(
    ("n_zeros", "n_sentinels"), [(600, 30), (900, 6), (800, 15)], ids="{}".format
)
def test_numbers_that_stand_for_missing_values_are_outliers(n_zeros, n_sentinels):
    rng = np.random.default_rng(0)
    x = rng.uniform(1.0, 2.0, size=1000)
    x[:n_zeros] = 0.0
    clean = RBMTransformer(5, visible_units="gaussian", n_iter=0).fit(x[:, None]).scale_
    x[n_zeros : n_zeros + n_sentinels] = 99999.0
    X = x[rng.permutation(1000), None]
    rbm = RBMTransformer(5, visible_units="gaussian", n_iter=0).fit(X)
    assert rbm.scale_[0] == pytest.approx(clean[0], rel=0.5)


def test_rare_amounts_are_not_cut_off_by_the_few_in_a_sample():
    rng = np.random.default_rng(0)
    X = np.zeros((20_000, 1))
    X[:40, 0] = rng.lognormal(3.0, 1.5, size=40)
    for _ in range(10):
        rbm = RBMTransformer(5, n_iter=0, random_state=0).fit(rng.permutation(X))
        assert rbm._limits[1, 0] >= X.max()


@pytest.mark.parametrize("outlier", [1e3, -1e9])
def test_outlier_does_not_hide_a_rare_flag(outlier):
    X = np.column_stack([np.arange(1000) % 25 == 0, RNG.normal(size=1000)]) * 1.0
    expected = RBMTransformer(5, visible_units="gaussian", n_iter=0).fit(X).scale_[0]
    X[7, 0] = outlier
    rbm = RBMTransformer(5, visible_units="gaussian", n_iter=0).fit(X)
    assert rbm.scale_[0] == pytest.approx(expected, rel=0.5)


@pytest.mark.parametrize("most", [1, 3])
def test_quantiles_of_weighted_values_are_those_of_repeated_values(most):
    rng = np.random.default_rng(0)
    values, weight = rng.normal(size=(60, 3)).round(1), rng.integers(1, most + 1, size=60) * 1.0
    values[rng.random((60, 3)) < 0.2] = np.nan
    values[:, 2] = np.nan
    found = columns._quantiles(values, [0.1, 0.5, 0.95], weight)
    for i in (0, 1):
        repeated = np.repeat(values[:, i], weight.astype(int))
        expected = np.nanquantile(repeated, [0.1, 0.5, 0.95], method="inverted_cdf")
        np.testing.assert_array_equal(found[:, i], expected)
    assert np.isnan(found[:, 2]).all()


def test_order_of_the_rows_does_not_matter():
    X = np.where(np.arange(2000) % 2, 100.0, 0.0)[:, None] + RNG.normal(size=(2000, 1))
    rbm = RBMTransformer(3, n_iter=0).fit(X)
    assert rbm.scale_[0] == pytest.approx(X.std(), rel=1e-6)
    assert rbm.offset_[0] == pytest.approx(X.mean(), rel=1e-6)


def test_constant_column_is_only_shifted():
    X = np.hstack([MEASURED, np.full((N, 1), 2.1), np.full((N, 1), 1e6)])
    X[3, 4] += 1e-9  # noise of rounding
    rbm = RBMTransformer(3, random_state=0).fit(X)
    np.testing.assert_array_equal(rbm.scale_[3:], [1.0, 1.0])
    np.testing.assert_allclose(rbm.sample(20, random_state=0)[:, 3].mean(), 2.1, atol=1.0)


# -- any scale


@pytest.mark.parametrize("units", ["auto", "gaussian"])
@pytest.mark.parametrize("hidden_units", ["binary", "gaussian"])
def test_scale_of_the_data_changes_nothing_but_rounding(units, hidden_units):
    rbm = RBMTransformer(
        8, visible_units=units, hidden_units=hidden_units, n_iter=5, random_state=0
    )
    scaled = StandardScaler().fit_transform(MEASURED)
    raw, standardized = clone(rbm).fit(MEASURED), clone(rbm).fit(scaled)
    np.testing.assert_allclose(raw.components_, standardized.components_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(
        raw.transform(MEASURED), standardized.transform(scaled), rtol=1e-6, atol=1e-9
    )
    np.testing.assert_allclose(raw.loss_curve_, standardized.loss_curve_, rtol=1e-6)
    gain = np.log(MEASURED.std(axis=0)).sum()  # densities have a unit
    assert raw.score(MEASURED) == pytest.approx(standardized.score(scaled) - gain, rel=1e-6)


def test_gaussian_units_reconstruct_and_draw_data_of_any_scale():
    t = np.arange(2000)
    rain = np.maximum(0, 120 * np.sin(t / 20) + 15 * np.random.RandomState(0).randn(2000))
    X = np.lib.stride_tricks.sliding_window_view(rain, 12)
    rbm = RBMTransformer(50, visible_units="gaussian", learning_rate=0.001, random_state=0).fit(X)
    left = ((rbm.inverse_transform(rbm.transform(X)) - X) ** 2).mean() / X.var(axis=0).mean()
    assert left < 0.1
    drawn = rbm.sample(300, 200, random_state=0)
    assert 0.7 < drawn.std(axis=0).mean() / X.std(axis=0).mean() < 1.5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rate_of_many_gaussian_units_falls_with_their_number(dtype):
    X = RNG.normal(size=(60, 200)).astype(dtype)
    automatic, explicit = (
        RBMTransformer(4, learning_rate=rate, n_iter=2, random_state=0).fit(X)
        for rate in ("auto", 0.0025)
    )
    assert automatic.components_.dtype == dtype
    np.testing.assert_array_equal(automatic.components_, explicit.components_)


def test_float32_of_a_far_offset_keeps_its_digits():
    X = (MEASURED + 1e6).astype(np.float32)
    X[:, 0] = 1e6 + 1000 * MEASURED[:, 0]
    single, double = (RBMTransformer(5, random_state=0).fit(X.astype(t)) for t in ("f4", "f8"))
    np.testing.assert_allclose(single.scale_, double.scale_, rtol=1e-5)
    single.components_ = double.components_.astype(np.float32)  # other random numbers
    single.intercept_hidden_ = double.intercept_hidden_.astype(np.float32)
    np.testing.assert_allclose(single.transform(X), double.transform(X.astype(float)), atol=1e-3)


def test_sparse_rows_give_what_dense_rows_give_and_are_not_made_dense():
    X = np.hstack([MEASURED, ONE_HOT]) * (RNG.uniform(size=(N, 7)) < 0.3)
    sparse = csr_matrix(X)
    kept = sparse.copy()
    net = DBNClassifier((6,), random_state=0)
    labels = ONE_HOT.argmax(axis=1)
    one, other = clone(net).fit(X, labels), clone(net).fit(sparse, labels)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(sparse))
    assert issparse(sparse)
    assert (sparse != kept).nnz == 0


def test_values_of_duplicate_sparse_entries_are_added_up():
    n_rows = len(ONE_HOT)
    columns = np.repeat(ONE_HOT.argmax(axis=1), 2)
    twice = csr_matrix((np.tile([300.0, -299.0], n_rows), columns, np.arange(n_rows + 1) * 2))
    np.testing.assert_array_equal(twice.toarray(), ONE_HOT)
    for units in ("auto", "binary"):
        rbm, expected = (
            RBMTransformer(3, visible_units=units, random_state=0).fit(X) for X in (twice, ONE_HOT)
        )
        np.testing.assert_array_equal(rbm.components_, expected.components_)
        np.testing.assert_array_equal(rbm.transform(twice), expected.transform(ONE_HOT))
        np.testing.assert_array_equal(rbm.log_likelihood(twice), rbm.log_likelihood(ONE_HOT))
    assert twice.data.tolist() == [300.0, -299.0] * n_rows


@pytest.mark.parametrize("order", ["C", "F"])
def test_data_are_not_changed(order):
    X, labels = np.array(MEASURED, order=order), ONE_HOT.argmax(axis=1)
    kept = X.copy()
    net = DBNClassifier((6,), finetune_iter=2, input_noise=0.1, random_state=0).fit(X, labels)
    rbm = net.rbms_[0]
    for method in (net.predict, rbm.transform, rbm.free_energy, rbm.score_samples, rbm.gibbs):
        method(X)
    rbm.sample(N, 1, start=X)
    np.testing.assert_array_equal(X, kept)


# -- the units of the data


def test_what_comes_back_is_in_the_units_of_the_data():
    X = np.hstack([MEASURED, ONE_HOT])
    net = DBNClassifier((30, 20), finetune_iter=0, random_state=0).fit(X, ONE_HOT.argmax(axis=1))
    rbm = net.rbms_[0]
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    for rows in (
        rbm.inverse_transform(rbm.transform(X)),
        rbm.sample(300, 50, random_state=0),
        rbm.sample(N, 1, start=X, random_state=0),
        rbm.gibbs(X),
        reconstruct(net, X),
        bias_probe(net),
        unit_probe(net, layer=1, subtract_bias=False),
    ):
        assert (abs(rows.mean(axis=0) - mean) < 2 * deviation).all()
    start = rbm.sample(N, 0, start=X)
    np.testing.assert_allclose(start, X, rtol=1e-9, atol=1e-9)
    assert unit_probe(net, layer=1)[:, 2].std() > 1.0  # a difference of thousands


def test_one_hot_columns_beside_measurements_are_drawn_as_zeros_and_ones():
    X = np.hstack([MEASURED, ONE_HOT])
    drawn = RBMTransformer(5, random_state=0).fit(X).sample(50, 20, random_state=0)
    assert set(np.unique(drawn[:, 3:])) <= {0.0, 1.0}
    assert len(np.unique(drawn[:, 0])) == 50


def density_of(rbm, row, i):
    """Log-density of one value given the others, from the free energy alone."""
    (lowest, highest), wide = rbm._limits[:, i], clone(rbm)
    vars(wide).update(vars(rbm), _limits=np.array([[-1e12], [1e12]]) + 0.0 * rbm._limits)

    def mass(x):
        rows = np.tile(row, (np.size(x), 1))
        rows[:, i] = x
        return np.exp(reference - wide.free_energy(rows))

    reference = rbm.free_energy(row[None])
    centre, far = (lowest + highest) / 2, 3 * (highest - lowest)  # 30 deviations
    total, _ = quad(
        lambda x: mass(x)[0],
        centre - far,
        centre + far,
        points=[row[i]],
        epsabs=0.0,
        epsrel=1e-9,
        limit=500,
    )
    return -np.log(total)


@pytest.mark.exhaustive
@pytest.mark.parametrize("hidden_units", ["binary", "gaussian"])
@pytest.mark.parametrize("strength", [0.3, 0.8])
def test_score_is_the_log_density_of_each_value_given_the_others(hidden_units, strength):
    X = np.hstack([MEASURED, ONE_HOT[:, :1]])
    rbm = RBMTransformer(4, hidden_units=hidden_units, n_iter=0, random_state=0).fit(X)
    weights = np.random.default_rng(1).normal(size=(4, 4))
    if hidden_units == "gaussian":
        weights /= 1.1 * np.sqrt((weights**2).sum(axis=0))  # or there is no density
    else:
        weights *= 3
    rbm.components_ = strength * weights
    rbm.intercept_visible_ = np.array([0.3, -0.2, 0.5, -0.4])
    rbm.intercept_hidden_ = np.array([0.1, -0.6, 0.2, 0.0])
    for row in X[:4]:
        expected = sum(density_of(rbm, row, i) for i in range(3))
        on, off = (np.r_[row[:3], state][None] for state in (1.0, 0.0))
        gap = (rbm.free_energy(off) - rbm.free_energy(on))[0]
        expected += -np.logaddexp(0.0, -gap if row[3] else gap)
        assert rbm.score_samples(row[None])[0] == pytest.approx(expected, abs=1e-6)


def test_score_chooses_a_machine_for_measurements():
    X = StandardScaler().fit_transform(load_wine().data)
    rbm = RBMTransformer(30, random_state=0)
    search = GridSearchCV(rbm, {"n_iter": [1, 60]}, cv=3).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_params_ == {"n_iter": 60}


# -- nets


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("load", "pretrain"), [(load_iris, False), (load_wine, False), (load_breast_cancer, True)]
)
def test_net_learns_from_a_table_of_any_scale_without_a_word(load, pretrain):
    X, y = load(return_X_y=True)
    scalers = "passthrough", StandardScaler(), MinMaxScaler(), MaxAbsScaler()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for scaler, pretrains in zip(scalers, [pretrain, not pretrain] * 2, strict=True):
            net = DBNClassifier((16,), pretrain=pretrains, random_state=0)
            assert cross_val_score(make_pipeline(scaler, net), X, y, cv=2).mean() > 0.93


@pytest.mark.exhaustive
def test_data_in_a_corner_of_the_range_are_learned():
    rng = np.random.RandomState(0)
    y = rng.randint(4, size=800)
    alpha = 3 * (np.ones((4, 30)) + np.repeat(np.eye(4), 5, axis=0).T @ np.eye(20, 30))
    X = np.array([rng.dirichlet(alpha[c]) for c in y])
    assert cross_val_score(DBNClassifier((50, 50), random_state=0), X, y, cv=3).mean() > 0.94


@pytest.mark.exhaustive
def test_narrow_measurement_beside_flags_is_learned():
    X, y = np.hstack([ONE_HOT, RATE]), RATE[:, 0] > 0.04
    assert cross_val_score(DBNClassifier(random_state=0), X, y, cv=2).mean() > 0.95


def test_frames_and_text_labels():
    X, y = load_iris(return_X_y=True, as_frame=True)
    X["kind of leaf"] = np.where(X.iloc[:, 0] > 5.8, 1, 0)
    names = pd.Series(["setosa", "versicolor", "virginica"])[y].to_numpy()
    net = DBNClassifier((16,), random_state=0).fit(X, names)
    assert net.score(X, names) > 0.95
    assert net.visible_units_.tolist() == ["gaussian"] * 4 + ["binary"]


def test_warm_start_and_partial_fit_keep_the_first_map():
    rbm = RBMTransformer(5, random_state=0).partial_fit(MEASURED)
    offset = rbm.offset_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rbm.partial_fit(MEASURED[:50] + 0.5 * rbm.scale_)
    np.testing.assert_array_equal(rbm.offset_, offset)
    with pytest.warns(DataRangeWarning, match="of X are far from the training data"):
        rbm.partial_fit(MEASURED * 20)
    with pytest.warns(DataRangeWarning, match="has 9 rows, too few .* at least a hundred rows"):
        RBMTransformer(5, random_state=0).partial_fit(MEASURED[:9])


@pytest.mark.parametrize("pretrain", [True, False])
def test_net_that_goes_on_with_rows_of_another_scale_warns_once(pretrain):
    y = ONE_HOT.argmax(axis=1)
    parameters = {"pretrain": pretrain, "finetune_iter": 2, "random_state": 0}
    net = DBNClassifier((5,), warm_start=True, **parameters).fit(MEASURED, y)
    frozen = FrozenEstimator(RBMTransformer(5, random_state=0).fit(MEASURED))
    for model in (net, DBNClassifier((5,), rbm=[frozen], **parameters)):
        with pytest.warns(DataRangeWarning, match="of X are far") as caught:
            model.fit(MEASURED * 1000, y)
        assert len([w for w in caught if w.category is DataRangeWarning]) == 1


def test_constant_column_of_large_values_can_be_saved(tmp_path):
    X = np.hstack([MEASURED, np.full((N, 1), 1e9)]).astype(np.float32)
    save_model(RBMTransformer(3, random_state=0).fit(X), tmp_path / "rbm.npz")
    load_model(tmp_path / "rbm.npz").transform(X)


def test_few_roundings_of_a_far_offset_are_not_constant():
    X = (1.7e9 + 3000 * RNG.random((N, 1))).astype(np.float32)
    scale = RBMTransformer(3, n_iter=0).fit(X).scale_[0]
    assert scale == pytest.approx(X.astype(float).std(), rel=0.01)


def test_map_of_a_machine_that_was_given_for_an_upper_layer_becomes_part_of_the_weights():
    lower = RBMTransformer(6, random_state=0).fit(MEASURED)
    H = lower.transform(MEASURED)
    upper = RBMTransformer(5, visible_units="gaussian", random_state=0).fit(H)
    assert upper.offset_.any()
    net = DBNClassifier(
        (6, 5),
        rbm=[FrozenEstimator(lower), FrozenEstimator(upper)],
        softmax_iter=0,
        finetune_iter=0,
    ).fit(MEASURED, ONE_HOT.argmax(axis=1))
    top = 1 / (1 + np.exp(-(H @ net.coefs_[1] + net.intercepts_[1])))
    np.testing.assert_allclose(top, upper.transform(H), atol=1e-3)


def test_map_is_saved_with_the_model(tmp_path):
    net = DBNClassifier((6,), finetune_iter=2, random_state=0).fit(
        np.hstack([MEASURED, ONE_HOT]), ONE_HOT.argmax(axis=1)
    )
    save_model(net, tmp_path / "net.npz")
    loaded = load_model(tmp_path / "net.npz")
    X = np.hstack([MEASURED, ONE_HOT])
    np.testing.assert_array_equal(loaded.predict_proba(X), net.predict_proba(X))
    np.testing.assert_array_equal(
        loaded.rbms_[0].sample(3, random_state=0), net.rbms_[0].sample(3, random_state=0)
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale_", np.zeros(3)),
        ("scale_", np.ones(2)),
        ("offset_", np.full(3, np.nan)),
        ("visible_units_", np.array(["other"] * 3)),
        ("visible_units_", np.array(["auto"] * 3)),
        ("visible_units_", np.zeros(3)),
        ("_limits", np.array([[1.0] * 3, [0.0] * 3])),
        ("_limits", np.array([[-1.0] * 2, [1.0] * 2])),
    ],
)
def test_damaged_map_is_refused(name, value, tmp_path):
    rbm = RBMTransformer(2, n_iter=1, random_state=0).fit(MEASURED)
    setattr(rbm, name, value)
    save_model(rbm, tmp_path / "rbm.npz")
    with pytest.raises(ValueError, match="damaged"):
        load_model(tmp_path / "rbm.npz")


# -- data of another scale later


@pytest.mark.parametrize(
    ("X", "other"),
    [
        (IMAGES, IMAGES * 16),
        (IMAGES, csr_matrix(IMAGES * 255)),
        (MEASURED, MEASURED * 50),
        (csr_matrix(RARE), csr_matrix(RARE * 16)),
        (StandardScaler().fit_transform(MEASURED), MEASURED),
        (MinMaxScaler().fit_transform(MEASURED), MEASURED),
    ],
)
def test_rows_of_another_scale_warn_wherever_they_come_in(X, other):
    y = np.arange(X.shape[0]) % 2
    net = DBNClassifier((5,), finetune_iter=1, softmax_iter=1, random_state=0).fit(X, y)
    rbm = net.rbms_[0]
    for method in (net.predict, net.predict_proba, rbm.transform, rbm.free_energy):
        with pytest.warns(
            DataRangeWarning, match=r"% of the values of X are far .* expected"
        ) as caught:
            method(other)
        assert len(caught) == 1
        assert caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            method(X)
    with pytest.warns(DataRangeWarning, match="of X_val are far"):
        clone(rbm).set_params(random_state=0).fit(X, X_val=other)


def test_new_rows_a_little_beyond_the_training_rows_say_nothing():
    X, y = make_blobs(200, 4, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for scaler in ("passthrough", StandardScaler(), MinMaxScaler()):
            model = make_pipeline(scaler, RBMTransformer(20, random_state=0)).fit(X[:50])
            for row in X[50:]:
                model.transform(row[None])
        rows = np.exp(1.5 * RNG.normal(size=(1000, 8)))
        model = RBMTransformer(20, random_state=0).fit(rows[:500])
        for row in rows[500:]:
            model.transform(row[None])


@pytest.mark.parametrize("n_rows", [100, 2000])
@pytest.mark.parametrize("power", [3, 9])
def test_fitted_rows_with_very_heavy_tails_on_both_sides_say_nothing(n_rows, power):
    X = np.random.default_rng(5).standard_cauchy((n_rows, 4)) ** power
    rbm = RBMTransformer(5, n_iter=1, random_state=0).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rbm.transform(X)
    with pytest.warns(DataRangeWarning, match="of X are far"):
        rbm.transform(1e3 * X)


def test_rows_of_a_scale_that_binary_units_were_trained_on_are_not_mentioned_again():
    rbm = RBMTransformer(3, visible_units="binary", n_iter=0)
    with pytest.warns(DataRangeWarning):
        rbm.fit(MEASURED)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rbm.transform(MEASURED)


@pytest.mark.parametrize("row", [0, 2500, 2999])
def test_value_out_of_range_is_found_in_every_block_of_rows(row):
    X = np.full((3000, 2), 0.5)
    X[row, 1] = -2.0
    rbm = RBMTransformer(2, n_iter=0, visible_units="binary")
    with pytest.warns(DataRangeWarning, match="X has values from -2 to 0.5"):
        rbm.fit(X)


def test_sparse_counts_are_not_far_from_themselves():
    rng = np.random.default_rng(0)
    counts = (rng.random((400, 30)) < 0.08) * rng.geometric(0.4, (400, 30)).astype(float)
    rows = csr_matrix(counts)  # a quarter of the stored values are rare in their columns
    machine = RBMTransformer(4, n_iter=1, random_state=0).fit(rows[:300], X_val=rows[300:])
    machine.transform(rows)
    with pytest.warns(DataRangeWarning, match="of the values of X are far from the training"):
        machine.transform(50.0 * rows)


# -- rows that are mapped once, before training


def fit_of_table(X, **parameters):
    y = LABELS[:N] % 3
    return DBNClassifier((6, 4), finetune_iter=3, random_state=0, **parameters).fit(X, y)


MIXED = np.hstack([MEASURED, ONE_HOT])
WITH_GAPS = np.where(RNG.uniform(size=MEASURED.shape) < 0.1, np.nan, MEASURED)
TRAININGS = {
    "net": lambda: fit_of_table(MIXED),
    "net of sparse rows": lambda: fit_of_table(csr_matrix(MIXED)),
    "net that stops early": lambda: fit_of_table(MIXED, early_stopping=True),
    "net without all labels": lambda: fit_of_table(MIXED, unlabeled=2, virtual_adversarial=0.5),
    "machine with missing values": lambda: RBMTransformer(5, random_state=0).fit(WITH_GAPS),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS.keys())
def test_few_rows_are_mapped_before_training_to_the_same_bits(training, monkeypatch):
    of_minibatches, map_them = [], columns.Columns.into_units

    def into_units(self, rows):
        of_minibatches.append(rows.shape[0] < N // 3)
        return map_them(self, rows)

    monkeypatch.setattr(columns.Columns, "into_units", into_units)
    few = training()
    assert sum(of_minibatches) < 10  # a row for `partial_fit` and the like
    monkeypatch.setattr("skdbn._training.rows.FEW_VALUES", 0)
    many = training()
    assert sum(of_minibatches) > 30
    assert few.loss_curve_ == many.loss_curve_
    for name in ("coefs_", "intercepts_", "components_"):
        for got, expected in zip(getattr(few, name, []), getattr(many, name, []), strict=True):
            assert got.tobytes() == expected.tobytes()
