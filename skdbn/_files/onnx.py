"""Fitted models as ONNX, which programs without Python compute.

The rule: the packages of the extra `skdbn[onnx]` are imported when a model is converted, and only
then. Whatever cannot be converted is refused with what to do.
"""

from sklearn.base import is_classifier, is_regressor
from sklearn.utils.validation import check_is_fitted

from skdbn._dbn_base import DeepBeliefNet
from skdbn._files.steps import flat_steps

OPSETS = {"": 17, "ai.onnx.ml": 3}  # old enough for runtimes of the last years
BATCH = "n_samples"


def to_onnx(model):
    """Convert a fitted model to ONNX.

    The model has one input, `X`, of float32, of any number of rows. A classifier has the outputs
    `labels` and `probabilities`, a regressor `values`, and a machine, or another transformer,
    `features`. They are what `predict`, `predict_proba` and `transform` return for float32 rows, up
    to rounding: numbers agree to about 1e-6, and labels unless two classes are that close.

    Parameters
    ----------
    model : RBMTransformer, DBNClassifier, DBNRegressor or Pipeline
        A fitted estimator, or a Pipeline of steps that are estimators of skdbn, or that skl2onnx
        knows, such as scikit-learn's scalers, SimpleImputer, PCA or LogisticRegression.

    Returns
    -------
    onnx.ModelProto
        The ONNX model. ``path.write_bytes(proto.SerializeToString())`` writes it to a file.

    Raises
    ------
    ImportError
        When the packages of ``pip install "skdbn[onnx]"`` are missing.
    TypeError
        When the model, or a step of it, cannot be converted.
    sklearn.exceptions.NotFittedError
        When the model is not fitted.

    See Also
    --------
    save_model : A file from which skdbn loads the model itself.

    Notes
    -----
    Rows must not have missing values, unless an imputer is the first step: in a machine these
    would have to be inferred. Values that are cut off in training are cut off here, too; there are
    no warnings of data on another scale. Integer labels become int64, strings stay strings.
    Several labels are int64 zeros and ones. The values of a regressor are float64.

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
            f'to_onnx needs onnx and skl2onnx: pip install "skdbn[onnx]" ({error}).'
        ) from error
    check_is_fitted(model)
    steps = flat_steps(model)
    for step in steps:
        if hasattr(step, "best_estimator_"):
            raise TypeError(
                f"{type(step).__name__} is a search. Convert what it found: "
                "to_onnx(search.best_estimator_)."
            )
        if not has_converter(step):
            raise TypeError(
                f"{type(step).__name__} has no converter to ONNX. Convert the steps behind it, "
                "to_onnx(model[1:]) for example, and prepare the rows by those before."
            )
    if not hasattr(steps[0], "n_features_in_"):
        raise TypeError(
            f"{type(steps[0]).__name__} does not take a matrix of numbers, which the ONNX model "
            "would. Convert the steps behind it, to_onnx(model[1:]) for example."
        )
    for step in steps[:-1]:
        if is_classifier(step) and not isinstance(step, DeepBeliefNet):
            raise TypeError(
                f"{type(step).__name__} is a classifier before the last step, of which skl2onnx "
                "would take the labels. Convert the steps behind it."
            )
    proto = convert(steps, _outputs(steps[-1]), OPSETS)
    for tensor in (*proto.graph.input, *proto.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = BATCH
    return proto


def _outputs(last):
    """Return the names of what a model returns."""
    if is_classifier(last):
        return ["labels", "probabilities" if hasattr(last, "predict_proba") else "scores"]
    return ["values" if is_regressor(last) else "features"]
