"""Remove channels from a model by a plan, and write the smaller model."""

import argparse
from pathlib import Path

from torch import nn

from primesvt.models import PrimeSVTError, check_free, load_model, model_bytes, save_model
from primesvt.pruning import PruningPlan, load_plan
from primesvt.pruning import prune as prune_model

from ..running.runner import load_run, plan_of_trial
from ..running.storage import open_storage
from .arguments import add_json, add_model, add_output, add_overwrite, add_storage, print_result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument(
        "--plan", metavar="FILE", type=Path, help='a plan: {"criterion": "l2", "ratios": {layer: ratio}}'
    )
    add_storage(parser, default=None, note="with --study and --trial, instead of --plan")
    parser.add_argument("--study", metavar="NAME", help="name of a study")
    parser.add_argument("--trial", metavar="N", type=int, help="number of one of its trials")
    add_output(parser, "the pruned model")
    add_overwrite(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    check_free(args.output, overwrite=args.overwrite)
    model = load_model(args.model)
    plan = _plan(args, model)
    pruned = prune_model(model, plan)
    save_model(pruned, args.output, overwrite=args.overwrite)
    before, after = model_bytes(model), model_bytes(pruned)
    result = {"bytes_before": before, "bytes_after": after, "memory_saving": 1 - after / before}
    print_result(args, result, f"{before:,} bytes -> {after:,} bytes, {1 - after / before:.2%} saved: {args.output}")


def _plan(args: argparse.Namespace, model: nn.Module) -> PruningPlan:
    from_study = (args.storage, args.study, args.trial)
    if args.plan is not None and from_study == (None, None, None):
        return load_plan(args.plan)
    if args.plan is None and None not in from_study:
        return plan_of_trial(load_run(args.study, open_storage(args.storage, create=False)), args.trial, model)
    raise PrimeSVTError("Say which plan: either --plan FILE, or --storage URL --study NAME --trial N.")
