"""Which layer loses how much: the best plan for a size or for an error, from the error curves of the layers.

Errors of layers add up, bytes do not: where neighbours share a matrix, they are products of widths. A plan is therefore
chosen in two steps. *Lagrange*: for a price of a byte, every layer in turn takes the ratio whose error and price are
smallest together, given all others, until none changes; the price is found by bisection (the knapsack of E. Frantar and
D. Alistarh, *SPDY: Accurate Pruning with Speedup Guarantees*, arXiv:2201.13096, without its assumption that costs add
up, and without its dynamic programme, which needs it). *Moves*: one layer gives up some ratio, another takes some, on
exact bytes, as long as that helps (as O. Sieberling et al., *EvoPress*, arXiv:2410.14649, with all moves looked at
instead of drawn at random: here a look costs no image). In both, a residual branch may go or come back as one more
layer, which replaces its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from primesvt.models import PrimeSVTError

_PRICES = 40
_ROUNDS = 10
# A move is by so many levels: far ones are what the prices are for.
_STEPS = np.array([-8, -5, -3, -2, -1, 1, 2, 3, 5, 8])


class Cost(Protocol):
    """Counts bytes; :class:`~primesvt.pruning.ByteCounter` does."""

    def bytes(self, ratios: Mapping[str, float]) -> int:
        """Bytes of a plan."""

    def along(self, ratios: Mapping[str, float], layer: str, choices: Sequence[float]) -> np.ndarray:
        """Bytes of the plan with each of several ratios for one layer, float64 ``[K]``."""


@dataclass(frozen=True)
class CostOfSaving:
    """Counts in millionths of the unpruned model, where only the saving of a plan is known.

    Args:
        saving: Fraction of the bytes that a plan saves.
    """

    saving: Callable[[Mapping[str, float]], float]

    def bytes(self, ratios: Mapping[str, float]) -> int:
        """Millionths that a plan leaves."""
        return round(1e6 * (1 - self.saving(ratios)))

    def along(self, ratios: Mapping[str, float], layer: str, choices: Sequence[float]) -> np.ndarray:
        """Millionths of the plan with each of several ratios for one layer, float64 ``[K]``."""
        return np.array([self.bytes({**ratios, layer: ratio}) for ratio in choices], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Curves:
    """What every layer's ratios cost in error.

    Args:
        layers: Names.
        levels: The ratios to choose from, ascending, the first is 0.
        errors: Error of every layer at every level, float64 ``[L, K]``, at least 0, and 0 at the first level.
        branches: Layers that can be removed together, the numbers of each branch's.
        removals: Error of a plan that removes the branch, instead of its layers' errors, float64 ``[B]``, at least 0.

    Raises:
        PrimeSVTError: Something does not fit.
    """

    layers: tuple[str, ...]
    levels: tuple[float, ...]
    errors: np.ndarray
    branches: tuple[tuple[int, ...], ...] = ()
    removals: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if self.errors.shape != (len(self.layers), len(self.levels)):
            raise PrimeSVTError(
                f"Errors must be [{len(self.layers)}, {len(self.levels)}], layers by levels; got "
                f"{list(self.errors.shape)}."
            )
        if self.levels[:1] != (0.0,) or list(self.levels) != sorted(set(self.levels)):
            raise PrimeSVTError(f"Levels must ascend from 0, got {list(self.levels)}.")
        if not (np.isfinite(self.errors).all() and (self.errors >= 0).all() and (self.errors[:, 0] == 0).all()):
            raise PrimeSVTError("Errors must be numbers, at least 0, and 0 where nothing is removed.")
        if self.removals.shape != (len(self.branches),) or not (self.removals >= 0).all():
            raise PrimeSVTError(f"Every branch must have an error of at least 0, got {self.removals.tolist()}.")

    @property
    def nothing(self) -> np.ndarray:
        """The choice of no layer and no branch."""
        return np.zeros(len(self.layers) + len(self.branches), np.int64)

    def ratios(self, choice: np.ndarray) -> dict[str, float]:
        """The plan of a choice, int64 ``[L + B]``: a level of every layer, and 1 of every branch that is removed."""
        levels = [(1.0 if gone else self.levels[at]) for at, gone in zip(choice, self.gone(choice), strict=False)]
        return {layer: ratio for layer, ratio in zip(self.layers, levels, strict=True) if ratio > 0}

    def error(self, choice: np.ndarray) -> float:
        """The sum of the errors of the branches that are removed, and of all other layers."""
        count = len(self.layers)
        errors = np.where(self.gone(choice), 0.0, self.errors[np.arange(count), choice[:count]])
        return float(errors.sum() + self.removals @ choice[count:])

    def gone(self, choice: np.ndarray) -> np.ndarray:
        """Whether every layer is removed with a branch, bool ``[L]``; what level it has does not matter then."""
        return np.asarray(choice[len(self.layers) :] @ self._members > 0)

    def left(self, choice: np.ndarray) -> list[int]:
        """The numbers of the layers that are not removed with a branch."""
        found: list[int] = np.flatnonzero(~self.gone(choice)).tolist()
        return found

    @cached_property
    def _members(self) -> np.ndarray:
        """Which layers are part of which branch, int64 ``[B, L]``."""
        members = np.zeros((len(self.branches), len(self.layers)), np.int64)
        for row, layers in zip(members, self.branches, strict=True):
            row[list(layers)] = 1
        return members


@dataclass(frozen=True, eq=False)
class Allocation:
    """Chooses plans.

    Args:
        curves: Errors.
        cost: Bytes.
    """

    curves: Curves
    cost: Cost

    def for_bytes(self, most: float) -> dict[str, float] | None:
        """The plan with the least error among those of at most so many bytes; None where there is none."""
        choice = self._priced(lambda choice: self._bytes(choice) <= most)
        return None if choice is None else self._moved(choice, bound=most, least_error=True)

    def for_error(self, most: float) -> dict[str, float]:
        """The smallest plan among those with at most this error."""
        # The dearest bytes that keep the error: prices are tried from the other side.
        choice = self._priced(lambda choice: self.curves.error(choice) > most, last_without=True)
        start = self.curves.nothing if choice is None else choice
        found = self._moved(start, bound=most, least_error=False)
        filled = self._filled(most)
        if self._bytes(filled) >= self.cost.bytes(found):
            return found
        return self._moved(filled, bound=most, least_error=False)

    def _filled(self, most: float) -> np.ndarray:
        """Layer by layer the largest level within an error: what the paper's policy does where errors add up.

        Where bytes are products of widths, prices can miss a plan that this finds.
        """
        choice = self.curves.nothing
        for at, errors in enumerate(self.curves.errors):
            fits = np.flatnonzero(self.curves.error(choice) + errors <= most + 1e-12)
            choice[at] = fits[-1] if len(fits) else 0
        return choice

    def _bytes(self, choice: np.ndarray) -> float:
        return float(self.cost.bytes(self.curves.ratios(choice)))

    def _priced(self, enough: Callable[[np.ndarray], bool], *, last_without: bool = False) -> np.ndarray | None:
        """The choice of the lowest price that is enough, or of the highest that is not; None where there is none."""
        low, high = -40.0, 10.0  # of the price's logarithm
        found: dict[bool, np.ndarray] = {}
        for price in (low, high):
            choice = self._settled(np.exp(price))
            found[enough(choice)] = choice
        for _ in range(_PRICES if len(found) == 2 else 0):
            middle = (low + high) / 2
            choice = self._settled(np.exp(middle))
            answer = enough(choice)
            found[answer] = choice
            low, high = (low, middle) if answer else (middle, high)
            if high - low < 0.02:  # moves do the rest
                break
        return found.get(not last_without)

    def _settled(self, price: float) -> np.ndarray:
        """The best level of every layer and branch at a price of a byte, given those of all others."""
        choice, count = self.curves.nothing, len(self.curves.layers)
        for _ in range(_ROUNDS):
            before = choice.copy()
            for at in self.curves.left(choice):
                choice[at] = int(np.argmin(self.curves.errors[at] + price * self._along(choice, at)))
            for at in range(count, len(choice)):
                costs = [self.curves.error(each) + price * self._bytes(each) for each in _both(choice, at)]
                choice[at] = int(np.argmin(costs))
            if (choice == before).all():
                break
        return choice

    def _along(self, choice: np.ndarray, at: int) -> np.ndarray:
        return self.cost.along(self.curves.ratios(choice), self.curves.layers[at], self.curves.levels)

    def _moved(self, choice: np.ndarray, *, bound: float, least_error: bool) -> dict[str, float]:
        """Improve a choice by moves of one layer or two while one is better and stays within the bound."""

        def values(choice: np.ndarray) -> tuple[float, float]:
            error, size = self.curves.error(choice), self._bytes(choice)
            return (error, size) if least_error else (size, error)

        while True:
            better = next(
                (
                    candidate
                    for candidate in self._candidates(choice, bound - values(choice)[1], least_error)
                    if values(candidate)[1] <= bound and values(candidate)[0] < values(choice)[0] - 1e-12
                ),
                None,
            )
            if better is None:
                return self.curves.ratios(choice)
            choice = better

    def _candidates(self, choice: np.ndarray, room: float, least_error: bool) -> list[np.ndarray]:
        """Choices a move of one or two layers away, the most promising first."""
        layers, levels, errors, sizes = self._moves(choice)
        goal, used = (errors, sizes) if least_error else (sizes, errors)
        # The last is no move: its pairs are the moves of one layer.
        goal, used, owner = np.append(goal, 0.0), np.append(used, 0.0), np.append(layers, -1)
        gain = goal[:, None] + goal
        # Bytes of two moves are not quite the sum of each; a little too much may be just right.
        fits = (used[:, None] + used <= room + 1e-12 + 0.02 * abs(used[:, None])) & (owner[:, None] != owner)
        gain[~fits | (gain >= 0)] = np.inf
        best = np.argsort(gain, axis=None, kind="stable")[:40]
        found = []
        for first, second in zip(*np.unravel_index(best, gain.shape), strict=True):
            if not np.isfinite(gain[first, second]):
                break
            candidate = choice.copy()
            for move in (first, second):
                if move < len(layers):
                    candidate[layers[move]] = levels[move]
            found.append(candidate)
        return found

    def _moves(self, choice: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Place, level, and differences of error and bytes of every move of one layer or branch, each ``[M]``."""
        whole = self._bytes(choice)
        layers, levels, errors, sizes = [], [], [], []
        for at in self.curves.left(choice):
            now = choice[at]
            to = np.unique(np.clip(now + _STEPS, 0, len(self.curves.levels) - 1))
            to = to[to != now]
            layers.append(np.full(len(to), at))
            levels.append(to)
            errors.append(self.curves.errors[at, to] - self.curves.errors[at, now])
            sizes.append(self._along(choice, at)[to] - whole)
        for at in range(len(self.curves.layers), len(choice)):
            other = _both(choice, at)[1 - choice[at]]
            layers.append(np.array([at]))
            levels.append(other[at : at + 1])
            errors.append(np.array([self.curves.error(other) - self.curves.error(choice)]))
            sizes.append(np.array([self._bytes(other) - whole]))
        return tuple(np.concatenate(part) for part in (layers, levels, errors, sizes))  # type: ignore[return-value]


def _both(choice: np.ndarray, at: int) -> tuple[np.ndarray, np.ndarray]:
    """The choice with 0 and with 1 at a place."""
    kept, gone = choice.copy(), choice.copy()
    kept[at], gone[at] = 0, 1
    return kept, gone
