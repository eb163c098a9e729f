"""What a layer and its BatchNorms do, as filters with one factor and one summand."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from primesvt.models.engine.filters import Filters, is_depthwise, why_not


def norm(width: int, factor: float, mean: float, bias: float) -> nn.BatchNorm2d:
    made = nn.BatchNorm2d(width, eps=0.0)
    nn.init.constant_(made.weight, factor)
    nn.init.constant_(made.bias, bias)
    made.running_mean = torch.full((width,), mean)
    return made


def test_by_hand() -> None:
    conv = nn.Conv2d(2, 3, 3, 2, 1)
    nn.init.constant_(conv.bias, 5.0)
    filters = Filters.of(conv, norm(3, 2.0, 1.0, 0.5), norm(3, 0.5, 3.0, 0.0))
    # ((sum + 5 - 1) * 2 + 0.5 - 3) * 0.5
    assert (filters.scale.tolist(), filters.shift.tolist()) == ([1.0] * 3, [2.75] * 3)
    assert filters.stride == 2
    assert filters.scale.dtype == filters.shift.dtype == np.float32


def test_a_linear_layer_is_a_convolution_of_single_pixels() -> None:
    linear = nn.Linear(4, 3)
    filters = Filters.of(linear)
    assert torch.equal(filters.weight[:, :, 0, 0], linear.weight)
    assert filters.shift.tolist() == linear.bias.tolist()


@pytest.mark.parametrize(
    ("conv", "reason"),
    [
        (nn.Conv2d(4, 4, 3, padding=1, groups=2), "in 2 groups"),
        (nn.Conv2d(4, 4, 2, padding=1), "2 x 2 pixels"),
        (nn.Conv2d(4, 4, 3), "padded by .0, 0. pixels"),
        (nn.Conv2d(4, 4, 3, padding=1, dilation=2), "dilated by .2, 2."),
        (nn.Conv2d(4, 4, (3, 1), padding=(1, 0)), "3 x 1 pixels"),
        (nn.Conv2d(4, 4, 3, padding=1, stride=(1, 2)), "apart"),
        (nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), "in the mode reflect"),
    ],
)
def test_what_our_kernels_do_not_compute_says_why(conv: nn.Conv2d, reason: str) -> None:
    said = why_not(conv)
    assert said is not None
    assert re.search(reason, said)


def test_what_they_compute() -> None:
    usual, deep = nn.Conv2d(4, 8, 5, 2, 2), nn.Conv2d(4, 4, 3, padding=1, groups=4)
    assert why_not(usual) is why_not(deep) is None
    assert (is_depthwise(usual), is_depthwise(deep)) == (False, True)
