"""Who may import whom, and who may reach into whose private parts.

    python tests/test_layering.py

prints the tree with the imports that are allowed.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skdbn

pytestmark = pytest.mark.exhaustive  # the same imports whatever versions are installed

PACKAGE = Path(skdbn.__file__).parent
ESTIMATORS = {"_rbm", "_dbn_classifier", "_dbn_regressor"}
ALLOWED = {  # rooms of the package, from below; each may import itself, too
    "_version": set(),
    "_maths": set(),
    "_training": {"_version"},
    "_learners": {"_maths", "_training"},
    "_machine": {"_maths", "_training"},
    "_rbm": {"_learners", "_machine", "_maths", "_training"},
    "_layers": {"_rbm", "_training"},
    "_dbn": {"_layers", "_learners", "_rbm", "_maths", "_training"},
    "_dbn_base": {"_dbn", "_layers", "_maths", "_training"},
    "_dbn_classifier": {"_dbn_base", "_training"},
    "_dbn_regressor": {"_dbn_base", "_training"},
    "_files": ESTIMATORS | {"_dbn_base", "_training", "_version"},
    "_cluster": {"_training"},
    "dask": ESTIMATORS | {"_cluster", "_files", "_training"},
    "datasets": set(),
    "inspection": {"_training"},
    "plotting": {"inspection"},
    "_cli": {"__init__", "_dbn", "_files", "datasets", "inspection", "plotting"},
    "__init__": ESTIMATORS
    | {"_files", "_maths", "_training", "_version", "datasets", "inspection", "plotting"},
    "__main__": {"_cli"},
}
NARROWER = {  # modules that may use part of a room, and who else in their room may not
    "_training": {"inspection": {"_training.checks", "_training.diagnosis"}},
    "_files": {
        **dict.fromkeys(("_cli.readers", "_cli.outputs", "_cli.report"), {"_files.storage"}),
        "_cli": set(),
    },
    "_dbn": {"_cli.progress": {"_dbn.passes_of_finetuning"}, "_cli": set()},
}
WITHIN_MATHS = {  # the other rooms of `_maths` do not know each other
    "gradients": {"boltzmann", "likelihood"},
    "likelihood": {"boltzmann"},
    "missing": {"boltzmann", "pseudo_likelihood"},
    "pseudo_likelihood": {"boltzmann"},
}
PROTOCOL = {  # private names that rooms use of each other, and what for
    "_fit": "fit and resume go through the phases of an estimator",
    "_run": "a checkpoint finds the fit on its way",
    "_fitted": "names of the fitted attributes: replaced by a fit, kept in files",
    "_check_parameters": "files and templates are checked as fit checks",
    "_restored": "files check what a fit would go on from",
    "_restored_estimator": "files and learners take up the chains of all rungs",
    "_units": "the kinds of units that a machine was fitted with",
    "_model": "a machine as the mathematics sees it",
    "_hidden_units": "the kinds of hidden units that a network was fitted with",
    "_starting": "a layer of a net starts as a machine does",
    "_kept": "what the next part of the rows goes on from",
    "_head": "what a fitted network ends in",
    "_top": "the name of the phase that trains the top layer of a net",
    "_fewest_steps": "minibatches of fine-tuning at least, where its passes are found",
    "_most_passes": "passes of fine-tuning at most, where their number is found",
    "_watches": "what early stopping of a net watches",
    "_new_training": "a layer of a net trains as a machine does",
    "_stopped": "a machine that was stopped makes no further passes by itself",
    "_columns_of": "a net takes the columns of its data for what its first machine does",
    "_warn_of_outcome": "a net speaks of its machines as they do",
    "_sample_stack": "a net and a figure draw from a stack of machines, as its top one does",
    "_validate": "chains of a stack start at data, which its lowest machine checks",
    "_trace": "chains of a machine are looked at step by step",
    "_hidden_mean": "what a layer passes on, whatever the output container",
    "_finetuned_machines": "machines with the weights of a net are looked at as machines are",
    "_limits": "a network cuts nothing off between its layers",
}
FOREIGN = {  # private names of other packages, that these rooms alone may use
    "_init_callback_context": "_training",
    "_skl_callbacks": "_training",
    "_getframe": "_training",
    "_safe_indexing": None,  # scikit-learn's own, for rows of any container
    "_replace": None,  # public, in spite of its name, as are those of any named tuple
    "_asdict": None,
}
FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(file):
    """Module without the name of the package, such as ``_maths.units``."""
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


def room_of(file):
    """Folder of a module, or the module itself."""
    return name_of(file).split(".")[0]


# -- imports


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
            package, _, rest = name.partition(".")
            if package == "skdbn":
                yield rest if rest.split(".")[0] in ALLOWED else "__init__"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_module_imports_only_what_lies_below(file):
    rooms = {module.split(".")[0] for module in imported_modules(file.read_text())}
    assert rooms <= ALLOWED[room_of(file)] | {room_of(file)}


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_module_imports_only_the_modules_that_it_may(file):
    imported = {".".join(module.split(".")[:2]) for module in imported_modules(file.read_text())}
    for room, allowed in NARROWER.items():
        for name in (name_of(file), room_of(file)):
            if name in allowed:
                assert {module for module in imported if module.startswith(room)} <= allowed[name]
                break


@pytest.mark.parametrize("file", sorted((PACKAGE / "_maths").glob("*.py")), ids=name_of)
def test_rooms_of_the_mathematics_meet_only_in_the_estimators(file):
    rooms = {module.split(".")[1] for module in imported_modules(file.read_text())}
    assert rooms <= WITHIN_MATHS.get(file.stem, set())


@pytest.mark.parametrize("file", sorted((PACKAGE / "_maths").glob("*.py")), ids=name_of)
def test_array_libraries_are_named_in_the_engines_alone(file):
    packages = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            packages.add(node.module.split(".")[0])
    assert packages <= {"math", "typing", "skdbn"}


def test_layering_sees_every_way_to_import():
    source = (
        "import skdbn._rbm\nfrom skdbn import _dbn, RBMTransformer\n"
        "def f():\n    from skdbn._maths.units import UNITS"
    )
    expected = {"_rbm", "_dbn", "__init__", "_maths.units.UNITS"}
    assert set(imported_modules(source)) == expected


def test_importing_all_of_the_package_does_not_import_matplotlib():
    code = "import skdbn.plotting, skdbn._cli.main, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# -- private parts


def private_names(source):
    """Private attributes that a source uses of something else than `self` or `cls`.

    So are private names that it imports from other packages or gives to `getattr`.
    """
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Attribute):
            is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            names = [] if is_own else [node.attr]
        elif isinstance(node, ast.ImportFrom) and not node.module.startswith("skdbn"):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "hasattr"):
            names = [str(getattr(node.args[1], "value", ""))]
        for name in names:
            if name.startswith("_") and not name.startswith("__"):
                yield name


def defined_names(source):
    """Names that a source defines: functions, methods, and attributes of `self`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        ):
            yield node.attr


def reaches():
    """Private names that a room uses of another one: (module, name) pairs."""
    rooms = {}
    for file in FILES:
        rooms.setdefault(room_of(file), set()).update(defined_names(file.read_text()))
    for file in FILES:
        for name in private_names(file.read_text()):
            if name not in rooms[room_of(file)]:
                yield name_of(file), name


def test_what_rooms_use_of_each_other_s_private_parts_is_in_the_protocol():
    for module, name in reaches():
        if name in FOREIGN:
            assert FOREIGN[name] in (None, module.split(".")[0]), (module, name)
        else:
            assert name in PROTOCOL, (module, name)


def test_protocol_has_no_name_that_nobody_uses():
    used = {name for _, name in reaches()}
    assert set(PROTOCOL) <= used


def methods_of(module):
    """Private names of the methods that a module defines, and the functions in them."""
    nodes = ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text()))
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


def test_machine_and_net_share_no_private_method_but_those_of_the_protocol():
    machine = methods_of("_rbm") | methods_of("_machine")
    own = {"_in_blocks"}  # each computes with what it is itself
    shared = {"_fit", "_check_parameters", "_restored", "_n_features_out"}
    assert (machine & methods_of("_dbn_base")) - own == shared


def test_estimators_of_nets_share_what_the_base_asks_for_and_repeat_nothing_of_it():
    base, classifier, regressor = map(
        methods_of, ("_dbn_base", "_dbn_classifier", "_dbn_regressor")
    )
    asked = {"_check_head", "_read_targets", "_targets_of"}
    assert classifier & regressor == {*asked, "_check_same"}
    of_a_classifier_alone = {"_validate_targets", "_has_target", "_weigh_classes"}
    assert base & classifier == of_a_classifier_alone
    assert base & regressor == {"_before_training"}
    assert not (methods_of("_rbm") | methods_of("_machine")) & (classifier | regressor)


def test_private_reach_is_seen():
    source = (
        "from sklearn.utils import _c, d\n"
        "def f(net):\n    net._run = 1\n    getattr(net, '_e')\n"
        "    return net.rbms_[0]._kept + net.__dict__ + net.a._b()"
    )
    assert set(private_names(source)) == {"_run", "_kept", "_b", "_c", "_e"}


# -- pages


def n_lines(source):
    """Lines of code, without docstrings, comments and blanks."""
    code = ast.parse(source)
    for node in ast.walk(code):  # docstrings are pages of their own
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            body[0] = ast.Pass()
    return len(ast.unparse(code).splitlines())


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_module_stays_one_page_or_becomes_a_folder(file):
    # The estimators are to grow: they keep 60 lines of room.
    limit = 340 if file.stem in {"_rbm", "_dbn", "_dbn_classifier"} else 400
    assert n_lines(file.read_text()) <= limit


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_function_says_in_a_line_what_it_does(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ClassDef):
            assert ast.get_docstring(node), node.name
        if isinstance(node, ast.Module | ast.ClassDef):  # and not those within a function
            for function in node.body:
                if isinstance(function, ast.FunctionDef) and not function.name.startswith("__"):
                    assert ast.get_docstring(function), function.name


def main():
    """Print the tree: each room, its modules with their lines, and what it may import."""
    for room, allowed in ALLOWED.items():
        print(f"{room:26}may import {', '.join(sorted(allowed)) or 'nothing'}")
        for file in FILES:
            if room_of(file) == room:
                inner = name_of(file).partition(".")[2] or room
                print(f"    {inner:20}{n_lines(file.read_text()):4} lines")


if __name__ == "__main__":
    main()
