"""The engines: arrays, memory, random numbers, and where speed is made."""

from skdbn._maths.engines.numpy import NumpyEngine

ENGINES = {"numpy": NumpyEngine}
