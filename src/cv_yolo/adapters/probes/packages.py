"""Which version of a library is installed, without importing it."""

from importlib.metadata import PackageNotFoundError, version


def installed(name: str) -> str:
    """The version of a library, `none` where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
