"""What the layers of a deep belief net start from: templates, frozen RBMs, or random weights.

The rule: an RBM in scikit-learn's `FrozenEstimator` was trained before, perhaps on other data, and
is used as it is.
"""

import copy
import math
from itertools import pairwise

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skdbn._rbm import RBMTransformer
from skdbn._training.callbacks import callbacks_of
from skdbn._training.checks import check_integer, without_alarms
from skdbn._training.diagnosis import FittedTemplateWarning, warn


def sizes_of_layers(hidden_layer_sizes):
    """Return the number of units of each hidden layer.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Parameter of the net.

    Returns
    -------
    list of int
        The sizes, at least one.

    Raises
    ------
    TypeError
        If a size is not an integer.
    ValueError
        If there is no layer, or a layer without units.
    """
    single = np.ndim(hidden_layer_sizes) == 0
    sizes = [hidden_layer_sizes] if single else list(hidden_layer_sizes)
    if not sizes:
        raise ValueError(
            f"hidden_layer_sizes == {hidden_layer_sizes!r}, must have at least one layer."
        )
    for size in sizes:
        check_integer(size, "each of hidden_layer_sizes", 1)
    return [int(size) for size in sizes]


def with_parameters(rbm, parameters):
    """Return the templates of a net with some parameters changed.

    Parameters
    ----------
    rbm : RBMTransformer, FrozenEstimator, sequence of them or None
        Parameter of the net. Templates are changed in place, as scikit-learn does.
    parameters : dict
        Values by name, such as ``rbm__learning_rate``, or ``rbm__0__learning_rate`` in a sequence.

    Returns
    -------
    RBMTransformer, FrozenEstimator or sequence of them
        The templates.

    Raises
    ------
    ValueError
        If a name is not that of a template's parameter, or the net sets that parameter.
    """
    rbm = RBMTransformer() if rbm is None else rbm
    for name, value in parameters.items():
        template, parameter = rbm, name.removeprefix("rbm__")
        if isinstance(rbm, list | tuple):
            position, _, parameter = parameter.partition("__")
            if not (position.isdecimal() and int(position) < len(rbm)):
                raise ValueError(
                    f"{name}: rbm is a list of length {len(rbm)}, so name an RBM by its position, "
                    f"from rbm__0__learning_rate to rbm__{len(rbm) - 1}__learning_rate."
                )
            template = rbm[int(position)]
        if parameter == "n_components":
            raise ValueError(
                f"{name} has no effect. Set hidden_layer_sizes, the number of hidden units of "
                "each layer."
            )
        template.set_params(**{parameter: value})
    return rbm


def is_frozen(machine):
    """Tell whether an RBM is frozen, and so not to be trained.

    Parameters
    ----------
    machine : RBMTransformer or FrozenEstimator
        One of those returned by `machines_of_layers`.

    Returns
    -------
    bool
        Whether it is frozen.
    """
    return isinstance(machine, FrozenEstimator)


def machines_of_layers(rbm, sizes):
    """Return the RBM that each layer starts from.

    Parameters
    ----------
    rbm : RBMTransformer, FrozenEstimator, sequence of them or None
        Parameter of the net.
    sizes : list of int
        Number of units of each hidden layer.

    Returns
    -------
    list of RBMTransformer or FrozenEstimator
        Unfitted clones of the templates with the layers' numbers of hidden units, and the frozen
        RBMs themselves. `visible_units` of a template is for the data: above the first layer it
        becomes the kind of the hidden units below.

    Raises
    ------
    TypeError
        If `rbm` contains anything else.
    ValueError
        If the numbers of RBMs and layers differ, or a frozen RBM is not fitted or has another
        number of hidden units than its layer.
    """
    rbm = RBMTransformer() if rbm is None else rbm
    given = rbm if isinstance(rbm, list | tuple) else [rbm] * len(sizes)
    if len(given) != len(sizes):
        raise ValueError(
            f"rbm is a list of length {len(given)}, but hidden_layer_sizes has length "
            f"{len(sizes)}. Pass one RBM for each layer, or a single template for all."
        )
    machines = []
    for i, (machine, size) in enumerate(zip(given, sizes, strict=True), 1):
        machines.append(_machine_of_layer(machine, i, size))
        if i > 1 and not is_frozen(machine):
            machines[-1].set_params(visible_units=machines[-2].hidden_units)
    return machines


def _machine_of_layer(given, number, size):
    """Return the template or frozen RBM of one layer."""
    machine = given.estimator if is_frozen(given) else given
    if not isinstance(machine, RBMTransformer):
        raise TypeError(
            f"rbm == {given!r}, must be an RBMTransformer, a fitted RBMTransformer in a "
            "FrozenEstimator, a sequence of these (one for each layer) or None."
        )
    if not is_frozen(given):
        return _template(given, size)
    check_is_fitted(machine)
    for n_components in (len(machine.components_), machine.n_components):
        if n_components != size:
            raise ValueError(
                f"The frozen RBM of layer {number} has {n_components} hidden units, but "
                f"hidden_layer_sizes has {size} there. Make the two agree."
            )
    return given


def _template(given, size):
    """Return an unfitted clone of a template, with its parameters checked."""
    if callbacks_of(given):
        raise ValueError(
            "rbm has callbacks, but pretraining does not call those of a template. Set them on "
            "the net itself, which calls them for each pass of each layer, in tasks named "
            "'pretrain layer 1' and so on."
        )
    template = clone(given).set_params(n_components=size)
    template._check_parameters()
    return template


def warn_of_fitted_templates(rbm):
    """Warn if a template is fitted, before it is trained from scratch.

    Parameters
    ----------
    rbm : RBMTransformer, FrozenEstimator, sequence of them or None
        Parameter of the net.
    """
    templates = rbm if isinstance(rbm, list | tuple) else [rbm]
    if any(not is_frozen(template) and hasattr(template, "components_") for template in templates):
        warn(
            "rbm is fitted, but only its parameters are used: it is trained from scratch. To use "
            "it as it is, wrap it in a sklearn.frozen.FrozenEstimator; to train from scratch "
            "without this warning, pass clone(rbm).",
            FittedTemplateWarning,
        )


def check_fit_together(machines, n_features, names=None):
    """Raise if a frozen RBM was trained on other features than it will get.

    Parameters
    ----------
    machines : list of RBMTransformer or FrozenEstimator
        Result of `machines_of_layers`.
    n_features : int
        Number of features of the data.
    names : ndarray of shape (n_features,), default=None
        Names of the features, if they have any.

    Raises
    ------
    ValueError
        If it was.
    """
    for number, machine in enumerate(machines, 1):
        if is_frozen(machine) and machine.n_features_in_ != n_features:
            raise ValueError(
                f"The frozen RBM of layer {number} was trained on {machine.n_features_in_} "
                f"features, but its input has {n_features}. Pass the RBMs of all layers from the "
                "bottom up, each trained on the output of the one below."
            )
        n_features = machine.components_.shape[0] if is_frozen(machine) else machine.n_components
    fitted = getattr(machines[0], "feature_names_in_", None) if is_frozen(machines[0]) else None
    if names is None or fitted is None or np.array_equal(names, fitted):
        return
    what, advice = "other names", "Rename the columns, or pass X.to_numpy()."
    if sorted(names) == sorted(fitted):
        what, advice = "another order", "Pass X[rbm.feature_names_in_]."
    column = int(np.argmax(names != fitted))
    raise ValueError(
        f"The columns of X have {what} than those that the frozen RBM of layer 1 was trained on: "
        f"column {column} (counted from 0) is {names[column]!r}, but was {fitted[column]!r}. "
        f"{advice}"
    )


def check_same_kinds(machines):
    """Raise if the visible units of an RBM differ in kind from the hidden units of the one below.

    Parameters
    ----------
    machines : list of RBMTransformer
        Fitted RBMs, from the bottom up.

    Raises
    ------
    ValueError
        If they do.
    """
    for number, (below, machine) in enumerate(pairwise(machines), 2):
        kind = below._units[1]
        if (machine.visible_units_ != kind).any():
            raise ValueError(
                f"The stack has no likelihood: the hidden units below layer {number} are {kind}, "
                f"but its RBM has other visible units. Train it with visible_units={kind!r}."
            )


def random_arrays(engine, sizes):
    """Return the random weights and the intercepts of a network without pretraining.

    Parameters
    ----------
    engine : engine
        Source of memory and random numbers.
    sizes : list of int
        Number of units of each layer, including the data and the outputs.

    Returns
    -------
    weights : list of ndarray of shape (n_in, n_out)
        Uniform within ``sqrt(6 / (n_in + n_out))`` of 0.
    intercepts : list of ndarray of shape (n_out,)
        Zeros.

    References
    ----------
    Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward neural
    networks".
    """
    weights, intercepts = [], []
    for n_in, n_out in pairwise(sizes):
        bound = math.sqrt(6.0 / (n_in + n_out))
        weights.append(2.0 * bound * (engine.uniform((n_in, n_out)) - 0.5))
        intercepts.append(engine.zeros(n_out))
    return weights, intercepts


def starting_arrays(machines, dtype):
    """Return the weights and hidden intercepts that a network takes from RBMs.

    Parameters
    ----------
    machines : list of RBMTransformer
        Fitted RBMs, from the bottom up.
    dtype : dtype
        Type of the network; a frozen RBM may have another one.

    Returns
    -------
    weights : list of ndarray of shape (n_in, n_out)
        Copies of the weights.
    intercepts : list of ndarray of shape (n_out,)
        Copies of the intercepts of the hidden units.

    Notes
    -----
    The network reads its data as the first RBM does. If a frozen RBM further up maps its columns,
    the map becomes part of the weights, except that it no longer clips.
    """
    weights = [np.array(machine.components_.T, dtype, order="C") for machine in machines]
    intercepts = [np.array(machine.intercept_hidden_, dtype) for machine in machines]
    for i, machine in enumerate(machines[1:], 1):
        weights[i] /= machine.scale_[:, None]
        with without_alarms():
            intercepts[i] -= machine.offset_ @ weights[i]
    return weights, intercepts


def finetuned_machines(machines, weights, intercepts):
    """Return RBMs with the weights of a network that started from them.

    Parameters
    ----------
    machines : list of RBMTransformer
        Fitted RBMs, from the bottom up.
    weights : list of ndarray of shape (n_in, n_out)
        Weights of the layers of the network.
    intercepts : list of ndarray of shape (n_out,)
        Intercepts of the layers of the network.

    Returns
    -------
    list of RBMTransformer
        Copies that keep their visible intercepts, which the network does not have.
    """
    machines = [copy.copy(machine) for machine in machines]
    for i, machine in enumerate(machines):
        coef, intercept = weights[i], intercepts[i]
        if i > 0:  # see `starting_arrays`; the network does not clip between layers
            intercept = intercept + machine.offset_ @ coef
            coef = coef * machine.scale_[:, None]
            machine._limits = np.empty_like(machine._limits)
            machine._limits[:] = [[-np.inf], [np.inf]]
        machine.components_, machine.intercept_hidden_ = coef.T.copy(), intercept.copy()
    return machines
