"""``primesvt.search``: one study, from Python."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import optuna
import plotly.graph_objects as go
from torch import nn

from primesvt.models import Backend, PrimeSVTError
from primesvt.pruning import Pruner, PruningPlan
from primesvt.search import saving_of

from ..commands import search as command
from ..commands.backend import backend_of
from ..dashboard import figures
from ..dashboard.inspected import Inspected
from ..reporting.told import Told
from ..running.study_run import StudyRun, plan_of_trial
from ..running.subject import Subject
from .asked import asked, takes_options
from .frames import trials_frame
from .given import Data, Model, Storage, named, or_demo, session, storage_given, subject_of


@dataclass(frozen=True, repr=False)
class Searched(Told):
    """A study, and what it found.

    Args:
        run: The study with what it is about.
        subject: The unpruned model and the data set.
        backend: Where its plans were measured and repaired.
    """

    run: StudyRun
    subject: Subject
    backend: Backend = field(default_factory=Backend)

    @property
    def study(self) -> optuna.Study:
        """Optuna's study."""
        return self.run.study

    @cached_property
    def trials(self) -> Any:
        """A ``pandas.DataFrame`` of every finished trial, with the ratio of every layer."""
        return trials_frame([self.run])

    @cached_property
    def figures(self) -> Mapping[str, go.Figure]:
        """Figures by name: ``front``, and ``layers`` and ``robustness`` where there is something to show."""
        inspected = Inspected.of(self.study)
        if inspected is None:
            return {}
        found = {each.__name__: each(inspected) for each in (figures.front, figures.layers, figures.robustness)}
        return {name: figure for name, figure in found.items() if figure is not None}

    @property
    def plan(self) -> PruningPlan | None:
        """The plan that saves most within the limits; None where no trial keeps them."""
        best = self.run.best
        return None if best is None else self.run.plan(best)

    def pruned(self, trial: int | None = None) -> nn.Module:
        """The pruned model, repaired where the settings say so.

        Args:
            trial: Number of the trial whose plan it is; the best one where it is None.

        Raises:
            PrimeSVTError: There is no such trial, or no trial keeps the limits.
        """
        plan = self.plan if trial is None else plan_of_trial(self.study, trial, self.subject.model)
        if plan is None:
            raise PrimeSVTError("No trial keeps the limits; loosen one, give more trials, or say which trial is meant.")
        calibration = self.run.settings.calibration_of(self.subject.data)
        return Pruner(self.subject.model, calibration, self.backend).prune(plan)

    @property
    def text(self) -> str:
        """What was found, in a line."""
        found = (
            f"study {self.study.study_name}: {len(self.run.finished)} trials, {len(self.run.feasible)} keep the limits"
        )
        best = self.run.best
        return found if best is None else f"{found}; the best, trial {best.number}, saves {saving_of(best):.2%}"

    def to_json(self) -> dict[str, Any]:
        """Plain data, as ``primesvt search --json`` prints it."""
        return self.run.to_json()


@takes_options(command)
def search(
    model: Model | None = None, data: Data = None, *, storage: Storage = None, quiet: bool = False, **options: Any
) -> Searched:
    """Search for a plan that keeps the limits, as ``primesvt search`` does.

    Args:
        model: A model directory, "demo", ``hf://OWNER/NAME``, or a model; None is that of a file of options, or else
            the embedded demo model.
        data: A path, a data set that is open, or None for the embedded sample of Fashion-MNIST.
        storage: URL or file of an Optuna storage, or a storage; where it is None, that of a file of options, or
            else the trials are kept in memory. A study that is there goes on.
        quiet: Show no progress.
        options: Those of ``primesvt search``, by name: ``sampler="tpe", trials=40, max_drop=2``.

    Raises:
        PrimeSVTError: An option makes no sense, or the study cannot run.
    """
    args = asked(command, {**named(model=model, data=data, storage=storage), **options}, or_demo(model))
    with session(quiet):
        subject = subject_of(args, model, data)
        kept = storage_given(args.storage if storage is None else storage)
        return Searched(command.searched(args, subject, kept), subject, backend_of(args))
