"""The package as it is declared: complete, typed, and never loaded twice."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("models", "pruning", "search", "studies")
# The package itself: a folder `primesvt` at the root would stand before the installed one.
TOP = "api"
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def packages() -> list[Path]:
    """Every folder with an ``__init__.py``, relative to the root."""
    return sorted(f.parent.relative_to(ROOT) for folder in FOLDERS for f in (ROOT / folder).rglob("__init__.py"))


def sources(folder: str) -> Iterator[Path]:
    return (ROOT / folder).rglob("*.py")


def test_every_package_on_disk_is_declared() -> None:
    """An unlisted package imports fine from a checkout, and is missing from the wheel."""
    names = ["primesvt." + ".".join(package.parts) for package in packages()]
    assert sorted(SETUPTOOLS["packages"]) == ["primesvt", *names]
    assert SETUPTOOLS["package-dir"] == {
        "primesvt": TOP,
        **{name: package.as_posix() for name, package in zip(names, packages(), strict=True)},
    }
    assert [file.name for file in (ROOT / TOP).glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_source_is_in_a_package(folder: str) -> None:
    assert {file.parent.relative_to(ROOT) for file in sources(folder)} <= set(packages())


@pytest.mark.parametrize("folder", [TOP, *FOLDERS])
def test_every_folder_is_typed(folder: str) -> None:
    assert (ROOT / folder / "py.typed").is_file()
    assert SETUPTOOLS["package-data"]["*"] == ["py.typed"]


def test_there_is_no_package_at_the_root() -> None:
    assert not (ROOT / "__init__.py").exists()
    assert not (ROOT / "primesvt").exists()


def test_no_bare_module_is_loaded() -> None:
    """From the root a bare `import pruning` succeeds too, and makes a second copy of every class."""
    for name in FOLDERS:
        module = sys.modules.get(name)
        assert module is None or not str(getattr(module, "__file__", "")).startswith(str(ROOT)), name


def test_importing_everything_loads_no_bare_module() -> None:
    modules = ["primesvt." + ".".join(package.parts) for package in packages()]
    code = f"import sys\nfor name in {modules}: __import__(name)\nprint(sorted(set({FOLDERS}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_the_data_of_the_package_is_there() -> None:
    assert "demo/*" in SETUPTOOLS["package-data"]["primesvt.models"]
    assert "fashion_mnist/*" in SETUPTOOLS["package-data"]["primesvt.models.data"]
    sample = ROOT / "models" / "data" / "fashion_mnist"
    assert {"LICENSE", "README.md", "sample.npz"} <= {f.name for f in sample.iterdir()}
