"""The README's commands and code are real."""

import re
import shlex
from pathlib import Path

import pytest

from primesvt.studies.cli import make_parser

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (primesvt .*)$", README, re.M)
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_understood(command: str) -> None:
    make_parser().parse_args(shlex.split(command, comments=True)[1:])


def test_there_are_six_commands_for_ones_own_model() -> None:
    assert len(COMMANDS) >= 6


def test_the_python_example_runs() -> None:
    exec(compile(PYTHON[1], "README.md", "exec"), {})  # noqa: S102 - our own README


def test_the_conversion_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spikingjelly.activation_based.model import SpikeDrivenTransformer

    monkeypatch.chdir(tmp_path)
    model = SpikeDrivenTransformer(embed_dims=16, num_heads=2, depths=1, pooling_stat="0011")
    exec(compile(PYTHON[0], "README.md", "exec"), {"model": model})  # noqa: S102 - our own README
    assert (tmp_path / "my-model" / "model.safetensors").exists()
