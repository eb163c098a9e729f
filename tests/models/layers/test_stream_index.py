"""Narrow layers write and read just their channels of a stream."""

import pytest
import torch

from primesvt.models import StreamIndex


def narrow() -> StreamIndex:
    index = StreamIndex(2, 4)
    index.channels = torch.tensor([0, 3], dtype=torch.int16)
    return index


def test_by_hand() -> None:
    x, stream = torch.tensor([5.0, 7.0]).view(1, 1, 2, 1, 1), torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 1, 4, 1, 1)
    before = stream.clone()
    index = narrow()
    assert index.scatter(x).flatten().tolist() == [5.0, 0.0, 0.0, 7.0]
    assert index.add(stream, x).flatten().tolist() == [6.0, 2.0, 3.0, 11.0]
    assert index.gather(stream).flatten().tolist() == [1.0, 4.0]
    assert torch.equal(stream, before)


def test_full_width_needs_no_index() -> None:
    index = StreamIndex(3, 3)
    x, stream = torch.rand(2, 1, 3, 2, 2), torch.rand(2, 1, 3, 2, 2)
    assert index.channels is None
    assert not index.state_dict()
    assert index.scatter(x) is x
    assert index.gather(stream) is stream
    assert torch.equal(index.add(stream, x), stream + x)


@pytest.mark.parametrize("last", [False, True])
def test_the_memory_format_stays(last: bool) -> None:
    """Channels that are last in memory, as in training on the CPU, are last in what is made of them."""
    x = torch.rand(2, 3, 2, 5, 6)
    if last:
        x = x.movedim(2, -1).contiguous().movedim(-1, 2)
    spread = narrow().scatter(x)
    assert (spread.stride(2) == 1) == last
    assert torch.equal(spread[:, :, [0, 3]], x)


def test_gradients_reach_both() -> None:
    x, stream = torch.rand(1, 1, 2, 2, 2, requires_grad=True), torch.rand(1, 1, 4, 2, 2, requires_grad=True)
    weights = torch.rand(1, 1, 4, 2, 2)
    ours, theirs = torch.autograd.grad((narrow().add(stream, x) * weights).sum(), [x, stream])
    assert torch.equal(ours, weights[:, :, [0, 3]])
    assert torch.equal(theirs, weights)
