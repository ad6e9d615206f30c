"""Fitted models as ONNX, which runs without Python.

The rule: the packages of the extra `skdbn[onnx]` are imported only when a model is converted. A
model that cannot be converted is refused with advice.
"""

from sklearn.base import is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion
from sklearn.utils.validation import check_is_fitted

from skdbn._dbn_base import DeepBeliefNet
from skdbn._dbn_regressor import DBNRegressor
from skdbn._training.checks import flat_steps

OPSETS = {"": 17, "ai.onnx.ml": 3}  # old enough for runtimes of recent years
BATCH = "n_samples"


def to_onnx(model):
    """Convert a fitted model to ONNX.

    The ONNX model has one input, `X`, in float32, with any number of rows. A classifier has the
    outputs `labels` and `probabilities`, a regressor `values`, and a machine or another transformer
    `features`. They are the results of `predict`, `predict_proba` and `transform` for float32 rows,
    up to rounding: numbers agree to about 1e-6, and labels unless two classes are that close.

    Parameters
    ----------
    model : RBMTransformer, DBNClassifier, DBNRegressor or Pipeline
        A fitted estimator, or a Pipeline of estimators of skdbn and steps that skl2onnx can
        convert, such as scikit-learn's scalers, SimpleImputer, PCA or LogisticRegression.

    Returns
    -------
    onnx.ModelProto
        The ONNX model. ``path.write_bytes(proto.SerializeToString())`` writes it to a file.

    Raises
    ------
    ImportError
        If onnx or skl2onnx is not installed.
    TypeError
        If the model, or one of its steps, cannot be converted.
    ValueError
        If the values of a column do not fit into float32.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    See Also
    --------
    save_model : Save a model in a file that skdbn can load.

    Notes
    -----
    Rows must not have missing values unless an imputer is the first step, because a machine would
    have to infer them. Values beyond the limits of a column are clipped as in skdbn, but there are
    no warnings about data on another scale. Integer labels become int64; strings stay strings.
    Multilabel targets are int64 zeros and ones. The values of a regressor are float64. A net before
    the last step of a Pipeline, or in a FeatureUnion or ColumnTransformer, passes on its top hidden
    layer, as `transform` does.

    skl2onnx computes the steps of scikit-learn in float32. If values are large compared with their
    spread, MaxAbsScaler, QuantileTransformer and PowerTransformer lose digits, and probabilities
    can differ: by up to 5e-4 for columns near 1000 with a spread of 1, and by any amount near 1e6.
    StandardScaler, MinMaxScaler, RobustScaler and nets without a scaler keep to 1e-6 there.

    Examples
    --------
    >>> import onnxruntime
    >>> from skdbn import DBNClassifier, to_onnx
    >>> from skdbn.datasets import load_digits
    >>> X, X_test, y, y_test = load_digits()
    >>> net = DBNClassifier((50,), random_state=0).fit(X, y)
    >>> session = onnxruntime.InferenceSession(to_onnx(net).SerializeToString())
    >>> labels, probabilities = session.run(None, {"X": X_test.astype("float32")})
    >>> bool((labels == net.predict(X_test)).all())
    True
    """
    try:
        from skdbn._files.converters import convert, has_converter
    except ImportError as error:
        raise ImportError(
            f"to_onnx needs onnx and skl2onnx: pip install onnx skl2onnx ({error})."
        ) from error
    check_is_fitted(model)
    steps = flat_steps(model)
    for step in steps:
        _check_step(step, has_converter(step), step is steps[-1])
    if not hasattr(steps[0], "n_features_in_"):
        raise TypeError(
            f"{type(steps[0]).__name__} does not take a matrix of numbers, but the ONNX model "
            "must. Convert the steps after it, for example to_onnx(model[1:])."
        )
    for step in steps[:-1]:
        if is_classifier(step) and not isinstance(step, DeepBeliefNet):
            raise TypeError(
                f"{type(step).__name__} is a classifier before the last step, and skl2onnx would "
                "pass on its labels. Convert the steps after it."
            )
    proto = convert(steps, _outputs(steps[-1]), OPSETS)
    for tensor in (*proto.graph.input, *proto.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = BATCH
    return proto


def _check_step(step, has_converter, is_last):
    """Raise unless a step can be converted where it stands."""
    kind, parts = type(step).__name__, step.get_params().values()
    if hasattr(step, "best_estimator_"):
        raise TypeError(f"{kind} is a search. Convert its result: to_onnx(search.best_estimator_).")
    has_outputs = is_classifier(step) or is_regressor(step) or not hasattr(step, "predict")
    if is_last and not (has_converter and has_outputs):
        raise TypeError(
            f"{kind} cannot be converted to ONNX. Pass the fitted model that it contains, such as "
            "model.estimator_ or model.to_local(), or the steps before it, model[:-1]."
        )
    if not has_converter:
        raise TypeError(
            f"{kind} cannot be converted to ONNX. Convert the steps after it, for example "
            "to_onnx(model[1:]), and transform the rows by the steps up to it beforehand."
        )
    is_plain = isinstance(step, DBNRegressor | ColumnTransformer | FeatureUnion)
    if not is_plain and any(isinstance(part, DBNRegressor) for part in parts):
        raise TypeError(
            f"{kind} contains a DBNRegressor, whose values skl2onnx cannot combine. Convert the "
            "fitted regressors one by one, such as model.estimators_[0]."
        )


def _outputs(last):
    """Return the names of the outputs of a model."""
    if is_classifier(last):
        return ["labels", "probabilities" if hasattr(last, "predict_proba") else "scores"]
    return ["values" if is_regressor(last) else "features"]
