"""Repair a model that is pruned already: make it answer as its original does, without training."""

import argparse
from pathlib import Path

from torch import nn

from primesvt.models import PrimeSVTError, check_free, load_model, save_model
from primesvt.pruning import Kept, Pruner, Reference, kept_channels_of, load_plan, repair_steps, run_repair

from .arguments import add_json, add_output, add_overwrite, backend_of, print_result
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
    backend = backend_of(args)
    pruned, original = load_model(args.model), load_model(args.original)
    steps = repair_steps(args.repair if "repair" in args else RECOMMENDED)
    if not steps:
        raise PrimeSVTError("There is nothing to do without a step: give --repair least-squares, or leave it out.")
    reference = Reference.on(backend, original, calibration_of(args, original))
    repaired, reports = run_repair(reference, pruned, _kept(args, original, pruned), steps)
    save_model(repaired, args.output, overwrite=args.overwrite)
    result = {"repair": [report.to_json() for report in reports]}
    print_result(args, result, "\n".join([*repair_text(reports), f"repaired: {args.output}"]))


def _kept(args: argparse.Namespace, original: nn.Module, pruned: nn.Module) -> Kept:
    if args.plan is None:
        return kept_channels_of(original, pruned)
    plan = load_plan(args.plan)
    pruner = Pruner(original, calibration_of(args, original))
    kept = pruner.kept(plan)
    if {layer: len(channels) for layer, channels in kept.items()} != dict(pruned.config.widths):  # type: ignore[union-attr, arg-type]
        raise PrimeSVTError(f"{args.model} was not pruned by {args.plan}: its layers have other widths.")
    return kept
