"""The plans of a comparison fine-tuned: every sampler's best one, measured once more on the test set."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from primesvt.models import TRAINING, DataSet, PrimeSVTError, Recipe, fingerprint, load_model

from ..running.finetuning import fine_tune
from ..running.train_run import TrainJob
from .cells import MeasuredCells, PlanCells
from .chosen import best_of_samplers
from .comparison import Comparison, ReportedPlan
from .on_test_set import TestSet
from .tables import table


@dataclass(frozen=True)
class PlanTuning:
    """How the plans of a comparison are fine-tuned: by the answers of the unpruned model.

    Args:
        directory: Gets a model directory for every study that found a sampler's best plan, by the study's name.
        recipe: How to train.
        data: Its fit set is learnt, its selection set tells which epoch is the best.
        tensorboard: Gets a directory of curves for every such study, by its name; none are written where it is None.
    """

    directory: Path
    recipe: Recipe
    data: DataSet
    tensorboard: Path | None = None

    def tuned(self, comparison: Comparison, test: TestSet) -> Comparison:
        """The comparison with what its samplers' best plans do on the test set after fine-tuning.

        A training that was interrupted goes on, and one that is done is not done again.

        Args:
            comparison: What was measured before.
            test: The test set, with the unpruned model.

        Raises:
            PrimeSVTError: There is nothing to learn from, the training diverged, or a directory cannot be written.
        """
        found = {
            plan.study: test.compare(self._model(plan, test))
            for plan in best_of_samplers(comparison).values()
            if plan is not None and plan.feasible
        }
        return replace(comparison, finetuned=found)

    def _model(self, plan: ReportedPlan, test: TestSet) -> nn.Module:
        pruned, place = test.pruner.prune(plan.plan), self.directory / plan.study
        facts = {
            "pruned": fingerprint(pruned),
            "teacher": fingerprint(test.model),
            "fit": self.data.fit.fingerprint,
            "selected": self.data.selection.fingerprint,
        }
        if _is_done(place, {**facts, "recipe": asdict(self.recipe)}):
            return load_model(place)
        job = TrainJob(
            directory=place,
            recipe=self.recipe,
            title=f"fine-tune {plan.study}",
            overwrite=True,
            device=test.backend.device,
            facts=facts,
            tensorboard=None if self.tensorboard is None else self.tensorboard / plan.study,
            plan=plan.plan,
        )
        fine_tune(job, pruned, self.data, test.model)
        return pruned


def tuned_table(comparison: Comparison) -> str:
    """The unpruned model, every sampler's best plan, and the same fine-tuned, on the test set, for the terminal."""
    images, unpruned = comparison.test_baseline.images, MeasuredCells(comparison.test_baseline)
    header = ["model", "bytes", "saved", f"accuracy on {images:,} test images", "95 % interval", "points lost"]
    rows = [["unpruned", f"{comparison.bytes:,}", f"{0:.2%}", *_on_test(unpruned)]]
    for sampler, plan in best_of_samplers(comparison).items():
        if plan is None or not plan.feasible:
            rows.append([sampler, "", "no plan within the limits", "", "", ""])
            continue
        cells = PlanCells.of(comparison, plan)
        rows.append([sampler, *cells.size, *_on_test(cells)])
        if (tuned := comparison.finetuned.get(plan.study)) is not None:
            rows.append(["  the same, fine-tuned", *cells.size, *_on_test(MeasuredCells(tuned))])
    return table(header, rows)


def _on_test(cells: MeasuredCells) -> tuple[str, str, str]:
    return cells.accuracy, cells.accuracy_interval, cells.lost


def _is_done(place: Path, facts: Mapping[str, Any]) -> bool:
    """Whether a directory holds what this training left."""
    try:
        record = json.loads((place / TRAINING).read_text(encoding="utf-8"))
        load_model(place)
    except (OSError, ValueError, PrimeSVTError):
        return False
    return isinstance(record, dict) and all(record.get(name) == value for name, value in facts.items())
