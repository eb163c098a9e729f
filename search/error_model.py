"""How much accuracy a plan costs, learned from whatever plans were measured.

Two numbers say how far a plan's answers are from the unpruned model's. The *divergence*, mean Kullback-Leibler
divergence of the answers, is smooth, and tells plans apart that lose the same images. The *drop*, points of accuracy,
is what is limited, and coarse. Over layers their roots add up, as changes of the answers add up partly like amplitudes,
whose squares are errors:

    divergence(plan) ^ (1 / p) = sum over layers of exp(curve(layer, ratio)) ^ (1 / p)

where a curve is linear in a few numbers: ``a + b log ratio - c log(1.05 - ratio)``. The drop has the same form with
curves that are higher by a number per layer: some layers' removal shrinks the answers and changes none of them. Every
number is the sum of one for all layers, one for the layer's kind and one of its own, all with normal priors. So a layer
that nobody looked at is like its kind, and a plan of many layers tells of all of them at once: none need be measured
alone, but one that was is known better. The most probable numbers are found by Gauss-Newton steps; their covariance
there says what is not known yet (Laplace's approximation).

Sources: errors of layers added up, then corrected by what joint plans measure: E. Frantar and D. Alistarh, *SPDY*,
arXiv:2201.13096. Learning of many from one sample of a mixture: R. Dorfman, *The Detection of Defective Members of
Large Populations*, Annals of Mathematical Statistics 14, 1943.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

# Prior mean and standard deviations of a, b, c and of the logarithm of points per nat: of the number of all layers, of
# the kind's and of the layer's own. At a ratio of 0.5 one layer may diverge by 0.001 or by 1 nat.
_MEAN = np.array([-4.5, 2.0, 0.4, 3.2])
_SPREAD = np.array([[1.5, 0.5, 0.3, 0.6], [1.5, 0.5, 0.3, 0.6], [1.0, 0.4, 0.3, 0.4]])
# What reaches every layer behind is dear to lose.
_DEAR: Mapping[str, float] = {"stem": 1.5, "embedding": 3.0}
# Mean and standard deviation of the logarithm of p: of divergence, of drop. On the demo model a plan of eight layers
# diverges 3.4 times as far as they do alone, added up.
_POWER = np.array([[0.45, 0.2], [0.25, 0.2]])
# Of logarithms: what the formula does not say, and where answers are all but random.
_MISFIT, _SATURATED = 0.25, 1.0
_LEAST = 1e-5
_STEPS = 30


@dataclass(frozen=True)
class Observation:
    """A plan that was measured.

    Args:
        ratios: Its layers' ratios, at least one above 0.
        drop: Percentage points of accuracy that it loses.
        divergence: That of its answers, in nats; None where it is not known.
        images: Images that it was measured on.
    """

    ratios: Mapping[str, float]
    drop: float
    divergence: float | None
    images: int

    @property
    def noise(self) -> float:
        """Standard deviation of the drop, in points: of images lost and gained."""
        return float(100 * np.sqrt((0.005 + abs(self.drop) / 100) / self.images))


@dataclass(frozen=True, eq=False)
class ErrorModel:
    """What the plans measured say of every layer.

    Args:
        kinds: Kind of every layer, by name.
        observations: The plans measured.
    """

    kinds: Mapping[str, str]
    observations: Sequence[Observation]

    def drops(self, levels: Sequence[float], draw: np.ndarray | None = None) -> np.ndarray:
        """Points that every layer loses at every level, float64 ``[L, K]``, ascending along the levels.

        Args:
            levels: Ratios, the first 0.
            draw: Standard normal numbers, float64 ``[D]`` with D :attr:`size`: the drops are drawn by them from all
                that is thinkable; None gives the most probable.
        """
        numbers = self._mean if draw is None else self._mean + self._root @ draw
        layers = np.repeat(np.arange(len(self.kinds)), len(levels) - 1)
        rows = self._features(np.tile(levels[1:], len(self.kinds)), layers)
        drops = np.exp(rows[1] @ numbers).reshape(len(self.kinds), -1)
        return np.hstack([np.zeros((len(self.kinds), 1)), np.maximum.accumulate(drops, axis=1)])

    @property
    def power(self) -> float:
        """The p by which drops add up: ``drop ^ (1 / p)`` of a plan is the sum of its layers'."""
        return float(np.exp(self._mean[-1]))

    @property
    def size(self) -> int:
        """Numbers that the model has."""
        return len(self._prior)

    @cached_property
    def _groups(self) -> list[str]:
        return sorted(set(self.kinds.values()))

    @cached_property
    def _prior(self) -> np.ndarray:
        mean = np.zeros((1 + len(self._groups) + len(self.kinds), len(_MEAN)))
        mean[0] = _MEAN
        for at, kind in enumerate(self._groups):
            mean[1 + at, 0] = _DEAR.get(kind, 0.0)
        return np.append(mean, _POWER[:, 0])

    @cached_property
    def _precision(self) -> np.ndarray:
        spread = np.repeat(_SPREAD, [1, len(self._groups), len(self.kinds)], axis=0)
        return np.append(spread, _POWER[:, 1]) ** -2.0

    def _features(self, ratios: np.ndarray, layers: np.ndarray) -> np.ndarray:
        """What the numbers are weighed with in the logarithms of single layers' divergence and drop, ``[2, N, D]``."""
        one, kinds = np.ones(len(ratios)), np.array([self._groups.index(kind) for kind in self.kinds.values()])
        own = np.stack([one, np.log(ratios / 0.5), -np.log((1.05 - ratios) / 0.55), 0 * one], axis=1)
        rows = np.zeros((2, len(ratios), 1 + len(self._groups) + len(self.kinds), len(_MEAN)))
        every = np.arange(len(ratios))
        for row, points in zip(rows, (0.0, 1.0), strict=True):
            own[:, -1] = points
            row[:, 0] = row[every, 1 + kinds[layers]] = row[every, 1 + len(self._groups) + layers] = own
        return np.concatenate([rows.reshape(2, len(ratios), -1), np.zeros((2, len(ratios), 2))], axis=2)

    @cached_property
    def _plans(self) -> list[np.ndarray]:
        places = {layer: at for at, layer in enumerate(self.kinds)}
        found = []
        for observation in self.observations:
            cut = {places[layer]: ratio for layer, ratio in observation.ratios.items() if ratio > 0}
            found.append(self._features(np.array(list(cut.values())), np.array(list(cut))))
        return found

    @cached_property
    def _measured(self) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of divergence and of a point more than the drop, and their noise, both ``[2 N]``."""
        values, noise = [], []
        for seen in self.observations:
            diverges = _LEAST if seen.divergence is None else max(seen.divergence, _LEAST)
            unknown = 1e3 if seen.divergence is None else 2 / np.sqrt(seen.images)
            values += [np.log(diverges), np.log1p(max(seen.drop, -0.5))]
            noise += [
                np.hypot(np.hypot(_MISFIT, _SATURATED * min(diverges, 1.0)), unknown),
                np.hypot(np.hypot(_MISFIT, _SATURATED * min(seen.drop / 40, 1.0)), seen.noise / (1 + abs(seen.drop))),
            ]
        return np.array(values), np.array(noise)

    def _explained(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What should have been measured, ``[2 N]``, and how it depends on the numbers, ``[2 N, D]``."""
        values, slopes = [], []
        for plan in self._plans:
            for kind, rows in enumerate(plan):
                single, power = rows @ numbers, np.exp(numbers[kind - 2])
                weights = np.exp((single - single.max()) / power)
                total = weights.sum()
                value = single.max() + power * np.log(total)
                slope = weights @ rows / total
                slope[kind - 2] = value - weights @ single / total
                # A point more than the drop.
                values.append(np.logaddexp(0.0, value) if kind else value)
                slopes.append(slope / (1 + np.exp(-value)) if kind else slope)
        return np.array(values), np.array(slopes)

    @cached_property
    def _fit(self) -> tuple[np.ndarray, np.ndarray]:
        """The most probable numbers ``[D]``, and their precision ``[D, D]``."""
        numbers, precision = self._prior.copy(), np.diag(self._precision)
        if not self.observations:
            return numbers, precision
        measured, noise = self._measured
        for _ in range(_STEPS):
            values, slopes = self._explained(numbers)
            weighed = slopes / noise[:, None] ** 2
            precision = np.diag(self._precision) + slopes.T @ weighed
            pull = weighed.T @ (measured - values) + self._precision * (self._prior - numbers)
            step = np.linalg.solve(precision, pull)
            step *= min(1.0, 1.0 / max(np.abs(step).max(), 1e-12))
            numbers = numbers + step
            if np.abs(step).max() < 1e-3:
                break
        return numbers, precision

    @cached_property
    def _mean(self) -> np.ndarray:
        return self._fit[0]

    @cached_property
    def _root(self) -> np.ndarray:
        """A square root of the covariance, float64 ``[D, D]``."""
        return np.asarray(np.linalg.inv(np.linalg.cholesky(self._fit[1])).T)
