"""Warnings, for the command line.

The rule: what shows warnings is replaced and restored here and nowhere else, because
`warnings.catch_warnings` restores it only where warnings do not belong to a context, which they do
in free-threaded Python.
"""

import contextlib
import sys
import warnings


@contextlib.contextmanager
def warnings_shown_by(show):
    """Call a function with each warning as text, and with its category.

    Parameters
    ----------
    show : callable
        The function.
    """

    def show_warning(message, category, *_, **__):
        show(str(message), category)

    before = warnings.showwarning
    with warnings.catch_warnings():
        warnings.showwarning = show_warning
        try:
            yield
        finally:
            warnings.showwarning = before


@contextlib.contextmanager
def warnings_collected(at_once=None):
    """Collect all warnings, repeated ones included.

    Parameters
    ----------
    at_once : type, optional
        Category, subclasses excluded, whose warnings are printed at once instead.

    Yields
    ------
    list of (str, type)
        Text and category of each warning so far.
    """
    collected = []

    def collect(message, category):
        if category is at_once:
            start = "\n" if sys.stderr.isatty() else ""  # below the line of progress
            print(f"{start}skdbn: warning: {message}", file=sys.stderr, flush=True)
        else:
            collected.append((message, category))

    with warnings_shown_by(collect):
        warnings.simplefilter("always")
        yield collected
