"""The page on new families is real: its files pass the contract, its commands and its code run, in their order."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "new-family.md"
# Exporting takes longer than all other tests of the contract together; one of the two configurations is enough.
NOT_TWICE = "not (test_a_pruned_model_is_exported and short)"
LANGUAGES = {"python", "toml", "json", "console", "text"}


@dataclass(frozen=True)
class Block:
    """A fenced block of the page; ``file`` is where it goes, if it is (a piece of) a file."""

    language: str
    text: str
    file: str | None


def blocks() -> list[Block]:
    fences = re.finditer(
        r"(?:<!-- file: (?P<file>\S+) -->\n)?^```(?P<language>\S*)\n(?P<text>.*?)^```$",
        PAGE.read_text(encoding="utf-8"),
        re.M | re.S,
    )
    return [Block(fence["language"], fence["text"], fence["file"]) for fence in fences]


def files() -> dict[str, str]:
    """Contents by name: the pieces of a file follow each other as on the page, two empty lines between them."""
    pieces: dict[str, list[str]] = {}
    for block in blocks():
        if block.file:
            pieces.setdefault(block.file, []).append(block.text)
    return {name: "\n\n".join(parts) for name, parts in pieces.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the page, and what installing its package would add: a distribution with its entry points."""
    folder = tmp_path_factory.mktemp("page")
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")
    project = tomllib.loads(files()["pyproject.toml"])["project"]
    info = folder / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def session(text: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a console block, each with the output that the page shows."""
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, *output = part.splitlines()
        yield command, output


def test_every_block_is_of_a_kind_that_is_run() -> None:
    assert {block.language for block in blocks()} <= LANGUAGES
    assert {"spikingformer.py", "test_spikingformer.py", "pyproject.toml", "plan.json"} == set(files())


def test_the_family_of_the_page_keeps_the_contract(folder: Path) -> None:
    done = run(folder, "pytest", "-q", "-p", "no:cacheprovider", "-k", NOT_TWICE, "test_spikingformer.py")
    assert done.returncode == 0, done.stdout[-4000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 30
    # The short stem is no official one, so no layout fits it.
    assert "1 skipped" in done.stdout


def test_the_page_runs_from_top_to_bottom(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code and commands in the order of the page, as they build on each other."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    commands = 0
    try:
        for block in blocks():
            if block.language == "python" and block.file is None:
                names: dict[str, Any] = {}
                exec(compile(block.text, PAGE.name, "exec"), names)  # noqa: S102 - our own page
            elif block.language == "console":
                for command, shown in session(block.text):
                    program, *arguments = shlex.split(command)
                    assert program == "primesvt"
                    done = run(folder, "primesvt.studies.main", *arguments)
                    assert done.returncode == 0, f"{command}: {done.stderr}"
                    if shown:
                        assert done.stdout.splitlines() == shown, command
                    commands += 1
    finally:
        sys.modules.pop("spikingformer", None)
    assert commands >= 5
    assert json.loads((folder / "imported" / "config.json").read_text())["family"] == "spikingformer"


def test_the_code_of_the_page_is_clean(folder: Path) -> None:
    pytest.importorskip("ruff")
    for number, block in enumerate(block for block in blocks() if block.language == "python" and not block.file):
        (folder / f"snippet_{number}.py").write_text(f'"""A snippet."""\n\n{block.text}', encoding="utf-8")
    sources = [str(file) for file in folder.glob("*.py")]
    root = PAGE.parents[1]
    config = ("--config", str(root / "pyproject.toml"), "--no-cache")
    # In the root, so that the page's own module counts as another package. Snippets prove what they say by `assert`.
    for command in (["check", *config, "--ignore", "S101"], ["format", "--check", *config]):
        done = run(root, "ruff", *command, *sources)
        assert done.returncode == 0, done.stdout + done.stderr
