"""Measure the accuracy of a model on the selection set or the test set."""

import argparse
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from primesvt.models import (
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

from ..reporting.measurement import Measurement
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
    asked, device = options_of(args, Asked), find_device(args.device)
    model, data = open_model_and_data(args, asked.split)
    images = data.role(asked.split).first(args.images)
    predictions = _predict(model, images, device, asked.precision)
    low, high = predictions.interval
    speed = len(images) / predictions.seconds
    result = {
        "accuracy": predictions.accuracy,
        "images": len(images),
        "interval": [low, high],
        "images_per_second": speed,
        "engine": "PyTorch" if predictions.reason else "PrimeSVT",
    }
    text = (
        f"accuracy {predictions.accuracy:.2%} on {len(images):,} {asked.split} images of {data.name} "
        f"(95 % interval {low:.2%} to {high:.2%}), {speed:,.0f} images/s"
    )
    if predictions.reason is not None:
        text += f"\nasked by PyTorch's own kernels, as {predictions.reason}"
    if asked.precision != "float32":
        facts, sentence = _compared(predictions, _predict(model, images, device, "float32"))
        result |= {"precision": asked.precision, "against_float32": facts}
        text += f"\n{asked.precision}, compared with float32 on the same images: {sentence}"
    print_result(args, result, text)


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


def _compared(predictions: Predictions, exact: Predictions) -> tuple[dict[str, Any], str]:
    """What a lower precision changed, as plain data and in words."""
    paired = Measurement.compare(predictions, exact)
    low, high = paired.drop_interval
    changed = int(np.sum(predictions.classes != exact.classes))
    facts = {
        "accuracy": exact.accuracy,
        "images_per_second": len(exact.labels) / exact.seconds,
        "changed": changed,
        "lost": paired.lost,
        "gained": paired.gained,
        "drop": paired.drop,
        "drop_interval": [low, high],
    }
    sentence = (
        f"{changed:,} of {paired.images:,} classes change, {paired.lost:,} right ones are lost and {paired.gained:,} "
        f"gained: {paired.drop:.2f} points lost (95 % interval {low:.2f} to {high:.2f}) of {exact.accuracy:.2%}"
    )
    return facts, sentence
