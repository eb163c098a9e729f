"""Write a model as one file that other programs run, ONNX or PyTorch's .pt2, and check that it answers the same.

The file takes static images, float32 [N, C, H, W], normalised by the mean and the std that it holds; event sequences
cannot be exported. With --to state-dict it is the checkpoint of the model's official code instead, where that code can
build a model of these widths.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from torch import nn

from primesvt.models import (
    Accuracy,
    ExportedFile,
    ImageSet,
    PrimeSVTError,
    export_onnx,
    export_pt2,
    independent,
    load_model,
    whole_file,
)
from primesvt.models.export import Shapes, export_state_dict, require

from ..reporting.output_file import check_file
from ..reporting.tables import table
from ..running.exported import Runner, Verification, run_onnx, run_pt2, run_state_dict, verify
from ..running.progress import bar, say
from .arguments import add_images, add_json, add_model, positive, print_result
from .model_and_data import add_data, open_data_for


class Export(Protocol):
    """Writes a model as a file."""

    def __call__(self, model: nn.Module, file: Path, *, batch: int | None) -> ExportedFile:
        """Write the file whole or not at all; ``batch`` is None where the number of images may vary."""


@dataclass(frozen=True)
class Target:
    """What a model can be written as.

    Args:
        export: Writes the file.
        run: Opens the file; of the model it needs what the file does not say.
        traced: Whether writing means to trace the model, which takes long.
        packages: What writing and opening import.
    """

    export: Export
    run: Callable[[Path, nn.Module], Runner]
    traced: bool
    packages: tuple[str, ...] = ()


TARGETS: Mapping[str, Target] = {
    "onnx": Target(export_onnx, run_onnx, True, ("onnx", "onnxscript", "onnxruntime")),
    "pt2": Target(export_pt2, run_pt2, True),
    "state-dict": Target(export_state_dict, run_state_dict, False),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument("--to", choices=tuple(TARGETS), required=True, help="format of the file")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, type=Path, help="the file to write")
    parser.add_argument(
        "--batch-size",
        metavar="dynamic|N",
        type=batch_size,
        default="dynamic",
        help="how many images the file takes at once: any number, or always N (default: %(default)s)",
    )
    parser.add_argument(
        "--quantize",
        choices=("int8",),
        help="store the weights of an ONNX file as int8, with a scale for every output channel (default: float32)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file where it exists")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="run the file on test images and compare it with the model; where less than 99 %% of the classes agree, "
        "no file is written, unless its weights are quantized",
    )
    add_data(parser)
    add_images(parser, "verify on only N images, always the same")
    add_json(parser)


def batch_size(text: str) -> int | None:
    """``dynamic``, or a whole number of at least 1."""
    return None if text == "dynamic" else positive(text)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    target = TARGETS[args.to]
    if args.quantize is not None and args.to != "onnx":
        raise PrimeSVTError(f"--quantize is for ONNX files; --to {args.to} stores what the model stores.")
    _check_output(args)
    require(*target.packages)
    stored = load_model(args.model)
    model = independent(stored)
    if model is not stored:
        say("note: in this model the images of a batch meet; the file answers every image for itself.")
    images = _images(args, model)
    if target.traced:
        say(f"tracing the model for {args.to}; a large one takes minutes")
    with whole_file(args.output) as file:
        export = target.export if args.quantize is None else partial(export_onnx, int8=True)
        exported = export(model, file, batch=args.batch_size)
        verification = _verify(model, target.run(file, model), images) if images is not None else None
        if verification is not None and args.quantize is None:
            verification.check()
    result = {
        "file": str(args.output),
        **exported.to_json(),
        "verify": verification.to_json() if verification else None,
    }
    print_result(args, result, _text(args.output, exported, verification))


def _check_output(args: argparse.Namespace) -> None:
    if not args.verify and (args.data is not None or args.images is not None):
        raise PrimeSVTError("--data and --images say what is verified: pass --verify, too.")
    check_file(args.output)
    if args.output.exists() and not args.overwrite:
        raise PrimeSVTError(f"{args.output} exists; choose another file, or pass --overwrite.")


def _images(args: argparse.Namespace, model: nn.Module) -> ImageSet | None:
    """The images to verify on; None where nothing is verified."""
    if not args.verify:
        return None
    return open_data_for(args, model, "test").test.first(args.images)


def _verify(model: nn.Module, runner: Runner, images: ImageSet) -> Verification:
    with bar("verify") as progress:
        return verify(model, runner, images, on_batch=progress.counting(len(images)))


def _text(file: Path, exported: ExportedFile, verification: Verification | None) -> str:
    opset = f", opset {exported.opset}" if exported.opset is not None else ""
    text = (
        f"{file}: {exported.format}{opset}, {exported.bytes:,} bytes\n"
        f"{_saved(exported)}input {_shapes(exported.inputs)}, output {_shapes(exported.outputs)}"
    )
    if verification is None:
        return text
    v = verification
    latency = f"ms per image (batch {v.latency_batch}, {v.threads} thread{'s' if v.threads > 1 else ''})"
    rows = (
        ("model", _accuracy(v.accuracy_model, v.images), f"{v.latency_model:.2f}"),
        (exported.format, _accuracy(v.accuracy_file, v.images), f"{v.latency_file:.2f}"),
    )
    return (
        f"{text}\n\n{table(('', f'accuracy on {v.images:,} images', latency), rows)}\n\n"
        f"same class on {v.agreement:.2%} of the images, logits at most {v.logit_difference:.2g} apart"
    )


def _saved(exported: ExportedFile) -> str:
    """What quantizing saved, a line; nothing where weights are float32."""
    if exported.float_bytes is None:
        return ""
    return (
        f"weights in int8: {1 - exported.bytes / exported.float_bytes:.2%} less than {exported.float_bytes:,} bytes\n"
    )


def _accuracy(share: float, images: int) -> str:
    low, high = Accuracy(right=round(share * images), images=images).interval
    return f"{share:.2%} [{low:.2%}, {high:.2%}]"


def _shapes(shapes: Shapes) -> str:
    return ", ".join(f"{name} [{', '.join(map(str, shape))}]" for name, shape in shapes.items())
