"""Completion in a shell: the script is asked as bash would ask it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from primesvt.studies.cli import make_parser
from primesvt.studies.completion import script

PARSER = make_parser()


BASH = shutil.which("bash") or ""


@pytest.mark.skipif(not BASH, reason="needs bash")
def test_bash_completes_commands_options_and_choices(tmp_path: Path) -> None:
    pytest.importorskip("shtab")
    (tmp_path / "complete").write_text(script(PARSER, "bash"))
    asked = {"comp": "primesvt comp", "--exc": "primesvt compare --exc", "rat": "primesvt search demo --space rat"}
    lines = "\n".join(
        f'COMP_WORDS=({line}); COMP_CWORD={len(line.split()) - 1}; "$f" primesvt {word} x; echo "${{COMPREPLY[*]}}"'
        for word, line in asked.items()
    )
    find = "f=$(complete -p primesvt | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
    ran = subprocess.run(
        [BASH, "-c", f"source complete\n{find}\n{lines}"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines() == ["compare", "--exclude-layers", "ratios"]


def test_zsh_knows_files_and_no_older_name(primesvt) -> None:
    pytest.importorskip("shtab")
    ran = primesvt("--print-completion", "zsh")
    assert ran.code == 0
    assert "#compdef primesvt" in ran.out
    assert "{-o,--output}" in ran.out
    assert '"--plan' in ran.out
    assert "_files" in ran.out
    evaluate = ran.out[ran.out.index("_shtab_primesvt_evaluate_options") :].split("\n)")[0]
    assert "--images" in evaluate
    assert "--limit" not in evaluate


def test_without_its_package_it_says_what_to_install(primesvt, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    ran = primesvt("--print-completion", "bash")
    assert ran.code == 2
    assert ran.err == "primesvt: shtab is not installed: python -m pip install 'primesvt[completion]'\n"
    assert "did you mean zsh?" in primesvt("--print-completion", "zssh").err
