"""Repair a model that is pruned already: make it answer as its original does, without training."""

import argparse
from dataclasses import replace
from pathlib import Path

from torch import nn

from primesvt.models import DataSet, PrimeSVTError, check_free, config_of, load_model
from primesvt.pruning import (
    Pruner,
    PruningPlan,
    Reference,
    StepReport,
    kept_channels_of,
    load_plan,
    repair_steps,
    run_repair,
)

from ..running.model_output import plan_beside, write_model
from .arguments import add_json, add_output, add_overwrite, print_result
from .backend import backend_of
from .prune import add_repair, calibration_of, repair_text

# What is best without training: measured, see the README.
RECOMMENDED = ("least-squares",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="DIR", help="the pruned model")
    parser.add_argument("--original", metavar="MODEL", required=True, help="the model that it was before pruning")
    parser.add_argument(
        "--plan",
        metavar="FILE",
        type=Path,
        help="the plan that it was pruned by (default: the channels that it kept are found by its weights)",
    )
    add_repair(parser, ",".join(RECOMMENDED))
    add_output(parser, "the repaired model")
    add_overwrite(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    check_free(args.output, overwrite=args.overwrite)
    repaired, reports = repaired_as(args, load_model(args.model), load_model(args.original))
    write_model(repaired, args.output, overwrite=args.overwrite, plan=repaired_plan(args), options=args.options_text)
    result = {"repair": [report.to_json() for report in reports]}
    print_result(args, result, "\n".join([*repair_text(reports), f"repaired: {args.output}"]))


def repaired_as(
    args: argparse.Namespace,
    pruned: nn.Module,
    original: nn.Module,
    *,
    plan: PruningPlan | None = None,
    data: DataSet | None = None,
) -> tuple[nn.Module, tuple[StepReport, ...]]:
    """Repair a pruned model as the options ask.

    Args:
        args: The options.
        pruned: The pruned model, which stays as it is.
        original: The model that it was.
        plan: By which it was pruned, instead of the one that the options name; where there is none, the channels that
            it kept are found by its weights.
        data: Instead of the data that the options name.

    Returns:
        The repaired model, and what the steps did.

    Raises:
        PrimeSVTError: No step is asked for, the data does not fit, or the model was pruned from another or otherwise.
    """
    steps = repair_steps(_names(args))
    if not steps:
        raise PrimeSVTError("There is nothing to do without a step: give --repair least-squares, or leave it out.")
    calibration = calibration_of(args, original, data)
    plan = _told(args, plan)
    kept = kept_channels_of(original, pruned) if plan is None else Pruner(original, calibration).kept(plan)
    narrow = config_of(original).with_widths({layer: len(channels) for layer, channels in kept.items()})
    if plan is not None and narrow.widths != config_of(pruned).widths:
        name = args.model or "The model"
        raise PrimeSVTError(f"{name} was not pruned by {args.plan or 'that plan'}: its layers have other widths.")
    return run_repair(Reference.on(backend_of(args), original, calibration), pruned, kept, steps)


def repaired_plan(args: argparse.Namespace, plan: PruningPlan | None = None) -> PruningPlan | None:
    """The plan by which the model was pruned, with the steps that repaired it; None where it is not known.

    Args:
        args: The options, of which one may name it; otherwise it is that in the pruned model's directory.
        plan: The plan, where it is at hand.

    Raises:
        PrimeSVTError: A file holds no plan.
    """
    plan = _told(args, plan) or plan_beside(args.model)
    return None if plan is None else replace(plan, repair=(*plan.repair, *_names(args)))


def _told(args: argparse.Namespace, plan: PruningPlan | None) -> PruningPlan | None:
    return load_plan(args.plan) if plan is None and args.plan is not None else plan


def _names(args: argparse.Namespace) -> tuple[str, ...]:
    return args.repair if "repair" in args else RECOMMENDED
