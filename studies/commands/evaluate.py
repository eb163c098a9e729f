"""Measure the accuracy of a model on the selection set or the test set."""

import argparse

from primesvt.models import BATCH_SIZE, predict

from ..arguments import add_data, add_json, add_model, open_model_and_data, print_result
from ..progress import bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    add_data(parser)
    parser.add_argument(
        "--split",
        choices=("selection", "test"),
        default="test",
        help="which images: those a search looks at, or the unseen ones (default: %(default)s)",
    )
    parser.add_argument("--limit", metavar="N", type=int, help="only N images, always the same (default: all)")
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    model, data = open_model_and_data(args)
    images = data.role(args.split).first(args.limit)
    seen = 0
    # Kernels are compiled, and shapes tried out, before the clock runs.
    predict(model, images.first(BATCH_SIZE))
    with bar("evaluate") as progress:

        def count(batch: int) -> None:
            nonlocal seen
            seen += batch
            progress.update(seen, len(images))

        predictions = predict(model, images, on_batch=count)
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
        f"accuracy {predictions.accuracy:.2%} on {len(images):,} {args.split} images of {data.name} "
        f"(95 % interval {low:.2%} to {high:.2%}), {speed:,.0f} images/s"
    )
    if predictions.reason is not None:
        text += f"\nasked by PyTorch's own kernels, as {predictions.reason}"
    print_result(args, result, text)
