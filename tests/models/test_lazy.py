"""Packages that import what is public when it is asked for: nothing of it may be missing."""

import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest

from primesvt.models.lazy import LazyPackage

PACKAGES = (
    "models",
    "models.engine",
    "pruning",
    "pruning.criteria",
    "pruning.latency",
    "pruning.measures",
    "pruning.repair",
    "search",
    "search.samplers",
    "studies.notebook",
)


@pytest.mark.parametrize("name", PACKAGES)
def test_what_is_public_is_there(name: str) -> None:
    package = import_module(f"primesvt.{name}")
    assert isinstance(package, LazyPackage)
    assert set(package.__all__) == set(package._places)
    assert set(package.__all__) <= set(dir(package))
    for public in package.__all__:
        assert not isinstance(getattr(package, public), ModuleType), public
    with pytest.raises(AttributeError, match=f"module 'primesvt.{name}' has no attribute 'nothing'"):
        _ = package.nothing


def test_a_function_keeps_its_name_where_a_folder_has_the_same() -> None:
    """``primesvt.pruning.criteria`` is a folder, and its function ``criteria`` is public in ``primesvt.pruning``."""
    code = (
        "import primesvt.pruning.criteria.l2, primesvt.pruning.measures, primesvt.pruning as pruning\n"
        "import primesvt.search as search\n"
        "assert 'l2' in pruning.criteria() and 'size' in pruning.measures()\n"
        "assert callable(search) and search.Constraints.__module__ == 'primesvt.search.constraints'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
