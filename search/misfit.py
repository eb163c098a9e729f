"""What an error model says too much or too little of the plans near those that were measured.

Errors of layers that add up, by whatever power, leave out that some layers do harm together and others do not. What is
left of the logarithm of the measured divergences is interpolated by a Gaussian process over the plans, with a squared
exponential kernel; its length, its deviation and the noise are those of a small grid that the measured plans make most
probable (C. E. Rasmussen and C. K. I. Williams, *Gaussian Processes for Machine Learning*, 2006, equations 2.25, 2.30).
Far from all measured plans it says nothing, and the model stands alone.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

_LENGTHS, _DEVIATIONS, _NOISES = (0.3, 0.6, 1.2, 2.5), (0.1, 0.2, 0.4), (0.03, 0.08, 0.15)
# The cost of a fit grows with the cube of the plans: the last ones are of where the search is now.
MOST_PLANS = 200


@dataclass(frozen=True, eq=False)
class Misfit:
    """The Gaussian process.

    Args:
        plans: Ratios of the measured plans, float64 ``[N, L]``.
        residuals: What the model lacks there, float64 ``[N]``.
    """

    plans: np.ndarray
    residuals: np.ndarray

    def __call__(self, plans: np.ndarray) -> np.ndarray:
        """What it lacks at other plans, ``[M, L]``, most probably: float64 ``[M]``."""
        if not len(self.plans):
            return np.zeros(len(plans))
        length, deviation, weights = self._fit
        return np.asarray(_kernel(_places(plans), self._measured, length, deviation) @ weights)

    @cached_property
    def _measured(self) -> np.ndarray:
        return _places(self.plans)

    @cached_property
    def _fit(self) -> tuple[float, float, np.ndarray]:
        """Length, deviation, and a weight for every measured plan, ``[N]``."""
        places, fits = self._measured, []
        for length, deviation in product(_LENGTHS, _DEVIATIONS):
            kernel = _kernel(places, places, length, deviation)
            for noise in _NOISES:
                root = np.linalg.cholesky(kernel + noise**2 * np.eye(len(places)))
                white = np.linalg.solve(root, self.residuals)
                evidence = -0.5 * white @ white - np.log(np.diag(root)).sum()
                fits.append((float(evidence), length, deviation, np.linalg.solve(root.T, white)))
        _, length, deviation, weights = max(fits, key=lambda fit: fit[0])
        return length, deviation, weights


def _places(plans: np.ndarray) -> np.ndarray:
    """Where a plan lies: the last channels of a layer count more than its first."""
    return np.asarray(-np.log(1.05 - plans))


def _kernel(first: np.ndarray, second: np.ndarray, length: float, deviation: float) -> np.ndarray:
    apart = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    return np.asarray(deviation**2 * np.exp(-apart.clip(0) / (2 * length**2)))
