"""Fitted models as files without pickle.

The rule: a file holds what `estimators.py` and `steps.py` know how to describe, and nothing in it
is executed.
"""

from itertools import pairwise

import numpy as np
import sklearn
from sklearn.pipeline import Pipeline

from skdbn import _version
from skdbn._files.estimators import CLASSES, describe, rebuild
from skdbn._files.steps import NOTHING, STEPS, describe_step, flat_steps, rebuild_step
from skdbn._files.storage import read, write
from skdbn._training.checks import check_choice, check_flag
from skdbn._training.diagnosis import warn_of_other_version
from skdbn._training.fitting import damages_told

PIPELINE = "Pipeline"
KEPT = ("transform_input", "verbose")  # parameters of a Pipeline; its memory would be a folder
CONTAINERS = (None, "default", "pandas", "polars")  # of what transform returns


def save_model(model, path):
    """Save a fitted model in a file that can be loaded without trust.

    Parameters
    ----------
    model : RBMTransformer, DBNClassifier, DBNRegressor or Pipeline
        A fitted model. The steps of a Pipeline may be these estimators, Pipelines, and
        scikit-learn's StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, Normalizer,
        Binarizer, QuantileTransformer, PowerTransformer and SimpleImputer.
    path : str or path-like
        The file, `.npz` by custom. An older one is replaced when the new one is complete.

    Raises
    ------
    TypeError
        When the model or a step is something else, or has a parameter or class labels that such a
        file cannot hold.
    ValueError
        When the model is not fitted, a parameter was set to what `fit` would refuse, or there is a
        folder, a device or a pipe at the path.
    OSError
        When the file cannot be written.

    See Also
    --------
    load_model : The way back.
    to_onnx : What programs without Python compute.

    Notes
    -----
    A `random_state` that is a RandomState instance, the `memory` of a Pipeline, callbacks and
    requests of metadata are left out, as they are not part of what a model predicts.

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
    """Load a model that `save_model` saved. Nothing in the file is executed.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    RBMTransformer, DBNClassifier, DBNRegressor or Pipeline
        The fitted model: it predicts bit for bit what the saved one did, and with `warm_start` or
        `partial_fit` goes on like it.

    Raises
    ------
    OSError
        When the file cannot be read.
    ValueError
        When the file is damaged or holds something else.

    Warns
    -----
    VersionWarning
        When another version of the package saved the model, or a Pipeline was saved with another
        version of scikit-learn.

    See Also
    --------
    save_model : The way there, with an example.
    """
    content = read(path, "model")
    with damages_told(path):
        warn_of_other_version(content["version"], str(path))
        return _rebuild(content["model"], _n_values(content["model"]), str(path))


def _describe(model):
    """Return a fitted model as nested dicts."""
    if type(model) is Pipeline:
        steps = [[name, *_describe_inner(name, step)] for name, step in model.steps]
        parameters = {name: getattr(model, name) for name in KEPT}
        version = sklearn.__version__
        return {"class": PIPELINE, "version": version, "parameters": parameters, "steps": steps}
    if type(model) not in CLASSES.values():
        raise TypeError(
            f"{type(model).__name__} cannot be saved: pass a fitted {', '.join(CLASSES)} or a "
            "Pipeline with one."
        )
    model._check_parameters()
    return describe(model)


def _describe_inner(name, step):
    """Return what a step of a Pipeline is, and the container of what it returns."""
    if step in NOTHING:
        return step, None
    container = vars(step).get("_sklearn_output_config", {}).get("transform")
    if type(step) in STEPS.values():
        return describe_step(step), container
    if type(step) is Pipeline or type(step) in CLASSES.values():
        return _describe(step), container
    raise TypeError(
        f"The step {name!r} is a {type(step).__name__}, which a model file cannot hold. It holds "
        f"{', '.join(CLASSES)} and {', '.join(STEPS)}. Save the steps behind it, as a slice of the "
        "Pipeline, or all of it with skops."
    )


def _rebuild(description, most_features, where):
    """Return the model that was described."""
    if description["class"] != PIPELINE:
        return rebuild(description)
    warn_of_other_version(description["version"], where, "scikit-learn", sklearn.__version__)
    steps = [
        (name, _rebuild_inner(inner, container, most_features, where))
        for name, inner, container in description["steps"]
    ]
    model = Pipeline(steps, **{name: description["parameters"][name] for name in KEPT})
    _check_pipeline(model)
    return model


def _check_pipeline(model):
    """Raise when the steps of a Pipeline, or its parameters, do not fit together."""
    names = [name for name, _ in model.steps]
    if any(type(name) is not str or "__" in name for name in names) or len({*names}) < len(names):
        raise ValueError("the names of the steps are not those of a Pipeline")
    check_flag(model.verbose, "verbose")
    given = model.transform_input
    if given is not None and any(type(name) is not str for name in [*given]):
        raise TypeError("transform_input is not a list of names")
    steps = flat_steps(model)
    if not steps:
        raise ValueError("it has no steps")
    for before, after in pairwise(steps):
        if len(before.get_feature_names_out()) != after.n_features_in_:
            raise ValueError(
                f"{type(after).__name__} takes another number of features than "
                f"{type(before).__name__} makes"
            )


def _n_values(tree):
    """Return how many values the arrays of nested dicts, lists and tuples have."""
    if isinstance(tree, np.ndarray):
        return tree.size
    if isinstance(tree, dict):
        return sum(map(_n_values, tree.values()))
    return sum(map(_n_values, tree)) if isinstance(tree, list | tuple) else 0


def _rebuild_inner(description, container, most_features, where):
    """Return a step of a Pipeline."""
    if description in NOTHING:
        return description
    if description["class"] in STEPS:
        step = rebuild_step(description, most_features)
    else:
        step = _rebuild(description, most_features, where)
    if container is not None:
        check_choice(container, "the container of what a step returns", CONTAINERS)
        step.set_output(transform=container)
    return step
