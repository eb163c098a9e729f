"""A model prepared for a device: what can be told of it without one, and, where there is one, that it answers the same.

Without a CUDA device, fake tensors still tell every shape, dtype, device and memory layout on one.
"""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from primesvt.models import (
    CPU,
    DataSet,
    DeviceModel,
    LIFNode,
    MaxFormerConfig,
    MetaSpikeFormerConfig,
    ModelConfig,
    PrimeSVTError,
    QKFormerConfig,
    TrainOptions,
    channel_groups,
    config_of,
    device_model,
    predict,
    train,
)
from primesvt.models.engine import device_model as engine
from primesvt.models.layers import stock_neuron
from primesvt.models.training.loss import loss_of
from primesvt.models.training.recipe import Recipe
from primesvt.pruning import PruningPlan, prune
from primesvt.pruning.family_contract import calibrated

from ...conftest import small_config

CUDA = torch.device("cuda", 0)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


def small_configs() -> dict[str, ModelConfig]:
    """A small configuration of every family."""
    common = {
        "in_channels": 1,
        "image_size": (16, 16),
        "classes": ("a", "b", "c"),
        "mean": (0.5,),
        "std": (0.5,),
        "time_steps": 2,
        "mlp_ratio": 2.0,
        "attention_threshold": 0.05,
    }
    return {
        "spikformer": small_config("spikformer"),
        "spike-driven-transformer": small_config("spike-driven-transformer"),
        "meta-spikeformer": MetaSpikeFormerConfig.uniform(
            **{**common, "image_size": (32, 32)}, embed_dim=16, depth=2, heads=2
        ),
        "qkformer": QKFormerConfig.uniform(**common, embed_dim=32, depth=4, heads=2, batch_coupling=True),
        "maxformer": MaxFormerConfig.uniform(**common, embed_dim=32, depth=4, heads=2),
    }


CONFIGS = small_configs()


def images_for(model: nn.Module, count: int = 6) -> torch.Tensor:
    config = config_of(model)
    shape = (count, config.in_channels, *config.image_size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


# On the CPU


def test_predicting_with_it(make_model, family: str, data: DataSet) -> None:
    model = make_model(family)
    exact, narrow = DeviceModel(model, CPU), DeviceModel(model, CPU, precision="bfloat16")
    expected = predict(model, data.test, batch_size=7)
    assert (predict(exact, data.test, batch_size=7).classes == expected.classes).mean() > 0.9
    assert (predict(narrow, data.test, batch_size=7).classes == expected.classes).mean() > 0.5
    assert narrow(images_for(model)).dtype == torch.float32
    assert not any(p.requires_grad for p in exact.parameters())


def test_the_classifier_multiplies_in_float32(make_model) -> None:
    """Logits of bfloat16 would have 8 bits."""
    model = make_model()
    model.head.weight.data *= 1.2345
    logits = DeviceModel(model, CPU, precision="bfloat16")(images_for(model, 30))
    assert not torch.equal(logits, logits.bfloat16().float())


def test_the_convolutions_multiply_in_bfloat16(make_model) -> None:
    seen: set[torch.dtype] = set()
    model = DeviceModel(make_model("spikformer"), CPU, precision="bfloat16")
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _m, _i, out: seen.add(out.dtype))
    model(images_for(make_model("spikformer")))
    assert seen == {torch.bfloat16}


def test_only_what_differs_is_prepared(make_model) -> None:
    model = make_model()
    assert device_model(model, CPU) is model
    prepared = device_model(model, CPU, "bfloat16")
    assert isinstance(prepared, DeviceModel)
    assert prepared.execution == "eager"


def test_what_makes_no_sense_is_refused(make_model) -> None:
    with pytest.raises(PrimeSVTError, match="Linear is no model of PrimeSVT"):
        DeviceModel(nn.Linear(1, 1), CPU)
    with pytest.raises(PrimeSVTError, match="precision must be one of float32, bfloat16, got 'float16'"):
        DeviceModel(make_model(), CPU, precision="float16")
    for execution in ("graph", "fast"):
        with pytest.raises(PrimeSVTError, match=f"eager, compile or, on CUDA, graph; got '{execution}' on cpu"):
            DeviceModel(make_model(), CPU, execution=execution)


def test_compiled_for_one_shape(make_model, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[int] = []

    def compile_it(module: nn.Module, **options: object) -> None:
        forward = module.forward
        module._compiled_call_impl = lambda x: (compiled.append(len(x)), forward(x))[1]

    monkeypatch.setattr(nn.Module, "compile", compile_it)
    model = DeviceModel(make_model(), CPU, execution="compile")
    images = images_for(make_model())
    expected = DeviceModel(make_model(), CPU)(images)
    assert torch.equal(model(images), expected)
    # The last, smaller batch is not worth another compilation.
    assert torch.equal(model(images[:2]), expected[:2])
    assert torch.equal(model(images), expected)
    assert compiled == [6, 6]


class FakeGraph:
    """Stands for a CUDA graph, and counts."""

    captured, replayed = 0, 0

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor], batch: torch.Tensor) -> None:
        FakeGraph.captured += 1
        self.function = function

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        FakeGraph.replayed += 1
        return self.function(batch)


def test_a_shape_that_comes_again_becomes_a_graph(make_model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CudaGraph", FakeGraph)
    FakeGraph.captured = FakeGraph.replayed = 0
    model, images = DeviceModel(make_model(), CPU), images_for(make_model())
    expected = model(images)
    model.execution = "graph"
    model._seen.clear()
    counts = []
    for batch in (images, images, images, images[:2], images):
        assert torch.equal(model(batch), expected[: len(batch)])
        counts.append((FakeGraph.captured, FakeGraph.replayed))
    assert counts == [(0, 0), (1, 1), (1, 2), (1, 2), (1, 3)]
    model(images.double().float())
    assert FakeGraph.captured == 1
    model.warm_up(images[:3])
    assert (FakeGraph.captured, FakeGraph.replayed) == (2, 6)


def test_what_cannot_be_captured_runs_without_a_graph(make_model, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(function: object, batch: torch.Tensor) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(engine, "CudaGraph", refuse)
    model, images = DeviceModel(make_model(), CPU), images_for(make_model())
    expected = model(images)
    model.execution = "graph"
    with pytest.warns(UserWarning, match="Without CUDA graphs, as this model cannot be captured: operation") as told:
        answers = [model(images) for _ in range(4)]
    assert all(torch.equal(answer, expected) for answer in answers)
    assert len(told) == 1


# On a CUDA device that is not there


@pytest.fixture
def imagined_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fake tensors on a CUDA device: nothing is computed, but shapes, dtypes and layouts are what they would be."""
    if torch.version.cuda is None:
        pytest.skip("this PyTorch knows no CUDA")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(stock_neuron, "_runs_fused", lambda _device: True)


def imagined(model: nn.Module) -> dict[str, torch.Tensor]:
    """The model's tensors on the imagined device."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {
        name: torch.empty_strided(t.shape, t.stride(), dtype=t.dtype, device=CUDA).requires_grad_(t.requires_grad)
        for name, t in tensors.items()
    }


def channels_last(x: torch.Tensor) -> bool:
    frames = x.flatten(0, 1) if x.ndim == 5 else x
    return frames.ndim != 4 or frames.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.usefixtures("imagined_cuda")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("ratio", [0.0, 0.5])
@pytest.mark.parametrize("name", CONFIGS)
def test_every_family_runs_on_an_imagined_device(name: str, ratio: float, precision: str) -> None:
    model = calibrated(CONFIGS[name]).float()
    model = prune(model, PruningPlan({group.name: ratio for group in channel_groups(model)}))
    prepared = DeviceModel(model, CPU).model
    dtypes: set[tuple[torch.dtype, torch.dtype]] = set()
    scattered: list[str] = []

    def look(module: nn.Module, inputs: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        if isinstance(module, LIFNode):
            dtypes.add((inputs[0].dtype, out.dtype))
        elif not channels_last(out):
            scattered.append(type(module).__name__)

    for module in prepared.modules():
        if isinstance(module, (LIFNode, nn.Conv2d)):
            module.register_forward_hook(look)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        images = torch.empty(images_for(model).shape, device=CUDA).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bfloat16"):
            logits = torch.func.functional_call(prepared, imagined(prepared), (images,))
    assert (logits.device, logits.dtype, tuple(logits.shape)) == (CUDA, torch.float32, (6, 3))
    assert all(current == spikes for current, spikes in dtypes)
    if precision == "float32":
        assert scattered == []
        assert dtypes == {(torch.float32, torch.float32)}
    else:
        # Sums run in float32 under autocast, so the neurons behind them read and write that.
        assert (torch.bfloat16, torch.bfloat16) in dtypes


@pytest.mark.usefixtures("imagined_cuda")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_loss_of_every_family_on_an_imagined_device(name: str, precision: str) -> None:
    """Backward would start a thread of autograd's on the device."""
    model = calibrated(CONFIGS[name]).float().train()
    recipe = Recipe(precision=precision, distillation=0.5)
    with FakeTensorMode(allow_non_fake_inputs=True):
        tensors = imagined(model)

        def student(images: torch.Tensor) -> torch.Tensor:
            return torch.func.functional_call(model, tensors, (images,))

        images = torch.empty(images_for(model).shape, device=CUDA)
        labels = torch.empty(len(images), dtype=torch.int64, device=CUDA)
        loss, logits = loss_of(student, student, images, labels, recipe)
    assert (loss.device, loss.dtype, logits.dtype) == (CUDA, torch.float32, torch.float32)
    assert loss.requires_grad


# On a CUDA device that is there


@needs_cuda
@pytest.mark.parametrize("execution", ["eager", "graph"])
@pytest.mark.parametrize("name", CONFIGS)
def test_every_family_answers_the_same_on_cuda(name: str, execution: str) -> None:
    """In float64 nothing flips a spike, so folding, layouts, graphs and copies are all that is tested."""
    model = calibrated(CONFIGS[name])
    images = images_for(model).double()
    prepared = DeviceModel(model, CUDA, execution=execution)
    with torch.no_grad():
        for batch in (images, images, images.flip(0), images[:2], images):
            torch.testing.assert_close(prepared(batch), model(batch), rtol=0, atol=1e-9)


@needs_cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_spikes_on_cuda_are_those_on_the_cpu(dtype: torch.dtype) -> None:
    x = (torch.randn(4, 3, 8, 9, 5, generator=torch.Generator().manual_seed(0)) * 2 + 0.5).to(dtype)
    last = x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, x.shape[:2])
    for current in (x, last, x[:1].expand(4, -1, -1, -1, -1), last[:1].expand(4, -1, -1, -1, -1)):
        spikes = LIFNode()(current.to(CUDA))
        assert spikes.dtype == dtype
        assert torch.equal(spikes.cpu().float(), LIFNode()(current.float()))


@needs_cuda
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_predicting_and_training_on_cuda(make_model, family: str, data: DataSet, precision: str) -> None:
    model = make_model(family)
    expected = predict(model, data.test).classes
    agreeing = predict(DeviceModel(model, CUDA, precision=precision), data.test, batch_size=7).classes == expected
    assert agreeing.mean() > (0.9 if precision == "float32" else 0.5)
    log = train(
        model, data.fit, Recipe(epochs=2, batch_size=16, precision=precision), options=TrainOptions(device=CUDA)
    )
    assert log[1]["loss"] < 2
    assert all(p.device == CPU for p in model.parameters())
