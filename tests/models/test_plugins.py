"""Additions of other packages: found by name, behind PrimeSVT's own, and named where they are broken."""

from dataclasses import dataclass

import pytest

from primesvt.models import PrimeSVTError, Registry, plugins


@dataclass(frozen=True)
class Addition:
    name: str
    value: int


THINGS: Registry[Addition] = Registry("thing", "primesvt.things", Addition, (Addition("b", 1), Addition("a", 2)))


class Point:
    """An entry point of another package."""

    name, value = "theirs", "their_file:THEIRS"

    def __init__(self, loaded: object) -> None:
        self.loaded = loaded

    def load(self) -> object:
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return self.loaded


def install(monkeypatch: pytest.MonkeyPatch, *additions: object) -> list[str]:
    """Another package with these; returns the groups that are asked for."""
    asked: list[str] = []

    def entry_points(group: str) -> list[Point]:
        asked.append(group)
        return [Point(addition) for addition in additions]

    monkeypatch.setattr(plugins, "entry_points", entry_points)
    return asked


def test_as_a_mapping_it_holds_its_own() -> None:
    assert dict(THINGS) == {"b": Addition("b", 1), "a": Addition("a", 2)}
    assert len(THINGS) == 2
    assert "c" not in THINGS


def test_own_ones_come_first_and_keep_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = install(monkeypatch, Addition("c", 3), Addition("a", 4))
    found = THINGS.installed()
    assert [(each.name, each.value) for each in found.values()] == [("b", 1), ("a", 2), ("c", 3)]
    assert asked == ["primesvt.things"]
    assert list(THINGS) == ["b", "a"]


def test_other_packages_are_looked_through_only_for_what_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = install(monkeypatch, Addition("c", 3))
    assert THINGS.find("a").value == 2
    assert asked == []
    assert THINGS.find("c").value == 3
    with pytest.raises(PrimeSVTError, match="Unknown thing 'd'; known are b, a, c"):
        THINGS.find("d")


@pytest.mark.parametrize(
    ("loaded", "message"),
    [
        (ImportError("no snow"), r"The thing theirs \(their_file:THEIRS\) cannot be imported: no snow\."),
        (OSError("gone"), r"The thing theirs \(their_file:THEIRS\) cannot be imported: gone\."),
        (5, r"The thing theirs \(their_file:THEIRS\) is a int, expected a Addition\."),
    ],
)
def test_a_broken_one_is_named(monkeypatch: pytest.MonkeyPatch, loaded: object, message: str) -> None:
    install(monkeypatch, loaded)
    with pytest.raises(PrimeSVTError, match=message):
        THINGS.installed()
