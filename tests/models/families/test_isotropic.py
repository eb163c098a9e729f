"""One stream behind a convolutional stem."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primesvt.models import PrimeSVTError, SpikformerConfig
from primesvt.models.families.isotropic import hidden_width, stem_groups, stem_widths

from ...conftest import small_config


def test_the_stem_is_a_chain_that_ends_in_the_stream() -> None:
    groups = stem_groups()
    assert [group.name for group in groups] == ["stem.0", "stem.1", "stem.2", "stem.3", "position"]
    assert [group.readers for group in groups[:4]] == [
        ("stem.1.conv",),
        ("stem.2.conv",),
        ("stem.3.conv",),
        ("position.conv",),
    ]
    assert [group.stream for group in groups] == [None, None, None, "embedding", "embedding"]
    assert set(stem_widths(64)) == {group.name for group in groups} | {"embedding"}
    assert [stem_widths(64)[f"stem.{i}"] for i in range(4)] == [8, 16, 32, 64]


@given(st.integers(1, 4096), st.integers(1, 16384))
def test_a_ratio_that_came_from_two_widths_gives_the_width_back(embed_dim: int, hidden: int) -> None:
    assert hidden_width(embed_dim, hidden / embed_dim) == hidden


@pytest.mark.parametrize("pooling", ["", "011", "00110", "0012", "abcd"])
def test_pooling_is_four_digits(pooling: str) -> None:
    with pytest.raises(PrimeSVTError, match="pooling must be four digits 0 or 1"):
        SpikformerConfig.from_json({**small_config("spikformer").to_json(), "pooling": pooling})
