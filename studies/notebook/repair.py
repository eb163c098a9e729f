"""``primesvt.repair``: make a pruned model answer as its original does, without training, from Python."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from primesvt.models import DataSet, check_free
from primesvt.pruning import StepReport

from ..commands import repair as command
from ..commands.prune import repair_text
from ..reporting.told import Told
from ..running.model_output import write_model
from .asked import asked, takes_options
from .given import Data, Model, forget_names, model_of, named, session
from .prune import Plan, plan_of


@dataclass(frozen=True, repr=False)
class Repaired(Told):
    """A repaired model.

    Args:
        model: The model; the one that was given stays as it is.
        repair: What the steps did.
    """

    model: nn.Module
    repair: tuple[StepReport, ...]

    @property
    def text(self) -> str:
        """What the steps did."""
        return "\n".join(repair_text(self.repair))


@takes_options(command)
def repair(
    model: Model | None = None,
    original: Model | None = None,
    data: Data = None,
    *,
    plan: Plan = None,
    output: str | Path | None = None,
    quiet: bool = False,
    **options: Any,
) -> Repaired:
    """Repair a model that is pruned already, as ``primesvt repair`` does.

    Args:
        model: The pruned model: its directory, or itself, which stays as it is; None is that of a file of options.
        original: The model that it was before pruning; None is that of a file of options.
        data: Has the calibration images: a path, a data set that is open, or None for the embedded sample of
            Fashion-MNIST.
        plan: By which it was pruned: a plan, its file, or ratios by the names of layers; None finds the channels that
            it kept by its weights.
        output: Directory for the repaired model; None writes nothing.
        quiet: Show no progress.
        options: Those of ``primesvt repair``, by name: ``repair=["least-squares", "norm"]``.

    Raises:
        PrimeSVTError: No step is asked for, or the model was pruned from another or otherwise.
    """
    args = asked(command, {**named(model=model, original=original, data=data, plan=plan, output=output), **options})
    if args.output is not None:
        check_free(args.output, overwrite=args.overwrite)
    told = plan_of(plan)
    forget_names(args, model=model)
    with session(quiet):
        repaired, reports = command.repaired_as(
            args,
            model_of(model, args.model),
            model_of(original, args.original),
            plan=told,
            data=data if isinstance(data, DataSet) else None,
        )
        if args.output is not None:
            done = command.repaired_plan(args, told)
            write_model(repaired, args.output, overwrite=args.overwrite, plan=done, options=args.options_text)
    return Repaired(repaired, reports)
