"""Pictures of what a model has learned: Displays in scikit-learn's convention.

``Display.from_estimator(model, ...)`` computes and draws; the instance keeps the numbers, and
`plot` draws them again, elsewhere or in another size. Models are what `skdbn.inspection` takes.

Rows of numbers are drawn as images where the features are pixels: a square number of features,
from 3 x 3 up, is taken for a square image unless their names say otherwise, and `image_shape` gives
any other shape, for example (28, 20) or (32, 32, 3), or False for rows that are no images. These
are drawn as a heat map, a line for each row and a column for each feature, with the names that the
model was fitted with, or `feature_names`. Columns that are measurements are drawn in standard
deviations from their mean, so that those in thousands do not hide the others; the bar of the
scale says so.

`ax` takes axes: as many as the picture needs, or a single one, whose place is divided where it
needs several. `cmap` is the colour map of images and heat maps.

The rule: a picture shows numbers that the instance keeps, on a scale that is stated. Matplotlib is
imported when something is drawn, and not before.
"""

from skdbn.plotting._activations import ActivationDisplay
from skdbn.plotting._curves import LossCurveDisplay
from skdbn.plotting._drawing import image_shape_of
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
    "image_shape_of",
]
