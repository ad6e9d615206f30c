"""Deep belief nets for scikit-learn."""

from skdbn._dbn import DBNClassifier
from skdbn._rbm import RBMTransformer
from skdbn._training import DivergenceError, InterruptedTrainingWarning
from skdbn._units import DataRangeWarning

__version__ = "0.1.0"

__all__ = [
    "DBNClassifier",
    "DataRangeWarning",
    "DivergenceError",
    "InterruptedTrainingWarning",
    "RBMTransformer",
]
