"""Equal logits: our families against SpikingJelly's zoo."""

import pytest
import torch
from spikingjelly.activation_based import functional, neuron
from spikingjelly.activation_based import model as zoo
from torch import nn

from primesvt.models import PrimeSVTError, Unsaid, from_spikingjelly, from_state_dict, load_model, save_model

from ..conftest import enliven, firing_rates

SDT_SIZES = [
    dict(T=1, in_channels=1, num_classes=3, embed_dims=16, num_heads=2, depths=1, pooling_stat="1100"),
    dict(T=4, in_channels=3, num_classes=10, embed_dims=64, num_heads=8, depths=2, pooling_stat="0011"),
    dict(T=3, in_channels=2, num_classes=5, embed_dims=48, num_heads=4, depths=3, mlp_ratio=1.0, pooling_stat="0111"),
    dict(T=2, in_channels=3, num_classes=7, embed_dims=32, num_heads=4, depths=2, mlp_ratio=3.0, pooling_stat="1101"),
]
SPIKFORMER_SIZES = [
    dict(T=1, in_channels=1, num_classes=3, embed_dims=16, num_heads=2, depths=1, patch_size=4),
    dict(T=4, in_channels=3, num_classes=10, embed_dims=64, num_heads=8, depths=2, patch_size=4),
    dict(T=2, in_channels=2, num_classes=5, embed_dims=48, num_heads=4, depths=3, mlp_ratio=1.0, patch_size=16),
]


def make_sdt(sizes: dict) -> nn.Module:
    return enliven(zoo.SpikeDrivenTransformer(**sizes), seed=sum(map(ord, sizes["pooling_stat"])))


def make_spikformer(sizes: dict) -> nn.Module:
    model = zoo.Spikformer(img_size_h=32, img_size_w=32, **sizes)
    # The zoo starts with weights so small that nothing fires.
    for module in model.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d)):
            nn.init.kaiming_uniform_(module.weight, a=1)
    return enliven(model, seed=sizes["embed_dims"])


ZOO = [(make_sdt, s) for s in SDT_SIZES] + [(make_spikformer, s) for s in SPIKFORMER_SIZES]


def stock_logits(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    functional.reset_net(model)
    logits = model(images)
    return logits.mean(0) if logits.ndim == 3 else logits


@pytest.mark.parametrize(("make", "sizes"), ZOO)
@pytest.mark.parametrize("events", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_same_logits_as_the_zoo(make, sizes, events, dtype) -> None:
    torch.manual_seed(1)
    stock = make(sizes).to(dtype)
    ours = from_spikingjelly(stock, image_size=(32, 32)).to(dtype)
    shape = (6, sizes["in_channels"], 32, 32)
    images = torch.randn((sizes["T"], *shape) if events else shape, dtype=dtype)
    with torch.no_grad():
        rates = firing_rates(ours, images)
        difference = (ours(images) - stock_logits(stock, images)).abs().max()
    assert min(rates) > 0.001, rates
    assert sum(rates) / len(rates) > 0.1, rates
    assert difference <= 1e-5


def test_the_state_dict_alone_is_enough_with_what_it_does_not_say(tmp_path) -> None:
    sizes = SDT_SIZES[1]
    torch.manual_seed(0)
    stock = make_sdt(sizes)
    unsaid = Unsaid(heads=8, time_steps=4, pooling="0011", image_size=(32, 32))
    save_model(from_state_dict(stock.state_dict(), unsaid), tmp_path / "model")
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        assert (load_model(tmp_path / "model")(images) - stock_logits(stock, images)).abs().max() <= 1e-5


def test_unknown_weights_are_named() -> None:
    unsaid = Unsaid(heads=8, time_steps=4, pooling="0011", image_size=(32, 32))
    with pytest.raises(PrimeSVTError, match=r"no SpikingJelly .* first keys are stem\.0\.conv"):
        from_state_dict({"stem.0.conv.weight": torch.zeros(1)}, unsaid)
    state = make_sdt(SDT_SIZES[1]).state_dict()
    del state["blocks.1.attn.proj_conv.bias"]
    with pytest.raises(PrimeSVTError, match=r"blocks\.1\.projection\.conv\.bias"):
        from_state_dict(state, unsaid)


@pytest.mark.parametrize("make", [lambda: make_sdt(SDT_SIZES[0]), lambda: make_spikformer(SPIKFORMER_SIZES[0])])
def test_any_missing_left_over_or_misshapen_weight_is_refused(make) -> None:
    unsaid = Unsaid(heads=2, time_steps=1, pooling="1100", image_size=(32, 32))
    whole = make().state_dict()
    from_state_dict(whole, unsaid)
    for name in whole:
        with pytest.raises(PrimeSVTError):
            from_state_dict({key: value for key, value in whole.items() if key != name}, unsaid)
    with pytest.raises(PrimeSVTError, match=r"missing or unknown more\.weight"):
        from_state_dict({**whole, "more.weight": torch.zeros(3)}, unsaid)
    with pytest.raises(PrimeSVTError, match=r"head\.bias has shape \(4,\), expected \(3,\)"):
        from_state_dict({**whole, "head.bias": torch.zeros(4)}, unsaid)
    with pytest.raises(PrimeSVTError, match="have no transformer block"):
        from_state_dict({k: v for k, v in whole.items() if not k.startswith("blocks.")}, unsaid)


def test_what_the_weights_do_not_say_is_kept_and_checked() -> None:
    stock = make_sdt(SDT_SIZES[0])
    names = ("x", "y", "z")
    config = from_spikingjelly(stock, image_size=(16, 24), mean=(0.2,), std=(0.3,), classes=names).config
    assert (config.mean, config.std, config.classes, config.image_size) == ((0.2,), (0.3,), names, (16, 24))
    assert (config.time_steps, config.heads, config.pooling) == (1, 2, "1100")
    assert from_spikingjelly(stock, image_size=(32, 32)).config.classes == ("0", "1", "2")
    with pytest.raises(PrimeSVTError, match=r"pass image_size=\(H, W\)"):
        from_spikingjelly(stock)
    with pytest.raises(PrimeSVTError, match="time_steps must be between"):
        from_state_dict(stock.state_dict(), Unsaid(heads=2, time_steps=0, pooling="1100", image_size=(8, 8)))


def test_neurons_that_differ_are_refused() -> None:
    stock = make_sdt(SDT_SIZES[0])
    next(m for m in stock.modules() if isinstance(m, neuron.LIFNode)).v_threshold = 0.7
    with pytest.raises(PrimeSVTError, match="neurons differ from layer to layer"):
        from_spikingjelly(stock, image_size=(32, 32))


def test_other_modules_and_neurons_are_refused() -> None:
    with pytest.raises(PrimeSVTError, match="Cannot convert a Linear"):
        from_spikingjelly(nn.Linear(1, 1))
    odd = zoo.SpikeDrivenTransformer(embed_dims=16, num_heads=2, depths=1, spiking_neuron=neuron.IFNode)
    with pytest.raises(PrimeSVTError, match="only LIFNode"):
        from_spikingjelly(odd, image_size=(32, 32))
