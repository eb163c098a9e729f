"""Comparisons of two samplers: one finds plans that keep the limits, with two seeds, the other one does not."""

from dataclasses import replace
from typing import Any

from primesvt.studies.reporting.comparison import Comparison, ReportedPlan, StudyResult

from ..comparisons import comparison, plan, study


def front(study: StudyResult, *plans: ReportedPlan) -> StudyResult:
    """The study with further plans on its front."""
    return replace(study, front=(*study.front, *(replace(each, study=study.name) for each in plans)))


def named(figure: Any, name: str) -> Any:
    """The first trace of a name."""
    return next(trace for trace in figure.data if trace.name == name)


def pair() -> Comparison:
    """Two samplers."""
    return comparison(
        [
            front(study("tpe", 0, plan("", 0.4, 2.5), trials=2), plan("", 0.3, 1.0)),
            study("random", 0, plan("", 0.2, 4.0, test_drop=5.0), trials=2),
            study("tpe", 1, plan("", 0.5, 2.0, test_drop=3.4), trials=3),
        ]
    )
