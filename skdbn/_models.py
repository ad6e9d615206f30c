"""Fitted models as files without pickle.

The rule: a model is described by nested dicts of numbers, texts and arrays, and built again from
them by calling the constructor of one of two classes that are named here. Checkpoints use the same
description.
"""

from skdbn._dbn import FITTED, DBNClassifier
from skdbn._engines import ENGINES
from skdbn._optimizers import OPTIMIZERS
from skdbn._rbm import STATE, RBMTransformer
from skdbn._storage import read, write
from skdbn._version import __version__, warn_of_other_version

CLASSES = {"RBMTransformer": RBMTransformer, "DBNClassifier": DBNClassifier}


def save_model(model, path):
    """Save a fitted model in a file that can be loaded without trust.

    Parameters
    ----------
    model : RBMTransformer or DBNClassifier
        A fitted model.
    path : str or path-like
        The file, `.npz` by custom. An older one is replaced when the new one is complete.

    Raises
    ------
    TypeError
        When the model is something else, or has a parameter or class labels that such a file can
        not hold: a `random_state` that is a RandomState instance is left out, and loads as None.
    ValueError
        When the model is not fitted.
    OSError
        When the file can not be written.

    See Also
    --------
    load_model : The way back.

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
    if type(model) not in CLASSES.values():
        raise TypeError(
            f"{type(model).__name__} can not be saved: hand in a fitted {' or '.join(CLASSES)}; "
            "of a Pipeline save the last step, and scikit-learn's own steps with skops."
        )
    write(path, "model", {"version": __version__, "model": describe(model)})


def load_model(path):
    """Load a model that `save_model` saved. Nothing in the file is executed.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    RBMTransformer or DBNClassifier
        The fitted model: it predicts bit for bit what the saved one did, and with `warm_start` or
        `partial_fit` goes on like it.

    Raises
    ------
    OSError
        When the file can not be read.
    ValueError
        When the file is damaged or holds something else.

    Warns
    -----
    VersionWarning
        When another version of the package saved the model.

    See Also
    --------
    save_model : The way there, with an example.
    """
    content = read(path, "model")
    try:
        warn_of_other_version(content["version"], str(path))
        return rebuild(content["model"])
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path} is damaged: a part of the model is missing.") from error


def describe(model):
    """Return a model as nested dicts of numbers, texts and arrays.

    Parameters
    ----------
    model : RBMTransformer or DBNClassifier
        The model, fitted or in the midst of it.

    Returns
    -------
    dict
        Class, parameters and fitted attributes.
    """
    if not hasattr(model, "n_iter_"):
        raise ValueError(f"This {type(model).__name__} is not fitted: call fit first.")
    names = STATE if isinstance(model, RBMTransformer) else FITTED
    names = [*names, "n_features_in_", "feature_names_in_"]
    attributes = {name: getattr(model, name) for name in names if hasattr(model, name)}
    description = {**_describe_parameters(model), "attributes": attributes}
    if isinstance(model, RBMTransformer):
        return {
            **description,
            "engine": model._engine.get_state(),
            "optimizer": model._optimizer.get_state(),
        }
    attributes["rbms_"] = [describe(rbm) for rbm in model.rbms_]
    return description


def rebuild(description):
    """Return the model that was described.

    Parameters
    ----------
    description : dict
        What `describe` returned.

    Returns
    -------
    RBMTransformer or DBNClassifier
        The model.
    """
    model = _rebuild_unfitted(description)
    attributes = dict(description["attributes"])
    if isinstance(model, RBMTransformer):
        vars(model).update(attributes)
        model._engine = engine = ENGINES["numpy"](model.components_.dtype, 0)
        engine.set_state(description["engine"])
        model._optimizer = OPTIMIZERS["sgd"](engine, model.components_.size, model.learning_rate)
        model._optimizer.set_state(description["optimizer"])
        return model
    attributes["rbms_"] = [rebuild(rbm) for rbm in attributes["rbms_"]]
    vars(model).update(attributes)
    return model


def _describe_parameters(model):
    """Return class and parameters; templates are described too."""
    parameters = model.get_params(deep=False)
    if not isinstance(parameters["random_state"], int):
        parameters["random_state"] = None
    templates = parameters.get("rbm")
    if isinstance(templates, list | tuple):
        parameters["rbm"] = [_describe_parameters(template) for template in templates]
    elif templates is not None:
        parameters["rbm"] = _describe_parameters(templates)
    return {"class": type(model).__name__, "parameters": parameters}


def _rebuild_unfitted(description):
    """Return the model with its parameters alone."""
    parameters = dict(description["parameters"])
    templates = parameters.get("rbm")
    if isinstance(templates, list):
        parameters["rbm"] = [_rebuild_unfitted(template) for template in templates]
    elif templates is not None:
        parameters["rbm"] = _rebuild_unfitted(templates)
    return CLASSES[description["class"]](**parameters)
