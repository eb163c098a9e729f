"""Remove channels from a model by a plan, repair what that breaks, and write the smaller model."""

import argparse
from dataclasses import replace
from pathlib import Path

from torch import nn

from primesvt.models import (
    DataSet,
    PrimeSVTError,
    check_free,
    int8_bytes,
    load_model,
    model_bytes,
)
from primesvt.pruning import (
    MOST_CALIBRATION,
    Calibration,
    Pruner,
    PruningPlan,
    StepReport,
    Version,
    choose_layers,
    load_plan,
    needs_calibration,
)

from ..reporting.tables import table
from ..running.model_output import write_model
from ..running.settings import StudySettings
from ..running.storage import open_storage
from ..running.study_run import load_run, plan_of_trial
from .arguments import add_json, add_model, add_output, add_overwrite, add_storage, print_result
from .backend import add_backend, backend_of
from .model_and_data import add_data, open_data_for
from .options import add_options

_AS_THE_PLAN = {"layers": "the plan's", "multiple": "as the plan says"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument(
        "--plan", metavar="FILE", type=Path, help='a plan: {"criterion": "l2", "ratios": {layer: ratio}}'
    )
    add_storage(parser, default=None, note="with --study and --trial, instead of --plan")
    parser.add_argument("--study", metavar="NAME", help="name of a study")
    parser.add_argument("--trial", metavar="N", type=int, help="number of one of its trials")
    add_options(parser, StudySettings, only=("layers", "exclude_layers", "multiple"), unset=_AS_THE_PLAN)
    add_repair(parser, "as the plan says")
    parser.add_argument(
        "--quantize",
        choices=("int8",),
        help="store the weights of convolutions as int8, with a scale for every output channel (default: as they are); "
        "`primesvt evaluate DIR --against MODEL` tells what that costs",
    )
    add_output(parser, "the pruned model")
    add_overwrite(parser)
    add_json(parser)


def add_repair(parser: argparse.ArgumentParser, otherwise: str) -> None:
    """--repair, --calibration, --data, and where that is done."""
    most = f"{MOST_CALIBRATION:,}"
    add_options(parser, StudySettings, only=("repair", "calibration"), unset={"repair": otherwise, "calibration": most})
    add_data(parser)
    add_backend(parser, "repaired, and then asked what that gained")


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    check_free(args.output, overwrite=args.overwrite)
    backend_of(args)
    model = load_model(args.model)
    plan, version = pruned_as(args, model)
    int8 = args.quantize is not None
    write_model(version.model, args.output, overwrite=args.overwrite, plan=plan, options=args.options_text, int8=int8)
    before, after = model_bytes(model), model_bytes(version.model)
    result = {
        "bytes_before": before,
        "bytes_after": after,
        "memory_saving": 1 - after / before,
        "repair": [report.to_json() for report in version.repair],
    }
    text = f"{before:,} bytes -> {after:,} bytes, {1 - after / before:.2%} saved: {args.output}"
    lines = [*repair_text(version.repair), text]
    if int8:
        whole = int8_bytes(model), int8_bytes(version.model)
        result["int8"] = {"bytes_before": whole[0], "bytes_after": whole[1], "memory_saving": 1 - whole[1] / before}
        lines.append(_int8_table((before, after), whole))
    print_result(args, result, "\n".join(lines))


def pruned_as(
    args: argparse.Namespace, model: nn.Module, *, plan: PruningPlan | None = None, data: DataSet | None = None
) -> tuple[PruningPlan, Version]:
    """The plan that the options ask for, and the model that it makes.

    Args:
        args: The options.
        model: The unpruned model.
        plan: Instead of the one that the options name.
        data: Instead of the data that they name.

    Raises:
        PrimeSVTError: There is no such plan, or the model or the data do not fit it.
    """
    plan = _as_said(args, model, plan or _plan_of(args, model))
    return plan, Pruner(model, _calibration(args, model, plan, data), backend_of(args)).version(plan)


def _int8_table(stored: tuple[int, int], int8: tuple[int, int]) -> str:
    """What pruning, quantizing and both save, from the bytes of the unpruned and the pruned model."""
    rows = [
        [name, *(f"{each:,} ({1 - each / stored[0]:.2%} saved)" for each in (before, after))]
        for name, before, after in (("as it is", *stored), ("weights as int8", *int8))
    ]
    return table(["bytes", "unpruned", "pruned"], rows)


def repair_text(reports: tuple[StepReport, ...]) -> list[str]:
    """What the steps of a repair did, as a table; nothing where there was none."""
    if not reports:
        return []
    rows = [
        [r.step, f"{r.layers}", f"{r.error_before:.4g}", f"{r.error_after:.4g}", f"{r.seconds:.1f}", r.left_out or ""]
        for r in reports
    ]
    said = [f"{r.step} could not help {layer}: {why}" for r in reports for layer, why in r.untreated.items()]
    return [table(["repair", "layers", "error before", "after", "seconds", "left out"], rows), *said]


def calibration_of(args: argparse.Namespace, model: nn.Module, given: DataSet | None = None) -> Calibration:
    """The calibration images that the options name.

    Args:
        args: The options.
        model: It reads the images.
        given: Data that is open already, instead of that of --data.

    Raises:
        PrimeSVTError: The data cannot be read, or does not fit the model.
    """
    data = open_data_for(args, model, "calibration", given)
    return Calibration(data.calibration, getattr(args, "calibration", MOST_CALIBRATION))


def _calibration(
    args: argparse.Namespace, model: nn.Module, plan: PruningPlan, data: DataSet | None
) -> Calibration | None:
    """The calibration images, where the plan needs any."""
    return calibration_of(args, model, data) if needs_calibration(plan.criterion, plan.repair) else None


def _as_said(args: argparse.Namespace, model: nn.Module, plan: PruningPlan) -> PruningPlan:
    """A plan with what the options change of it."""
    said = {name: getattr(args, name) for name in ("repair", "multiple") if name in args}
    layers = choose_layers(model, plan.ratios, getattr(args, "layers", ()), getattr(args, "exclude_layers", ()))
    return replace(plan, ratios={layer: plan.ratios[layer] for layer in layers}, **said)


def _plan_of(args: argparse.Namespace, model: nn.Module) -> PruningPlan:
    from_study = (args.storage, args.study, args.trial)
    if args.plan is not None and from_study == (None, None, None):
        return load_plan(args.plan)
    if args.plan is None and None not in from_study:
        return plan_of_trial(load_run(args.study, open_storage(args.storage, create=False)), args.trial, model)
    raise PrimeSVTError("Say which plan: either --plan FILE, or --storage URL --study NAME --trial N.")
