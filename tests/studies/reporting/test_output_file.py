"""Files that a command writes."""

import pytest

from primesvt.models import PrimeSVTError
from primesvt.studies.reporting.output_file import check_file, write_text


def test_a_file_that_can_be_written_is_left_as_it_is(tmp_path) -> None:
    check_file(tmp_path / "new.html")
    assert list(tmp_path.iterdir()) == []
    write_text(tmp_path / "new.html", "é")
    check_file(tmp_path / "new.html")
    assert (tmp_path / "new.html").read_bytes() == "é".encode()


@pytest.mark.parametrize(("name", "text"), [("", "Is a directory"), ("no/r.html", "No such file or directory")])
def test_one_that_cannot_is_named_before_the_work(tmp_path, name, text) -> None:
    with pytest.raises(PrimeSVTError, match=f"Cannot write .*: {text}"):
        check_file(tmp_path / name)
