"""Descriptions of scikit-learn's steps before an estimator of skdbn.

The rule: only the classes named here are built. The content of a file is compared with what
scikit-learn itself leaves in a step with the same parameters, and the step is tried.
"""

import contextlib
import copy
import threading
import warnings

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from skdbn._training.checks import whole_number
from skdbn._training.fitting import damages_told
from skdbn._training.threads import call_in_forked_processes

STEPS = {
    step.__name__: step
    for step in (
        Binarizer,
        MaxAbsScaler,
        MinMaxScaler,
        Normalizer,
        PowerTransformer,
        QuantileTransformer,
        RobustScaler,
        SimpleImputer,
        StandardScaler,
    )
}
SETTINGS = {"_sklearn_output_config", "_metadata_request"}  # copied by `clone`, besides parameters
NAMES = "feature_names_in_"
MAY_BE_MISSING = {"statistics_"}  # for columns that an imputer drops
COUNTS = "n_samples_seen_"  # an array in StandardScaler if values are missing
NUMBERS = "biuf"  # kinds of types to which an imputer can be fitted
LITTLE = np.array([[1.0], [2.0]])  # two rows to which every step can be fitted

_lock = threading.Lock()


def describe_step(step):
    """Return a step as nested dicts of numbers, strings and arrays.

    Parameters
    ----------
    step : estimator
        An instance of one of `STEPS`.

    Returns
    -------
    dict
        Class, parameters and fitted attributes.

    Raises
    ------
    ValueError
        If the step is not fitted, or would not work when rebuilt.
    """
    if not hasattr(step, "n_features_in_"):
        raise ValueError(f"This {type(step).__name__} is not fitted: call fit first.")
    parameters = step.get_params(deep=False)
    if isinstance(parameters.get("random_state"), np.random.RandomState):
        parameters["random_state"] = None
    fitted = _describe_fitted(step, _fitted_to_little(step))
    description = {"class": type(step).__name__, "parameters": parameters, **fitted}
    with damages_told(f"The step {type(step).__name__}"):
        rebuild_step(description, step.n_features_in_)
    return description


def _describe_fitted(step, example):
    """Return the fitted attributes that an example has, with types and steps separate."""
    parts = {"attributes": {}, "types": {}, "steps": {}}
    for name in {*_fitted_names(example), *({NAMES} & set(vars(step)))}:
        value = getattr(step, name)
        if isinstance(value, np.dtype):
            parts["types"][name] = value.str
        elif isinstance(value, BaseEstimator):
            parts["steps"][name] = _describe_fitted(value, getattr(example, name))
        else:
            parts["attributes"][name] = value
    return parts


def rebuild_step(description, most_features):
    """Return the described step.

    Parameters
    ----------
    description : dict
        Result of `describe_step`.
    most_features : int
        Largest possible number of features.

    Returns
    -------
    estimator
        The step.

    Raises
    ------
    Exception
        One of `DAMAGES`, if the described step would not work.
    """
    step = STEPS[description["class"]](**description["parameters"])
    step = _fitted_to_little(step)  # raises if a parameter is invalid
    _fill(step, description)
    n_features = whole_number(step.n_features_in_, 1, most_features)
    names = getattr(step, NAMES, None)
    if names is not None and (names.dtype != object or names.shape != (n_features,)):
        raise ValueError("the names of the features do not fit their number")
    _try(step)
    return step


@contextlib.contextmanager
def _silence():
    """Ignore warnings, in one thread at a time: overlapping blocks would ignore them for good."""
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _unlock():
    """Start with a new lock in a forked process, where no other thread will open the old one."""
    global _lock
    _lock = threading.Lock()


call_in_forked_processes(_unlock)


def _fitted_to_little(step):
    """Return a clone of a step, fitted to two rows of one column."""
    with _silence():
        return clone(step).fit(LITTLE)


def _fitted_names(step):
    """Return the names of the attributes that `fit` left in a step."""
    return set(vars(step)) - set(step.get_params(deep=False)) - SETTINGS


def _fill(step, description):
    """Replace the fitted attributes of a step by the described ones."""
    attributes = dict(description["attributes"])
    attributes |= {name: np.dtype(kind) for name, kind in description["types"].items()}
    inner = dict(description["steps"])
    wrong = ({*attributes, *inner} ^ _fitted_names(step)) - {NAMES}
    if wrong:
        raise ValueError(
            f"{type(step).__name__} has unexpected or missing attributes: "
            f"{', '.join(map(str, wrong))}"
        )
    for name in {*attributes} - {NAMES}:
        example = getattr(step, name)
        if isinstance(example, np.generic) and not isinstance(attributes[name], np.ndarray):
            attributes[name] = type(example)(attributes[name])
        _check_alike(name, attributes[name], example)
    for name, parts in inner.items():
        _fill(getattr(step, name), parts)
    vars(step).update(attributes)


def _check_alike(name, value, example):
    """Raise unless an attribute is of the same kind as in an example."""
    is_alike = type(value) is type(example)
    if isinstance(value, np.dtype):
        is_alike = isinstance(example, np.dtype) and value.kind in NUMBERS
    elif isinstance(value, np.ndarray):
        kinds = np.asarray(example).dtype.kind + (NUMBERS if name in MAY_BE_MISSING else "")
        is_alike = value.dtype.kind in kinds
        is_alike &= value.ndim == np.ndim(example)
        if name == COUNTS:
            is_alike = value.dtype.kind in "if" and value.ndim == 1
        is_alike &= name in MAY_BE_MISSING or bool(np.isfinite(value).all())
        is_alike &= name != "scale_" or bool((value != 0.0).all())
    if not is_alike:
        raise ValueError(f"{name} has a type, shape or value that fit never gives it")


def _try(step):
    """Raise if a step fails in use."""
    step, rows = copy.deepcopy(step), LITTLE.repeat(step.n_features_in_, axis=1)
    with _silence(), np.errstate(all="ignore"):
        transformed = step.transform(rows)
        if hasattr(step, "inverse_transform") and getattr(step, "add_indicator", True):
            step.inverse_transform(transformed)
        if hasattr(step, "partial_fit"):
            step.partial_fit(rows)
