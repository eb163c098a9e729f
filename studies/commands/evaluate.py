"""Measure the accuracy of a model on the selection set or the test set."""

import argparse
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from primesvt.models import (
    DataSet,
    DeviceModel,
    ImageSet,
    Precision,
    Predictions,
    batch_size_of,
    config_of,
    device_model,
    find_device,
    predict,
)
from primesvt.models.options import check_options, option

from ..reporting.evaluated import Evaluated
from ..running.progress import bar
from .arguments import add_data, add_device, add_images, add_json, add_model, open_model_and_data, print_result
from .options import add_options, options_of


@dataclass(frozen=True, kw_only=True)
class Asked:
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

    def __post_init__(self) -> None:
        check_options(self)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    add_data(parser)
    add_device(parser)
    add_options(parser, Asked)
    add_images(parser, "only N images, always the same (default: all)")
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    result = evaluated_as(args, *open_model_and_data(args, options_of(args, Asked).split))
    print_result(args, result.to_json(), result.text)


def evaluated_as(args: argparse.Namespace, model: nn.Module, data: DataSet) -> Evaluated:
    """Ask a model as the options say.

    Args:
        args: The options.
        model: Any model of PrimeSVT.
        data: Its data set.

    Raises:
        PrimeSVTError: The device is missing, or the images do not fit the model.
    """
    asked, device = options_of(args, Asked), find_device(args.device)
    images = data.role(asked.split).first(args.images)
    return Evaluated(
        predictions=_predict(model, images, device, asked.precision),
        data=data.name,
        split=asked.split,
        precision=asked.precision,
        exact=_predict(model, images, device, "float32") if asked.precision != "float32" else None,
    )


def _predict(model: nn.Module, images: ImageSet, device: torch.device, precision: Precision) -> Predictions:
    seen, prepared = 0, device_model(model, device, precision)
    # That of every other batch: a CUDA graph is of one shape.
    batch = batch_size_of(config_of(model))
    with bar(f"evaluate in {precision}" if precision != "float32" else "evaluate") as progress:

        def count(answered: int) -> None:
            nonlocal seen
            seen += answered
            progress.update(seen, len(images))

        # Kernels are compiled, and shapes tried out, before the clock runs.
        if isinstance(prepared, DeviceModel) and device.type != "cpu":
            prepared.warm_up(next(images.batches(prepared.config, batch))[0])
        else:
            predict(prepared, images.first(batch))
        return predict(prepared, images, on_batch=count)
