"""What the layers of a deep belief net start from: templates, machines that are given, or chance.

The rule: a machine in scikit-learn's `FrozenEstimator` was trained before, perhaps on other data,
and is used as it is.
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
from skdbn._training.checks import check_integer
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
        At least one size.

    Raises
    ------
    TypeError
        When a size is not an integer.
    ValueError
        When there is no layer, or one without units.
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
    """Return the templates of a net with other parameters.

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
        When a name is not that of a parameter that the net leaves to its templates.
    """
    rbm = RBMTransformer() if rbm is None else rbm
    for name, value in parameters.items():
        template, parameter = rbm, name.removeprefix("rbm__")
        if isinstance(rbm, list | tuple):
            position, _, parameter = parameter.partition("__")
            if not (position.isdecimal() and int(position) < len(rbm)):
                raise ValueError(
                    f"{name}: rbm has {len(rbm)} machines; name one by its position, from "
                    f"rbm__0__learning_rate to rbm__{len(rbm) - 1}__learning_rate."
                )
            template = rbm[int(position)]
        if parameter == "n_components":
            raise ValueError(
                f"{name} has no effect: set hidden_layer_sizes, which gives each layer its number "
                "of hidden units."
            )
        template.set_params(**{parameter: value})
    return rbm


def is_frozen(machine):
    """Tell whether a machine is given, and not to be trained.

    Parameters
    ----------
    machine : RBMTransformer or FrozenEstimator
        One of those that `machines_of_layers` returns.

    Returns
    -------
    bool
        Whether it is frozen.
    """
    return isinstance(machine, FrozenEstimator)


def machines_of_layers(rbm, sizes):
    """Return the machine that each layer begins with.

    Parameters
    ----------
    rbm : RBMTransformer, FrozenEstimator, sequence of them or None
        Parameter of the net.
    sizes : list of int
        Units of each hidden layer.

    Returns
    -------
    list of RBMTransformer or FrozenEstimator
        Unfitted clones of the templates with their number of hidden units, and the frozen machines
        themselves. The visible units of a template are those of the data: above the first layer
        they become what the hidden units below are.

    Raises
    ------
    TypeError
        When there is something else in `rbm`.
    ValueError
        When there is another number of machines than of layers, or a frozen one is not fitted or
        has another number of hidden units than its layer.
    """
    rbm = RBMTransformer() if rbm is None else rbm
    given = rbm if isinstance(rbm, list | tuple) else [rbm] * len(sizes)
    if len(given) != len(sizes):
        raise ValueError(
            f"rbm has {len(given)} machines, but hidden_layer_sizes has {len(sizes)} layers: pass "
            "one for each layer, or a single template for all."
        )
    machines = []
    for i, (machine, size) in enumerate(zip(given, sizes, strict=True), 1):
        machines.append(_machine_of_layer(machine, i, size))
        if i > 1 and not is_frozen(machine):
            machines[-1].set_params(visible_units=machines[-2].hidden_units)
    return machines


def _machine_of_layer(given, number, size):
    """Return what one layer begins with."""
    machine = given.estimator if is_frozen(given) else given
    if not isinstance(machine, RBMTransformer):
        raise TypeError(
            f"rbm == {given!r}, must be an RBMTransformer, a fitted one in a FrozenEstimator, a "
            "sequence of them (one for each layer) or None."
        )
    if not is_frozen(given):
        return _template(given, size)
    check_is_fitted(machine)
    for n_components in (len(machine.components_), machine.n_components):
        if n_components != size:
            raise ValueError(
                f"the frozen machine of layer {number} has {n_components} hidden units, but "
                f"hidden_layer_sizes has {size} there."
            )
    return given


def _template(given, size):
    """Return an unfitted clone of a template, with its parameters checked."""
    if callbacks_of(given):
        raise ValueError(
            "rbm has callbacks, which would not be told of its passes. Set them on the net "
            "itself: it tells them of each pass of each layer, in tasks named 'pretrain layer 1' "
            "and so on."
        )
    if hasattr(given, "components_"):
        warn(
            "rbm is a fitted machine, of which only the parameters are used: it is trained anew. "
            "Put it into a sklearn.frozen.FrozenEstimator to use it as it is, or pass clone(rbm).",
            FittedTemplateWarning,
        )
    template = clone(given).set_params(n_components=size)
    template._check_parameters()
    return template


def check_fit_together(machines, n_features):
    """Raise when a frozen machine was trained on another number of features than it is to get.

    Parameters
    ----------
    machines : list of RBMTransformer or FrozenEstimator
        What `machines_of_layers` returned.
    n_features : int
        Features of the data.

    Raises
    ------
    ValueError
        When it was.
    """
    for number, machine in enumerate(machines, 1):
        if is_frozen(machine) and machine.n_features_in_ != n_features:
            raise ValueError(
                f"the frozen machine of layer {number} was trained on {machine.n_features_in_} "
                f"features, but the layer below has {n_features}. Pass the machines of all "
                "layers in their order, each trained on the output of the one below."
            )
        n_features = machine.components_.shape[0] if is_frozen(machine) else machine.n_components


def check_same_kinds(machines):
    """Raise when a machine has other visible units than the hidden units of the machine below.

    Parameters
    ----------
    machines : list of RBMTransformer
        Fitted machines, the first layer first.

    Raises
    ------
    ValueError
        When one has.
    """
    for number, (below, machine) in enumerate(pairwise(machines), 2):
        kind = below._units[1]
        if (machine.visible_units_ != kind).any():
            raise ValueError(
                f"The machine of layer {number} does not have {kind} visible units alone, as are "
                "the hidden units below, so that the stack has no likelihood. Train it with "
                f"visible_units={kind!r}."
            )


def random_arrays(engine, sizes):
    """Return what a network begins with where it takes nothing from machines.

    Parameters
    ----------
    engine : engine
        Where memory and random numbers come from.
    sizes : list of int
        Units of each layer, the data and the classes included.

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
    """Return what a network takes from machines: the way up, without the reverse intercepts.

    Parameters
    ----------
    machines : list of RBMTransformer
        Fitted machines, the first layer first.
    dtype : dtype
        Type of the network; a frozen machine may have another one.

    Returns
    -------
    weights : list of ndarray of shape (n_in, n_out)
        Copies of the weights.
    intercepts : list of ndarray of shape (n_out,)
        Copies of the intercepts of the hidden units.

    Notes
    -----
    The network reads its data as the first machine does. A map of the columns of a machine above,
    which was given, becomes part of the weights, but for its cutting off.
    """
    weights = [np.array(machine.components_.T, dtype, order="C") for machine in machines]
    intercepts = [np.array(machine.intercept_hidden_, dtype) for machine in machines]
    for i, machine in enumerate(machines[1:], 1):
        weights[i] /= machine.scale_[:, None]
        intercepts[i] -= machine.offset_ @ weights[i]
    return weights, intercepts


def finetuned_machines(machines, weights, intercepts):
    """Return machines with the weights of a network that started from them.

    Parameters
    ----------
    machines : list of RBMTransformer
        Fitted machines, the first layer first.
    weights : list of ndarray of shape (n_in, n_out)
        Weights of the layers of the network.
    intercepts : list of ndarray of shape (n_out,)
        Intercepts of the layers of the network.

    Returns
    -------
    list of RBMTransformer
        Copies that keep the intercepts of their visible units, for which the network has none.
    """
    machines = [copy.copy(machine) for machine in machines]
    for i, machine in enumerate(machines):
        coef, intercept = weights[i], intercepts[i]
        if i > 0:  # see `starting_arrays`; the network cuts nothing off between layers
            intercept = intercept + machine.offset_ @ coef
            coef = coef * machine.scale_[:, None]
            machine._limits = np.empty_like(machine._limits)
            machine._limits[:] = [[-np.inf], [np.inf]]
        machine.components_, machine.intercept_hidden_ = coef.T.copy(), intercept.copy()
    return machines
