"""Fitted models as files without pickle.

The rule: a file contains what `estimators.py` and `steps.py` can describe, and nothing in it is
executed.
"""

from itertools import pairwise

import numpy as np
import sklearn
from sklearn.pipeline import Pipeline

from skdbn import _version
from skdbn._files.estimators import CLASSES, describe, rebuild
from skdbn._files.steps import STEPS, describe_step, rebuild_step
from skdbn._files.storage import read, write
from skdbn._training.checks import NO_STEP, check_choice, check_flag, flat_steps
from skdbn._training.diagnosis import warn_of_other_version
from skdbn._training.fitting import damages_told

PIPELINE = "Pipeline"
OF_PIPELINE = ("transform_input", "verbose")  # its parameters; its memory would be a folder
WITHOUT_ARRAYS = 2**20  # features that steps may have that store nothing for each
CONTAINERS = (None, "default", "pandas", "polars")  # of the output of transform


def save_model(model, path):
    """Save a fitted model in a file that is safe to load from untrusted sources.

    Parameters
    ----------
    model : RBMTransformer, DBNClassifier, DBNRegressor or Pipeline
        A fitted model. The steps of a Pipeline may be these estimators, Pipelines, and
        scikit-learn's StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, Normalizer,
        Binarizer, QuantileTransformer, PowerTransformer and SimpleImputer.
    path : str or path-like
        The file, by convention `.npz`. An existing file is replaced once the new one is complete.

    Raises
    ------
    TypeError
        If the model or a step is of another class, or has a parameter or class labels that cannot
        be stored in such a file.
    ValueError
        If the model is not fitted, a parameter was set to a value that `fit` would refuse, or the
        path is that of a folder, a device or a pipe.
    OSError
        If the file cannot be written.

    See Also
    --------
    load_model : Load the model again.
    to_onnx : Convert a model for use without Python.

    Notes
    -----
    A `random_state` that is a RandomState instance, the `memory` of a Pipeline, callbacks, metadata
    requests and, unless the estimator is a step of a Pipeline, `set_output` are left out: they do
    not affect what a model predicts.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skdbn import RBMTransformer, load_model, save_model
    >>> from skdbn.datasets import load_digits
    >>> X = load_digits()[0]
    >>> rbm = RBMTransformer(20, n_iter=5, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(rbm, Path(folder) / "rbm.npz")
    ...     loaded = load_model(Path(folder) / "rbm.npz")
    >>> bool((loaded.transform(X) == rbm.transform(X)).all())
    True
    """
    write(path, "model", {"version": _version.__version__, "model": _describe(model)})


def load_model(path):
    """Load a model saved by `save_model`; nothing in the file is executed.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    RBMTransformer, DBNClassifier, DBNRegressor or Pipeline
        The fitted model. Its predictions equal those of the saved model bit for bit, and
        `warm_start` and `partial_fit` continue as they would have in it.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the file is damaged or contains something else.

    Warns
    -----
    VersionWarning
        If another version of the package saved the model, or a Pipeline was saved with another
        version of scikit-learn.

    See Also
    --------
    save_model : Save a model, with an example.
    """
    content = read(path, "model")
    with damages_told(path):
        warn_of_other_version(content["version"], str(path))
        most_features = max(_n_values(content["model"]), WITHOUT_ARRAYS)
        return _rebuild(content["model"], most_features, str(path))


def _describe(model):
    """Return a fitted model as nested dicts."""
    if type(model) is Pipeline:
        steps = [[name, *_describe_inner(name, step)] for name, step in model.steps]
        parameters = {name: getattr(model, name) for name in OF_PIPELINE}
        version = sklearn.__version__
        _check_pipeline(model)
        return {"class": PIPELINE, "version": version, "parameters": parameters, "steps": steps}
    if type(model) not in CLASSES.values():
        raise TypeError(
            f"{type(model).__name__} cannot be saved. Pass a fitted {', '.join(CLASSES)}, or a "
            "Pipeline with one. For an estimator of skdbn.dask, pass model.to_local(); for a "
            "FrozenEstimator, model.estimator."
        )
    model._check_parameters()
    return describe(model)


def _describe_inner(name, step):
    """Return the description of a step of a Pipeline, and the container of its output."""
    if step in NO_STEP:
        return step, None
    container = vars(step).get("_sklearn_output_config", {}).get("transform")
    if type(step) in STEPS.values():
        return describe_step(step), container
    if type(step) is Pipeline or type(step) in CLASSES.values():
        return _describe(step), container
    raise TypeError(
        f"The step {name!r} is a {type(step).__name__}, which a model file cannot contain. "
        f"Allowed are {', '.join(CLASSES)} and {', '.join(STEPS)}. Save the steps before or "
        "after it as a slice of the Pipeline, or save all of it with skops."
    )


def _rebuild(description, most_features, where):
    """Return the described model."""
    kind = description["class"]  # perhaps an array, in a damaged file
    if not isinstance(kind, str) or kind != PIPELINE:
        return rebuild(description)
    warn_of_other_version(description["version"], where, "scikit-learn", sklearn.__version__)
    steps = [
        (name, _rebuild_inner(inner, container, most_features, where))
        for name, inner, container in description["steps"]
    ]
    model = Pipeline(steps, **{name: description["parameters"][name] for name in OF_PIPELINE})
    _check_pipeline(model)
    return model


def _check_pipeline(model):
    """Raise if the steps of a Pipeline, or its parameters, do not fit together."""
    names = [name for name, _ in model.steps]
    if any(type(name) is not str or "__" in name for name in names) or len({*names}) < len(names):
        raise ValueError("the names of the steps are not valid in a Pipeline")
    check_flag(model.verbose, "verbose")
    given = [] if model.transform_input is None else model.transform_input
    if not isinstance(given, list | tuple) or any(type(name) is not str for name in given):
        raise TypeError("transform_input is not a list of names")
    steps = flat_steps(model)
    if not steps:
        raise ValueError("it has no steps")
    for before, after in pairwise(steps):
        if len(before.get_feature_names_out()) != after.n_features_in_:
            raise ValueError(
                f"{type(after).__name__} takes another number of features than "
                f"{type(before).__name__} returns"
            )


def _n_values(tree):
    """Return the number of values of all arrays in nested dicts, lists and tuples."""
    if isinstance(tree, np.ndarray):
        return tree.size
    if isinstance(tree, dict):
        return sum(map(_n_values, tree.values()))
    return sum(map(_n_values, tree)) if isinstance(tree, list | tuple) else 0


def _rebuild_inner(description, container, most_features, where):
    """Return a step of a Pipeline."""
    if description in NO_STEP:
        return description
    if description["class"] in STEPS:
        step = rebuild_step(description, most_features)
    else:
        step = _rebuild(description, most_features, where)
    if container is not None:
        check_choice(container, "the container of a step's output", CONTAINERS)
        step.set_output(transform=container)
    return step
