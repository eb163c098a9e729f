"""How good the searches are: every sampler on trained models of several families, under several limits.

Each case is a model with a pair of limits; on it every arm, a sampler with the settings it is run with, gets the same
number of trials and seeds. Plans are chosen on the selection set, and what they do is measured on the test set. All
studies lie in one directory: the same command goes on where it was interrupted, with more arms, seeds or trials, too.

    python benchmarks/search_quality.py -o DIR [--quick] [--json FILE] [--models A,B] [--arms A B] [--limits 3:0.2668]
        [--seeds N] [--trials N] [--images N] [--calibration N]

The models are the embedded one and those in ``benchmarks/models``; all are of Fashion-MNIST, whose embedded sample has
the selection and test images of the whole.
"""

import argparse
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kept import machine
from optuna.trial import FrozenTrial

from primesvt.models import DEMO, PrimeSVTError, load_model, open_data
from primesvt.search import Constraints, accuracy_of, decided_early, saving_of
from primesvt.search.samplers import SAMPLERS, STARTS
from primesvt.studies.commands.arms import arm_name
from primesvt.studies.reporting.history import History
from primesvt.studies.reporting.on_test_set import PairedAccuracy, TestSet
from primesvt.studies.reporting.result_directory import open_test_set
from primesvt.studies.reporting.running_time import Effort, RunningTime
from primesvt.studies.reporting.significance import NONE_FOUND, Claim, Sample, claims
from primesvt.studies.reporting.tables import table
from primesvt.studies.running.arm import Arm, studies_of
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.several import run_studies
from primesvt.studies.running.storage import open_storage
from primesvt.studies.running.study_run import StudyRun
from primesvt.studies.running.subject import Subject

MODELS = Path(__file__).parent / "models"
OURS = "sensitivity"
LIMITS = (Constraints(), Constraints(max_drop=1.0), Constraints(max_drop=3.0, min_saving=0.6))
# Points of accuracy at which the plans of every study are looked at, whatever its limits are.
POINTS = (1.0, 3.0)
# Trials after which the hypervolume is told.
MARKS = (25, 50, 100)
REPAIR = ("least-squares",)
HELPED = "+repair"
# The goal of the hypervolume: that of the best other sampler, times this.
GOAL = 1.2


@dataclass(frozen=True)
class Case:
    """A model under limits.

    Args:
        model: Its name.
        constraints: The limits.
    """

    model: str
    constraints: Constraints

    @property
    def name(self) -> str:
        """For files and tables."""
        return f"{self.model}-{self.constraints.max_drop:g}-{self.constraints.min_saving:g}"


@dataclass(frozen=True)
class Result:
    """One study of an arm.

    Args:
        run: The study.
        arm: Name of the arm.
        chosen: By points, the plan that saves most of those that lose at most so much on the selection set: its saving,
            and what it does on the test set; None where there is none.
    """

    run: StudyRun
    arm: str
    chosen: Mapping[float, tuple[float, PairedAccuracy] | None]

    @property
    def history(self) -> History:
        """Trial by trial."""
        return History.of(self.run.finished)

    def hypervolume(self, trials: int) -> float:
        """Within the limits, after so many trials; what ended before keeps what it has."""
        limits = self.run.settings.constraints
        corner = limits.min_saving, self.run.baseline.accuracy - limits.max_drop / 100
        volumes = self.history.hypervolume(corner, feasible_only=True)
        return volumes[min(trials, len(volumes)) - 1]

    @property
    def effort(self) -> Effort:
        """Until the first plan within the limits."""
        history = self.history
        return Effort.of(history.feasible, history.images, history.seconds)


def arms_of(args: argparse.Namespace, constraints: Constraints) -> list[Arm]:
    """Every sampler at its best: as it is, with repair, and those that draw at random in every space and start."""
    arms = []
    for sampler, kind in SAMPLERS.items():
        settings = StudySettings(
            sampler=sampler, constraints=constraints, images=args.images, calibration=args.calibration
        )
        settings = replace(settings, options=kind.at_its_best(settings.options))
        for name, told in {sampler: settings, **_variants(settings)}.items():
            arms.append(Arm(name, told, args.trials))
            arms.append(Arm(name + HELPED, replace(told, repair=REPAIR), args.trials))
    every = [arm for arm in arms if arm.name.removesuffix(HELPED) in SAMPLERS]
    return [arm for arm in arms if arm.name in args.arms] if args.arms else every


def _variants(settings: StudySettings) -> dict[str, StudySettings]:
    """A sampler in spaces and from starts that are not its own choice; they run where ``--arms`` names them."""
    found = {}
    for space in settings.kind.spaces:
        for start in STARTS:
            try:
                told = replace(settings, space=space, start=start)
            except PrimeSVTError:  # the two do not go together
                continue
            if (space, start) != (settings.chosen_space, settings.chosen_start):
                found[arm_name(told)] = told
    return found


def results_of(case: Case, arms: Sequence[Arm], args: argparse.Namespace) -> list[Result]:
    """Run what is missing of a case, and measure the chosen plans on the test set."""
    subject = Subject(load_model(DEMO if case.model == DEMO else MODELS / case.model), open_data(None))
    storage = open_storage(f"sqlite:///{args.output / case.name}.db")
    found, test = [], None
    for arm in arms:
        runs = run_studies(storage, subject, studies_of([arm], args.seeds))
        test = test or open_test_set(subject.model, subject.data)
        found += [Result(run, arm.name, _chosen(run, test)) for run in runs]
    return found


def _chosen(run: StudyRun, test: TestSet) -> dict[float, tuple[float, PairedAccuracy] | None]:
    def told(trial: FrozenTrial | None) -> tuple[float, PairedAccuracy] | None:
        if trial is None:
            return None
        return saving_of(trial), test.recall(run.study, run.plan(trial))

    return {points: told(_within(run, points)) for points in POINTS}


def _within(run: StudyRun, points: float) -> FrozenTrial | None:
    """The plan that saves most of those that lose at most so many points on the selection set."""
    least = run.baseline.accuracy - points / 100 - 1e-9
    kept = [t for t in run.finished if not decided_early(t) and accuracy_of(t) >= least and saving_of(t) > 0]
    return max(kept, key=lambda t: (saving_of(t), accuracy_of(t)), default=None)


def quality_table(results: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the arms of one case: medians over seeds."""
    header = [
        "arm", *(f"saved within {points:g} ({points:g} on test)" for points in POINTS),
        *(f"hypervolume, {mark} trials" for mark in MARKS), "trials to the first plan", "found",
    ]  # fmt: skip
    rows = []
    for arm, studies in _by_arm(results).items():
        running = RunningTime(efforts=tuple(result.effort for result in studies))
        rows.append(
            [
                arm,
                *(_saved([result.chosen[points] for result in studies]) for points in POINTS),
                *(f"{1e4 * statistics.median(r.hypervolume(mark) for r in studies):.1f}" for mark in MARKS),
                f"{running.trials:.1f}" if running.found else f"none in {running.spent_trials}",
                f"{running.found} of {running.studies}",
            ]
        )
    return header, rows


def _saved(chosen: Sequence[tuple[float, PairedAccuracy] | None]) -> str:
    """The median saving, and the median of the points that those plans lose on the test set."""
    there = [plan for plan in chosen if plan is not None]
    if not there:
        return "none"
    drop = statistics.median(measurement.drop for _, measurement in there)
    missing = "" if len(there) == len(chosen) else f", {len(chosen) - len(there)} none"
    return f"{statistics.median(saving for saving, _ in there):.1%} ({drop:.2f}{missing})"


def leads(results: Sequence[Result], trials: int) -> list[Claim]:
    """Our sampler's hypervolume against every other one's, as it is and with repair apart, corrected together."""
    metrics = {}
    for helped in (False, True):
        samples = [
            Sample(
                arm.removesuffix(HELPED),
                tuple(_or_none(result.hypervolume(trials)) for result in studies),
                studies[0].run.settings.kind.deterministic,
            )
            for arm, studies in _by_arm(results).items()
            if arm.endswith(HELPED) == helped
        ]
        if OURS in {sample.sampler for sample in samples} and len(samples) > 1:
            metrics["with repair" if helped else "as cut"] = samples
    return claims(metrics, reference=OURS) if metrics else []


def _or_none(volume: float) -> float:
    return volume if volume > 0 else NONE_FOUND


def _by_arm(results: Iterable[Result]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.arm, []).append(result)
    return groups


def _lead_text(claim: Claim) -> str:
    ours, theirs = (claim.first, claim.second) if claim.first.sampler == OURS else (claim.second, claim.first)
    mine, other = statistics.median(ours.seeds), statistics.median(theirs.seeds)
    ratio = "they found nothing" if other == NONE_FOUND else f"{max(mine, 0) / other:.2f} times theirs, goal {GOAL}"
    return f"{claim.metric}, {OURS} against {theirs.sampler}: {ratio}; p = {claim.p:.3g} after Holm"


def _figures(results: Sequence[Result]) -> list[dict[str, Any]]:
    return [
        {
            "arm": result.arm,
            "seed": result.run.settings.seed,
            "trials": len(result.run.finished),
            "hypervolume": {mark: result.hypervolume(mark) for mark in MARKS},
            "first": result.effort.trials if result.effort.found else None,
            "images": result.history.images[-1],
            "seconds": result.history.seconds[-1],
            "chosen": {
                points: None if plan is None else {"memory_saving": plan[0], "test": plan[1].to_json()}
                for points, plan in result.chosen.items()
            },
        }
        for result in results
    ]


def main() -> None:
    """Run, print the tables, and write JSON where asked to."""
    args = _arguments()
    args.output.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {"machine": machine()}
    for case in (Case(model, limits) for model in args.models for limits in args.limits):
        results = results_of(case, arms_of(args, case.constraints), args)
        print(f"\n## {case.model}: at most {case.constraints.max_drop:g} points, at least "
              f"{case.constraints.min_saving:.2%} saved\n")  # fmt: skip
        print(table(*quality_table(results)))
        found = leads(results, args.trials or MARKS[-1])
        for claim in found:
            print(f"- {_lead_text(claim)}")
        figures[case.name] = {"studies": _figures(results), "leads": [_lead_text(claim) for claim in found]}
        if args.json:
            args.json.write_text(json.dumps(figures, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    there = [DEMO, *sorted(place.parent.name for place in MODELS.glob("*/config.json"))]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="keeps the studies")
    parser.add_argument("--models", metavar="A,B", type=_names, default=there, help=f"default: {', '.join(there)}")
    parser.add_argument(
        "--arms",
        metavar="A",
        nargs="+",
        default=[],
        help="separated by spaces; default: every sampler, with repair too",
    )
    parser.add_argument("--limits", metavar="POINTS:SAVING,...", type=_limits, default=LIMITS, help="default: three")
    parser.add_argument("--seeds", metavar="N", type=int, default=6)
    parser.add_argument("--trials", metavar="N", type=int, default=MARKS[-1])
    parser.add_argument("--images", metavar="N", type=int, default=1000, help="selection images")
    parser.add_argument("--calibration", metavar="N", type=int, default=128, help="images that repair looks at")
    parser.add_argument("--quick", action="store_true", help="the demo model, one pair of limits, 2 seeds, 12 trials")
    parser.add_argument("--json", metavar="FILE", type=Path, help="where to write the figures")
    args = parser.parse_args()
    if args.quick:
        args.models, args.limits, args.seeds, args.trials, args.images = [DEMO], LIMITS[:1], 2, 12, 200
    return args


def _names(text: str) -> list[str]:
    return text.split(",")


def _limits(text: str) -> list[Constraints]:
    pairs = (pair.split(":") for pair in text.split(","))
    return [Constraints(max_drop=float(drop), min_saving=float(saving)) for drop, saving in pairs]


if __name__ == "__main__":
    main()
