"""Which criterion goes with which repair: divergence and accuracy of every pair, on the selection set.

Every prunable layer loses the same share of its channels (30, 50 and 70 %), or what a search by ``sensitivity``, with
``--criterion l2 --repair least-squares``, within 3 points, gave it. What was measured is kept in a file: the same
command goes on where it was, with further models, too, and prints the tables of all models named.

    python benchmarks/criteria.py [MODEL ...] [--data PATH] [--json FILE] [--quick] [--images N] [--calibration N]
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from records import Records
from torch import nn

from primesvt.models import DataSet, config_of, fingerprint, frame_of, load_model, open_data
from primesvt.pruning import CRITERIA, Calibration, PruningPlan, prunable_layers
from primesvt.search import Constraints, Evaluator
from primesvt.studies.running.runner import RunOptions, run_study
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.subject import Subject

REPAIRS = {"none": (), "norm": ("norm",), "least-squares": ("least-squares",)}
UNIFORM = (0.3, 0.5, 0.7)
ALLOCATED = "allocated"


@dataclass(frozen=True)
class Case:
    """A model and its images, with the plans that it is pruned by."""

    name: str
    model: nn.Module
    data: DataSet
    args: argparse.Namespace
    records: Records

    @property
    def about(self) -> dict[str, Any]:
        """What all questions about it say."""
        images = self.data.selection.first(self.args.images)
        return {"model": fingerprint(self.model), "images": images.fingerprint, "calibration": self.args.calibration}

    def plans(self) -> dict[str, dict[str, float]]:
        """Ratios by the name of the plan."""
        layers = [layer.name for layer in prunable_layers(self.model)]
        plans = {f"{rate:.0%}": dict.fromkeys(layers, rate) for rate in self.args.rates}
        question = {**self.about, "plan": ALLOCATED, "trials": self.args.trials}
        return {**plans, ALLOCATED: self.records.get(question, self._allocated)}

    def _allocated(self) -> dict[str, float]:
        settings = StudySettings(
            sampler="sensitivity",
            constraints=Constraints(max_drop=3.0, min_saving=0.2),
            repair=("least-squares",),
            calibration=min(128, self.args.calibration),
            images=min(1000, self.args.images),
        )
        storage = optuna.storages.InMemoryStorage()
        subject, options = Subject(self.model, self.data), RunOptions(trials=self.args.trials)
        run = run_study("allocated", storage, subject, settings, options)
        return {} if run.best is None else dict(run.plan(run.best).ratios)

    def measured(self, evaluator: Evaluator, plan: PruningPlan) -> dict[str, float]:
        """Divergence, accuracy and memory saving of a plan."""

        def ask() -> dict[str, float]:
            found = evaluator.evaluate(plan)
            assert found.divergence is not None  # noqa: S101 - it is measured in this version
            return {"kl": found.divergence, "accuracy": found.accuracy, "saving": found.memory_saving}

        answer: dict[str, float] = self.records.get({**self.about, "plan": plan.to_json()}, ask)
        return answer

    def table(self) -> str:
        """Markdown."""
        calibration = Calibration(self.data.calibration, self.args.calibration)
        evaluator = Evaluator(self.model, self.data.selection.first(self.args.images), calibration=calibration)
        plans, unpruned = self.plans(), self.measured(evaluator, PruningPlan())
        found = {
            (repair, criterion, plan): self.measured(evaluator, PruningPlan(ratios, criterion, steps))
            for criterion in self.args.criteria.split(",")
            for plan, ratios in plans.items()
            for repair, steps in REPAIRS.items()
        }
        return _markdown(self.name, unpruned["accuracy"], list(plans), found)


def _markdown(name: str, unpruned: float, plans: list[str], found: dict[tuple[str, str, str], dict[str, float]]) -> str:
    criteria = list(dict.fromkeys(criterion for _, criterion, _ in found))
    saved = {plan: found["none", criteria[0], plan]["saving"] for plan in plans}
    heads = [f"{plan}: {saved[plan]:.1%} saved" for plan in plans]
    lines = [f"**{name}**, unpruned {unpruned:.2%}", "", f"| repair | criterion | {' | '.join(heads)} |"]
    lines.append("|" + "---|" * (2 + len(plans)))
    for repair in REPAIRS:
        best = {plan: min(found[repair, criterion, plan]["kl"] for criterion in criteria) for plan in plans}
        for criterion in criteria:
            cells = [_cell(found[repair, criterion, plan], best[plan]) for plan in plans]
            lines.append(f"| `{repair}` | `{criterion}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(measured: dict[str, float], best: float) -> str:
    kl = f"{measured['kl']:.3f}"
    return f"{f'**{kl}**' if measured['kl'] == best else kl}, {measured['accuracy']:.1%}"


def main() -> None:
    """Measure, and print a table for every model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", default=["demo"], help="directories (default: demo)")
    parser.add_argument("--data", metavar="PATH", help="data set of all models (default: the embedded sample)")
    parser.add_argument("--images", metavar="N", type=int, default=1000, help="selection images (default: 1000)")
    parser.add_argument("--calibration", metavar="N", type=int, default=256, help="calibration images (default: 256)")
    parser.add_argument("--trials", metavar="N", type=int, default=20, help="of the search (default: 20)")
    parser.add_argument("--criteria", metavar="A,B", default=",".join(CRITERIA), help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="one rate, a short search, few images")
    parser.add_argument("--json", metavar="FILE", type=Path, help="what was measured is kept here, and not asked again")
    args = parser.parse_args()
    args.rates = UNIFORM
    if args.quick:
        args.rates, args.images, args.calibration, args.trials = (0.5,), 200, 64, 4
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    records = Records.of(args.json)
    print("KL divergence of the answers from the unpruned model's, and accuracy; the smallest divergence is bold.")
    for name in args.models:
        model = load_model(name)
        data = open_data(args.data, frame_of(config_of(model)))
        print("\n" + Case(Path(name).name, model, data, args, records).table(), flush=True)


if __name__ == "__main__":
    main()
