"""Making a comparison: which plans are shown, what they do on the test set, what tells studies apart."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from optuna.trial import FrozenTrial

from primesvt.models import PrimeSVTError, config_of, model_bytes, parameter_count
from primesvt.pruning import DEFAULT_CRITERION, Robustness, prunable_layers
from primesvt.search import (
    Quantity,
    accuracy_of,
    decided_early,
    evaluation_of,
    is_feasible,
    saving_of,
    violation,
)
from primesvt.search.samplers import NO_START

from ..running.settings import StudySettings
from ..running.study_run import StudyRun
from .comparison import Comparison, ReportedPlan, StudyResult, best_plan, nearest_plan
from .device import DeviceCost, device_costs
from .history import History
from .on_test_set import PairedAccuracy, TestSet
from .pareto import pareto_front
from .repair_gain import RepairGain, gains_of

# Plans that lose more than so many times the limit interest nobody, and are not measured again.
_WINDOW = 4.0
# Settings that may differ between studies of one comparison; with other constraints or images there is none.
_TELLING = ("criterion", "repair", "embedding", "depth", "layers", "step", "max_ratio", "risk", "space", "start")
# Settings that tell something even where all studies of a sampler agree.
_ALWAYS = {"criterion": DEFAULT_CRITERION, "repair": (), "start": NO_START}


def compare(
    runs: Sequence[StudyRun],
    test: TestSet,
    data: str,
    *,
    front: int = 8,
    latency: bool = False,
    on_measured: Callable[[int, int], None] = lambda _done, _total: None,
) -> Comparison:
    """Measure the studies' fronts on the test set, and put everything side by side.

    Args:
        runs: Studies of one model, data set and constraint set.
        test: The test set of their data set, with their model.
        data: Name of the data set.
        front: Plans of each study that are measured on the test set, at most; the best is always among them.
        latency: Whether the plan that is put forward is exported and timed.
        on_measured: Called with the number of plans measured so far, and of all.

    Raises:
        PrimeSVTError: There is no study, one has no finished trial, they are not about the same, or ``front`` < 1.
    """
    if front < 1:
        raise PrimeSVTError(f"front must be at least 1, got {front}.")
    _check_same(runs)
    results = _results(runs, test, front, on_measured)
    model, embedding = test.model, any(run.settings.embedding for run in runs)
    shown = best_plan(each.best for each in results) or nearest_plan(each.nearest for each in results)
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
        studies=results,
        gains=_gains(runs, shown, test),
        further=_further(runs),
        device=_device(runs, shown, test, latency=latency),
    )


def _results(
    runs: Sequence[StudyRun], test: TestSet, front: int, on_measured: Callable[[int, int], None]
) -> tuple[StudyResult, ...]:
    chosen = [_choose(run, front) for run in runs]
    done, total = itertools.count(), sum(map(len, chosen))
    results = []
    for run, trials in zip(runs, chosen, strict=True):
        plans = _measured(run, trials, test, lambda: on_measured(next(done), total))
        results.append(_result(run, _label(run, runs), plans))
    on_measured(total, total)
    return tuple(results)


def _further(runs: Sequence[StudyRun]) -> tuple[Quantity, ...]:
    """Objectives beside memory saving and accuracy that all studies have."""
    goals = [run.settings.goals.objectives for run in runs]
    return tuple(one for one in goals[0][2:] if all(one in others for others in goals))


def _device(
    runs: Sequence[StudyRun], shown: ReportedPlan | None, test: TestSet, *, latency: bool
) -> tuple[DeviceCost, DeviceCost] | None:
    if shown is None:
        return None
    run = next(run for run in runs if run.study.study_name == shown.study)
    try:
        unpruned, chosen = device_costs(test.pruner, shown.plan, test.images, latency=latency)
    except PrimeSVTError:  # such as a model whose forward pass cannot be traced
        if latency:
            raise
        return None
    told = [measure.name for measure in run.settings.all_measures if measure.needs_table]
    return unpruned.told(run.baseline.measures, told), chosen.told(shown.selection.measures, told)


def _gains(runs: Sequence[StudyRun], shown: ReportedPlan | None, test: TestSet) -> tuple[RepairGain, ...]:
    """Of the plan that is put forward; its study remembers them."""
    if shown is None:
        return ()
    study = next(run.study for run in runs if run.study.study_name == shown.study)
    return gains_of(shown.plan, lambda plan: test.recall(study, plan), {shown.plan.repair: shown.test})


def _measured(
    run: StudyRun, trials: Sequence[FrozenTrial], test: TestSet, on_plan: Callable[[], None]
) -> list[ReportedPlan]:
    """Trials of a study with what their plans do on the test set; the study remembers it."""
    plans = []
    for trial in trials:
        on_plan()
        plans.append(_report(run, trial, test.recall(run.study, run.plan(trial))))
    return plans


def _check_same(runs: Sequence[StudyRun]) -> None:
    if not runs:
        raise PrimeSVTError("There is no study to compare.")
    first = runs[0]
    for run in runs:
        if not run.finished:
            raise PrimeSVTError(f"The study {run.study.study_name!r} has no finished trial yet; run it first.")
        for what in ("constraints", "images", "device", "precision"):
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
        chosen = name == "space" and len(run.settings.kind.spaces) > 1
        if varies or chosen or (name in _ALWAYS and value != _ALWAYS[name]):
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            told.append(f"{name.replace('_', '-')} {text or ('all' if name == 'layers' else 'none')}")
    return run.settings.sampler + (f" ({'; '.join(told)})" if told else "")


def _telling(settings: StudySettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in _TELLING} | asdict(settings.options)


def _choose(run: StudyRun, limit: int) -> list[FrozenTrial]:
    """Trials to measure on the test set: the front near the limits, thinned, and the best or the nearest plan.

    What was decided early is on no front: its accuracy is an estimate from a part of the images.
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


def _report(run: StudyRun, trial: FrozenTrial, test: PairedAccuracy) -> ReportedPlan:
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
        history=History.of(run.finished, settings.objectives),
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
