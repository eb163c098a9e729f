"""Equal logits: our families against SpikingJelly's zoo."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from spikingjelly.activation_based import model as zoo
from torch import nn

from primesvt.models import (
    PrimeSVTError,
    Resizing,
    Unsaid,
    from_spikingjelly,
    import_state,
    load_model,
    official_state,
    save_model,
)
from primesvt.models.layers import sparse_conv

from ...conftest import firing_rates

SIZES: list[tuple[Callable[..., nn.Module], dict[str, Any]]] = [
    (zoo.SpikeDrivenTransformer, dict(T=1, embed_dims=16, num_heads=2, depths=1, pooling_stat="1100")),
    (zoo.SpikeDrivenTransformer, dict(T=4, embed_dims=64, num_heads=8, depths=2, pooling_stat="0011")),
    (zoo.SpikeDrivenTransformer, dict(T=3, embed_dims=48, num_heads=4, depths=3, mlp_ratio=1.0, pooling_stat="0111")),
    (zoo.SpikeDrivenTransformer, dict(T=2, embed_dims=32, num_heads=4, depths=2, mlp_ratio=3.0, pooling_stat="1101")),
    (zoo.Spikformer, dict(T=1, embed_dims=16, num_heads=2, depths=1, patch_size=4)),
    (zoo.Spikformer, dict(T=4, embed_dims=64, num_heads=8, depths=2, patch_size=4)),
    (zoo.Spikformer, dict(T=2, embed_dims=48, num_heads=4, depths=3, mlp_ratio=1.0, patch_size=16)),
    (zoo.QKFormer, dict(T=1, embed_dims=32, num_heads=(1, 2, 4), depths=(1, 1, 1))),
    (zoo.QKFormer, dict(T=4, embed_dims=64, num_heads=(4, 4, 4), depths=(1, 2, 2))),
    (zoo.QKFormer, dict(T=2, embed_dims=48, num_heads=(3, 6, 6), depths=(2, 1, 1), mlp_ratio=2.0)),
    (zoo.QKFormer, dict(T=2, embed_dims=32, num_heads=(2, 2, 2), depths=(1, 1, 1), qka_type="channel")),
    (zoo.MaxFormer, dict(T=1, embed_dims=64, depths=(1, 1, 1))),
    (zoo.MaxFormer, dict(T=3, embed_dims=128, depths=(1, 2, 2), mlp_ratio=2.0)),
    (zoo.MaxFormer, dict(T=2, embed_dims=64, depths=(1, 1, 1), mlp_ratio=1.0)),
    (zoo.MaxFormer, dict(T=4, embed_dims=64, depths=(1, 1, 2), cifar=True)),
    (zoo.MaxFormer, dict(T=2, embed_dims=48, depths=(2, 2, 1), mlp_ratio=3.0, cifar=True)),
]
IDS = [f"{make.__name__}-{number}" for number, (make, _) in enumerate(SIZES)]


def side_of(make: Callable[..., nn.Module], sizes: dict[str, Any]) -> int:
    """Height and width of images of which at least sixteen tokens are left in the last stage.

    Fewer would leave attention silent, and more prove nothing: some models halve the image four times, some less often.
    """
    less_often = make is zoo.SpikeDrivenTransformer or sizes.get("patch_size") == 4 or sizes.get("cifar")
    return 32 if less_often else 64


def make_stock(make: Callable[..., nn.Module], sizes: dict[str, Any], channels: int = 3) -> nn.Module:
    """A zoo model in evaluation mode, with random BatchNorm statistics calibrated so that its neurons fire."""
    torch.manual_seed(sum(map(ord, str(sizes))))
    side = side_of(make, sizes)
    more = {"img_size_h": side, "img_size_w": side} if make is zoo.Spikformer else {}
    model = make(in_channels=channels, num_classes=5, **sizes, **more)
    norms = []
    for module in model.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d)):
            # The zoo starts some models with weights so small that nothing fires.
            nn.init.kaiming_uniform_(module.weight, a=1)
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.weight, 1.0, 2.5)
            nn.init.uniform_(module.bias, 0.0, 1.5)
            module.momentum = 1.0
            norms.append(module)
    with torch.no_grad():
        model.train()(torch.randn(8, channels, side, side))
    functional.reset_net(model)
    for norm in norms:
        norm.momentum = 0.1
    return model.eval()


def stock_logits(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    functional.reset_net(model)
    logits = model(images)
    functional.reset_net(model)
    return logits.mean(0) if logits.ndim == 3 else logits


@pytest.mark.parametrize(("make", "sizes"), SIZES, ids=IDS)
def test_same_logits_as_the_zoo(make, sizes) -> None:
    """For images, and for event sequences."""
    stock, side = make_stock(make, sizes).double(), side_of(make, sizes)
    ours = from_spikingjelly(stock, image_size=(side, side))
    for leading in ((4,), (sizes["T"] + 1, 4)):
        images = torch.randn((*leading, 3, side, side), dtype=torch.float64)
        with torch.no_grad():
            rates = firing_rates(ours, images)
            difference = (ours(images) - stock_logits(stock, images)).abs().max()
        assert min(rates) > 0.001, rates
        assert sum(rates) / len(rates) > 0.1, rates
        assert difference <= 1e-9


@pytest.mark.parametrize(("make", "sizes"), [SIZES[1], SIZES[5], SIZES[8], SIZES[14]])
def test_same_logits_in_float32(make, sizes) -> None:
    stock, side = make_stock(make, sizes), side_of(make, sizes)
    images = torch.randn(6, 3, side, side)
    with torch.no_grad():
        difference = (from_spikingjelly(stock, image_size=(side, side))(images) - stock_logits(stock, images)).abs()
    # One spike within rounding of its threshold may flip, and moves the logits of one image.
    assert int((difference.amax(1) > 1e-4).sum()) <= 1


def training_error(stock: nn.Module, ours: nn.Module, images: torch.Tensor) -> float:
    """How far the gradients of a training step are from the zoo's, all parameters together; relative."""
    for module in stock.modules():
        if isinstance(module, neuron.LIFNode):
            module.surrogate_function, module.detach_reset = surrogate.ATan(), True
    labels = torch.arange(len(images)) % 5
    nn.functional.cross_entropy(stock_logits(stock.train(), images), labels).backward()
    nn.functional.cross_entropy(ours.train()(images), labels).backward()
    for parameter in ours.parameters():
        parameter.data = parameter.grad
    # The gradients by the zoo's names.
    gradients, _ = official_state(ours)
    pairs = [(gradients[name], parameter.grad) for name, parameter in stock.named_parameters()]
    assert all(theirs.any() for _, theirs in pairs)
    return float(sum((a - b).square().sum() for a, b in pairs) / sum(b.square().sum() for _, b in pairs)) ** 0.5


@pytest.mark.parametrize(("make", "sizes"), SIZES, ids=IDS)
def test_same_gradients_as_the_zoo(make, sizes) -> None:
    stock, side = make_stock(make, sizes).double(), side_of(make, sizes)
    ours = from_spikingjelly(stock, image_size=(side, side))
    assert training_error(stock, ours, torch.randn(4, 3, side, side, dtype=torch.float64)) < 1e-9


@pytest.mark.parametrize("product", [0.0, float("inf")], ids=["sparse", "dense"])
@pytest.mark.parametrize(("make", "sizes"), [SIZES[3], SIZES[6], SIZES[9], SIZES[13]])
def test_same_gradients_in_float32(make, sizes, product, monkeypatch) -> None:
    """Of one batch in three at least, as a spike within rounding of its threshold may flip, and others after it."""
    monkeypatch.setattr(sparse_conv, "_PRODUCT", product)
    errors: list[float] = []
    side = side_of(make, sizes)
    while len(errors) < 3 and min(errors, default=1) >= 2e-5:
        stock = make_stock(make, sizes)
        ours = from_spikingjelly(stock, image_size=(side, side))
        torch.manual_seed(len(errors))
        errors.append(training_error(stock, ours, torch.randn(4, 3, side, side)))
    assert min(errors) < 2e-5, errors


@pytest.mark.parametrize(("make", "sizes"), SIZES, ids=IDS)
def test_the_state_dict_alone_is_enough_with_what_it_does_not_say(make, sizes, tmp_path) -> None:
    stock, side = make_stock(make, sizes, channels=2), side_of(make, sizes)
    heads = sizes.get("num_heads")
    unsaid = Unsaid(
        heads=heads if isinstance(heads, tuple) else (heads,) if heads else None,
        time_steps=sizes["T"],
        pooling=sizes.get("pooling_stat", {4: "0011", 16: "1111"}.get(sizes.get("patch_size"))),
        image_size=(side, side),
        attention=sizes.get("qka_type"),
    )
    imported = import_state(stock.state_dict(), unsaid)
    assert imported.unused == ()
    save_model(imported.model.double(), tmp_path / "model")
    images = torch.randn(4, 2, side, side, dtype=torch.float64)
    with torch.no_grad():
        difference = (load_model(tmp_path / "model")(images) - stock_logits(stock.double(), images)).abs().max()
    assert difference <= 1e-9


@pytest.mark.parametrize(("make", "sizes"), SIZES, ids=IDS)
def test_the_state_dict_comes_back(make, sizes) -> None:
    stock, side = make_stock(make, sizes), side_of(make, sizes)
    ours = from_spikingjelly(stock, image_size=(side, side))
    # Blocks of the zoo may be in any number in every stage.
    back, source = official_state(ours)
    assert source.startswith("spikingjelly.activation_based.model.")
    assert back.keys() == stock.state_dict().keys()
    assert all(torch.equal(back[key], tensor) for key, tensor in stock.state_dict().items())


def test_a_conversion_shares_no_memory() -> None:
    stock = make_stock(*SIZES[0])
    ours = from_spikingjelly(stock, image_size=(32, 32))
    stock.head.weight.data.zero_()
    assert ours.head.weight.any()


def test_what_the_weights_do_not_say_is_kept_and_checked() -> None:
    stock = make_stock(*SIZES[0], channels=1)
    names = tuple("vwxyz")
    config = from_spikingjelly(stock, image_size=(16, 24), mean=(0.2,), std=(0.3,), classes=names).config
    assert (config.mean, config.std, config.classes, config.image_size) == ((0.2,), (0.3,), names, (16, 24))
    assert (config.time_steps, config.heads, config.pooling) == (1, 2, "1100")
    assert from_spikingjelly(stock, image_size=(32, 32)).config.classes == tuple("01234")
    with pytest.raises(PrimeSVTError, match="time-steps must be between 1 and 1024, got 0"):
        import_state(stock.state_dict(), Unsaid(time_steps=0, pooling="1100", image_size=(8, 8)))
    with pytest.raises(PrimeSVTError, match="5 classes apart, got 2 class names"):
        from_spikingjelly(stock, image_size=(32, 32), classes=("a", "b"))


@pytest.mark.parametrize(
    ("number", "size"), [(0, (32, 32)), (5, (32, 32)), (8, (224, 224)), (11, (224, 224)), (14, (32, 32))]
)
def test_an_image_size_that_nobody_knows_is_assumed_aloud(number: int, size: tuple[int, int]) -> None:
    make, sizes = SIZES[number]
    stock = make_stock(make, sizes)
    if make is zoo.Spikformer:
        assert from_spikingjelly(stock).config.image_size == size
        return
    with pytest.warns(UserWarning, match=rf"{size[0]}x{size[1]} is assumed; pass image_size=\(H, W\)"):
        assert from_spikingjelly(stock).config.image_size == size


def test_the_preprocessing_may_be_said() -> None:
    stock = make_stock(*SIZES[0])
    assert from_spikingjelly(stock, image_size=(224, 224)).config.resizing == Resizing(0.875, "bicubic")
    assert from_spikingjelly(stock, image_size=(32, 32)).config.crop_fraction == 1
    said = from_spikingjelly(stock, image_size=(224, 224), crop_fraction=0.9, interpolation="bilinear")
    assert said.config.resizing == Resizing(0.9, "bilinear")


def test_neurons_that_differ_are_refused() -> None:
    stock = make_stock(*SIZES[0])
    next(m for m in stock.modules() if isinstance(m, neuron.LIFNode)).v_threshold = 0.7
    with pytest.raises(PrimeSVTError, match="neurons differ from layer to layer"):
        from_spikingjelly(stock, image_size=(32, 32))


def test_other_modules_and_neurons_are_refused() -> None:
    with pytest.raises(PrimeSVTError, match="Cannot convert a Linear"):
        from_spikingjelly(nn.Linear(1, 1))
    odd = zoo.SpikeDrivenTransformer(embed_dims=16, num_heads=2, depths=1, spiking_neuron=neuron.IFNode)
    with pytest.raises(PrimeSVTError, match="only LIFNode"):
        from_spikingjelly(odd, image_size=(32, 32))
