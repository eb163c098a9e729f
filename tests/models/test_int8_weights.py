"""Weights as int8: no weight moves far, and a directory of them is loaded as what its bytes say."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from primesvt.models import PrimeSVTError, as_int8, int8_bytes, load_model, model_bytes, save_model, stored_bytes
from primesvt.models.int8_weights import SCALE, quantized
from primesvt.pruning import PruningPlan, prune


@given(st.integers(0, 2**32 - 1), st.integers(0, 1))
def test_no_weight_moves_by_more_than_half_a_step(seed: int, axis: int) -> None:
    weights = np.random.default_rng(seed).normal(size=(3, 5, 2)).astype(np.float32)
    weights[0, 1] = 0
    whole, scale = quantized(weights, axis)
    steps = np.expand_dims(scale, tuple(dim for dim in range(3) if dim != axis))
    assert (whole.dtype, scale.dtype, scale.shape) == (np.int8, np.float32, (weights.shape[axis],))
    assert whole.min() >= -127
    assert np.all(np.abs(whole * steps - weights) <= steps / 2 * (1 + 1e-5))
    assert np.all(whole[weights == 0] == 0)
    # The largest of every channel is told exactly.
    assert np.all(np.abs(whole).max(tuple(dim for dim in range(3) if dim != axis)) == 127)


def test_a_channel_of_zeros_stays_so() -> None:
    whole, scale = quantized(np.zeros((2, 3), np.float32), 0)
    assert (whole.tolist(), scale.tolist()) == ([[0] * 3] * 2, [1.0, 1.0])


def test_folding_batchnorm_changes_no_whole_number() -> None:
    draw = torch.Generator().manual_seed(0)
    conv, norm = nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5).eval()
    for tensor in (conv.weight, norm.weight, norm.bias, norm.running_mean):
        tensor.data.copy_(torch.randn(tensor.shape, generator=draw))
    folded = fuse_conv_bn_eval(conv.double().eval(), norm.double())
    (plain, _), (other, _) = (quantized(each.weight.detach().numpy(), 0) for each in (conv, folded))
    signs = norm.weight.detach().sign().numpy()[:, None, None, None]
    assert np.array_equal(plain * signs, other)


def test_a_directory_is_loaded_as_what_its_bytes_say(make_model, family: str, tmp_path: Path) -> None:
    model = make_model(family)
    pruned = prune(model, PruningPlan({"blocks.0.hidden": 0.5, "stem.3": 0.25}))
    save_model(pruned, tmp_path / "int8", int8=True)
    loaded, expected = load_model(tmp_path / "int8"), as_int8(pruned)
    assert loaded.config == pruned.config
    assert all(
        torch.equal(a, b) for a, b in zip(loaded.state_dict().values(), expected.state_dict().values(), strict=True)
    )
    stored = load_file(tmp_path / "int8" / "model.safetensors")
    filters = {f"{name}.weight" for name, each in pruned.named_modules() if isinstance(each, nn.Conv2d)}
    assert {name for name, tensor in stored.items() if tensor.dtype == torch.int8} == filters
    for name, tensor in pruned.state_dict().items():
        if name not in filters:
            assert torch.equal(stored[name], tensor)
        else:
            step = stored[name + SCALE].view(-1, 1, 1, 1)
            assert bool(((loaded.state_dict()[name] - tensor).abs() <= step / 2 * (1 + 1e-5)).all())
    assert stored_bytes(tmp_path / "int8") == int8_bytes(pruned) < model_bytes(pruned)
    assert model_bytes(loaded) == model_bytes(pruned)
    # Stored as float again, it is as any other.
    save_model(loaded, tmp_path / "float")
    assert stored_bytes(tmp_path / "float") == model_bytes(pruned)
    assert json.loads((tmp_path / "float" / "config.json").read_text())["format"] == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_come_back_in_theirs(make_model, tmp_path: Path, dtype: torch.dtype) -> None:
    save_model(make_model().to(dtype), tmp_path / "model", int8=True)
    assert {t.dtype for t in load_model(tmp_path / "model").parameters()} == {dtype}


def test_what_is_no_number_is_no_int8(make_model, tmp_path: Path) -> None:
    model = make_model()
    model.get_parameter("blocks.0.hidden.conv.weight").data[0] = torch.nan
    with pytest.raises(PrimeSVTError, match=r"blocks\.0\.hidden\.conv\.weight holds NaN or infinity, which no int8"):
        save_model(model, tmp_path / "model", int8=True)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"blocks.0.hidden.conv.weight_scale": None}, r"hidden\.conv\.weight is torch\.int8, expected torch\.float32"),
        ({"blocks.0.hidden.conv.weight_scale": torch.ones(3)}, r"missing or unknown tensors .*hidden\.conv\.weight_sc"),
        ({"head.weight": None}, r"missing or unknown tensors head\.weight"),
    ],
)
def test_damage_is_named(make_model, tmp_path: Path, change: dict[str, torch.Tensor | None], text: str) -> None:
    save_model(make_model(), tmp_path / "model", int8=True)
    file = tmp_path / "model" / "model.safetensors"
    tensors = {**load_file(file), **change}
    save_file({name: tensor for name, tensor in tensors.items() if tensor is not None}, file)
    with pytest.raises(PrimeSVTError, match=text):
        load_model(tmp_path / "model")


@given(st.integers(0, 2**32 - 1))
def test_twice_is_once_within_rounding(seed: int) -> None:
    weights = np.random.default_rng(seed).normal(size=(4, 7)).astype(np.float32)
    whole, scale = quantized(weights, 0)
    again, same = quantized(whole * scale[:, None], 0)
    assert np.array_equal(whole, again)
    assert np.allclose(scale, same, rtol=1e-6)
