"""Samplers that take much time themselves are named, and so is what they drew in vain."""

from dataclasses import replace

from primesvt.studies.reporting.comparison import StudyResult
from primesvt.studies.reporting.sampling import sampling_notes
from primesvt.studies.reporting.summary import summary
from primesvt.studies.reporting.verdict import words

from .comparisons import comparison, plan, study


def studied(sampler: str, seed: int, *, sampling: float = 0.0, redrawn: int = 0) -> StudyResult:
    """A study of ten seconds."""
    whole = study(sampler, seed, plan("s", 0.5, 1.0))
    return replace(whole, history=replace(whole.history, sampling=sampling, redrawn=redrawn))


def test_more_than_a_twentieth_is_named() -> None:
    shown = comparison(
        [studied("gp", 0, sampling=3.0), studied("gp", 1, sampling=1.0), studied("tpe", 0, sampling=0.5)]
    )
    note = "gp itself takes 20% of its studies' time, to choose what is measured."
    assert sampling_notes(shown) == [note]
    assert note in words(shown)


def test_redraws_are_counted_over_the_studies() -> None:
    shown = comparison([studied("random", 0, redrawn=1200), studied("random", 1, redrawn=34), studied("tpe", 0)])
    assert sampling_notes(shown) == [
        "Plans drawn again before they were measured, as they save too little: random 1,234."
    ]
    told = summary(shown)["studies"]
    assert [each["redrawn"] for each in told] == [1200, 34, 0]
