"""Machine code is found again by what a kernel says, and by nothing else."""

import importlib.util
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from primesvt.models.layers.kept_code import content, folder

SOURCE = """
    from primesvt.models.layers.kernels import compiled

    SUMMAND = 1


    @compiled(parallel=False, inline="always")
    def more(x):
        return x + SUMMAND


    @compiled(parallel=False)
    def kernel(x):
        return more(x) * 2
"""
Load = Callable[..., Any]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """The kernel of a source that lies somewhere, as a process would see it that has compiled nothing yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)

    def loaded(place: str, *changes: tuple[str, str], above: str = "") -> Any:
        source = textwrap.dedent(SOURCE)
        for old, new in changes:
            assert old in source
            source = source.replace(old, new)
        file = tmp_path / place / "kernel_of_anybody.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(above + source)
        spec = importlib.util.spec_from_file_location("kernel_of_anybody", file)
        assert spec is not None
        assert spec.loader is not None
        module: ModuleType = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "kernel_of_anybody", module)
        spec.loader.exec_module(module)
        return module.kernel

    return loaded


def compiles(kernel: Any, expected: int) -> bool:
    """Whether it had to be compiled."""
    assert kernel(np.int64(2)) == expected
    return bool(kernel.stats.cache_misses)


def test_another_place_and_other_lines_are_the_same_kernel(load: Load) -> None:
    assert compiles(load("first"), 6)
    assert not compiles(load("first"), 6)
    # As of a fresh clone, or of an upgrade that touches something else in the file.
    assert not compiles(load("second", above="import math\n\n\ndef other():\n    return math.pi\n"), 6)
    assert folder().parts[-2:] == ("primesvt", "kernels")


def test_what_a_kernel_calls_and_reads_counts(load: Load) -> None:
    kernels = [
        load("first"),
        load("number", ("SUMMAND = 1", "SUMMAND = 2")),
        load("called", ("x + SUMMAND", "x - SUMMAND")),
        load("itself", ("* 2", "* 3")),
        load("options", ("@compiled(parallel=False)", "@compiled(parallel=False, fastmath=True)")),
    ]
    assert len({content(kernel) for kernel in kernels}) == len(kernels)
    assert compiles(kernels[0], 6)
    assert compiles(kernels[1], 8)


def test_where_nothing_can_be_written_kernels_work_and_it_is_said(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match=r"Compiled kernels cannot be kept in .*kernels: .*NUMBA_CACHE_DIR") as told:
        assert compiles(load("first"), 6)
    assert len(told) == 1


def test_what_was_kept_is_read_where_nothing_can_be_written(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiles(load("first"), 6)

    def refused(*_arguments: object, **_options: object) -> None:
        raise AssertionError("something was written")

    monkeypatch.setattr("os.makedirs", refused)
    assert not compiles(load("second"), 6)


def test_without_a_home_nothing_is_kept(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.warns(UserWarning, match="cannot be kept: there is no home directory"):
        assert compiles(load("first"), 6)
