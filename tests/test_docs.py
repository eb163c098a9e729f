"""The pages in docs/ are real: their files make a package, and their code and commands run, in their order."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from primesvt.studies.cli import make_parser

from .conftest import Ran
from .distribution import write_distribution

ROOT = Path(__file__).parents[1]
LANGUAGES = {"python", "toml", "json", "console", "text"}
# Exporting takes longer than all other tests of the contract together; one of the two configurations is enough.
NOT_TWICE = "not (test_a_pruned_model_is_exported and short)"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; ``file`` is where it goes, if it is (a piece of) a file."""

    language: str
    text: str
    file: str | None


@dataclass(frozen=True)
class Page:
    """A page of docs/."""

    name: str

    @cached_property
    def blocks(self) -> list[Block]:
        fences = re.finditer(
            r"(?:<!-- file: (?P<file>\S+) -->\n)?^```(?P<language>\S*)\n(?P<text>.*?)^```$",
            (ROOT / "docs" / self.name).read_text(encoding="utf-8"),
            re.M | re.S,
        )
        return [Block(fence["language"], fence["text"], fence["file"]) for fence in fences]

    @cached_property
    def files(self) -> dict[str, str]:
        """Contents by name: the pieces of a file follow each other as on the page, two empty lines between them."""
        pieces: dict[str, list[str]] = {}
        for block in self.blocks:
            if block.file:
                pieces.setdefault(block.file, []).append(block.text)
        return {name: "\n\n".join(parts) for name, parts in pieces.items()}


# What every page must make: files, and a file that its commands leave behind with a text in it.
PAGES = {
    "new-family.md": (
        {"spikingformer.py", "test_spikingformer.py", "pyproject.toml", "plan.json"},
        ("imported/config.json", '"family": "spikingformer"'),
    ),
    "tutorial.md": ({"study.toml"}, ("small/config.json", '"stem.0": 2')),
    "extending.md": (
        {"csv_format.py", "loudness.py", "recentre.py", "plan.json", "widest.py", "timid.py", "pyproject.toml"},
        ("model/config.json", '"family": "spikformer"'),
    ),
    "python.md": (set(), ("smaller/config.json", '"family": "spike-driven-transformer"')),
}
# The page whose commands are a cluster's: they are run by tests/test_cluster.py.
CLUSTER = {"cluster.md"}
# Pages of words and measured figures, in which nothing runs; and the benchmark that prints the figures, if one does.
FIGURES = {
    "criteria.md": "criteria.py",
    "growth.md": "scaling.py",
    "search-quality.md": "search_quality.py",
    "samplers.md": None,
    "measures.md": None,
    "index.md": None,
}

# Pages whose commands need what no test machine has: they are read, and not run.
READ = {"gpu.md"}


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> Page:
    """Every page in turn."""
    return Page(request.param)


@pytest.fixture
def folder(page: Page, tmp_path: Path) -> Path:
    """The files of the page, and what installing its package would add, if it makes one."""
    if "pyproject.toml" in page.files:
        write_distribution(tmp_path, page.files)
    else:
        for name, text in page.files.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=False,
    )


def session(text: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a console block, each with the output that the page shows."""
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, *output = part.splitlines()
        yield command, output


def run_session(primesvt: Callable[..., Ran], text: str) -> None:
    for command, shown in session(text):
        program, *arguments = shlex.split(command)
        assert program == "primesvt"
        done = primesvt(*arguments)
        assert done.code == 0, f"{command}: {done.err}"
        if shown:
            assert done.out.splitlines() == shown, command


def test_every_page_is_here() -> None:
    assert {file.name for file in (ROOT / "docs").glob("*.md")} == set(PAGES) | set(FIGURES) | READ | CLUSTER


@pytest.mark.parametrize("name", sorted(READ))
def test_every_command_that_is_not_run_is_understood(name: str) -> None:
    texts = (block.text for block in Page(name).blocks if block.language == "console")
    commands = [command for text in texts for command, _ in session(text) if command.startswith("primesvt ")]
    assert commands
    for command in commands:
        make_parser().parse_args(shlex.split(command.removesuffix("&"))[1:])


@pytest.mark.parametrize(("name", "benchmark"), FIGURES.items())
def test_figures_name_the_benchmark_that_prints_them(name: str, benchmark: str | None) -> None:
    assert not Page(name).blocks
    if benchmark is not None:
        assert (ROOT / "benchmarks" / benchmark).is_file()
        assert f"`benchmarks/{benchmark}`" in (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_the_site_has_every_page_and_no_other() -> None:
    """As text, so that no site need be built: `make docs` does that, strictly."""
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = re.findall(r"^ +- [^:]+: (\S+\.md)$", site[site.index("nav:") :], re.M)
    docs = ROOT / "docs"
    # A notebook becomes a page.
    pages = [*docs.rglob("*.md"), *(file.with_suffix(".md") for file in docs.rglob("*.ipynb"))]
    assert sorted(named) == sorted(file.relative_to(docs).as_posix() for file in pages)
    for file in docs.glob("api/*.md"):
        for module in re.findall(r"^::: (\S+)$", file.read_text(encoding="utf-8"), re.M):
            assert importlib.util.find_spec(module) is not None, module


def test_every_block_is_of_a_kind_that_is_run(page: Page) -> None:
    assert {block.language for block in page.blocks} <= LANGUAGES
    assert set(page.files) == PAGES[page.name][0]
    assert any(block.language == "console" for block in page.blocks)


def test_the_page_runs_from_top_to_bottom(
    page: Page, folder: Path, primesvt: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code and commands in the order of the page, as they build on each other."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    try:
        for block in page.blocks:
            if block.language == "python" and block.file is None:
                names: dict[str, Any] = {}
                exec(compile(block.text, page.name, "exec"), names)  # noqa: S102 - our own page
            elif block.language == "console":
                run_session(primesvt, block.text)
    finally:
        for name in page.files:
            sys.modules.pop(name.removesuffix(".py"), None)
    left, text = PAGES[page.name][1]
    assert text in (folder / left).read_text(encoding="utf-8")


def test_the_code_of_the_page_is_clean(page: Page, folder: Path) -> None:
    pytest.importorskip("ruff")
    for number, block in enumerate(block for block in page.blocks if block.language == "python" and not block.file):
        (folder / f"snippet_{number}.py").write_text(f'"""A snippet."""\n\n{block.text}', encoding="utf-8")
    sources = [str(file) for file in folder.glob("*.py")]
    config = ("--config", str(ROOT / "pyproject.toml"), "--no-cache")
    # In the root, so that the page's own module counts as another package. Snippets prove what they say by `assert`; a
    # function may have to take what it does not need.
    for command in (["check", *config, "--ignore", "S101,ARG001,ARG002"], ["format", "--check", *config]):
        done = run(ROOT, "ruff", *command, *sources)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", ["new-family.md"], indirect=True)
def test_the_family_of_the_page_keeps_the_contract(folder: Path) -> None:
    done = run(folder, "pytest", "-q", "-p", "no:cacheprovider", "-k", NOT_TWICE, "test_spikingformer.py")
    assert done.returncode == 0, done.stdout[-4000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 30
    # The short stem is no official one, so no layout fits it.
    assert "1 skipped" in done.stdout
