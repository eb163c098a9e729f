"""Exported files answer as the model does: run by onnxruntime and by PyTorch, pruned or not, for every batch."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from primesvt.models import FAMILIES, LIFNode, PrimeSVTError, config_of, config_type
from primesvt.models.export import DESCRIPTION, IR_VERSION, OPSET, description, export_onnx, export_pt2, whole_file
from primesvt.models.layers.stream_index import StreamIndex
from primesvt.pruning import PruningPlan, prunable_layers, prune
from primesvt.pruning.family_contract import lively_model

from ..conftest import small_config

# One export takes seconds, so these two stand for all; the slow tests go through the rest.
FAST = ("spike-driven-transformer", "spikformer")
COMMON: dict[str, Any] = {
    "in_channels": 1,
    "image_size": (8, 8),
    "classes": ("a", "b", "c"),
    "mean": (0.5,),
    "std": (0.5,),
    "time_steps": 2,
    "mlp_ratio": 2.0,
    "attention_threshold": 0.05,
    "heads": 2,
}
EVERY: dict[str, dict[str, Any]] = {
    "spike-driven-transformer": {"embed_dim": 16, "depth": 2, "pooling": "0011"},
    "spikformer": {"embed_dim": 16, "depth": 2, "pooling": "0011"},
    "meta-spikeformer": {"embed_dim": 16, "depth": 2, "image_size": (32, 32)},
    "qkformer": {"embed_dim": 32, "depth": 4, "variant": "imagenet", "image_size": (16, 16)},
    "maxformer": {"embed_dim": 32, "depth": 4, "variant": "imagenet", "image_size": (16, 16)},
}
BATCHES = (1, 3, 16)


def lively(family: str, **sizes: int) -> nn.Module:
    return lively_model(small_config(family, **sizes)).float()


def halved(model: nn.Module) -> nn.Module:
    """With half of every layer, so that every writer is narrowed."""
    pruned = prune(model, PruningPlan({layer.name: 0.5 for layer in prunable_layers(model)}))
    assert any(isinstance(m, StreamIndex) and m.channels is not None for m in pruned.modules())
    return pruned


def images(count: int, size: tuple[int, int] = (8, 8)) -> torch.Tensor:
    return torch.randn((count, 1, *size), generator=torch.Generator().manual_seed(count))


def answers(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return model(batch)


def onnx_answers(file: Path, batch: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logits"], {"images": batch.numpy()})[0])


def check_onnx(model: nn.Module, file: Path) -> None:
    batches = [images(count, config_of(model).image_size) for count in BATCHES]
    expected = torch.cat([answers(model, batch) for batch in batches])
    found = torch.cat([onnx_answers(file, batch) for batch in batches])
    assert len(expected.unique(dim=0)) > 10
    # On another processor the rounding of a convolution may flip a spike of an image or two.
    near = (found - expected).abs().amax(1) < 1e-5
    assert near.float().mean() >= 0.9
    assert torch.equal(found[near].argmax(1), expected[near].argmax(1))


def check_pt2(model: nn.Module, file: Path) -> torch.export.ExportedProgram:
    extra = {DESCRIPTION: ""}
    program = torch.export.load(file, extra_files=extra)
    assert json.loads(extra[DESCRIPTION]) == json.loads(json.dumps(description(config_of(model))))
    answer = program.module()
    for count in BATCHES:
        batch = images(count, config_of(model).image_size)
        assert torch.equal(answers(answer, batch), answers(model, batch))
    return program


@dataclass(frozen=True)
class Written:
    """A pruned model and its ONNX file."""

    model: nn.Module
    file: Path
    proto: onnx.ModelProto


# Every family is written in its contract.
@pytest.fixture(scope="module", params=FAST[:1])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    model = halved(lively(request.param, depth=1))
    file = tmp_path_factory.mktemp("onnx") / "model.onnx"
    result = export_onnx(model, file)
    assert result.to_json() == {
        "format": "onnx",
        "opset": OPSET,
        "bytes": file.stat().st_size,
        "inputs": {"images": ("batch", 1, 8, 8)},
        "outputs": {"logits": ("batch", 3)},
    }
    return Written(model, file, onnx.load(file))


def test_onnxruntime_answers_as_the_pruned_model(written: Written) -> None:
    check_onnx(written.model, written.file)


def test_the_file_is_standard_onnx(written: Written) -> None:
    proto = written.proto
    onnx.checker.check_model(proto, full_check=True)
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [("", OPSET)]
    assert proto.ir_version == IR_VERSION
    assert {node.domain for node in proto.graph.node} == {""}
    assert not proto.functions
    assert [file.name for file in written.file.parent.iterdir()] == ["model.onnx"]


def test_the_graph_is_lean(written: Written) -> None:
    """A neuron is a handful of element-wise operations per step; nothing is computed that is known before."""
    kinds = [node.op_type for node in written.proto.graph.node]
    neurons, steps = kinds.count("Split"), config_of(written.model).time_steps
    assert kinds.count("GreaterOrEqual") == kinds.count("Div") == neurons * steps
    assert kinds.count("Where") == kinds.count("Sub") == neurons * (steps - 1)
    assert kinds.count("Cast") == kinds.count("Concat") == neurons
    assert not {"Shape", "BatchNormalization", "ScatterElements", "ScatterND", "Loop", "SequenceAt"} & set(kinds)
    types = {tensor.data_type for tensor in written.proto.graph.initializer}
    types |= {value.type.tensor_type.elem_type for value in written.proto.graph.value_info}
    assert types <= {onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL}


def test_the_file_says_what_a_deployer_must_know(written: Written) -> None:
    proto, config = written.proto, config_of(written.model)
    said = {entry.key: json.loads(entry.value) for entry in proto.metadata_props}
    assert said == json.loads(json.dumps(description(config)))
    assert (said["classes"], said["mean"], said["std"]) == (["a", "b", "c"], [0.5], [0.5])
    assert said["config"]["family"] == config.family
    assert proto.producer_name == "PrimeSVT"
    # Notes of the exporter would tell where the source files of the machine lie.
    assert b".py" not in written.file.read_bytes()


def test_how_images_are_resized_is_said() -> None:
    said = description(replace(small_config("spikformer"), crop_fraction=0.8, interpolation="bicubic"))
    assert (said["crop_fraction"], said["interpolation"]) == (0.8, "bicubic")
    assert "cover 10x10 (bicubic, smoothed); cut 8x8 out of the middle" in said["resizing"]
    said = description(small_config("spikformer"))
    assert (said["crop_fraction"], said["interpolation"]) == (None, "bilinear")
    assert "cover 8x8 (bilinear, smoothed); cut 8x8" in said["resizing"]


@pytest.mark.parametrize("family", FAST)
def test_pt2_answers_bit_for_bit_as_the_pruned_model(family: str, tmp_path: Path) -> None:
    model, file = halved(lively(family, depth=1)), tmp_path / "model.pt2"
    result = export_pt2(model, file)
    assert (result.format, result.opset, result.bytes) == ("pt2", None, file.stat().st_size)
    program = check_pt2(model, file)
    namespaces = {str(node.target).split(".")[0] for node in program.graph.nodes if node.op == "call_function"}
    assert namespaces == {"aten", "<built-in function getitem>"}
    assert b"spikformer.py" not in file.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family(family: str, pruned: bool, tmp_path: Path) -> None:
    model = lively_model(config_type(family).uniform(**{**COMMON, **EVERY[family]})).float()
    model = halved(model) if pruned else model
    export_onnx(model, tmp_path / "model.onnx")
    check_onnx(model, tmp_path / "model.onnx")
    export_pt2(model, tmp_path / "model.pt2")
    check_pt2(model, tmp_path / "model.pt2")


@pytest.mark.parametrize("export", [export_onnx, export_pt2])
def test_a_model_whose_images_meet_needs_a_fixed_batch(export, tmp_path: Path) -> None:
    """PyTorch's exporters would fall back to the batch that they saw, and say nothing."""
    sizes = {**COMMON, "embed_dim": 32, "depth": 3, "variant": "cifar", "time_steps": 1, "batch_coupling": True}
    model = lively_model(config_type("qkformer").uniform(**sizes)).float()
    with pytest.raises(
        PrimeSVTError, match="for batches of any size; fix it with --batch-size 1: Constraints violated"
    ):
        export(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("tau", "threshold"), [(2.0, 1.0), (1.1, 0.3), (3.7, 1.3), (100.0, 0.01)])
def test_an_exported_neuron_fires_bit_for_bit_as_the_kernel(tau: float, threshold: float) -> None:
    x = torch.randn((5, 2000), generator=torch.Generator().manual_seed(1)) * 2 + 0.5
    node = LIFNode(tau=tau, v_threshold=threshold)
    program = torch.export.export(node, (x,), strict=False)
    assert torch.equal(program.module()(x), node(x))
    assert node(x).any()


def test_an_exported_writer_writes_the_same_channels() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.index = StreamIndex(3, 7)
            self.index.channels.copy_(torch.tensor([1, 4, 6]))

        def forward(self, stream: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.index.scatter(x), self.index.add(stream, x)

    stream, x = torch.randn(2, 4, 7, 5, 5), torch.randn(2, 4, 3, 5, 5)
    scattered, added = torch.export.export(Both(), (stream, x), strict=False).module()(stream, x)
    assert torch.equal(scattered, Both()(stream, x)[0])
    assert torch.equal(added, Both()(stream, x)[1])
    assert scattered[:, :, 1].any()
    assert not scattered[:, :, 0].any()


def test_a_model_of_another_dtype_is_exported_in_float32_and_left_as_it_is(tmp_path: Path) -> None:
    model = lively("spikformer", depth=1, time_steps=1).double().train()
    result = export_pt2(model, tmp_path / "model.pt2", batch=2)
    assert result.inputs == {"images": (2, 1, 8, 8)}
    assert model.training
    assert all(p.dtype == torch.float64 and p.requires_grad for p in model.parameters())
    logits = torch.export.load(tmp_path / "model.pt2").module()(images(2))
    assert logits.dtype == torch.float32
    assert torch.equal(logits, answers(model.float().eval(), images(2)))


@pytest.mark.parametrize("batch", [0, -1, 10**9])
@pytest.mark.parametrize("export", [export_onnx, export_pt2])
def test_a_batch_that_is_no_size(export, batch: int, tmp_path: Path) -> None:
    with pytest.raises(PrimeSVTError, match=f"got {batch} images"):
        export(lively("spikformer", depth=1), tmp_path / "model", batch=batch)
    assert not list(tmp_path.iterdir())


def test_what_must_be_installed_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(PrimeSVTError, match="onnxscript is needed for that: pip install onnx onnxscript"):
        export_onnx(lively("spikformer", depth=1), tmp_path / "model.onnx")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("before")
    with pytest.raises(UnicodeEncodeError), whole_file(file) as partial:
        partial.write_text("half \ud800", encoding="utf-8")
    assert file.read_text() == "before"
    for place in (tmp_path, file / "below"):
        with pytest.raises(PrimeSVTError, match="Cannot write"), whole_file(place) as partial:
            partial.write_text("all")
    with whole_file(file) as partial:
        partial.write_text("all")
    assert file.read_text() == "all"
    assert [f.name for f in tmp_path.iterdir()] == ["file"]


def test_other_modules_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PrimeSVTError, match="Linear is no model of PrimeSVT"):
        export_pt2(nn.Linear(1, 1), tmp_path / "model.pt2")
