"""Which version of a package is installed."""

from importlib.metadata import PackageNotFoundError, version


def package_version(name: str) -> str:
    """Version of an installed package, or words that say that it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
