"""Measure how robust each layer is: the accuracy when it alone is pruned, at several rates."""

import argparse
from pathlib import Path

from torch import nn

from primesvt.models import DataSet
from primesvt.pruning import PruningPlan, Robustness, measure_robustness
from primesvt.search import Evaluator
from primesvt.search.samplers import PrioritizedOptions

from ..reporting.output_file import check_file, write_text
from ..reporting.report import robustness_page
from ..reporting.tables import table
from ..running.problem import layers_of
from ..running.progress import bar
from ..running.settings import StudySettings
from .arguments import add_json, add_model, print_result
from .backend import add_backend, add_cache, backend_of
from .model_and_data import add_data, open_model_and_data
from .options import add_options, options_of
from .search_options import UNSET

_OPTIONS = ("criterion", "calibration", "images", "embedding", "layers", "exclude_layers", "multiple")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    add_data(parser)
    add_options(parser, PrioritizedOptions, only=("rates",))
    add_options(parser, StudySettings, only=_OPTIONS, unset=UNSET)
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a heatmap, too")
    add_backend(parser, "measured")
    add_cache(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    backend_of(args)
    if args.html is not None:
        check_file(args.html)
    robustness, images = robustness_as(args, *open_model_and_data(args))
    if args.html is not None:
        write_text(args.html, robustness_page(robustness))
    print_result(args, robustness.to_json(), robustness_text(robustness, images))


def robustness_as(args: argparse.Namespace, model: nn.Module, data: DataSet) -> tuple[Robustness, int]:
    """The robustness that the options ask for, and the number of images that it was measured on.

    Args:
        args: The options.
        model: The unpruned model.
        data: The data set.

    Raises:
        PrimeSVTError: The options make no sense for this model and data.
    """
    rates, settings = options_of(args, PrioritizedOptions).rates, options_of(args, StudySettings)
    layers = layers_of(settings, model)
    calibration = settings.calibration_of(data)
    evaluator = Evaluator(
        model, settings.selection(data), cache=args.cache, calibration=calibration, backend=backend_of(args)
    )
    plans = len(layers) * len(rates) + 1
    with bar("robustness") as progress:
        progress.update(0, plans)
        count = progress.counting(plans)

        def accuracy(plan: PruningPlan) -> float:
            value = evaluator.evaluate(plan).accuracy
            count(1)
            return value

        measured = measure_robustness(layers, rates, accuracy, criterion=settings.criterion, multiple=settings.multiple)
    return measured, len(evaluator.images)


def robustness_text(robustness: Robustness, images: int) -> str:
    """For a person: a row for every layer, a column for every ratio."""
    rates = next(iter(robustness.layers.values()))
    rows = [[layer, *(f"{row[rate]:.2%}" for rate in rates)] for layer, row in robustness.layers.items()]
    return (
        f"accuracy of the unpruned model: {robustness.accuracy:.2%} ({images:,} selection images)\n"
        "accuracy with one layer pruned, by the ratio of its channels removed; the largest layer first\n"
        + table(["layer", *(f"{rate:g}" for rate in rates)], rows)
    )
