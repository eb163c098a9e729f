"""A comparison as data for machines: everything that the page shows."""

from typing import Any

from .chosen import best_of_samplers
from .comparison import Comparison, ReportedPlan, StudyResult
from .evidence import claim_to_json
from .history import History
from .pareto import Point
from .provenance import Provenance
from .standings import comparison_claims, hypervolumes, savings, standings
from .verdict import verdict, words

FORMAT = 1


def summary(comparison: Comparison, provenance: Provenance | None = None) -> dict[str, Any]:
    """Everything that the page shows, as plain data.

    Args:
        comparison: What was measured.
        provenance: Where it comes from.
    """
    limits = comparison.constraints
    return {
        "format": FORMAT,
        "outcome": verdict(comparison).conclusion,
        "summary": words(comparison),
        "model": _model(comparison),
        "data": comparison.data,
        "constraints": limits.to_json(),
        "baseline": _baseline(comparison),
        "winner": _plan(comparison.winner),
        "nearest": _plan(comparison.nearest),
        "device": _device(comparison),
        "repair": [gain.to_json() for gain in comparison.gains],
        "finetuned": {study: test.to_json() for study, test in comparison.finetuned.items()},
        "samplers": _samplers(comparison),
        "claims": [claim_to_json(claim) for claim in comparison_claims(comparison)],
        "memory_saving_within_limits": {s.sampler: s.to_json() for s in savings(comparison)},
        "hypervolume_within_limits": {s.sampler: s.to_json() for s in hypervolumes(comparison)},
        "studies": [_study(study, comparison.corner) for study in comparison.studies],
        "robustness": None if comparison.robustness is None else comparison.robustness.to_json(),
        "provenance": None if provenance is None else provenance.to_json(),
    }


def _model(comparison: Comparison) -> dict[str, Any]:
    return {
        "family": comparison.family,
        "parameters": comparison.parameters,
        "bytes": comparison.bytes,
        "layers": [
            {"name": layer.name, "kind": layer.kind, "channels": layer.channels, "parameters": layer.parameters}
            for layer in comparison.layers
        ],
    }


def _baseline(comparison: Comparison) -> dict[str, Any]:
    """The unpruned model on both sets."""
    return {
        "selection": comparison.baseline.told(),
        "test": comparison.test_baseline.to_json(),
    }


def _device(comparison: Comparison) -> dict[str, Any] | None:
    """What a device feels of the unpruned model and of the plan that is put forward."""
    if comparison.device is None:
        return None
    unpruned, chosen = comparison.device
    return {"unpruned": unpruned.to_json(), "chosen": chosen.to_json()}


def _samplers(comparison: Comparison) -> dict[str, Any]:
    best, stands = best_of_samplers(comparison), standings(comparison)
    return {
        sampler: {
            "studies": [study.name for study in studies],
            "deterministic": studies[0].deterministic,
            "feasible": sum(sum(study.history.feasible) for study in studies),
            "best": _plan(best[sampler]),
            "expected_until_first": stands[sampler].running.to_json(),
        }
        for sampler, studies in comparison.samplers.items()
    }


def _study(study: StudyResult, corner: Point) -> dict[str, Any]:
    return {
        "study": study.name,
        "sampler": study.sampler,
        "seed": study.seed,
        "trials": len(study.history.points),
        "feasible": sum(study.history.feasible),
        "images": study.history.images[-1],
        "seconds": study.history.seconds[-1],
        "sampler_seconds": study.history.sampling,
        "redrawn": study.history.redrawn,
        "over": study.over,
        "best": _plan(study.best),
        "nearest": _plan(study.nearest),
        "front": [plan.to_json() for plan in study.front],
        "history": _history(study.history, corner),
    }


def _history(history: History, corner: Point) -> dict[str, Any]:
    return {
        "trial": list(history.numbers),
        "memory_saving": [x for x, _ in history.points],
        "accuracy": [y for _, y in history.points],
        "measured_in_full": list(history.whole),
        "feasible": list(history.feasible),
        "violation": list(history.violations),
        "images": list(history.images),
        "seconds": list(history.seconds),
        "hypervolume_within_limits": history.hypervolume(corner, feasible_only=True),
        "hypervolume_all": history.hypervolume((0.0, 0.0), feasible_only=False),
    }


def _plan(plan: ReportedPlan | None) -> dict[str, Any] | None:
    return None if plan is None else plan.to_json()
