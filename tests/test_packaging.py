"""The package as it is declared: complete, typed, and with imports that point one way."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("models", "pruning", "search", "studies")
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def packages() -> list[Path]:
    """Every folder with an ``__init__.py``, relative to the root."""
    return sorted(f.parent.relative_to(ROOT) for folder in FOLDERS for f in (ROOT / folder).rglob("__init__.py"))


def sources(folder: str) -> Iterator[Path]:
    return (ROOT / folder).rglob("*.py")


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Level and name of everything that a file imports."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            yield node.level, base
            # `from primesvt import models` imports a folder by the name after `import`.
            yield from ((node.level, f"{base}.{alias.name}") for alias in node.names if base == "primesvt")


def test_every_package_on_disk_is_declared() -> None:
    """An unlisted package imports fine from a checkout, and is missing from the wheel."""
    names = ["primesvt." + ".".join(package.parts) for package in packages()]
    assert sorted(SETUPTOOLS["packages"]) == names
    assert SETUPTOOLS["package-dir"] == {
        name: package.as_posix() for name, package in zip(names, packages(), strict=True)
    }


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_source_is_in_a_package(folder: str) -> None:
    assert {file.parent.relative_to(ROOT) for file in sources(folder)} <= set(packages())


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_is_typed(folder: str) -> None:
    assert (ROOT / folder / "py.typed").is_file()
    assert SETUPTOOLS["package-data"]["*"] == ["py.typed"]


def test_there_is_no_package_at_the_root() -> None:
    assert not (ROOT / "__init__.py").exists()
    assert not (ROOT / "primesvt").exists()


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_point_one_way(folder: str) -> None:
    """models <- pruning <- search <- studies; relative inside a folder, absolute across folders."""
    above = {f"primesvt.{name}" for name in FOLDERS[FOLDERS.index(folder) + 1 :]}
    for file in sources(folder):
        depth = len(file.relative_to(ROOT).parts) - 1
        for level, name in imports(file):
            place = f"{file.relative_to(ROOT)}: {'.' * level}{name}"
            assert level <= depth, f"{place} leaves its folder"
            if level == 0:
                top = name.split(".")[0]
                assert top not in FOLDERS, f"{place} is a second copy under a bare name"
                assert ".".join(name.split(".")[:2]) not in above, f"{place} points upwards"
                assert ".".join(name.split(".")[:2]) != f"primesvt.{folder}", f"{place} should be relative"


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


def test_the_tests_mirror_the_packages() -> None:
    for folder in FOLDERS:
        assert (ROOT / "tests" / folder / "__init__.py").is_file()
