"""The place of caches."""

from pathlib import Path

import pytest

from primesvt.models.cache_folder import cache_folder


def test_it_lies_where_the_user_says_or_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "said"))
    assert cache_folder("kernels") == tmp_path / "said" / "primesvt" / "kernels"
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    # An empty one is none.
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder("latency") == tmp_path / ".cache" / "primesvt" / "latency"
    assert not list(tmp_path.iterdir())


def test_without_a_home_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(OSError, match="there is no home directory"):
        cache_folder("latency")
