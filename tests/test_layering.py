"""Who may import whom."""

import ast
from pathlib import Path

import pytest

import skdbn

PACKAGE = Path(skdbn.__file__).parent
ESTIMATORS = {"_rbm", "_dbn"}
ALLOWED = {  # each folder may import itself, too
    "_version": set(),
    "_maths": set(),
    "_training": {"_version"},
    "_rbm": {"_maths", "_training", "_version"},
    "_layers": {"_rbm", "_training"},
    "_dbn": {"_layers", "_maths", "_training", "_version"},
    "_files": ESTIMATORS | {"_maths", "_training", "_version"},
    "datasets": set(),
    "inspection": set(),
    "plotting": {"inspection"},
    "_cli": {"__init__", "_files", "datasets", "inspection", "plotting"},
    "__init__": ESTIMATORS | {"_files", "_maths", "_training", "_version"},
    "__main__": {"_cli"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(file):
    """Module without the name of the package, such as ``_maths.units``."""
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


def imported_modules(source):
    """Rooms of the package that a source imports, at any depth of its text."""
    rooms = {file.name for file in PACKAGE.iterdir() if file.is_dir()}
    rooms |= {file.stem for file in PACKAGE.glob("*.py")}
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
                yield rest[0] if rest and rest[0] in rooms else "__init__"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_module_imports_only_what_lies_below(file):
    room = name_of(file).split(".")[0]
    assert set(imported_modules(file.read_text())) <= ALLOWED[room] | {room}


def test_layering_sees_every_way_to_import():
    source = (
        "import skdbn._rbm\nfrom skdbn import _dbn\n"
        "def f():\n    from skdbn._maths.units import UNITS"
    )
    assert set(imported_modules(source)) == {"_rbm", "_dbn", "_maths"}


@pytest.mark.parametrize("file", FILES, ids=name_of)
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

    code = "import skdbn.plotting, skdbn._cli.main, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
