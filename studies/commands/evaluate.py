"""Measure the accuracy of a model on the selection set or the test set."""

import argparse
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn

from primesvt.models import (
    Backend,
    DataSet,
    DeviceModel,
    ImageSet,
    Precision,
    Predictions,
    batch_size_of,
    config_of,
    device_model,
    find_device,
    load_model,
    model_bytes,
    predict,
    stored_bytes,
)
from primesvt.models.options import check_options, option

from ..reporting.evaluated import Against, Evaluated
from ..running.in_turn import answers_in_turn, check_comparable
from ..running.progress import bar
from .arguments import add_device, add_images, add_json, add_model, print_result
from .model_and_data import add_data, open_model_and_data
from .options import add_options, options_of


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """What is measured, and how.

    Raises:
        PrimeSVTError: A value makes no sense.
    """

    split: Literal["selection", "test"] = option(
        "test", help="which images: those a search looks at, or the unseen ones"
    )
    precision: Precision = option(
        "float32", help="of convolutions and matrix products; bfloat16 is compared with float32 on the same images"
    )
    engine: Literal["primesvt", "torch"] = option(
        "primesvt",
        help="what answers on the CPU: PrimeSVT's engine, the same on every processor, or torch, PyTorch's plain "
        "forward pass, whose sums are rounded in the processor's order",
    )

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def backend(self) -> Backend:
        """What answers for a model that is prepared for its device."""
        return Backend(engine=self.engine == "primesvt")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    add_data(parser)
    add_device(parser)
    add_options(parser, EvaluateOptions)
    parser.add_argument(
        "--against",
        metavar="MODEL",
        help="compare with this model, such as the unpruned one: points lost with their paired interval, equal "
        "classes, bytes and time, both asked in turn",
    )
    add_images(parser, "only N images, always the same (default: all)")
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    model, data = open_model_and_data(args, options_of(args, EvaluateOptions).split)
    result = evaluated_as(args, model, data, load_model(args.against) if args.against else None)
    print_result(args, result.to_json(), result.text)


def evaluated_as(
    args: argparse.Namespace, model: nn.Module, data: DataSet, original: nn.Module | None = None
) -> Evaluated:
    """Ask a model as the options say.

    Args:
        args: The options.
        model: Any model of PrimeSVT.
        data: Its data set.
        original: A model to compare it with.

    Raises:
        PrimeSVTError: The device is missing, the images do not fit the model, or the original does not.
    """
    options, device = options_of(args, EvaluateOptions), find_device(args.device)
    images = data.role(options.split).first(args.images)
    float32, against = replace(options, precision="float32"), None
    if original is not None:
        stored = _bytes(args.model, model), _bytes(args.against, original)
        against = _against((model, original), stored, images, device, options)
    return Evaluated(
        predictions=_predict(model, images, device, options) if against is None else against.predictions,
        data=data.name,
        split=options.split,
        precision=options.precision,
        exact=None if options.precision == "float32" else _predict(model, images, device, float32),
        against=against,
    )


def _bytes(name: str | None, model: nn.Module) -> int:
    """As they lie in the model's directory; of a model without one, those of its tensors."""
    return model_bytes(model) if name is None else stored_bytes(name)


def _against(
    models: tuple[nn.Module, nn.Module],
    stored: tuple[int, int],
    images: ImageSet,
    device: torch.device,
    options: EvaluateOptions,
) -> Against:
    """A model beside its original, with the bytes of both."""
    check_comparable(*models)
    prepared, other = (device_model(each, device, options.precision) for each in models)
    with bar("evaluate both in turn") as progress:
        answers = answers_in_turn(prepared, other, images, progress.counting(2 * len(images)), options.backend)
    return Against(predictions=answers[0], original=answers[1], bytes=stored[0], original_bytes=stored[1])


def _predict(model: nn.Module, images: ImageSet, device: torch.device, options: EvaluateOptions) -> Predictions:
    precision, backend = options.precision, options.backend
    prepared = device_model(model, device, precision)
    # That of every other batch: a CUDA graph is of one shape.
    batch = batch_size_of(config_of(model))
    with bar(f"evaluate in {precision}" if precision != "float32" else "evaluate") as progress:
        # Kernels are compiled, and shapes tried out, before the clock runs.
        if isinstance(prepared, DeviceModel) and device.type != "cpu":
            prepared.warm_up(next(images.batches(prepared.config, batch))[0])
        else:
            predict(prepared, images.first(batch), backend=backend)
        return predict(prepared, images, on_batch=progress.counting(len(images)), backend=backend)
