"""A block keeps what its halves write, and a half that was removed writes nothing."""

import pytest
import torch

from primesvt.models.families.residual_block import ResidualBlock


class Halves(ResidualBlock):
    """Adds, where a model would compute."""

    def mix(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1

    def mlp(self, x: torch.Tensor) -> torch.Tensor:
        return x * 10


@pytest.mark.parametrize(
    ("mixer", "output", "expected"), [(3, 4, 20.0), (0, 4, 10.0), (None, 4, 10.0), (3, 0, 2.0), (0, 0, 1.0)]
)
def test_a_half_without_channels_is_skipped(mixer: int | None, output: int, expected: float) -> None:
    widths = {"b.output": output} | ({} if mixer is None else {"b.last": mixer})
    block = Halves(widths, "b", mixer="last")
    assert block(torch.ones(2)).tolist() == [expected, expected]


def test_the_mixer_ends_with_a_projection_where_nothing_else_is_said() -> None:
    assert Halves({"b.projection": 1, "b.output": 0}, "b").mixes
