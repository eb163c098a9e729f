"""The steps by name."""

from importlib.metadata import EntryPoint

import pytest

from primesvt.models import PrimeSVTError
from primesvt.pruning import STEPS, LeastSquares, Mean, Norm, repair_steps
from primesvt.pruning.repair import steps


class Elsewhere:
    """A step of another package."""

    name = "elsewhere"
    repair = None


class Working(Elsewhere):
    def repair(self, *_: object) -> None: ...


def _installed(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    point = EntryPoint(name="elsewhere", value=value, group=steps.ENTRY_POINTS)
    monkeypatch.setattr(steps, "entry_points", lambda group: [point] if group == "primesvt.repairs" else [])


def test_steps_run_in_the_order_of_the_list() -> None:
    assert repair_steps("least-squares, norm") == (LeastSquares(), Norm())
    assert repair_steps("norm,least-squares") == (Norm(), LeastSquares())
    assert repair_steps("mean") == (Mean(),)
    assert repair_steps("none") == ()


def test_every_step_is_known_by_its_name() -> None:
    assert [step.name for step in STEPS.values()] == list(STEPS)


@pytest.mark.parametrize("names", ["", "nor", "none,norm", "norm,,mean", "norm,none"])
def test_unknown_steps_are_refused(names: str) -> None:
    with pytest.raises(PrimeSVTError, match=r"Unknown repair '.*'; known are mean, norm, least-squares"):
        repair_steps(names)


def test_other_packages_add_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch, f"{__name__}:WORKING")
    assert repair_steps("elsewhere,mean") == (WORKING, Mean())


@pytest.mark.parametrize(
    ("value", "message"), [("no.such.module:x", "cannot be imported"), (f"{__name__}:Elsewhere", "is no step")]
)
def test_broken_steps_of_other_packages_are_named(monkeypatch: pytest.MonkeyPatch, value: str, message: str) -> None:
    _installed(monkeypatch, value)
    with pytest.raises(PrimeSVTError, match=f"The repair elsewhere .*{message}"):
        repair_steps("elsewhere")
    assert repair_steps("mean") == (Mean(),), "a broken package is no reason to refuse what is here"


WORKING = Working()
