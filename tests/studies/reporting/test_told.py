"""What a call returns is shown in words."""

from dataclasses import dataclass

import pytest

from primesvt.studies.reporting.told import Told


@dataclass(frozen=True, repr=False)
class Counted(Told):
    numbers: tuple[int, ...]

    @property
    def text(self) -> str:
        return f"{len(self.numbers)} numbers"


def test_a_result_is_its_words() -> None:
    assert repr(Counted(tuple(range(10_000)))) == "10000 numbers"
    with pytest.raises(NotImplementedError):
        repr(Told())
