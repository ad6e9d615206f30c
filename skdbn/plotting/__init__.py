"""Pictures of what a model has learned: Displays in scikit-learn's convention.

``Display.from_estimator(model, ...)`` computes and draws; the instance keeps the numbers, and
`plot` draws them again, elsewhere or in another size. Models are what `skdbn.inspection` takes.

Rows of numbers are drawn as images where the features are pixels: a square number of features,
from 3 x 3 up, is taken for a square image, and `image_shape` says otherwise, for example (28, 20)
or (32, 32, 3). Other data are drawn as a heat map, a line for each row and a column for each
feature.

The rule: a picture shows numbers that the instance keeps, on one scale, which is stated.
Matplotlib is imported when something is drawn, and not before.
"""

from skdbn.plotting._activations import ActivationDisplay
from skdbn.plotting._curves import LossCurveDisplay
from skdbn.plotting._probes import BiasProbeDisplay, UnitProbeDisplay
from skdbn.plotting._reconstructions import ReconstructionDisplay
from skdbn.plotting._samples import MixingDisplay, SampleDisplay

__all__ = [
    "ActivationDisplay",
    "BiasProbeDisplay",
    "LossCurveDisplay",
    "MixingDisplay",
    "ReconstructionDisplay",
    "SampleDisplay",
    "UnitProbeDisplay",
]
