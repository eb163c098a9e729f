"""Criteria by name."""

import pytest

from primesvt.models import PrimeSVTError
from primesvt.pruning import CRITERIA, PruningPlan, criterion, kept_channels


def test_names() -> None:
    assert list(CRITERIA)[:4] == ["l2", "l1", "bn-scale", "random"]
    assert all(criterion(name).name == name for name in CRITERIA)


def test_unknown_criteria_are_refused(make_model) -> None:
    with pytest.raises(PrimeSVTError, match="Unknown criterion 'l3'; known are l2, l1, bn-scale, random"):
        criterion("l3")
    with pytest.raises(PrimeSVTError, match="Unknown criterion 'l3'"):
        kept_channels(make_model(), PruningPlan({}, "l3"))
