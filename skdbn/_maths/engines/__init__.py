"""Where arrays, memory, random numbers and speed come from."""

from skdbn._maths.engines.numpy import NumpyEngine

ENGINES = {"numpy": NumpyEngine}
