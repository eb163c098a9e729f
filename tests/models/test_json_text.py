"""JSON in which no name stands twice."""

from pathlib import Path

import pytest

from primesvt.models import PrimeSVTError, read_json
from primesvt.models.json_text import parse_json


def test_read_json_names_the_cause(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert read_json(tmp_path / "a.json", "{}") == {"a": 1}
    with pytest.raises(PrimeSVTError, match=r"^Bad: No such file or directory!$"):
        read_json(tmp_path / "b.json", "Bad: {}!")
    (tmp_path / "c.json").write_text("[1]")
    with pytest.raises(PrimeSVTError, match=r"^Bad: c\.json holds no JSON object!$"):
        read_json(tmp_path / "c.json", "Bad: {}!")
    (tmp_path / "d.json").write_text('{"a": 1, "a": 1}')
    with pytest.raises(PrimeSVTError, match=r"^Bad: d\.json is no JSON \('a' is there twice\)!$"):
        read_json(tmp_path / "d.json", "Bad: {}!")


def test_a_name_that_stands_twice_is_told_in_short() -> None:
    name = "n" * 100
    assert parse_json(b'{"a": [{"b": 1}, {"b": 2}]}') == {"a": [{"b": 1}, {"b": 2}]}
    with pytest.raises(ValueError, match=r"^'n{60}' is there twice$"):
        parse_json(f'{{"a": {{"{name}": 1, "{name}": 2}}}}')
