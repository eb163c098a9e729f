"""Names and shapes of other code, forth and back."""

import pytest
import torch

from primesvt.models import Checkpoint, Layout, PrimeSVTError, Rename, conv_bn_renames
from primesvt.models.families.layout import fused_renames, renamed

LAYOUT = Layout(
    source="somebody/model.py",
    renames=(
        Rename("head", "fc", 2),
        *conv_bn_renames("blocks.{b}.output", "layers.{b}.conv", "layers.{b}.norm", 3),
        *fused_renames("blocks.{b}", ("query", "key"), "layers.{b}.qk", "layers.{b}.qk_norm"),
    ),
    structure=lambda _weights: ({}, ()),
    unused=((r"layers\.\d+\.extra", "nobody calls it"),),
)


def own(blocks: int = 2) -> dict[str, torch.Tensor]:
    """A state dict of ours."""
    torch.manual_seed(0)
    state = {"head.weight": torch.rand(3, 4), "head.bias": torch.rand(3)}
    for b in range(blocks):
        for name in ("output", "query", "key"):
            prefix = f"blocks.{b}.{name}"
            state[f"{prefix}.conv.weight"] = torch.rand(4, 4, 1, 1)
            state |= {f"{prefix}.bn.{leaf}": torch.rand(4) for leaf in ("weight", "bias")}
            state[f"{prefix}.bn.num_batches_tracked"] = torch.tensor(b + 7)
    return state


def test_there_and_back() -> None:
    theirs = renamed(own(), LAYOUT)
    assert theirs["layers.1.conv.weight"].shape == (4, 4, 1)
    assert theirs["layers.1.qk.weight"].shape == (8, 4, 1)
    assert torch.equal(theirs["layers.0.qk_norm.bias"][4:], own()["blocks.0.key.bn.bias"])
    assert theirs["layers.1.qk_norm.num_batches_tracked"] == 8
    state, used = Checkpoint(theirs, LAYOUT).converted(own())
    assert used == set(theirs)
    assert set(state) == set(own())
    assert all(torch.equal(state[name], tensor) for name, tensor in own().items())


def test_a_checkpoint_is_asked_by_our_names() -> None:
    weights = Checkpoint(renamed(own(3), LAYOUT), LAYOUT)
    assert weights.count("blocks.{b}.query.conv.weight") == 3
    assert weights.shape("blocks.2.key.conv.weight") == (4, 4, 1)
    assert weights.shape("head.weight") == (3, 4)
    assert weights.has("blocks.0.output.bn.bias")
    assert not weights.has("blocks.0.output.conv.bias")


def test_how_much_of_a_checkpoint_is_known() -> None:
    theirs = renamed(own(1), LAYOUT)
    assert LAYOUT.coverage(theirs) == 1
    assert LAYOUT.coverage({**theirs, "layers.0.extra": torch.rand(1)}) == 1
    assert LAYOUT.reason("layers.0.extra") == "nobody calls it"
    assert LAYOUT.reason("layers.0.other") is None
    # A weight of another kind is not theirs, and neither is a name that no layer has.
    assert LAYOUT.coverage({"fc.weight": torch.rand(3, 4, 1), "layers.0.other.weight": torch.rand(1)}) == 0
    assert LAYOUT.coverage({}) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fc.weight": None}, "The weights lack fc.weight"),
        ({"fc.weight": torch.rand(3, 5)}, r"fc.weight has shape \(3, 5\), expected \(3, 4\)"),
        ({"layers.0.qk.weight": torch.rand(7, 4, 1)}, "layers.0.qk.weight has 7 rows, expected a multiple of 2"),
        ({"fc.bias": torch.zeros(3, dtype=torch.int64)}, "fc.bias is torch.int64, expected floating-point numbers"),
    ],
)
def test_what_does_not_fit_is_named_by_their_key(change: dict[str, torch.Tensor | None], message: str) -> None:
    theirs = {key: tensor for key, tensor in {**renamed(own(), LAYOUT), **change}.items() if tensor is not None}
    with pytest.raises(PrimeSVTError, match=message):
        Checkpoint(theirs, LAYOUT).converted(own())


def test_a_layer_that_the_other_code_has_not() -> None:
    with pytest.raises(PrimeSVTError, match=r"somebody/model.py has no layer like blocks.0.value.conv"):
        renamed({"blocks.0.value.conv.weight": torch.rand(1)}, LAYOUT)


def test_no_block_and_too_many() -> None:
    with pytest.raises(PrimeSVTError, match="The weights have no transformer block"):
        Checkpoint({"fc.weight": torch.rand(3, 4)}, LAYOUT).count("blocks.{b}.query.conv.weight")
    with pytest.raises(PrimeSVTError, match="have a block number 256; at most 255"):
        Checkpoint({"layers.256.conv.weight": torch.rand(1)}, LAYOUT).count("blocks.{b}.query.conv.weight")
