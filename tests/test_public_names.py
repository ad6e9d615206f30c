"""What a user sees of the package: names, help and HTML."""

import inspect
import pydoc
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import skdbn
from skdbn import DBNClassifier, DBNRegressor, RBMTransformer

X, Y = np.random.default_rng(0).random((60, 4)), np.arange(60) % 2
QUICK = RBMTransformer(3, n_iter=1)
MODELS = [  # "auto" stays: scikit-learn 1.8 with NumPy 2.0 cannot compare it with a number
    QUICK,
    DBNClassifier((3,)),
    DBNClassifier((3, 2), rbm=[QUICK, QUICK]),
    DBNRegressor((3,), rbm=QUICK),
    make_pipeline(MinMaxScaler(), DBNClassifier((3,), rbm=QUICK)),
]
INTERNAL = {"find_files", "read_idx_files"}  # for the command line
PRIVATE_CLASSES = ["DeepBeliefNet", "TrainedEstimator", "Machine\n"]


def test_only_public_names_are_listed():
    modules = {"datasets", "inspection", "plotting"}
    assert set(dir(skdbn)) == modules | set(skdbn.__all__)
    assert dir(skdbn) == sorted(dir(skdbn))
    private = [name for name in dir(skdbn) if name.startswith("_") and name != "__version__"]
    assert private == []


def test_modules_need_no_import_of_their_own_and_none_of_matplotlib():
    code = (
        "import skdbn, sys; skdbn.plotting.LossCurveDisplay, skdbn.inspection.reconstruct, "
        "skdbn.datasets.load_digits; sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_star_imports_what_is_listed():
    names = {}
    exec("from skdbn import *", names)
    assert set(skdbn.__all__) == set(names) - {"__builtins__"}


@pytest.mark.parametrize("module", [skdbn.datasets, skdbn.inspection])
def test_modules_list_what_they_define_for_users(module):
    users = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }
    assert set(module.__all__) == users - INTERNAL


def documented():
    """Public objects, and public methods of the estimators, by name."""
    for name in set(skdbn.__all__) - {"__version__"}:
        yield name, getattr(skdbn, name)
    for kind in (RBMTransformer, DBNClassifier, DBNRegressor, skdbn.Checkpoint):
        for name, method in inspect.getmembers(kind, callable):
            module = getattr(method, "__module__", None) or ""
            if not name.startswith("_") and module.startswith("skdbn"):
                yield f"{kind.__name__}.{name}", method


THINGS = dict(documented())


@pytest.mark.parametrize("name", sorted(THINGS))
def test_help_speaks_of_public_things_alone(name):
    text = inspect.getdoc(THINGS[name])
    assert text
    for private in (*PRIVATE_CLASSES, "skdbn._"):
        assert private not in text


def test_help_of_the_package_shows_its_estimators():
    text = pydoc.render_doc(skdbn, renderer=pydoc.plaintext)
    assert "class RBMTransformer(" in text
    assert "to_onnx(model)" in text
    assert "_get_" not in text


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.filterwarnings("ignore::UserWarning")  # training is short
def test_html_has_every_parameter_and_no_private_attribute(model):
    fitted = model.fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = fitted._repr_html_()
    assert type(model).__name__ in text
    for name in ("_kept", "_head", "_units", "_fitted", "_stopped", "_limits"):
        assert f">{name}<" not in text
    for name in model.get_params(deep=False):
        assert name in text
