"""Estimators as nodes of an ONNX graph, registered with skl2onnx.

The rule: only `to_onnx` imports this module, which needs the packages of the extra `skdbn[onnx]`.
The computation of an estimator is written in operators of ONNX from the same parts as in the
estimator, with one line for each kind of unit and each head.
"""

import copy

import numpy as np
from onnx import TensorProto, numpy_helper
from skl2onnx import convert_sklearn, get_model_alias, update_registered_converter
from skl2onnx.common import data_types
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType
from sklearn.base import BaseEstimator, TransformerMixin, is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from skdbn._dbn_base import DeepBeliefNet
from skdbn._dbn_classifier import DBNClassifier
from skdbn._dbn_regressor import DBNRegressor
from skdbn._files.estimators import ENCODING
from skdbn._rbm import RBMTransformer
from skdbn._training.checks import MAX_INTEGER
from skdbn._training.columns import map_of

ACTIVATIONS = {"binary": "Sigmoid", "gaussian": "Identity"}  # of UNITS
OUTPUTS = {  # of HEADS
    "softmax": "Softmax",
    "logistic": "Sigmoid",
    "linear": "Identity",
    "absolute": "Identity",
    "poisson": "Exp",
}
OF_STEPS = ColumnTransformer, FeatureUnion  # whose parts skl2onnx converts


class TopLayer(TransformerMixin, BaseEstimator):
    """A net before the last step of a Pipeline, which passes on its top hidden layer.

    Parameters
    ----------
    net : DBNClassifier or DBNRegressor
        The net.
    """

    def __init__(self, net):
        self.net = net


class _Graph:
    """An ONNX graph to add nodes to, made from what skl2onnx passes to a converter."""

    def __init__(self, scope, container):
        self.scope, self.container = scope, container

    def constant(self, array):
        """Add an array to the graph; return its name."""
        name = self.scope.get_unique_variable_name("constant")
        if array.dtype.kind in "OU":
            kind, content = TensorProto.STRING, [str(text).encode() for text in array]
        else:
            content = numpy_helper.from_array(array, name)
            kind = content.data_type
        self.container.add_initializer(name, kind, list(array.shape), content)
        return name

    def node(self, kind, *inputs, into=None, **attributes):
        """Add a node; return the name of its output, which is `into` if given."""
        name = self.scope.get_unique_variable_name(kind) if into is None else into
        self.container.add_node(kind, list(inputs), [name], **attributes)
        return name

    def cast(self, x, kind, into=None):
        """Convert numbers to another type."""
        return self.node("Cast", x, into=into, to=kind)

    def states(self, model, x):
        """Return rows of data as states of the visible units of a model."""
        columns, x = map_of(model), self.cast(x, TensorProto.FLOAT)
        if columns is None:
            return x
        single = np.finfo(np.float32)
        fit = (abs(columns.offset) + columns.scale < single.max) & (columns.scale > single.tiny)
        if not fit.all():
            raise ValueError(
                f"Column {np.argmin(fit)} of the data of the net or machine has values too large "
                "or too small for float32, the type of X in ONNX. Multiply the column by a "
                "constant and fit again."
            )
        for cut, limit in zip(("Max", "Min"), columns.limits, strict=True):
            limit = limit.clip(-single.max, single.max).astype(np.float32)
            x = self.node(cut, x, self.constant(limit))
        if columns.keep_the_scale:
            return x
        # In the difference of large numbers float32 would lose most digits.
        x = self.cast(x, TensorProto.DOUBLE)
        for map_, numbers in (("Sub", columns.offset), ("Div", columns.scale)):
            x = self.node(map_, x, self.constant(numbers.astype(float)))
        return self.cast(x, TensorProto.FLOAT)

    def layer(self, x, weights, intercept, function):
        """Return a function of ``x @ weights + intercept``."""
        arrays = [np.ascontiguousarray(array, np.float32) for array in (weights, intercept)]
        x = self.node("Gemm", x, *map(self.constant, arrays))
        return self.node(function, x, **({"axis": 1} if function == "Softmax" else {}))

    def top_layer(self, net, x):
        """Return the top hidden layer of a net."""
        x = self.states(net, x)
        for *arrays, units in zip(net.coefs_, net.intercepts_, net._hidden_units, strict=False):
            x = self.layer(x, *arrays, ACTIVATIONS[units])
        return x

    def outputs(self, net, x):
        """Return the outputs of a net."""
        x = self.top_layer(net, x)
        return self.layer(x, net.coefs_[-1], net.intercepts_[-1], OUTPUTS[net._head])


# -- converters: they add the nodes for the operator of an estimator


def _convert_machine(scope, operator, container):
    """Add the nodes that compute the expected hidden units of a machine."""
    graph, machine = _Graph(scope, container), operator.raw_operator
    x = graph.states(machine, operator.inputs[0].full_name)
    function = ACTIVATIONS[machine._units[1]]
    x = graph.layer(x, machine.components_.T, machine.intercept_hidden_, function)
    graph.node("Identity", x, into=operator.outputs[0].full_name)


def _convert_top_layer(scope, operator, container):
    """Add the nodes that compute the top hidden layer of a net."""
    graph = _Graph(scope, container)
    x = graph.top_layer(operator.raw_operator.net, operator.inputs[0].full_name)
    graph.node("Identity", x, into=operator.outputs[0].full_name)


def _convert_classifier(scope, operator, container):
    """Add the nodes that compute the labels and probabilities of a classifier."""
    graph, net = _Graph(scope, container), operator.raw_operator
    labels, probabilities = (output.full_name for output in operator.outputs)
    p = graph.outputs(net, operator.inputs[0].full_name)
    graph.node("Identity", p, into=probabilities)
    if net._head == "logistic":
        half = graph.constant(np.array(0.5, np.float32))
        graph.cast(graph.node("Greater", p, half), TensorProto.INT64, into=labels)
    else:
        numbers = graph.node("ArgMax", p, axis=1, keepdims=0)
        graph.node("Gather", graph.constant(_classes(net)[0]), numbers, into=labels)


def _convert_regressor(scope, operator, container):
    """Add the nodes that compute the predictions of a regressor."""
    graph, net = _Graph(scope, container), operator.raw_operator
    y = graph.outputs(net, operator.inputs[0].full_name)
    y = graph.cast(y, TensorProto.DOUBLE)  # as predict computes them
    y = graph.node("Mul", y, graph.constant(net.target_scale_))
    y = graph.node("Add", y, graph.constant(net.target_offset_))
    if len(net.target_scale_) == 1:
        y = graph.node("Reshape", y, graph.constant(np.array([-1])))
    graph.node("Identity", y, into=operator.outputs[0].full_name)


# -- parsers: they declare the outputs of an estimator


def _classes(net):
    """Return the classes as an array of a type of ONNX, and that type."""
    classes = net.classes_
    kind = classes.dtype.kind
    if kind in "OU":
        return classes, data_types.StringTensorType
    if kind == "b":
        return classes, data_types.BooleanTensorType
    if kind == "f":
        return classes.astype(float), DoubleTensorType
    if kind in "iu" and classes.max() <= MAX_INTEGER:
        return classes.astype(np.int64), Int64TensorType
    what = "values above those of int64" if kind == "u" else f"the type {classes.dtype}"
    raise TypeError(f"The class labels have {what}, which ONNX cannot contain. {ENCODING}")


def _types(model):
    """Return the types of the outputs of a model."""
    if isinstance(model, RBMTransformer):
        return [FloatTensorType([None, len(model.components_)])]
    if isinstance(model, TopLayer):
        return [FloatTensorType([None, len(model.net.intercepts_[-2])])]
    n_outputs = len(model.intercepts_[-1])
    shape = [None] if model._head == "softmax" else [None, n_outputs]
    if isinstance(model, DBNClassifier):
        return [_classes(model)[1](shape), FloatTensorType([None, n_outputs])]
    return [DoubleTensorType([None] if n_outputs == 1 else shape)]


def _parse(scope, model, inputs, custom_parsers=None):
    """Declare the operator of a model and its outputs."""
    operator = scope.declare_local_operator(get_model_alias(type(model)), model)
    operator.inputs = inputs
    for kind in _types(model):
        operator.outputs.append(scope.declare_local_variable("output", kind))
    return operator.outputs


def _infer_types(operator):
    """Leave the types as `_parse` declared them."""


CONVERTERS = {
    RBMTransformer: _convert_machine,
    DBNClassifier: _convert_classifier,
    DBNRegressor: _convert_regressor,
    TopLayer: _convert_top_layer,
}
NO_DICTS = {"zipmap": [False]}  # probabilities are an array
for model, converter in CONVERTERS.items():
    options = NO_DICTS if model is DBNClassifier else None
    alias = f"Skdbn{model.__name__}"
    update_registered_converter(
        model, alias, _infer_types, converter, parser=_parse, options=options
    )


def has_converter(step):
    """Tell whether a step can be converted.

    Parameters
    ----------
    step : estimator
        The step.

    Returns
    -------
    bool
        Whether skl2onnx has a converter for it.
    """
    if isinstance(step, OF_STEPS):
        return True
    try:
        return get_model_alias(type(step)) is not None
    except RuntimeError:
        return False


def _as_transformer(step):
    """Return a step whose conversion passes on what `transform` returns."""
    return TopLayer(step) if isinstance(step, DeepBeliefNet) else _with_top_layers(step)


def _with_top_layers(step):
    """Return a step in which the nets of a union pass on their top layers."""
    if isinstance(step, Pipeline):
        return Pipeline([(name, _as_transformer(inner)) for name, inner in step.steps])
    if not isinstance(step, OF_STEPS):
        return step
    step = copy.copy(step)
    name = "transformers_" if isinstance(step, ColumnTransformer) else "transformer_list"
    parts = [(part, _as_transformer(inner), *on) for part, inner, *on in getattr(step, name)]
    setattr(step, name, parts)
    return step


def convert(steps, outputs, opsets):
    """Convert the steps of a model.

    Parameters
    ----------
    steps : list of estimator
        Fitted steps, the first of which takes a matrix.
    outputs : list of str
        Names of the outputs of the last step.
    opsets : dict
        Versions of the operator sets.

    Returns
    -------
    onnx.ModelProto
        The ONNX model.

    Raises
    ------
    TypeError
        If skl2onnx cannot convert a step of scikit-learn as it is configured.
    """
    *first, last = steps
    first, last = list(map(_as_transformer, first)), _with_top_layers(last)
    pipeline = Pipeline([(str(number), step) for number, step in enumerate([*first, last])])
    has_dicts = is_classifier(last)
    try:
        return convert_sklearn(
            pipeline,
            name=type(last).__name__,
            initial_types=[("X", FloatTensorType([None, steps[0].n_features_in_]))],
            final_types=[(name, None) for name in outputs],
            target_opset=opsets,
            options={id(last): {"zipmap": False}} if has_dicts else None,
        )
    except (NotImplementedError, RuntimeError, NameError, IndexError) as error:
        if not first:
            raise TypeError(f"skl2onnx cannot convert {type(last).__name__}: {error}") from error
        raise TypeError(
            "skl2onnx cannot convert the steps. Convert those after or before the one that it "
            "names, for example to_onnx(model[1:]) or to_onnx(model[:-1]), and compute the others "
            f"in Python. Its message: {error}"
        ) from error
