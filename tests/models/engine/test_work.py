"""The work of whole models: by hand, against hooks of our own, and against what SpikingJelly and fvcore count."""

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from spikingjelly.activation_based.op_counter import DispatchCounterMode, MACCounter, SynOpCounter
from torch import nn
from torch.nn import functional as F

from primesvt.models import (
    MaxFormerConfig,
    MetaSpikeFormerConfig,
    ModelConfig,
    PrimeSVTError,
    QKFormerConfig,
    SpikeDrivenTransformerConfig,
    SpikformerConfig,
    Work,
    count_work,
    counted_forward,
)
from primesvt.pruning.family_contract import lively_model
from primesvt.pruning.family_contract.lively import dyadic

from ...conftest import noisy_data

SIZES: dict[str, tuple[type[ModelConfig], dict[str, Any]]] = {
    "spikformer": (SpikformerConfig, {"depth": 1, "pooling": "0011"}),
    "spike-driven-transformer": (SpikeDrivenTransformerConfig, {"depth": 1, "pooling": "0011"}),
    "meta-spikeformer": (MetaSpikeFormerConfig, {"depth": 2}),
    "qkformer": (QKFormerConfig, {"depth": 4}),
    "qkformer-cifar": (QKFormerConfig, {"depth": 4, "variant": "cifar", "attention": "channel"}),
    "maxformer": (MaxFormerConfig, {"depth": 4}),
    "maxformer-cifar": (MaxFormerConfig, {"depth": 4, "variant": "cifar"}),
}
# Their sums round nothing, as those of the models: spikes are the engine's in any order of adding up.
IMAGES = torch.round(torch.randn(3, 1, 16, 16, generator=torch.Generator().manual_seed(1)) * 4) / 4


def small(name: str) -> nn.Module:
    config, sizes = SIZES[name]
    said = {"classes": ("a", "b"), "image_size": (16, 16), "in_channels": 1, "mean": (0.5,), "std": (0.5,)}
    return dyadic(lively_model(config.uniform(embed_dim=16, heads=2, time_steps=2, **said, **sizes)))  # type: ignore[attr-defined]


def work_of(model: nn.Module, images: torch.Tensor = IMAGES) -> Work:
    forward = counted_forward(model, images.shape)
    count = images.shape[-4]
    with torch.inference_mode():
        answer = forward.answer(np.arange(count), lambda _: images)
        assert torch.equal(answer, model(images))
    return forward.counter.work()


def hooked(model: nn.Module, images: torch.Tensor) -> dict[str, float]:
    """What convolutions and linear layers would add up if all their weights were one, for all images."""
    sums: dict[str, float] = defaultdict(float)

    def note(name: str, layer: Any, x: torch.Tensor) -> None:
        ones = torch.ones_like(layer.weight)
        if isinstance(layer, nn.Conv2d):
            written = F.conv2d(x, ones, None, layer.stride, layer.padding, groups=layer.groups)
        else:
            written = F.linear(x, ones)
        sums[name] += float(written.double().sum())

    handles = [
        module.register_forward_pre_hook(lambda m, x, name=name: note(name, m, x[0]))
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    with torch.no_grad():
        model(images)
    for handle in handles:
        handle.remove()
    return sums


@pytest.mark.parametrize("name", SIZES)
def test_synops_are_what_hooks_of_our_own_add_up(name: str) -> None:
    model = small(name)
    sums, work = hooked(model, IMAGES), work_of(model)
    counted = [layer for layer in work.layers if layer.synops and f"{layer.layer}.conv" in sums | {"head.conv": 0}]
    assert len(counted) > 5
    for layer in counted:
        assert 3 * sum(layer.synops) == pytest.approx(sums[f"{layer.layer}.conv"], rel=1e-12), layer.layer
    assert not work.unknown
    assert sum(work.synops_by_step) == pytest.approx(work.synops)


def spikingjelly(model: nn.Module, images: torch.Tensor) -> tuple[dict[str, int], dict[str, int]]:
    """Synaptic operations and MACs by layer, as SpikingJelly's counters have them."""
    counters = SynOpCounter(), MACCounter()
    with torch.no_grad(), DispatchCounterMode(list(counters)):
        model(images)
    synops, macs = (
        {name.partition(".")[2]: sum(ops.values()) for name, ops in counter.get_counts().items()}
        for counter in counters
    )

    # A convolution with its BatchNorm has a name for both: here, BatchNorm counts nothing.
    def convolutions(counted: dict[str, int]) -> dict[str, int]:
        return {name: counted.get(f"{name}.conv", number) for name, number in counted.items()}

    return convolutions(synops), convolutions(macs)


@pytest.mark.parametrize("name", ["spike-driven-transformer", "maxformer-cifar"])
def test_of_spikes_alone_spikingjelly_counts_the_same(name: str) -> None:
    model = small(name)
    synops, macs = spikingjelly(model, IMAGES)
    work = work_of(model)
    for layer in work.layers:
        if "summed" not in layer.layer:  # a sum, which it has no rule for
            assert 3 * sum(layer.synops) == pytest.approx(synops.get(layer.layer, 0)), layer.layer
    dense = {layer.layer: layer for layer in work.layers if layer.macs}
    assert {"head"} < set(dense)
    for name, layer in dense.items():
        assert 3 * layer.macs == macs[name]


def test_of_sums_of_spikes_spikingjelly_counts_multiplications() -> None:
    """A shortcut adds spikes: it takes the sum for real numbers, we for as many spikes as it is."""
    model = small("qkformer")
    synops, macs = spikingjelly(model, IMAGES)
    layer = next(layer for layer in work_of(model).layers if layer.layer == "stages.1.blocks.0.hidden")
    assert synops[layer.layer] == 0 < sum(layer.synops)
    assert macs[layer.layer] > 0 == layer.macs


def test_macs_are_those_of_fvcore() -> None:
    fvcore = pytest.importorskip("fvcore.nn")
    model = small("spikformer")
    counted = fvcore.FlopCountAnalysis(model.stem[0].conv, IMAGES).total()  # type: ignore[index, operator, union-attr]
    head = fvcore.FlopCountAnalysis(model.head, torch.zeros(2, 3, 16)).total()
    macs = {layer.layer: layer.macs for layer in work_of(model).layers if layer.macs}
    assert macs == {"stem.0": counted / 3, "head": head / 3}


def test_a_model_by_hand() -> None:
    """All neurons of the stem fire at every step, and nothing behind it does."""
    model: Any = small("spike-driven-transformer")
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.zero_()
                module.bias.fill_(-1)
        for stage in model.stem[:2]:
            stage.bn.bias.fill_(9)
    work = work_of(model)
    layers = {layer.layer: layer for layer in work.layers}
    # Widths 2, 4, 8, 16; 3x3 windows on 16x16 pixels: 46 of them lie within each side of three, so 46 * 46 uses.
    assert layers["stem.0"].macs == 16 * 16 * 9 * 2
    assert layers["stem.1"].synops == (46 * 46 * 2 * 4,) * 2
    assert layers["stem.2"].synops == (46 * 46 * 4 * 8,) * 2
    assert layers["stem.1"].rate == layers["stem.2"].rate == 1
    assert layers["stem.3"].synops == (0, 0)
    assert layers["head"].macs == 16 * 2
    assert work.synops == 2 * 46 * 46 * 40
    assert work.macs == 4608 + 32


def test_event_sequences_are_real_numbers_at_every_step() -> None:
    model = small("spikformer")
    events = torch.rand(2, 3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    once, twice = work_of(model).layers[0], work_of(model, events).layers[0]
    assert (once.layer, twice.macs) == ("stem.0", 2 * once.macs)


def test_images_of_a_set(make_model) -> None:
    data, model = noisy_data(), make_model()
    answers, work = count_work(model, data.selection, batch_size=7)
    again = count_work(model, data.selection)[1]
    assert (work.images, work) == (len(answers.labels), again)
    with pytest.raises(PrimeSVTError, match="set is empty"):
        count_work(model, replace(data.selection, indices=data.selection.indices[:0]))


def test_what_cannot_be_traced_cannot_be_counted(make_model) -> None:
    with pytest.raises(PrimeSVTError, match=r"cannot be counted: its weights are torch.float64"):
        counted_forward(make_model().double(), (1, 1, 8, 8))
