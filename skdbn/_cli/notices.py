"""Warnings, for the command line.

The rule: what shows warnings is replaced and restored here and nowhere else, because
`warnings.catch_warnings` restores it only where warnings do not belong to a context, which they do
in free-threaded Python.
"""

import contextlib
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
def warnings_collected():
    """Collect all warnings, repeated ones included.

    Yields
    ------
    list of (str, type)
        Text and category of each warning so far.
    """
    collected = []
    with warnings_shown_by(lambda *warning: collected.append(warning)):
        warnings.simplefilter("always")
        yield collected
