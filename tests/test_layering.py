"""Who may import whom."""

import ast
from pathlib import Path

import pytest

import skdbn

ROOMS = {"_units", "_optimizers", "_training", "_engines"}
SHARED = {"_callbacks", "_diagnosis", "_validation", "_version"}
PUBLIC = {"__init__", "datasets", "inspection", "plotting"}
ALLOWED = {
    "_callbacks": set(),
    "_diagnosis": set(),
    "_storage": set(),
    "_version": set(),
    "_engines": set(),
    "_units": set(),
    "_optimizers": set(),
    "_training": set(),
    "_validation": set(),
    "_boltzmann": set(),
    "_network": set(),
    "datasets": set(),
    "inspection": set(),
    "plotting": {"inspection"},
    "_gradients": {"_boltzmann"},
    "_rbm": ROOMS | SHARED | {"_boltzmann", "_gradients"},
    "_layers": {"_rbm", "_validation"},
    "_dbn": ROOMS | SHARED | {"_layers", "_network"},
    "_models": {"_dbn", "_engines", "_optimizers", "_rbm", "_storage", "_version"},
    "_checkpoint": {"_dbn", "_engines", "_models", "_storage", "_validation", "_version"},
    "_readers": {"_storage", "datasets"},
    "_progress": set(),
    "_cli": PUBLIC | {"_progress", "_readers"},
    "__init__": {"_checkpoint", "_models", "_rbm", "_dbn", "_training", "_units", "_diagnosis"}
    | {"_version"},
    "__main__": {"_cli"},
}
FILES = sorted(Path(skdbn.__file__).parent.glob("*.py"))


def imported_modules(source):
    """Modules of the package that a source imports, at any depth of its text."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, *rest = name.split(".")
            if package == "skdbn":
                known = bool(rest) and rest[0] in {file.stem for file in FILES}
                yield rest[0] if known else "__init__"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_module_imports_only_what_lies_below(file):
    assert set(imported_modules(file.read_text())) <= ALLOWED[file.stem]


def test_layering_sees_every_way_to_import():
    source = (
        "import skdbn._rbm\nfrom skdbn import _dbn\ndef f():\n    from skdbn._units import UNITS"
    )
    assert set(imported_modules(source)) == {"_rbm", "_dbn", "_units"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_module_stays_one_page_or_becomes_a_folder(file):
    code = ast.parse(file.read_text())
    for node in ast.walk(code):  # docstrings are pages of their own
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            body[0] = ast.Pass()
    assert len(ast.unparse(code).splitlines()) <= 400


def test_importing_all_of_the_package_does_not_import_matplotlib():
    import subprocess
    import sys

    code = "import skdbn.plotting, skdbn._cli, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
