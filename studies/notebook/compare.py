"""``primesvt.compare``: several studies side by side, from Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from torch import nn

from primesvt.models import PrimeSVTError
from primesvt.pruning import PruningPlan

from ..commands import compare as command
from ..reporting import figures
from ..reporting.chosen import best_of_samplers, limits_kept
from ..reporting.comparison import Comparison, ReportedPlan
from ..reporting.report import report_page
from ..reporting.result_directory import prepare, save_options, storage_in, take_finetuned, write
from ..reporting.summary import summary
from ..reporting.terminal import comparison_text
from ..reporting.told import Told
from .asked import asked, takes_options
from .frames import frame, trials_frame
from .given import Data, Model, Storage, named, or_demo, session, storage_given, subject_of


@dataclass(frozen=True, repr=False)
class Compared(Told):
    """A comparison of studies.

    Args:
        result: What the command knows of it.
        options_text: The file of options with which the command does the same again.
        directory: Where it was written, with its fine-tuned models; None where it is in memory only.
    """

    result: command.Result
    options_text: str
    directory: Path | None = None

    @property
    def comparison(self) -> Comparison:
        """What was measured."""
        return self.result.comparison

    @cached_property
    def trials(self) -> Any:
        """A ``pandas.DataFrame`` of every finished trial of every study, with the ratio of every layer."""
        return trials_frame(self.result.runs)

    @cached_property
    def plans(self) -> Any:
        """A ``pandas.DataFrame`` of every sampler's best plan and what it does on the test set."""
        best = best_of_samplers(self.comparison)
        return frame([self._row(sampler, plan) for sampler, plan in best.items() if plan is not None])

    def _row(self, sampler: str, plan: ReportedPlan) -> dict[str, Any]:
        low, high = plan.test.drop_interval
        tuned = self.comparison.finetuned.get(plan.study)
        return {
            "sampler": sampler,
            "limits_kept": limits_kept(self.comparison, plan),
            "bytes": plan.selection.bytes,
            "memory_saving": plan.selection.memory_saving,
            "test_accuracy": plan.test.accuracy,
            "points_lost": plan.test.drop,
            "least_lost": low,
            "most_lost": high,
            "finetuned_accuracy": None if tuned is None else tuned.accuracy,
            "study": plan.study,
            "trial": plan.trial,
        }

    @cached_property
    def figures(self) -> Mapping[str, go.Figure]:
        """The report's figures by name; ``robustness`` is there where a study measured it."""
        found, told = self.comparison, self.comparison.robustness
        drawn = {
            "fronts-test": figures.fronts(found, test=True),
            "fronts-selection": figures.fronts(found, test=False),
            "effort": figures.effort(found),
            "layers": figures.layers(found),
        }
        return drawn if told is None else {**drawn, "robustness": figures.robustness(told, found.constraints.max_drop)}

    @property
    def plan(self) -> PruningPlan | None:
        """The plan of all studies that saves most within the limits; None where none keeps them."""
        winner = self.comparison.winner
        return None if winner is None else winner.plan

    def pruned(self) -> nn.Module:
        """The pruned model of that plan.

        Raises:
            PrimeSVTError: No plan keeps the limits.
        """
        if self.plan is None:
            raise PrimeSVTError("No study found a plan that keeps the limits; loosen one, or give more trials.")
        return self.result.test.pruner.prune(self.plan)

    def to_json(self) -> dict[str, Any]:
        """Plain data, as ``summary.json`` has it."""
        return summary(self.comparison, self.result.provenance)

    @property
    def report(self) -> str:
        """The report, as a page in HTML."""
        return report_page(self.comparison, self.result.provenance)

    @property
    def text(self) -> str:
        """What the command prints."""
        return comparison_text(self.comparison)

    def save(self, directory: str | Path) -> None:
        """Write the directory that ``primesvt compare -o`` leaves: report, summary, trials, plan and models.

        Raises:
            PrimeSVTError: It cannot be written.
        """
        prepare(Path(directory))
        save_options(Path(directory), self.options_text)
        take_finetuned(Path(directory), self.directory if self.comparison.finetuned else None)
        write(Path(directory), self.comparison, self.result.test.pruner, self.result.runs, self.result.provenance)


@takes_options(command)
def compare(
    model: Model | None = None,
    data: Data = None,
    *,
    storage: Storage = None,
    output: str | Path | None = None,
    quiet: bool = False,
    **options: Any,
) -> Compared:
    """Run the studies of several samplers and compare them on the test set, as ``primesvt compare`` does.

    Args:
        model: A model directory, "demo", ``hf://OWNER/NAME``, or a model; None is that of a file of options, or else
            the embedded demo model.
        data: A path, a data set that is open, or None for the embedded sample of Fashion-MNIST.
        storage: URL or file of an Optuna storage, or a storage; where it is None, the trials are kept in the output
            directory, or else in memory. Studies that are there go on.
        output: Directory for the report and all else that the command writes; None writes nothing.
        quiet: Show no progress.
        options: Those of ``primesvt compare``, by name: ``samplers=["prioritized", "tpe"], seeds=2, max_drop=2``.

    Raises:
        PrimeSVTError: An option makes no sense, or a study cannot run.
        KeyboardInterrupt: The user stopped it; all finished trials stay in the storage.
    """
    args = asked(command, {**named(model=model, data=data, storage=storage, output=output), **options}, or_demo(model))
    # A file of options may name them, too.
    output, storage = args.output if output is None else output, args.storage if storage is None else storage
    with session(quiet):
        subject = subject_of(args, model, data)
        if args.finetune is not None and output is None:
            raise PrimeSVTError(
                "finetune needs output=DIRECTORY: fine-tuned models and interrupted trainings lie there."
            )
        if output is not None:
            prepare(Path(output), args.options_text)
            storage = storage_in(Path(output)) if storage is None else storage
        kept = storage_given(storage, create=not args.studies)
        result = command.compared_as(args, subject, kept, _name(storage))
        if output is not None:
            result = command.written(args, subject.data, result, Path(output))
    return Compared(result, args.options_text, None if output is None else Path(output))


def _name(storage: Storage) -> str:
    return str(storage) if isinstance(storage, str | Path) else "in memory" if storage is None else "an object"
