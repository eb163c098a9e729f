"""How much of a model can go without training, and how much comes back with a little: accuracy on the test set.

Plans are chosen on the selection set: for every target, a search by ``sensitivity`` with ``--repair least-squares``,
with the embedding width among the layers, which must save that much; of its plans that do, the one with the smallest
divergence is taken. Plans in files may be given instead. Each is cut and repaired in several ways, and then the test
set is asked, once for every line of the table. All that was measured is kept in a file; the same command goes on.

    python benchmarks/repair.py [MODEL] [--data PATH] [--targets A,B] [--plans FILE ...] [--train-data PATH]
        [--epochs E] [--learning-rate R] [--json FILE] [--quick]
"""

import argparse
import contextlib
import io
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from records import Records
from torch import nn

from primesvt.models import (
    DataSet,
    ImageSet,
    Predictions,
    config_of,
    fingerprint,
    frame_of,
    load_model,
    open_data,
    predict,
    save_model,
)
from primesvt.pruning import Calibration, Pruner, PruningPlan, load_plan
from primesvt.search import Constraints, finite_divergence
from primesvt.studies import cli
from primesvt.studies.running.runner import RunOptions, run_study
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.subject import Subject

STEPS = ("least-squares",)


@dataclass(frozen=True)
class Case:
    """A model and its images."""

    path: str
    args: argparse.Namespace
    records: Records

    @cached_property
    def model(self) -> nn.Module:
        """The unpruned one."""
        return load_model(self.path)

    @cached_property
    def data(self) -> DataSet:
        """Its images."""
        return open_data(self.args.data, frame_of(config_of(self.model)))

    @cached_property
    def test(self) -> ImageSet:
        """What is asked in the end."""
        return self.data.test.first(self.args.images)

    @cached_property
    def unpruned(self) -> Predictions:
        """The unpruned model's answers."""
        return predict(self.model, self.test)

    def pruner(self, calibration: int) -> Pruner:
        """Prunes with so many calibration images."""
        return Pruner(self.model, Calibration(self.data.calibration, calibration))

    def plans(self) -> Iterator[PruningPlan]:
        """What the model is pruned by, without repair."""
        if self.args.plans:
            yield from (replace(load_plan(file), repair=()) for file in self.args.plans)
            return
        for target in map(float, self.args.targets.split(",")):
            question = {**self.about, "target": target, "trials": self.args.trials, "criterion": self.args.criterion}
            yield PruningPlan.from_json(self.records.get(question, lambda target=target: self.chosen(target).to_json()))

    def chosen(self, target: float) -> PruningPlan:
        """The plan that a search on the selection set finds for a memory target."""
        settings = StudySettings(
            sampler="sensitivity",
            constraints=Constraints(max_drop=self.args.max_drop, min_saving=target),
            criterion=self.args.criterion,
            repair=STEPS,
            calibration=128,
            images=min(1000, len(self.data.selection)),
            embedding=True,
        )
        storage = optuna.storages.InMemoryStorage()
        subject, options = Subject(self.model, self.data), RunOptions(trials=self.args.trials)
        run = run_study("repair", storage, subject, settings, options)
        enough = [trial for trial in run.finished if trial.values[0] >= target]
        return replace(run.plan(min(enough, key=lambda trial: trial.user_attrs["divergence"])), repair=())

    @property
    def about(self) -> dict[str, Any]:
        """What all questions about it say."""
        return {"model": fingerprint(self.model), "images": self.test.fingerprint}

    def measured(self, model: nn.Module) -> dict[str, Any]:
        """A pruned model on the test set."""
        answers = predict(model, self.test)
        return {**answers.counted.told(), "kl": finite_divergence(self.unpruned.logits, answers.logits)}

    def line(self, plan: PruningPlan) -> dict[str, dict[str, Any]]:
        """A plan's figures, by what was done."""
        ways = {"as cut": ((), 1), "norm": (("norm",), 512)}
        ways |= {f"least-squares, {count:,} images": (STEPS, count) for count in (512, 1024)}
        found = {}
        for name, (repair, count) in ways.items():
            question = {**self.about, "plan": plan.to_json(), "repair": repair, "calibration": count}
            pruner, way = self.pruner(count), replace(plan, repair=repair)
            found[name] = self.records.get(question, lambda p=pruner, w=way: self.measured(p.version(w).model))
        if self.args.epochs:
            recipe = {"epochs": self.args.epochs, "rate": self.args.learning_rate, "train": self.args.train_data}
            question = {**self.about, "plan": plan.to_json(), **recipe}
            found["fine-tuned"] = self.records.get(question, lambda: self.finetuned(plan))
        return found

    def finetuned(self, plan: PruningPlan) -> dict[str, Any]:
        """After ``primesvt finetune`` of the repaired model, with the unpruned one as its teacher."""
        with tempfile.TemporaryDirectory() as folder:
            save_model(self.pruner(1024).version(replace(plan, repair=STEPS)).model, Path(folder, "repaired"))
            command = ["finetune", f"{folder}/repaired", "--teacher", self.path, "-o", f"{folder}/tuned", "--json"]
            said = {"--data": self.args.data, "--train-data": self.args.train_data, "--epochs": self.args.epochs}
            said["--learning-rate"] = self.args.learning_rate
            command += [word for name, value in said.items() if value is not None for word in (name, str(value))]
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                code = cli.main(command)
            if code:
                raise SystemExit(code)
            return {**self.measured(load_model(f"{folder}/tuned")), "selection": json.loads(printed.getvalue())}

    def table(self) -> str:
        """Markdown."""
        accuracy, (low, high) = self.unpruned.accuracy, self.unpruned.interval
        title = f"**{Path(self.path).name}**, {len(self.test):,} test images, unpruned {accuracy:.2%}"
        plans = list(self.plans())
        found = [self.line(plan) for plan in plans]
        lines = [f"{title} ({low:.2%} to {high:.2%})", "", f"| saved | {' | '.join(found[0])} |"]
        lines.append("|" + "---|" * (1 + len(found[0])))
        for plan, figures in sorted(zip(plans, found, strict=True), key=lambda pair: self.pruner(1).saving(pair[0])):
            cells = [_cell(figure, accuracy) for figure in figures.values()]
            lines.append(f"| {self.pruner(1).saving(plan):.1%} | {' | '.join(cells)} |")
        return "\n".join(lines)


def _cell(measured: dict[str, Any], unpruned: float) -> str:
    low, high = measured["interval"]
    points = 100 * (measured["accuracy"] - unpruned)
    return f"{measured['accuracy']:.2%} ({low:.1%} to {high:.1%}), {points:+.2f} points, KL {measured['kl']:.3f}"


def main() -> None:
    """Search, repair, measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", metavar="MODEL", default="demo", help="default: demo")
    parser.add_argument("--data", metavar="PATH", help="data set (default: the embedded sample)")
    parser.add_argument("--targets", metavar="A,B", default="0.72,0.82,0.86,0.91", help="default: %(default)s")
    parser.add_argument("--plans", metavar="FILE", nargs="+", type=Path, help="plans, instead of searches")
    parser.add_argument("--trials", metavar="N", type=int, default=15, help="of every search (default: %(default)s)")
    parser.add_argument("--max-drop", metavar="POINTS", type=float, default=5.0, help="of a search (%(default)s)")
    parser.add_argument("--criterion", metavar="NAME", default="l2", help="default: %(default)s")
    parser.add_argument("--images", metavar="N", type=int, default=10_000, help="test images (default: %(default)s)")
    parser.add_argument("--epochs", metavar="E", type=int, default=0, help="of fine-tuning (default: none)")
    parser.add_argument("--learning-rate", metavar="R", type=float, help="of fine-tuning (default: finetune's)")
    parser.add_argument("--train-data", metavar="PATH", help="fit images of fine-tuning (default: those of --data)")
    parser.add_argument("--quick", action="store_true", help="one target, a short search, few images")
    parser.add_argument("--json", metavar="FILE", type=Path, help="what was measured is kept here, and not asked again")
    args = parser.parse_args()
    if args.quick:
        args.targets, args.trials, args.images = "0.72", 3, 500
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print(Case(args.model, args, Records.of(args.json)).table())


if __name__ == "__main__":
    main()
