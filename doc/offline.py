"""Sphinx extension: pages that need no network.

Formulas become MathML, which browsers draw themselves, and at the end of a build every page is
checked: a file that a page loads from another host is a warning, and so, with -W, an error.
"""

import re
from html.parser import HTMLParser
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

LOADED = {"src", "srcset", "href", "data", "poster"}  # attributes; not those of a link to follow
OUTSIDE = re.compile(r"(https?:)?//", re.IGNORECASE)
IN_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)


class Page(HTMLParser):
    """Collects what a page loads from other hosts."""

    def __init__(self):
        super().__init__()
        self.loads = []

    def handle_starttag(self, tag, attributes):
        """Note addresses in a tag."""
        for name, value in attributes:
            if tag != "a" and name in LOADED and OUTSIDE.match(value or ""):
                self.loads.append(value)
            if name == "style":
                self.loads += IN_STYLE.findall(value or "")


def loads_of(name, text):
    """Return the addresses on other hosts that a page or a style sheet loads."""
    if name.endswith(".css"):
        return IN_STYLE.findall(text)
    page = Page()
    page.feed(text)
    return page.loads + IN_STYLE.findall(text)


def check(app, exception):
    """Warn of every file that loads something from another host."""
    if exception is not None or app.builder.format != "html":
        return
    for path in sorted(Path(app.outdir).rglob("*")):
        if path.suffix in (".html", ".css"):
            for address in loads_of(path.name, path.read_text(encoding="utf-8")):
                logging.getLogger(__name__).warning("%s loads %s", path.name, address)


def inline_formula(translator, node):
    """Write a formula in a line of text."""
    translator.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def displayed_formula(translator, node):
    """Write a formula that stands alone."""
    translator.body.append(translator.starttag(node, "div", CLASS="formula"))
    translator.body.append(tex2mathml(node.astext(), as_block=True) + "</div>\n")
    raise nodes.SkipNode


def setup(app):
    """Register the renderer and the check."""
    app.add_html_math_renderer("mathml", (inline_formula, None), (displayed_formula, None))
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
