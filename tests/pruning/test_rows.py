"""Rows of a layer's least-squares problem: the same positions of what is read and of what is written."""

import pytest
import torch
from torch import nn

from primesvt.pruning.rows import patches, positions, sampled


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(4, 6, 1),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.Conv2d(4, 6, 3, padding=1, stride=2),
        nn.Conv2d(4, 6, 1, stride=2),
        nn.Conv2d(4, 4, 5, padding=2, groups=4),
        nn.Conv2d(4, 8, 3, groups=2),
        nn.Conv2d(4, 6, (3, 1), padding=(1, 0), stride=(1, 2)),
    ],
    ids=str,
)
def test_weights_times_patches_are_the_output(conv: nn.Conv2d) -> None:
    steps, images = 2, 3
    frames = torch.randn(steps * images, 4, 7, 9)
    output = conv(frames)
    where = torch.randint(steps * output.shape[-1] * output.shape[-2], (images, 11))
    read = patches(conv, frames, where)
    weight = conv.weight.flatten(1).unflatten(0, (conv.groups, -1))
    written = (read @ weight.mT).movedim(0, 1).flatten(1) + conv.bias
    torch.testing.assert_close(written, sampled(output.unflatten(0, (steps, images)), where).flatten(0, 1))


def test_positions_of_a_small_layer_are_all_of_them() -> None:
    where = positions("a", 5, (2, 3, 4), 8)
    assert torch.equal(where, torch.arange(24).expand(5, 24))


def test_positions_depend_on_the_layer_alone() -> None:
    one = positions("a", 8, (4, 100, 100), 8)
    assert one.shape == (8, 512)
    assert int(one.max()) < 40_000
    assert torch.equal(one, positions("a", 8, (4, 100, 100), 8))
    assert not torch.equal(one, positions("b", 8, (4, 100, 100), 8))
    assert positions("a", 8, (4, 100, 100), 1000).shape == (8, 2000)
