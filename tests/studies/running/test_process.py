"""How a process that measures uses memory: what glibc is told."""

import ctypes
from types import SimpleNamespace

import pytest

from primesvt.studies.running.process import keep_freed_memory


def test_glibc_keeps_what_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(mallopt=lambda *pair: told.append(pair)))
    keep_freed_memory()
    assert dict(told) == {-3: 32 * 2**20, -1: 2**31 - 1, -2: 256 * 2**20}


def test_another_c_library_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    keep_freed_memory()
