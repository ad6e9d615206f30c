"""What the estimators say of data with gaps, and of numbers and types of all kinds."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.sparse import csr_array, csr_matrix
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skdbn import DBNClassifier, DBNRegressor, RBMTransformer
from skdbn.inspection import hidden_activations, machine_input

pytestmark = pytest.mark.filterwarnings(
    "ignore::skdbn.HiddenUnitsWarning", "ignore::skdbn.NotConvergedWarning"
)
X = np.random.default_rng(0).random((40, 5))
Y = np.arange(40) % 2


def make_rbm():
    return RBMTransformer(5, n_iter=1, random_state=0)


def make_net():
    return DBNClassifier((3,), rbm=make_rbm(), softmax_iter=1, finetune_iter=1, random_state=0)


def with_gaps(value=np.nan):
    data = X.copy()
    data[7, [0, 1]] = data[3, 2] = value
    return data


GAPS = (
    r" has a missing value \(NaN\) in row 3, column 2 \(counted from 0\), the first of 3 in 2 of "
)
INFINITE = r" has a value that is infinite or too large for float64 in row 3, column 2 "


# -- the place of a gap


@pytest.mark.parametrize("method", ["score", "score_samples"])
def test_score_of_a_machine_bears_gaps_and_says_where_the_first_infinite_value_is(method):
    score = getattr(make_rbm().fit(X), method)
    assert np.isfinite(score(with_gaps())).all()
    with pytest.raises(ValueError, match=f"X{INFINITE}"):
        score(with_gaps(-np.inf))


@pytest.mark.parametrize(
    ("make", "method"),
    [
        (make_rbm, "inverse_transform"),
        *(
            (make_net, name)
            for name in ("fit", "predict", "predict_proba", "predict_log_proba", "score")
        ),
    ],
)
@pytest.mark.parametrize("container", [np.array, csr_matrix, csr_array])
@pytest.mark.parametrize(("value", "message"), [(np.nan, GAPS), (-np.inf, INFINITE)])
def test_every_method_says_where_the_first_gap_is(make, method, container, value, message):
    fitted = make().fit(X, Y)
    labels = [Y] if method in ("fit", "score") else []
    with pytest.raises(ValueError, match="^X" + message):
        getattr(fitted, method)(container(with_gaps(value)), *labels)


@pytest.mark.parametrize(
    "method", ["fit", "fit_transform", "partial_fit", "transform", "free_energy", "impute"]
)
@pytest.mark.parametrize("container", [np.array, csr_matrix, csr_array])
def test_infinite_values_are_refused_where_missing_ones_are_taken(method, container):
    data = with_gaps(np.inf)
    data[0, 0] = np.nan
    message = "^X" + INFINITE + ".* Replace such values with NaN, which stands for a missing value."
    with pytest.raises(ValueError, match=message):
        getattr(make_rbm().fit(X), method)(container(data))


def test_gap_in_a_sparse_row_whose_columns_are_out_of_order_is_found():
    data = csr_matrix(([0.5, np.nan, np.nan], [1, 2, 0], [0, 1, 3]), shape=(2, 3))
    with pytest.raises(ValueError, match="row 1, column 0 .*, the first of 2 in 1 of its 2 rows"):
        make_net().fit(data, [0, 1])


def test_data_with_both_are_said_to_have_gaps():
    data = with_gaps()
    data[0, 0] = np.inf
    with pytest.raises(ValueError, match="^X" + GAPS):
        make_net().fit(data, Y)


def test_column_of_a_frame_is_named():
    frame = pd.DataFrame(with_gaps(), columns=["age", "height", "weight", "pulse", "dose"])
    net = make_net().fit(frame.fillna(0.5), Y)
    for function in (net.predict, lambda data: make_net().fit(data, Y)):
        with pytest.raises(ValueError, match=r"in row 3 \(counted from 0\), column 'weight', the"):
            function(frame)


class Polars:
    """A DataFrame whose types of columns NumPy does not know, as polars has them."""

    def __init__(self, X):
        self.X, self.shape, self.dtypes = X, X.shape, ["Float32"] * X.shape[1]

    def __getitem__(self, rows):
        return Polars(self.X[rows])

    def __len__(self):
        return len(self.X)

    def to_numpy(self):
        return self.X

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.X, dtype)


@pytest.mark.parametrize("kind", [np.float32, np.uint8, bool, np.float64, np.int64])
def test_data_of_any_frame_keep_the_type_that_their_array_would_keep(kind):
    data = (2.0 * X).astype(kind)
    expected = make_rbm().fit(data).components_.dtype
    assert make_rbm().fit(Polars(data)).components_.dtype == expected


def test_gap_of_pandas_is_one():
    frame = pd.DataFrame({"a": pd.array([0, 1, None], dtype="Int64"), "b": [0.0, 1.0, 0.5]})
    with pytest.raises(ValueError, match=r"in row 2 \(counted from 0\), column 'a'"):
        make_net().fit(frame, [0, 1, 1])


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")  # of NumPy
def test_value_too_large_for_the_type_of_the_machine_is_found():
    rbm = make_rbm().fit(X.astype(np.float32))
    with pytest.raises(ValueError, match="X has a value that is infinite or too large for float32"):
        rbm.partial_fit(np.where(X > 0.5, 1e300, X))


def test_what_is_given_by_another_name_is_called_so():
    fitted = make_rbm().fit(X)
    wrong = with_gaps()
    for name, function in {
        "^X_val": lambda data: make_net().fit(X, Y, X_val=data, y_val=Y),
        "start": lambda data: fitted.sample(40, start=data),
        "v": fitted.gibbs,
    }.items():
        with pytest.raises(ValueError, match=name + GAPS):
            function(wrong)
        with pytest.raises(ValueError, match=f"{name}: X has 4 features, but .* is expecting 5"):
            function(X[:, 1:])


def test_inspection_says_where_a_gap_is():
    fitted = make_rbm().fit(X)
    for function in (machine_input, hidden_activations):
        with pytest.raises(ValueError, match="^X" + GAPS):
            function(fitted, with_gaps())


# -- the advice, followed


@pytest.mark.parametrize("container", [np.array, csr_matrix])
@pytest.mark.parametrize("make", [make_rbm, make_net])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_data_with_gaps_can_be_filled_or_their_rows_dropped(container, make, value):
    data = with_gaps(value)
    make().fit(container(data[np.isfinite(data).all(axis=1)]), Y[:38])
    data[np.isinf(data)] = np.nan
    make_pipeline(SimpleImputer(), make()).fit(container(data), Y)


def test_held_out_data_with_gaps_can_be_filled_by_a_pipeline():
    wrong = with_gaps()
    with sklearn.config_context(enable_metadata_routing=True):
        net = make_net().set_fit_request(X_val=True, y_val=True)
        with pytest.raises(ValueError, match=r"^X_val.* transform_input=\['X_val'\]"):
            make_pipeline(SimpleImputer(), net).fit(X, Y, X_val=wrong, y_val=Y)
        filled = make_pipeline(SimpleImputer(), net, transform_input=["X_val"])
        filled.fit(X, Y, X_val=wrong, y_val=Y)


# -- labels


@pytest.mark.parametrize(
    "labels",
    [
        np.where(Y, 1.0, np.nan),
        np.where(Y, "yes", None),
        np.array([np.nan, "yes"] * 20, object),
        pd.Series(np.where(Y, "yes", None), dtype="string"),
        pd.Series(np.where(Y, 1, None), dtype="Int64"),
        pd.Series(np.where(Y, "yes", None), dtype="category"),
        pd.DataFrame({"y": np.where(Y, 1.0, np.nan)}),
        np.where(Y, np.datetime64("2020-01-01"), np.datetime64("NaT")),
    ],
    ids=["float", "None", "object", "string", "Int64", "category", "frame", "date"],
)
def test_row_without_a_label_is_named(labels):
    message = (
        r"has a missing value \(NaN or None\) in row 0 \(counted from 0\), "
        "the first of 20 of its 40 "
    )
    with pytest.raises(ValueError, match=f"^y {message}rows. Drop these rows from X and y."):
        make_net().fit(X, labels)
    with pytest.raises(ValueError, match=f"^y_val {message}rows. Drop .* from X_val and y_val."):
        make_net().fit(X, Y, X_val=X, y_val=labels)


# -- numbers that NumPy does not know


@pytest.mark.parametrize("make", [make_rbm, make_net])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tol", Fraction(1, 4)),
        ("tol", 2**70),
        ("validation_fraction", Fraction(1, 4)),
        ("momentum", Fraction(1, 2)),
        ("weight_decay", Fraction(1, 4)),
        ("learning_rate", Fraction(1, 16)),
    ],
)
def test_any_real_number_is_a_parameter(make, name, value):
    of_machine = name in ("momentum", "weight_decay", "learning_rate")
    full_name = f"rbm__{name}" if of_machine and make is make_net else name
    coefs = []
    for number in (value, float(value)):
        model = make().set_params(early_stopping=True, **{full_name: number}).fit(X, Y)
        coefs.append(model.coefs_[0] if make is make_net else model.components_)
    np.testing.assert_array_equal(*coefs)


@pytest.mark.parametrize(
    "parameters",
    [
        {"learning_rate_init": Fraction(1, 16)},
        {"alpha": Fraction(1, 16)},
        {"noise": Fraction(1, 4), "input_noise": Fraction(1, 4)},
        {"dropout": Fraction(1, 4), "input_dropout": Fraction(1, 4)},
        {"adversarial": Fraction(1, 4), "label_smoothing": Fraction(1, 4)},
        {"class_weight": {0: Fraction(1, 4), 1: 2**70}},
    ],
)
def test_any_real_number_is_a_parameter_of_a_net(parameters):
    def as_float(value):
        if isinstance(value, dict):
            return {label: float(weight) for label, weight in value.items()}
        return float(value)

    plain = {name: as_float(value) for name, value in parameters.items()}
    nets = [make_net().set_params(**numbers).fit(X, Y) for numbers in (parameters, plain)]
    np.testing.assert_array_equal(*(net.coefs_[0] for net in nets))


@pytest.mark.parametrize("name", ["n_iter", "n_components", "batch_size", "n_iter_no_change"])
def test_integer_beyond_those_of_numpy_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} == 10+, must be <= 9223372036854775807"):
        make_rbm().set_params(**{name: 10**400}).fit(X)


def test_number_beyond_all_floats_is_refused():
    with pytest.raises(ValueError, match="learning_rate == 10+, must be finite"):
        make_rbm().set_params(learning_rate=10**400).fit(X)
    with pytest.raises(ValueError, match="learning_rate == inf, must be finite"):
        make_rbm().set_params(learning_rate=float("inf")).fit(X)


# -- types that fit into float32

SMALL = [bool, np.uint8, np.int8, np.uint16, np.int16, np.float16, np.float32]


def make_regressor():
    return DBNRegressor((3,), rbm=make_rbm(), output_iter=1, finetune_iter=1, random_state=0)


def arrays_of(model):
    names = ("components_", "coefs_", "intercepts_", "intercept_visible_", "offset_", "scale_")
    values = [getattr(model, name) for name in names if hasattr(model, name)]
    return [array for value in values for array in (value if type(value) is list else [value])]


@pytest.mark.parametrize(
    ("make", "kind", "container"),
    [
        *((make_rbm, kind, np.array) for kind in SMALL),
        *((make_rbm, kind, pd.DataFrame) for kind in SMALL),
        *((make_rbm, kind, csr_matrix) for kind in SMALL if kind is not np.float16),  # SciPy's
        *((make, np.uint8, np.array) for make in (make_net, make_regressor)),
    ],
)
def test_types_that_fit_into_float32_are_learned_as_it_is(make, kind, container):
    data = (100 * X).astype(kind)
    model = make().fit(container(data), Y)
    same = make().fit(container(data.astype(np.float32)), Y)
    for one, other in zip(arrays_of(model), arrays_of(same), strict=True):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, other)
    features = model.transform(container(data))
    expected = same.transform(data.astype(np.float32))
    np.testing.assert_array_equal(features, expected, strict=True)
    assert make().partial_fit(container(data), Y).transform(data).dtype == np.float32


@pytest.mark.parametrize("kind", [np.int32, np.uint32, np.int64, np.float64, object])
def test_larger_types_are_learned_in_float64(kind):
    data = (100 * X).astype(kind)
    assert make_rbm().fit(data).components_.dtype == np.float64
    frame = pd.DataFrame({"large": data[:, 0], "small": np.int8(1)})
    assert make_rbm().fit(frame).components_.dtype == np.float64


def test_frames_of_several_small_types_are_learned_in_float32():
    frame = pd.DataFrame({"a": Y == 1, "b": Y.astype(np.int8), "c": X[:, 0].astype(np.float16)})
    assert make_rbm().fit(frame).components_.dtype == np.float32
    nullable = pd.DataFrame({"a": pd.array(Y == 1, "boolean"), "b": pd.array(Y, "Int8")})
    assert make_rbm().fit(nullable).components_.dtype == np.float32
    mixed = frame.assign(d=pd.Categorical(Y))
    assert make_rbm().fit(mixed).components_.dtype == np.float64


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float32])
def test_sparse_columns_of_frames_are_learned_in_float32(dtype):
    frame = pd.get_dummies(pd.Series(Y % 3), sparse=True, dtype=dtype).add_prefix("of ")
    rbm = make_rbm().fit(frame)
    assert rbm.components_.dtype == np.float32
    dense = frame.sparse.to_dense()
    expected = make_rbm().fit(dense).transform(dense)
    np.testing.assert_allclose(rbm.transform(frame), expected, atol=1e-6)


@pytest.mark.parametrize("kind", [float, "string", "Int64"])
def test_series_is_refused_as_data(kind):
    column = pd.Series(np.arange(40) % 7).astype(kind)
    fitted_rbm, fitted_net = make_rbm().fit(X), make_net().fit(X, Y)
    for refuse in (make_rbm().fit, fitted_rbm.transform, fitted_rbm.inverse_transform):
        with pytest.raises(ValueError, match=r"Expected a 2-dimensional container .*\.Series"):
            refuse(column)
    for refuse in (lambda x: make_net().fit(x, Y), fitted_net.predict):
        with pytest.raises(ValueError, match=r"Expected a 2-dimensional container .*\.Series"):
            refuse(column)


DATES = pd.date_range("2020-01-01", periods=40)


@pytest.mark.parametrize(
    "dates",
    [
        pd.DataFrame({"sold": DATES, "price": np.arange(40.0)}),
        pd.DataFrame({"price": np.arange(40.0), "sold": DATES.tz_localize("UTC")}),
        pd.DataFrame({"sold": DATES - DATES[3]}),
        DATES.to_numpy()[:, None],
    ],
)
@pytest.mark.parametrize("make", [make_rbm, make_net])
def test_dates_are_refused_as_data(make, dates):
    where = r" in column 'sold'" if hasattr(dates, "columns") else ""
    with pytest.raises(ValueError, match=rf"X holds dates or time spans{where}\. Pass numbers"):
        make().fit(dates, Y)
    days = (DATES - DATES[3]) / np.timedelta64(1, "D")  # as the advice says
    make().fit(np.asarray(days)[:, None], Y)


@pytest.mark.parametrize("kind", [object, "string", "category"])
@pytest.mark.parametrize("make", [make_rbm, make_net])
def test_text_is_refused_with_its_column_and_what_to_do(make, kind):
    data = pd.DataFrame({"age": np.arange(40.0), "city": ["Bonn", "Ulm"] * 20})
    data = data.astype({"city": kind})
    message = r"has text in column 'city': .*'Bonn'\. Turn categories .*\.OneHotEncoder, in a C"
    with pytest.raises(ValueError, match=f"^X {message}"):
        make().fit(data, Y)
    encoder = ColumnTransformer([("city", OneHotEncoder(), ["city"])], remainder="passthrough")
    make_pipeline(encoder, make()).fit(data, Y)  # as the advice says
    with pytest.raises(ValueError, match="^X has text: could not convert string to float: 'a'"):
        make().fit([["a", "b"]] * 40, Y)


def test_text_is_refused_where_it_is():
    net = DBNRegressor((3,), rbm=make_rbm(), output_iter=1, finetune_iter=1)
    text = np.array(["a", "b"] * 20)
    for data in (X, csr_matrix(X), pd.DataFrame(X)):
        with pytest.raises(ValueError, match=r"^y has text, 'a'\. Pass numbers, .* use DBNClas"):
            net.fit(data, text)
    with pytest.raises(ValueError, match="^X_val has text in column 'a': .*'x'"):
        net.fit(
            pd.DataFrame({"a": X[:, 0]}),
            X[:, 1],
            X_val=pd.DataFrame({"a": ["x"] * 2}),
            y_val=[1, 2],
        )


def test_gap_in_hidden_units_is_not_for_an_imputer():
    with pytest.raises(ValueError, match=GAPS + "its 40 rows. Fill such values with what transfor"):
        make_rbm().fit(X).inverse_transform(with_gaps())


@pytest.mark.parametrize("n_columns", [1, 2])
def test_sparse_targets_can_be_scored(n_columns):
    y = np.column_stack([Y, X[:, 0]])[:, :n_columns]
    models = [DBNRegressor((3,), rbm=make_rbm(), output_iter=1, finetune_iter=1, random_state=0)]
    models += [make_net()] * (n_columns == 1)
    for model in models:
        model.fit(X, csr_matrix(y))
        assert model.score(X, csr_matrix(y)) == model.score(X, y)


def test_machine_of_float64_goes_on_in_it_with_small_types():
    rbm = make_rbm().fit(X).partial_fit(X > 0.5)
    assert rbm.components_.dtype == np.float64
