"""A comparison: several studies on one model, data set and constraint set, and what their plans do on the test set."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from optuna.trial import FrozenTrial

from primesvt.models import PrimeSVTError, config_of, model_bytes, parameter_count
from primesvt.pruning import DEFAULT_CRITERION, PrunableLayer, PruningPlan, Robustness, prunable_layers
from primesvt.search import (
    KEY,
    Constraints,
    Evaluation,
    accuracy_of,
    decided_early,
    evaluation_of,
    is_feasible,
    saving_of,
    violation,
)

from ..running.settings import StudySettings
from ..running.study_run import StudyRun
from .history import History
from .measurement import Measurement, TestSet
from .pareto import Point, pareto_front

# Plans that lose more than so many times the limit interest nobody, and are not measured again.
_WINDOW = 4.0
# Settings that may differ between studies of one comparison; with other constraints or images there is none.
_TELLING = ("criterion", "repair", "embedding", "layers", "step", "max_ratio", "risk")
# Settings that tell something even where all studies of a sampler agree.
_ALWAYS = {"criterion": DEFAULT_CRITERION, "repair": ()}


@dataclass(frozen=True, kw_only=True)
class ReportedPlan:
    """A plan that the report shows.

    Args:
        study: Name of the study that found it.
        trial: Number of its trial.
        plan: What it removes.
        selection: What was measured of it in the search; only a plan that misses the limits may be decided early there.
        drop: Percentage points lost on the selection set.
        feasible: Whether it keeps the limits there (with the margin, where there is one).
        violation: By how much it misses them; 0 where it keeps them.
        test: What it does on the test set.
    """

    study: str
    trial: int
    plan: PruningPlan
    selection: Evaluation
    drop: float
    feasible: bool
    violation: float
    test: Measurement

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "study": self.study,
            "trial": self.trial,
            "memory_saving": self.selection.memory_saving,
            "bytes": self.selection.bytes,
            "feasible": self.feasible,
            "violation": self.violation,
            "ratios": dict(self.plan.ratios),
            "measures": dict(self.selection.measures),
            "selection": {
                **self.selection.told(),
                "drop": self.drop,
                "decided_early": self.selection.decided_early,
            },
            "test": self.test.to_json(),
        }


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """One study.

    Args:
        name: Its name.
        sampler: Its sampler, and the settings that tell it from others of that sampler.
        deterministic: Whether the sampler draws nothing at random, so that one study stands for every seed.
        seed: The sampler's seed.
        over: Whether the sampler came to an end of its own; False for samplers that know none.
        history: What it found, trial by trial.
        front: Its Pareto front, thinned, measured on the test set; by saving, the largest first. Only plans that were
            measured in full are on it.
        best: The plan that saves most within the limits, or None.
        nearest: The plan that misses the limits least, where none keeps them.
    """

    name: str
    sampler: str
    deterministic: bool
    seed: int
    over: bool
    history: History
    front: tuple[ReportedPlan, ...]
    best: ReportedPlan | None
    nearest: ReportedPlan | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All that a report says.

    Args:
        family: Family of the model.
        parameters: Its parameters.
        bytes: Its bytes.
        data: Name of the data set.
        constraints: The limits.
        baseline: The unpruned model on the images of the search.
        test_baseline: The unpruned model on the test set.
        layers: Its prunable layers, the largest first.
        robustness: Accuracy with one layer pruned, or None where no study measured it.
        studies: The studies.
    """

    family: str
    parameters: int
    bytes: int
    data: str
    constraints: Constraints
    baseline: Evaluation
    test_baseline: Measurement
    layers: tuple[PrunableLayer, ...]
    robustness: Robustness | None
    studies: tuple[StudyResult, ...]

    @cached_property
    def samplers(self) -> dict[str, list[StudyResult]]:
        """The studies of each sampler."""
        groups: dict[str, list[StudyResult]] = {}
        for study in self.studies:
            groups.setdefault(study.sampler, []).append(study)
        return groups

    @property
    def winner(self) -> ReportedPlan | None:
        """The plan of all studies that saves most within the limits, chosen on the selection set alone."""
        return best_plan(study.best for study in self.studies)

    @property
    def nearest(self) -> ReportedPlan | None:
        """The plan that misses the limits least, where none keeps them."""
        return nearest_plan(study.nearest for study in self.studies)

    @property
    def corner(self) -> Point:
        """The worst saving and accuracy that the limits allow: the reference of the hypervolume within the limits."""
        limits = self.constraints
        return limits.min_saving, self.baseline.accuracy - (limits.max_drop - limits.margin) / 100


# As best_trial and nearest_trial of a study, but of plans of several: a plan knows what its trial measured, and its
# number says nothing beyond its study.
def best_plan(plans: Iterable[ReportedPlan | None]) -> ReportedPlan | None:
    """Of the plans that are there, the one that saves most; of equal ones, the most accurate."""
    there = [plan for plan in plans if plan is not None]
    return max(there, key=lambda p: (p.selection.memory_saving, p.selection.accuracy), default=None)


def nearest_plan(plans: Iterable[ReportedPlan | None]) -> ReportedPlan | None:
    """Of the plans that are there, the one that misses the limits least; of equal ones, the most accurate."""
    there = [plan for plan in plans if plan is not None]
    return min(there, key=lambda p: (p.violation, -p.selection.accuracy), default=None)


def compare(
    runs: Sequence[StudyRun],
    test: TestSet,
    data: str,
    *,
    front: int = 8,
    on_measured: Callable[[int, int], None] = lambda _done, _total: None,
) -> Comparison:
    """Measure the studies' fronts on the test set, and put everything side by side.

    Args:
        runs: Studies of one model, data set and constraint set.
        test: The test set of their data set, with their model.
        data: Name of the data set.
        front: Plans of each study that are measured on the test set, at most; the best is always among them.
        on_measured: Called with the number of plans measured so far, and of all.

    Raises:
        PrimeSVTError: There is no study, one has no finished trial, they are not about the same, or ``front`` < 1.
    """
    if front < 1:
        raise PrimeSVTError(f"front must be at least 1, got {front}.")
    _check_same(runs)
    chosen = [_choose(run, front) for run in runs]
    total, done = sum(map(len, chosen)), 0
    results = []
    for run, trials in zip(runs, chosen, strict=True):
        known = dict(test.remembered(run.study))
        for trial in trials:
            on_measured(done, total)
            key = trial.user_attrs[KEY]
            if key not in known:
                known[key] = test.measure(run.plan(trial))
                test.remember(run.study, known)
            done += 1
        plans = [_report(run, trial, known[trial.user_attrs[KEY]]) for trial in trials]
        results.append(_result(run, _label(run, runs), plans))
    on_measured(total, total)
    embedding = any(run.settings.embedding for run in runs)
    model = test.model
    return Comparison(
        family=config_of(model).family,
        parameters=parameter_count(model),
        bytes=model_bytes(model),
        data=data,
        constraints=runs[0].settings.constraints,
        baseline=runs[0].baseline,
        test_baseline=test.baseline,
        layers=prunable_layers(model, embedding=embedding),
        robustness=_robustness(runs),
        studies=tuple(results),
    )


def _check_same(runs: Sequence[StudyRun]) -> None:
    if not runs:
        raise PrimeSVTError("There is no study to compare.")
    first = runs[0]
    for run in runs:
        if not run.finished:
            raise PrimeSVTError(f"The study {run.study.study_name!r} has no finished trial yet; run it first.")
        for what in ("constraints", "images"):
            ours, theirs = getattr(first.settings, what), getattr(run.settings, what)
            if ours != theirs:
                raise PrimeSVTError(
                    f"The studies {first.study.study_name!r} and {run.study.study_name!r} cannot be compared: their "
                    f"{what} differ ({ours} and {theirs})."
                )


def _label(run: StudyRun, runs: Sequence[StudyRun]) -> str:
    """The sampler, with the settings in which this study differs from others of the same sampler."""
    same = [other.settings for other in runs if other.settings.sampler == run.settings.sampler]
    told = []
    for name, value in _telling(run.settings).items():
        varies = any(_telling(other)[name] != value for other in same)
        if varies or (name in _ALWAYS and value != _ALWAYS[name]):
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            told.append(f"{name.replace('_', '-')} {text or ('all' if name == 'layers' else 'none')}")
    return run.settings.sampler + (f" ({'; '.join(told)})" if told else "")


def _telling(settings: StudySettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in _TELLING} | asdict(settings.options)


def _choose(run: StudyRun, limit: int) -> list[FrozenTrial]:
    """Trials to measure on the test set: the front near the limits, thinned, and the best or the nearest plan.

    What was decided early is on no front: its accuracy is that of a few images.
    """
    least = run.baseline.accuracy - _WINDOW * max(run.settings.constraints.max_drop, 1.0) / 100
    near = [t for t in run.finished if accuracy_of(t) >= least and saving_of(t) > 0 and not decided_early(t)]
    front = [near[i] for i in pareto_front([(saving_of(t), accuracy_of(t)) for t in near])]
    best = run.best or run.nearest
    if len(front) > limit:
        spread = {round(i * (len(front) - 1) / max(1, limit - 1)) for i in range(limit)}
        front = [trial for i, trial in enumerate(front) if i in spread]
    if best is not None and best.number not in {trial.number for trial in front}:
        front = [*front[: limit - 1], best]
    return sorted(front, key=lambda t: -saving_of(t))


def _report(run: StudyRun, trial: FrozenTrial, test: Measurement) -> ReportedPlan:
    evaluation = evaluation_of(trial)
    return ReportedPlan(
        study=run.study.study_name,
        trial=trial.number,
        plan=run.plan(trial),
        selection=evaluation,
        drop=evaluation.drop_from(run.baseline),
        feasible=is_feasible(trial),
        violation=violation(trial),
        test=test,
    )


def _result(run: StudyRun, label: str, plans: list[ReportedPlan]) -> StudyResult:
    by_number = {plan.trial: plan for plan in plans}
    best, nearest = run.best, run.nearest
    settings = run.settings
    return StudyResult(
        name=run.study.study_name,
        sampler=label,
        deterministic=settings.kind.deterministic,
        seed=settings.seed,
        over=run.over,
        history=History.of(run.finished),
        front=tuple(plan for plan in plans if not plan.selection.decided_early),
        best=None if best is None else by_number[best.number],
        nearest=None if best is not None or nearest is None else by_number[nearest.number],
    )


def _robustness(runs: Sequence[StudyRun]) -> Robustness | None:
    """Robustness from the trials of all studies that prune one layer alone, by the same criterion, without repair."""
    table: dict[str, dict[float, float]] = {}
    estimated: set[tuple[str, float]] = set()
    for run in runs:
        if run.settings.repair or run.settings.criterion != runs[0].settings.criterion:
            continue
        table = {layer: {} for layer in run.space.layers} | table
        for trial in run.finished:
            ratios = run.plan(trial).ratios
            if len(ratios) != 1:
                continue
            ((layer, rate),) = ratios.items()
            early = bool(decided_early(trial))
            if rate in table[layer] and (early or (layer, rate) not in estimated):
                continue
            table[layer][rate] = accuracy_of(trial)
            estimated = estimated - {(layer, rate)} | ({(layer, rate)} if early else set())
    if not any(table.values()):
        return None
    return Robustness(runs[0].baseline.accuracy, table, frozenset(estimated))
