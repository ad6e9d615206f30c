"""The version of the package, and a word when a file comes from another one."""

import warnings

__version__ = "0.1.0"


class VersionWarning(UserWarning):
    """A saved model comes from another version of the package."""


def warn_of_other_version(version, what):
    """Warn when a saved object comes from another version.

    Parameters
    ----------
    version : str or None
        Version that saved it; None when it is not known.
    what : str
        What was saved, for the message.

    Warns
    -----
    VersionWarning
        When it is not this version.
    """
    if version != __version__:
        warnings.warn(
            f"{what} was saved by skdbn {version or 'of unknown version'}, and this is skdbn "
            f"{__version__}: it may behave differently. Fit it anew, or install the version that "
            "saved it.",
            VersionWarning,
            stacklevel=3,
        )
