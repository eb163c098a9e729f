"""The repair steps by name."""

import pytest

from primesvt.models import PrimeSVTError
from primesvt.pruning import STEPS, repair_steps, step_names
from primesvt.pruning.repair import LeastSquares, Norm


def test_steps_run_in_the_order_of_the_list() -> None:
    assert repair_steps(("least-squares", "norm")) == (LeastSquares(), Norm())
    assert repair_steps(("norm", "least-squares")) == (Norm(), LeastSquares())
    assert repair_steps(()) == ()


def test_every_step_is_known_by_its_name() -> None:
    assert [step.name for step in STEPS.values()] == list(STEPS)


def test_a_list_as_a_person_gives_it() -> None:
    assert step_names("least-squares, norm") == ("least-squares", "norm")
    assert step_names("mean") == ("mean",)
    assert step_names("none") == step_names("") == ()


@pytest.mark.parametrize("names", ["nor", "none,norm", "norm,none"])
def test_unknown_steps_are_refused(names: str) -> None:
    known = r"(did you mean norm\? K|k)nown are mean, norm, least-squares"
    with pytest.raises(PrimeSVTError, match=rf"Unknown repair step '.*'; {known}"):
        step_names(names)
