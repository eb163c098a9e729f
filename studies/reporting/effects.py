"""By how much one sampler is ahead of another, with 95 % intervals by the bootstrap over seeds.

The probability of improvement is that of a study of the one being better than a study of the other, half counted where
they are level: A. Vargha and H. D. Delaney's A12 (Journal of Educational and Behavioral Statistics 25, 2000), reported
with bootstrap intervals as R. Agarwal et al. advise (*Deep Reinforcement Learning at the Edge of the Statistical
Precipice*, NeurIPS 2021, arXiv:2108.13264). The intervals are percentiles (B. Efron, R. J. Tibshirani, *An Introduction
to the Bootstrap*, 1993); each sampler's seeds are drawn on their own. Of few seeds in perfect order every draw is in
perfect order, so an interval never replaces the test of :mod:`primesvt.studies.reporting.significance`.
"""

from dataclasses import dataclass

import numpy as np

from .significance import Sample

_RESAMPLES = 4_000


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval.

    Args:
        value: The number.
        low: Lower end of the interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def improvement(first: Sample, second: Sample, rng: np.random.Generator) -> Estimate:
    """Probability that a study of the first sampler is better than one of the second, from 0 to 1.

    Args:
        first: One sampler.
        second: Another one.
        rng: Draws the seeds of the bootstrap.
    """
    ours, theirs = np.array(first.seeds), np.array(second.seeds)
    wins = (ours[:, None] > theirs) + 0.5 * (ours[:, None] == theirs)
    drawn = ((_weights(first, rng) @ wins) * _weights(second, rng)).sum(axis=1)
    return _estimate(float(wins.mean()), drawn)


def lead(first: Sample, second: Sample, rng: np.random.Generator) -> Estimate:
    """By how much the median of the first sampler is above that of the second.

    Infinite where one of them is a study that found nothing, 0 where both are.

    Args:
        first: One sampler.
        second: Another one.
        rng: Draws the seeds of the bootstrap.
    """
    value = _difference(np.median(first.seeds, keepdims=True), np.median(second.seeds, keepdims=True))
    return _estimate(float(value[0]), _difference(_medians(first, rng), _medians(second, rng)))


def _difference(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    level = ours == theirs
    return np.where(level, 0.0, np.subtract(ours, theirs, where=~level, out=np.zeros_like(ours)))


def _weights(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """How much each seed counts in each resample, ``[resamples, seeds]``."""
    count = len(sample.seeds)
    return rng.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES) / count


def _medians(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """The median of each resample, ``[resamples]``."""
    values = np.array(sample.seeds)
    medians: np.ndarray = np.median(values[rng.integers(len(values), size=(_RESAMPLES, len(values)))], axis=1)
    return medians


def _estimate(value: float, resampled: np.ndarray) -> Estimate:
    # A value that is there: between something and nothing found no mean can be taken.
    low, high = np.quantile(resampled, (0.025, 0.975), method="inverted_cdf")
    return Estimate(value, float(low), float(high))
