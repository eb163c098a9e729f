"""Versions of installed packages."""

from importlib.metadata import version

from primesvt.studies.versions import package_version


def test_a_version_or_words() -> None:
    assert package_version("optuna") == version("optuna")
    assert package_version("no-such-package") == "not installed"
