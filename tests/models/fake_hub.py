"""A hub in a folder, instead of the real one: ``huggingface_hub``'s functions that PrimeSVT calls, and no network."""

import fnmatch
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

hub = pytest.importorskip("huggingface_hub")
errors = pytest.importorskip("huggingface_hub.errors")


@dataclass
class FakeHub:
    """Repositories below ``<folder>/OWNER/NAME/REVISION``; ``private`` has the names of those that are."""

    folder: Path
    token: str | None = "hf_token"  # noqa: S105 - none of anybody
    private: set[str] = field(default_factory=set)
    fetched: list[str] = field(default_factory=list)
    failure: Exception | None = None

    def snapshot_download(self, repo_id: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        if self.failure is not None:
            raise self.failure
        if not (self.folder / repo_id).is_dir():
            raise error(errors.RepositoryNotFoundError, 404)
        place = self.folder / repo_id / (revision or "main")
        if not place.is_dir():
            raise error(errors.RevisionNotFoundError, 404)
        cache = self.folder / "cache" / repo_id / (revision or "main")
        cache.mkdir(parents=True, exist_ok=True)
        for file in place.iterdir():
            if any(fnmatch.fnmatch(file.name, pattern) for pattern in allow_patterns):
                self.fetched.append(file.name)
                shutil.copy(file, cache / file.name)
        return str(cache)

    def get_token(self) -> str | None:
        return self.token

    def create_repo(self, repo_id: str, *, private: bool | None, exist_ok: bool) -> None:
        if self.failure is not None:
            raise self.failure
        new = not (self.folder / repo_id).exists()
        (self.folder / repo_id / "main").mkdir(parents=True, exist_ok=exist_ok)
        if new and private:
            self.private.add(repo_id)

    def create_branch(self, repo_id: str, *, branch: str, exist_ok: bool) -> None:
        (self.folder / repo_id / branch).mkdir(exist_ok=exist_ok)

    def model_info(self, repo_id: str) -> Any:
        return SimpleNamespace(private=repo_id in self.private)

    def create_commit(self, repo_id: str, operations: list[Any], *, commit_message: str, revision: str | None) -> Any:
        for each in operations:
            content = each.path_or_fileobj
            data = content if isinstance(content, bytes) else Path(content).read_bytes()
            (self.folder / repo_id / (revision or "main") / each.path_in_repo).write_bytes(data)
        return SimpleNamespace(commit_url=f"the hub/{repo_id}/commit/0", oid="0")


def error(kind: Any, status: int, text: str = "") -> Any:
    """An error as the client of the hub raises it."""
    response = SimpleNamespace(status_code=status, headers={}, request=None, text=text)
    return kind(text, response=response)


def install(monkeypatch: pytest.MonkeyPatch, folder: Path) -> FakeHub:
    """Put a fake hub in the real one's place."""
    fake = FakeHub(folder)
    for name in ("snapshot_download", "get_token"):
        monkeypatch.setattr(hub, name, getattr(fake, name))
    monkeypatch.setattr(hub, "HfApi", lambda: fake)
    return fake
