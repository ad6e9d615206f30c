"""Sphinx configuration: neither the build nor its pages need the network; warnings are errors."""

import sys
from pathlib import Path

from sphinx_gallery.sorting import FileNameSortKey

import skdbn

sys.path.insert(0, str(Path(__file__).parent))  # offline.py


class NumberSortKey(FileNameSortKey):
    """Sort examples by the number in their name: plot_10 comes after plot_9."""

    def __call__(self, filename):
        """Return the number of a file."""
        return int(filename.split("_")[1])


project = "skdbn"
author = "the skdbn developers"
version = release = skdbn.__version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "matplotlib.sphinxext.plot_directive",
    "offline",
]
html_math_renderer = "mathml"
templates_path = ["_templates"]
exclude_patterns = ["_build", "examples"]
default_role = "literal"
highlight_language = "none"  # of blocks that name none: commands and what they print
toc_object_entries_show_parents = "hide"
html_theme = "pydata_sphinx_theme"
html_title = f"skdbn {version}"
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": False,
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": [],
}
SINGLE = {path.stem for path in Path(__file__).parent.glob("*.rst")} - {"api"}
html_sidebars = {page: [] for page in SINGLE | {"genindex", "py-modindex", "search"}}
html_static_path = ["_static"]
html_css_files = ["skdbn.css"]
autosummary_generate = True
autodoc_default_options = {"members": True}
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "abort_on_example_error": True,
    "parallel": 2,  # processes
    "capture_repr": ("_repr_html_",),
    "within_subsection_order": NumberSortKey,
    "show_memory": False,
    "download_all_examples": False,
    "remove_config_comments": True,
    "write_computation_times": False,  # its pages load scripts from other hosts
    "show_signature": False,
}
plot_include_source = True
plot_html_show_source_link = plot_html_show_formats = False
plot_formats = [("png", 100)]
suppress_warnings = ["config.cache"]  # of the gallery's own settings
