"""Writing a model as one file that other programs run: ONNX, PyTorch's own ``.pt2``, or an official code's checkpoint.

The first two hold the forward pass for static images: input ``images``, float32 ``[N, C, H, W]``, normalised by the
mean and the standard deviation that lie in the file; output ``logits``, float32 ``[N, classes]``. The T time steps are
unrolled into plain operations, without a custom operator, so neither PrimeSVT nor SpikingJelly is needed to run them.
Event sequences bring their own T, and cannot be exported.

The operations are those of the model in the same order, but a runtime may fuse or reorder them: logits then differ by
rounding, and where a membrane potential lies within rounding of its threshold, by one spike.
"""

import copy
import importlib
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .checkpoints.official_state import official_state
from .errors import PrimeSVTError
from .families.config import ModelConfig
from .families.registry import config_of
from .whole_file import whole_file

# The oldest operator set that PyTorch's exporter writes, so that old runtimes read the file, and the format version
# that came with it: onnxruntime 1.14 and newer.
OPSET = 18
IR_VERSION = 8
# What a protocol buffer can hold; beyond it ONNX needs a second file for the weights.
MAX_ONNX_BYTES = 2**31 - 1
# Of a batch of images; a mistyped number would claim all memory.
MAX_INPUT_BYTES = 2**31
# Name of the file with the description inside a ``.pt2`` archive.
DESCRIPTION = "primesvt.json"
INPUT, OUTPUT, BATCH = "images", "logits", "batch"

Shapes = Mapping[str, tuple[int | str, ...]]


@dataclass(frozen=True)
class ExportedFile:
    """A file that was written.

    Args:
        format: ``onnx``, ``pt2`` or ``state-dict``.
        opset: Version of ONNX's operator set; None where the format has none.
        bytes: Size of the file.
        inputs: Shape of every input by name; a size that may vary is a name.
        outputs: The same of the outputs.
        float_bytes: Size that the file would have with weights in float32; None where they are.
    """

    format: str
    opset: int | None
    bytes: int
    inputs: Shapes
    outputs: Shapes
    float_bytes: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data; what was not asked for is not in it."""
        data = asdict(self)
        if self.float_bytes is None:
            del data["float_bytes"]
        return data


def export_onnx(model: nn.Module, file: str | Path, *, batch: int | None = None, int8: bool = False) -> ExportedFile:
    """Write a model as an ONNX file of standard operators, weights inside, whole or not at all.

    The file's metadata hold the configuration, the class names, mean and std, each as JSON.

    Args:
        model: Any model of PrimeSVT, pruned or not; it is left as it is.
        file: Where to; what is there is replaced.
        batch: Number of images of a batch; None where it may vary.
        int8: Whether weights are stored as whole numbers of a byte, see :mod:`primesvt.models.quantized_onnx`.

    Raises:
        PrimeSVTError: onnx or onnxscript is missing, the batch is no size, the model cannot be expressed in ONNX or is
            larger than 2 GiB, or the file cannot be written.
    """
    require("onnx", "onnxscript")
    config = config_of(model)
    captured = _captured(model, config, batch)
    with silenced():
        try:
            program = torch.onnx.export(
                captured,
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=_dynamic(batch),
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise PrimeSVTError(f"This model cannot be written as ONNX: {str(error).splitlines()[0]}") from error
    assert program is not None  # noqa: S101 - no file was passed, so the program is returned
    proto = _described(program, config)
    _check_standard(proto)
    if proto.ByteSize() > MAX_ONNX_BYTES:
        raise PrimeSVTError("The model is larger than 2 GiB, more than one ONNX file holds; export it as pt2.")
    if not int8:
        return _written(file, proto.SerializeToString(deterministic=True), config, "onnx", OPSET, batch)
    before = proto.ByteSize()
    importlib.import_module("primesvt.models.quantized_onnx").quantize_weights(proto)
    written = _written(file, proto.SerializeToString(deterministic=True), config, "onnx", OPSET, batch)
    return replace(written, float_bytes=before)


def export_pt2(model: nn.Module, file: str | Path, *, batch: int | None = None) -> ExportedFile:
    """Write a model as an archive of :func:`torch.export.save`, whole or not at all.

    Its extra file ``primesvt.json`` holds the configuration, the class names, mean and std.

    Args:
        model: Any model of PrimeSVT, pruned or not; it is left as it is.
        file: Where to; what is there is replaced.
        batch: Number of images of a batch; None where it may vary.

    Raises:
        PrimeSVTError: The batch is no size, or the file cannot be written.
    """
    config = config_of(model)
    program = _captured(model, config, batch)
    _strip(program)
    archive = BytesIO()
    with silenced():
        torch.export.save(program, archive, extra_files={DESCRIPTION: json.dumps(description(config))})
    return _written(file, archive.getvalue(), config, "pt2", None, batch)


def export_state_dict(model: nn.Module, file: str | Path, *, batch: int | None = None) -> ExportedFile:
    """Write a model as the checkpoint that its official code would have saved, a ``.pth`` of its state dict.

    Args:
        model: A model whose widths that code can build: unpruned, or pruned alike in all of its MLPs.
        file: Where to; what is there is replaced.
        batch: Weights know no batch; it must be None.

    Raises:
        PrimeSVTError: That code cannot build this model, a batch is given, or the file cannot be written.
    """
    if batch is not None:
        raise PrimeSVTError("A state dict takes batches of any size; leave --batch-size out.")
    config = config_of(model)
    state, _ = official_state(model)
    archive = BytesIO()
    torch.save(state, archive)
    return _written(file, archive.getvalue(), config, "state-dict", None, None)


def description(config: ModelConfig) -> dict[str, Any]:
    """How a deployer has to prepare an image for a model, and what its logits mean, as plain data."""
    return {
        "config": {"family": config.family, **config.to_json()},
        "classes": list(config.classes),
        "mean": list(config.mean),
        "std": list(config.std),
        "normalisation": "scale to [0, 1], subtract the mean of the channel, divide by its std",
        "crop_fraction": config.crop_fraction,
        "interpolation": config.interpolation,
        "resizing": config.resizing.told(config.image_size),
    }


def require(*packages: str) -> None:
    """Import packages that only exporting needs.

    Raises:
        PrimeSVTError: One of them is not installed; the message says how to install them.
    """
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise PrimeSVTError(f"{package} is needed for that: pip install {' '.join(packages)}") from error


@contextmanager
def silenced() -> Iterator[None]:
    """Silence what PyTorch prints, warns and logs about its own work on exported files."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _captured(model: nn.Module, config: ModelConfig, batch: int | None) -> torch.export.ExportedProgram:
    """The forward pass of a copy that answers in float32 on the CPU, in evaluation mode, and learns nothing."""
    images = _example(config, batch)
    copied = copy.deepcopy(model).float().cpu().eval().requires_grad_(False)
    try:
        with silenced(), torch.no_grad():
            return torch.export.export(copied, (images,), dynamic_shapes=_dynamic(batch), strict=False)
    except RuntimeError as error:
        # Such as a model whose neurons run over the images of a batch: there is one step to unroll for each.
        size = "batches of any size; fix it with --batch-size 1" if batch is None else f"batches of {batch}"
        cause = str(error).partition(" For more information")[0].splitlines()[0]
        raise PrimeSVTError(f"This model cannot be exported for {size}: {cause}") from error


def _example(config: ModelConfig, batch: int | None) -> torch.Tensor:
    # A batch of one would be taken for a constant.
    count = 2 if batch is None else batch
    size = 4 * count * config.in_channels * config.image_size[0] * config.image_size[1]
    if count < 1 or size > MAX_INPUT_BYTES:
        raise PrimeSVTError(f"A batch must hold at least one image and at most 2 GiB of pixels, got {count} images.")
    return torch.zeros(count, config.in_channels, *config.image_size)


def _dynamic(batch: int | None) -> dict[str, Any] | None:
    return {INPUT: {0: torch.export.Dim(BATCH, min=1)}} if batch is None else None


def _written(
    file: str | Path, data: bytes, config: ModelConfig, kind: str, opset: int | None, batch: int | None
) -> ExportedFile:
    with whole_file(file) as partial:
        partial.write_bytes(data)
    count = BATCH if batch is None else batch
    inputs = {INPUT: (count, config.in_channels, *config.image_size)}
    return ExportedFile(kind, opset, len(data), inputs, {OUTPUT: (count, len(config.classes))})


def _strip(program: torch.export.ExportedProgram) -> None:
    """Drop what only the exporting machine knows (paths of its source files), and checks of what is known."""
    graph = program.graph_module.graph
    for node in graph.nodes:
        node.meta.pop("stack_trace", None)
        if node.target is torch.ops.aten._assert_tensor_metadata.default:
            graph.erase_node(node)
    program.graph_module.recompile()
    program.example_inputs = None


def _described(program: torch.onnx.ONNXProgram, config: ModelConfig) -> Any:
    """The model as a protocol buffer, with its description in place of the exporter's notes (paths of source files)."""
    common = importlib.import_module("onnx_ir.passes.common")
    common.ClearMetadataAndDocStringPass()(program.model)
    model = program.model
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "PrimeSVT", version("primesvt")
    model.metadata_props.update({name: json.dumps(value) for name, value in description(config).items()})
    return program.model_proto


def _check_standard(proto: Any) -> None:
    """Refuse an operator that not every runtime has."""
    # Functions and custom operators both have a domain of their own.
    odd = sorted({f"{node.domain}.{node.op_type}" for node in proto.graph.node if node.domain not in ("", "ai.onnx")})
    if odd or len(proto.functions):
        raise PrimeSVTError(f"This model needs operators that are not standard ONNX: {', '.join(odd) or 'functions'}.")
