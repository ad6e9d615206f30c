"""Estimators of skdbn as nested dicts of numbers, strings and arrays, and back.

The rule: an estimator is rebuilt by calling the constructor of one of the classes named here, and
everything that it would predict with or continue from is checked. Model files and checkpoints use
the same description.
"""

from itertools import pairwise
from numbers import Integral

import numpy as np
from sklearn.frozen import FrozenEstimator

from skdbn._dbn_base import OF_HELD_OUT_ROWS
from skdbn._dbn_classifier import DBNClassifier
from skdbn._dbn_regressor import DBNRegressor
from skdbn._files.storage import KINDS
from skdbn._rbm import RBMTransformer
from skdbn._training.checks import check_choice, check_real
from skdbn._training.columns import columns_of

CLASSES = {
    "RBMTransformer": RBMTransformer,
    "DBNClassifier": DBNClassifier,
    "DBNRegressor": DBNRegressor,
}
FROZEN = "FrozenEstimator"
OPTIONAL = {"feature_names_in_"}
ENCODING = (
    "Encode them with sklearn.preprocessing.LabelEncoder: fit(X, encoder.fit_transform(y)). Its "
    "inverse_transform decodes predictions."
)


def describe(model):
    """Return a model as nested dicts of numbers, strings and arrays.

    Parameters
    ----------
    model : RBMTransformer, DBNClassifier or DBNRegressor
        The model, fitted or being fitted.

    Returns
    -------
    dict
        Class, parameters and fitted attributes.

    Raises
    ------
    TypeError
        If class labels are neither numbers nor strings.
    """
    if not hasattr(model, "n_iter_"):
        raise ValueError(f"This {type(model).__name__} is not fitted: call fit first.")
    attributes = {name: vars(model)[name] for name in _names(model) if name in vars(model)}
    if "rbms_" in attributes:
        attributes["rbms_"] = [describe(rbm) for rbm in attributes["rbms_"]]
    if "classes_" in attributes:
        _check_type_of_labels(attributes["classes_"])
    return {**describe_parameters(model), "attributes": attributes}


def _check_type_of_labels(classes):
    """Raise if a file cannot contain the class labels."""
    is_long = classes.dtype.kind == "f" and classes.dtype.itemsize > 8
    if is_long or classes.dtype.kind not in f"{KINDS}O":  # objects are strings
        raise TypeError(
            f"The class labels have the type {classes.dtype}, which model files cannot contain. "
            f"{ENCODING}"
        )


def describe_parameters(model):
    """Return the class and parameters of a model, including those of its templates.

    Parameters
    ----------
    model : RBMTransformer, DBNClassifier or DBNRegressor
        The model.

    Returns
    -------
    dict
        Class and parameters.

    Raises
    ------
    TypeError
        If the model or a template is of another class.
    """
    if type(model) not in CLASSES.values():
        raise TypeError(
            f"A model file cannot contain a {type(model).__name__}, only {' and '.join(CLASSES)}. "
            "Save the model with skops."
        )
    parameters = model.get_params(deep=False)
    seed = parameters["random_state"]
    parameters["random_state"] = int(seed) if isinstance(seed, Integral) else None
    if "rbm" in parameters:
        parameters["rbm"] = _each(parameters["rbm"], _describe_template)
    return {"class": type(model).__name__, "parameters": parameters}


def rebuild(description):
    """Return the described model.

    Parameters
    ----------
    description : dict
        Result of `describe`.

    Returns
    -------
    RBMTransformer, DBNClassifier or DBNRegressor
        The model.

    Raises
    ------
    Exception
        One of `DAMAGES`, if the described model would not work.
    """
    model = _rebuild_unfitted(description)
    model._check_parameters()
    attributes, names = dict(description["attributes"]), _names(model)
    unknown = sorted(set(attributes) - set(names))
    optional = OPTIONAL if isinstance(model, RBMTransformer) else {*OPTIONAL, *OF_HELD_OUT_ROWS}
    missing = sorted(set(names) - set(attributes) - optional)
    if unknown:
        raise ValueError(f"{type(model).__name__} has no attributes {', '.join(unknown)}")
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing")
    if "rbms_" in attributes:
        attributes["rbms_"] = [rebuild(rbm) for rbm in attributes["rbms_"]]
    vars(model).update(attributes)
    _check_machine(model) if isinstance(model, RBMTransformer) else _check_net(model)
    return model


def _names(model):
    """Return the names of the fitted attributes that are saved."""
    return [*model._fitted, "n_features_in_", "feature_names_in_"]


def _check_machine(model):
    """Raise if a machine would fail in use."""
    n_components, n_features = model.components_.shape
    shapes = {
        "components_": (n_components, n_features),
        "intercept_visible_": (n_features,),
        "intercept_hidden_": (n_components,),
        "h_samples_": (len(model.h_samples_), n_components),
    }
    arrays = [(getattr(model, name), shape) for name, shape in shapes.items()]
    _check_arrays(arrays, model.components_.dtype)
    _check_columns(model, n_features)
    visible_units, hidden_units = model._units
    RBMTransformer(visible_units=visible_units, hidden_units=hidden_units)._check_parameters()
    if type(model._stopped) is not bool:
        raise TypeError("_stopped is not a bool")
    engine, *_ = model._restored()  # raises if the optimizer or the chains could not continue
    model._restored_estimator(model._model(engine))
    _check_rest(model, n_features)


def _check_net(model):
    """Raise if a network would fail in use."""
    _check_number(model.n_features_in_)
    sizes = [model.n_features_in_, *map(len, model.intercepts_)]
    arrays = [*zip(model.coefs_, pairwise(sizes), strict=True)]
    arrays += [(intercept, (len(intercept),)) for intercept in model.intercepts_]
    _check_arrays(arrays, model.coefs_[0].dtype)
    check = _check_classes if isinstance(model, DBNClassifier) else _check_targets
    check(model, sizes[-1])
    for rbm, shape in zip(model.rbms_, pairwise(sizes), strict=False):
        if rbm.components_.shape[::-1] != shape:
            raise ValueError("an RBM does not fit its layer")
    _check_number(len(model._hidden_units), len(sizes) - 2)
    _check_number(model.n_layers_, len(sizes))
    for units in model._hidden_units:
        RBMTransformer(hidden_units=units)._check_parameters()
    _check_columns(model, sizes[0])
    _check_rest(model, sizes[0])
    model._restored()  # raises if partial_fit could not continue


def _check_classes(model, n_outputs):
    """Raise if a classifier would fail in use."""
    _check_arrays([(model.classes_, (n_outputs,))], model.classes_.dtype, "biufUO")
    if not np.array_equal(np.unique(model.classes_), model.classes_):
        raise ValueError("the classes are not sorted and distinct")
    check_choice(model._head, "the head of a classifier", ["softmax", "logistic"])
    check_real(model.virtual_adversarial_, "virtual_adversarial_")


def _check_targets(model, n_outputs):
    """Raise if a regressor would fail in use."""
    arrays = [(model.target_offset_, (n_outputs,)), (model.target_scale_, (n_outputs,))]
    _check_arrays(arrays, np.dtype(float))
    if not (model.target_scale_ > 0.0).all():
        raise ValueError("target_scale_ is not positive")
    check_choice(model._head, "the head of a regressor", ["linear", "absolute", "poisson"])


def _check_columns(model, n_features):
    """Raise if columns could not be mapped."""
    kinds, offset, scale, limits, share_beyond = columns_of(model)
    check_real(share_beyond, "the share of values beyond the limits", 0.0, 1.0)
    _check_arrays([(offset, (n_features,)), (scale, (n_features,))], offset.dtype)
    _check_arrays([(kinds, (n_features,))], kinds.dtype, "U")
    for kind in np.unique(kinds).tolist():
        RBMTransformer(hidden_units=kind)._check_parameters()  # a kind, and not "auto"
    _check_arrays([(np.nan_to_num(limits), (2, n_features))], offset.dtype)  # some are infinite
    if not ((scale > 0.0).all() and (limits[0] <= limits[1]).all()):
        raise ValueError("a column has no scale or no limits")


def _check_arrays(arrays, dtype, kinds="f"):
    """Raise if arrays differ from their expected shapes or type, or are not finite."""
    if dtype.kind not in kinds or (kinds == "f" and dtype.itemsize not in (4, 8)):
        raise TypeError(f"an array has type {dtype}, which is not allowed")
    for array, shape in arrays:
        if not isinstance(array, np.ndarray) or (array.dtype, array.shape) != (dtype, shape):
            raise ValueError(f"an array of shape {shape} and type {dtype} is missing")
        if dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError("an array has values that are not finite")


def _check_number(number, expected=None):
    """Raise unless a number is an integer, equal to the expected one if given."""
    if type(number) is not int or expected not in (None, number):
        raise ValueError(f"{number!r} is not an integer that fits the arrays")


def _check_rest(model, n_features):
    """Raise if attributes that all models have do not fit."""
    names = getattr(model, "feature_names_in_", None)
    _check_number(model.n_features_in_, n_features)
    _check_number(model.n_iter_)
    if names is not None:
        _check_arrays([(names, (n_features,))], names.dtype, "O")
    for name, value in vars(model).items():
        if name.endswith(("_curve_", "_scores_", "_weights")) and (
            type(value) is not list or any(type(point) is not float for point in value)
        ):
            raise TypeError(f"{name} is not a list of numbers")


def _describe_template(template):
    """Return the description of a layer's template, or of a frozen RBM as a whole."""
    if isinstance(template, FrozenEstimator):
        return {"class": FROZEN, "model": describe(template.estimator)}
    return describe_parameters(template)


def _rebuild_unfitted(description):
    """Return the unfitted model with its parameters."""
    parameters = dict(description["parameters"])
    if "rbm" in parameters:
        parameters["rbm"] = _each(parameters["rbm"], _rebuild_template)
    return CLASSES[description["class"]](**parameters)


def _rebuild_template(description):
    """Return a layer's template or frozen RBM."""
    if isinstance(description["class"], str) and description["class"] == FROZEN:
        return FrozenEstimator(rebuild(description["model"]))
    return _rebuild_unfitted(description)


def _each(templates, function):
    """Apply a function to a template, or to each of a sequence of templates."""
    if isinstance(templates, list | tuple):
        return type(templates)(map(function, templates))
    return None if templates is None else function(templates)
