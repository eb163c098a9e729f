"""What weights do not say."""

import pytest

from primesvt.models import PrimeSVTError, Unsaid, named_config, unsaid_of
from primesvt.models.families.unsaid import read_size

from ...conftest import small_config


def test_what_a_configuration_would_leave_unsaid() -> None:
    said = unsaid_of(small_config("spikformer"))
    assert (said.heads, said.time_steps, said.pooling, said.image_size) == ((4,), 2, "0011", (8, 8))
    assert said.attention_threshold == 0.05
    assert (said.attention, said.spiking_head, said.batch_coupling) == (None, None, None)
    stages = unsaid_of(named_config("qkformer-4-384"))
    assert (stages.heads, stages.attention, stages.batch_coupling, stages.pooling) == ((8, 8, 8), "token", False, None)


@pytest.mark.parametrize(("text", "size"), [("224", (224, 224)), ("32x48", (32, 48)), ("7X9", (7, 9))])
def test_sizes(text: str, size: tuple[int, int]) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "3x", "1x2x3", "-4", "4.5", "big"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(PrimeSVTError, match="expected a size such as 224 or 32x48"):
        read_size(text)


def test_numbers_out_of_range() -> None:
    with pytest.raises(PrimeSVTError, match="heads must be between 1"):
        Unsaid(heads=(4, 0))
    with pytest.raises(PrimeSVTError, match="time-steps must be between 1"):
        Unsaid(time_steps=0)
