"""Figures of what a model has learned: Displays that follow scikit-learn's convention.

``Display.from_estimator(model, ...)`` computes and draws; the instance keeps the numbers, and
`plot` draws them again, elsewhere or in another size. Models are those that `skdbn.inspection`
takes.

Rows whose features are pixels are drawn as images: a square number of features, at least 3 x 3, is
taken for a square image unless their names say otherwise. `image_shape` gives any other shape, for
example (28, 20) or (32, 32, 3), or False if rows are not images. Other rows are drawn as a heat
map, with a line for each row and a column for each feature, labelled by the names seen during fit
or by `feature_names`. Columns of measurements are drawn in standard deviations from their mean, so
that those in the thousands do not hide the others; the colour bar says so.

`ax` takes as many axes as the figure needs, or a single one, which is divided if it needs several.
`cmap` is the colour map of images and heat maps.

The rule: a figure shows numbers that the instance keeps, on a scale that is stated. Matplotlib is
imported only when something is drawn.
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
