"""Which layer loses how much: the best plan for a size or for an error, from the error curves of the layers.

Errors of layers add up, bytes do not: where neighbours share a matrix, they are products of widths. A plan is therefore
chosen in two steps. *Lagrange*: for a price of a byte, every layer in turn takes the ratio whose error and price are
smallest together, given all others, until none changes; the price is found by bisection (the knapsack of E. Frantar and
D. Alistarh, *SPDY: Accurate Pruning with Speedup Guarantees*, arXiv:2201.13096, without its assumption that costs add
up, and without its dynamic programme, which needs it). *Moves*: one layer gives up some ratio, another takes some, on
exact bytes, as long as that helps (as O. Sieberling et al., *EvoPress*, arXiv:2410.14649, with all moves looked at
instead of drawn at random: here a look costs no image).

Where it is known that errors of some plans do not add up so, moves go by what is known, and begin at good plans, too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from primesvt.models import PrimeSVTError

_PRICES = 40
_ROUNDS = 10
# So many known plans are moved, too.
_KNOWN = 2
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

    Raises:
        PrimeSVTError: Something does not fit.
    """

    layers: tuple[str, ...]
    levels: tuple[float, ...]
    errors: np.ndarray

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

    def ratios(self, choice: np.ndarray) -> dict[str, float]:
        """The plan of a choice, int64 ``[L]``: a level of every layer."""
        return {layer: self.levels[at] for layer, at in zip(self.layers, choice, strict=True) if at > 0}

    def choice(self, ratios: Mapping[str, float]) -> np.ndarray:
        """The choice, int64 ``[L]``, whose levels are nearest to the ratios of a plan."""
        wanted = np.array([[ratios.get(layer, 0.0)] for layer in self.layers])
        return np.asarray(np.abs(wanted - np.array(self.levels)).argmin(1))

    def added(self, choices: np.ndarray) -> np.ndarray:
        """The sums of the layers' errors, float64 ``[N]``, of choices ``[N, L]``."""
        return np.asarray(self.errors[np.arange(len(self.layers)), choices].sum(1))


def _as_added(ratios: np.ndarray) -> np.ndarray:
    return np.ones(len(ratios))


@dataclass(frozen=True, eq=False)
class Allocation:
    """Chooses plans.

    Args:
        curves: Errors.
        cost: Bytes.
        factor: From ratios of plans, float64 ``[N, L]``, to what their added errors have to be multiplied by, ``[N]``.
        known: Plans where moves begin, too, if they are good.
    """

    curves: Curves
    cost: Cost
    factor: Callable[[np.ndarray], np.ndarray] = _as_added
    known: Sequence[Mapping[str, float]] = ()

    def error(self, choice: np.ndarray) -> float:
        """Error of a choice, int64 ``[L]``."""
        return float(self._errors(choice[None])[0])

    def for_bytes(self, most: float) -> dict[str, float] | None:
        """The plan with the least error among those of at most so many bytes; None where there is none."""
        choice = self._priced(lambda choice: self._bytes(choice) <= most)
        return None if choice is None else self._best_moved([choice], most, least_error=True)

    def for_error(self, most: float) -> dict[str, float]:
        """The smallest plan among those with at most this error."""
        # The dearest bytes that keep the error: prices are tried from the other side.
        choice = self._priced(lambda choice: self.error(choice) > most, last_without=True)
        start = np.zeros(len(self.curves.layers), np.int64) if choice is None else choice
        return self._best_moved([start, self._filled(most)], most, least_error=False)

    def _best_moved(self, starts: Sequence[np.ndarray], bound: float, *, least_error: bool) -> dict[str, float]:
        """The best of what moves make of some choices, and of the best known plans within the bound."""
        known = [self.curves.choice(plan) for plan in self.known]
        values = [self._values(choice, least_error) for choice in known]
        within = [at for at, (_, used) in enumerate(values) if used <= bound]
        best = sorted(within, key=lambda at: values[at])[:_KNOWN]
        ends = [self._moved(start, bound, least_error) for start in [*starts, *(known[at] for at in best)]]
        return self.curves.ratios(min(ends, key=lambda choice: self._values(choice, least_error)))

    def _values(self, choice: np.ndarray, least_error: bool) -> tuple[float, float]:
        """What shall be small, and what has a bound."""
        error, size = self.error(choice), self._bytes(choice)
        return (error, size) if least_error else (size, error)

    def _errors(self, choices: np.ndarray) -> np.ndarray:
        return self.curves.added(choices) * self.factor(np.array(self.curves.levels)[choices])

    def _filled(self, most: float) -> np.ndarray:
        """Layer by layer the largest level within an error: what the paper's policy does where errors add up.

        Where bytes are products of widths, prices can miss a plan that this finds.
        """
        choice = np.zeros(len(self.curves.layers), np.int64)
        for at, errors in enumerate(self.curves.errors):
            tried = np.tile(choice, (len(errors), 1))
            tried[:, at] = np.arange(len(errors))
            fits = np.flatnonzero(self._errors(tried) <= most + 1e-12)
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
        """Every layer's best level at a price of a byte, given those of all others."""
        choice = np.zeros(len(self.curves.layers), np.int64)
        for _ in range(_ROUNDS):
            before = choice.copy()
            for at in range(len(choice)):
                choice[at] = int(np.argmin(self.curves.errors[at] + price * self._along(choice, at)))
            if (choice == before).all():
                break
        return choice

    def _along(self, choice: np.ndarray, at: int) -> np.ndarray:
        return self.cost.along(self.curves.ratios(choice), self.curves.layers[at], self.curves.levels)

    def _moved(self, choice: np.ndarray, bound: float, least_error: bool) -> np.ndarray:
        """Improve a choice by moves of one layer or two while one is better and stays within the bound."""
        goal, used = self._values(choice, least_error)
        while True:
            for candidate, error in self._candidates(choice, bound - used, least_error):
                # Bytes are dear to count: they are where the error says enough.
                if error > bound if not least_error else error >= goal - 1e-12:
                    continue
                values = self._values(candidate, least_error)
                if values[1] <= bound and values[0] < goal - 1e-12:
                    choice, (goal, used) = candidate, values
                    break
            else:
                return choice

    def _candidates(self, choice: np.ndarray, room: float, least_error: bool) -> Iterator[tuple[np.ndarray, float]]:
        """Choices a move of one or two layers away, the most promising first, with their errors."""
        layers, levels, errors, sizes = self._moves(choice)
        goal, used = (errors, sizes) if least_error else (sizes, errors)
        # The last is no move: its pairs are the moves of one layer.
        goal, used, owner = np.append(goal, 0.0), np.append(used, 0.0), np.append(layers, -1)
        gain = goal[:, None] + goal
        # Bytes of two moves are not quite the sum of each; a little too much may be just right.
        fits = (used[:, None] + used <= room + 1e-12 + 0.02 * abs(used[:, None])) & (owner[:, None] != owner)
        gain[~fits | (gain >= 0)] = np.inf
        best = np.argsort(gain, axis=None, kind="stable")[:40]
        best = best[np.isfinite(gain.flat[best])]
        found = np.tile(choice, (len(best), 1))
        for at, pair in enumerate(zip(*np.unravel_index(best, gain.shape), strict=True)):
            for move in pair:
                if move < len(layers):
                    found[at, layers[move]] = levels[move]
        return zip(found, self._errors(found).tolist(), strict=True)

    def _moves(self, choice: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Layer, level, and differences of error and bytes of every move of one layer, each ``[M]``."""
        whole = self._bytes(choice)
        layers, levels, sizes = [], [], []
        for at, now in enumerate(choice):
            to = np.unique(np.clip(now + _STEPS, 0, len(self.curves.levels) - 1))
            to = to[to != now]
            layers.append(np.full(len(to), at))
            levels.append(to)
            sizes.append(self._along(choice, at)[to] - whole)
        layer, level = np.concatenate(layers), np.concatenate(levels)
        tried = np.tile(choice, (len(layer), 1))
        tried[np.arange(len(layer)), layer] = level
        return layer, level, self._errors(tried) - self.error(choice), np.concatenate(sizes)
