"""Restricted Boltzmann machines and deep belief nets for scikit-learn.

`RBMTransformer` is a restricted Boltzmann machine, `DBNClassifier` and `DBNRegressor` are deep
belief nets. `skdbn.inspection` and `skdbn.plotting` show what they learned, and `skdbn.datasets`
loads digits to try them on.
"""

from skdbn import datasets, inspection, plotting
from skdbn._dbn_classifier import DBNClassifier
from skdbn._dbn_regressor import DBNRegressor
from skdbn._files.checkpoint import Checkpoint, load_checkpoint, resume
from skdbn._files.models import load_model, save_model
from skdbn._files.onnx import to_onnx
from skdbn._maths.likelihood import LogPartition
from skdbn._rbm import RBMTransformer
from skdbn._training.columns import DataRangeWarning
from skdbn._training.diagnosis import (
    FewLabelsWarning,
    FittedTemplateWarning,
    GrowingWeightsWarning,
    HiddenUnitsWarning,
    MixingWarning,
    NotConvergedWarning,
    VersionWarning,
)
from skdbn._training.loop import DivergenceError, InterruptedTrainingWarning
from skdbn._version import __version__

__all__ = [
    "Checkpoint",
    "DBNClassifier",
    "DBNRegressor",
    "DataRangeWarning",
    "DivergenceError",
    "FewLabelsWarning",
    "FittedTemplateWarning",
    "GrowingWeightsWarning",
    "HiddenUnitsWarning",
    "InterruptedTrainingWarning",
    "LogPartition",
    "MixingWarning",
    "NotConvergedWarning",
    "RBMTransformer",
    "VersionWarning",
    "__version__",
    "load_checkpoint",
    "load_model",
    "resume",
    "save_model",
    "to_onnx",
]


def __dir__():
    """Return the public names, those of the modules included."""
    modules = datasets, inspection, plotting
    return sorted([*__all__, *(module.__name__.removeprefix(f"{__name__}.") for module in modules)])
