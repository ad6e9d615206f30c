"""Deep belief nets for scikit-learn."""

from skdbn._checkpoint import Checkpoint, load_checkpoint, resume
from skdbn._dbn import DBNClassifier
from skdbn._diagnosis import GrowingWeightsWarning, HiddenUnitsWarning, NotConvergedWarning
from skdbn._models import load_model, save_model
from skdbn._rbm import RBMTransformer
from skdbn._training import DivergenceError, InterruptedTrainingWarning
from skdbn._units import DataRangeWarning
from skdbn._version import VersionWarning, __version__

__all__ = [
    "Checkpoint",
    "DBNClassifier",
    "DataRangeWarning",
    "DivergenceError",
    "GrowingWeightsWarning",
    "HiddenUnitsWarning",
    "InterruptedTrainingWarning",
    "NotConvergedWarning",
    "RBMTransformer",
    "VersionWarning",
    "__version__",
    "load_checkpoint",
    "load_model",
    "resume",
    "save_model",
]
