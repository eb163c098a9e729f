"""``primesvt.prune``: from a plan to a smaller model, from Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from primesvt.models import DataSet, as_int8, check_free, model_bytes
from primesvt.pruning import PruningPlan, StepReport

from ..commands import prune as command
from ..reporting.told import Told
from ..running.model_output import write_model
from .asked import asked, takes_options
from .given import Data, Model, model_of, named, or_demo, session

# A file, ratios by the names of layers, or a plan.
Plan = str | Path | Mapping[str, float] | PruningPlan | None


@dataclass(frozen=True, repr=False)
class Pruned(Told):
    """A pruned model.

    Args:
        original: The unpruned model.
        model: The pruned one; with ``quantize="int8"``, what its weights of a byte say.
        plan: What was removed.
        repair: What the steps of its repair did.
    """

    original: nn.Module
    model: nn.Module
    plan: PruningPlan
    repair: tuple[StepReport, ...]

    @cached_property
    def bytes_before(self) -> int:
        """Of the unpruned model's file."""
        return model_bytes(self.original)

    @cached_property
    def bytes_after(self) -> int:
        """Of the pruned model's file."""
        return model_bytes(self.model)

    @property
    def memory_saving(self) -> float:
        """Share of the bytes that is saved, in [0, 1)."""
        return 1 - self.bytes_after / self.bytes_before

    @property
    def text(self) -> str:
        """Bytes before and after, in a line."""
        return f"{self.bytes_before:,} bytes -> {self.bytes_after:,} bytes, {self.memory_saving:.2%} saved"


def plan_of(plan: Plan) -> PruningPlan | None:
    """The plan that was given as one, or as ratios; None where it was named, or none was given."""
    return PruningPlan(dict(plan)) if isinstance(plan, Mapping) else plan if isinstance(plan, PruningPlan) else None


@takes_options(command)
def prune(
    model: Model | None = None,
    plan: Plan = None,
    *,
    data: Data = None,
    output: str | Path | None = None,
    quiet: bool = False,
    **options: Any,
) -> Pruned:
    """Remove channels from a model by a plan, and repair what that breaks, as ``primesvt prune`` does.

    Args:
        model: A model directory, "demo", ``hf://OWNER/NAME``, or a model, which stays as it is; None is that of a file
            of options, or else the embedded demo model.
        plan: A plan, its file, or ratios by the names of layers; None where a study and a trial are named.
        data: Has the calibration images, where criterion or repair need any: a path, a data set that is open, or None
            for the embedded sample of Fashion-MNIST.
        output: Directory for the pruned model; None writes nothing.
        quiet: Show no progress.
        options: Those of ``primesvt prune``, by name: ``repair="least-squares"``.

    Raises:
        PrimeSVTError: There is no such plan, or it does not fit the model.
    """
    args = asked(command, {**named(model=model, data=data, plan=plan, output=output), **options}, or_demo(model))
    if args.output is not None:
        check_free(args.output, overwrite=args.overwrite)
    given = data if isinstance(data, DataSet) else None
    with session(quiet):
        original = model_of(model, args.model)
        used, version = command.pruned_as(args, original, plan=plan_of(plan), data=given)
        if args.output is not None:
            write_model(
                version.model,
                args.output,
                overwrite=args.overwrite,
                plan=used,
                options=args.options_text,
                int8=args.quantize is not None,
            )
    made = version.model if args.quantize is None else as_int8(version.model)
    return Pruned(original, made, used, version.repair)
