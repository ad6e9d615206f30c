"""What is published says the same everywhere: the version, its date, what must be installed."""

import re
import tomllib
from pathlib import Path

from skdbn import __version__

ROOT = Path(__file__).parent.parent


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def requirements(texts):
    """Name and least version of each requirement, as conda calls it."""
    pairs = (re.fullmatch(r"([\w-]+) ?>=([\d.]+)", text).groups() for text in texts)
    return {"matplotlib-base" if name == "matplotlib" else name: least for name, least in pairs}


def listed(recipe, section):
    """The entries of the first list of the recipe that has the name."""
    (entries,) = re.findall(rf"^ +{section}:\n((?: +- \S+ >=.*\n)+)", recipe, re.MULTILINE)[:1]
    return [line.strip(" -") for line in entries.splitlines()]


def test_version_and_its_date_are_the_same_in_all_files():
    citation = text_of("CITATION.cff")
    (date,) = re.findall(r"^date-released: ([\d-]+)$", citation, re.MULTILINE)
    assert f"\nversion: {__version__}\n" in citation
    assert f"\n  version: {__version__}\n" in text_of("conda/recipe.yaml")
    newest = re.search(r"^\d\S+ \(.*\)$", text_of("doc/whats_new.rst"), re.MULTILINE)[0]
    assert newest == f"{__version__} ({date})"


def test_conda_recipe_needs_what_the_package_needs():
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    recipe = text_of("conda/recipe.yaml")
    python = f"python {project['requires-python']}"
    assert requirements(listed(recipe, "run")) == requirements([python, *project["dependencies"]])


def test_readme_has_no_image_that_a_package_index_could_not_show():
    for image in re.findall(r"\.\. (?:image|figure):: (\S+)", text_of("README.rst")):
        assert image.startswith("https://")
