"""Whether samplers differ by more than their seeds' noise, said of all claims of a report together.

Two samplers that draw at random are compared over their seeds by the exact rank-sum test (H. B. Mann, D. R. Whitney,
Annals of Mathematical Statistics 18, 1947). Studies that found nothing tie with each other below all that found
something, so the distribution is that of the ranks that are there, ties and all (the shift algorithm: B. Streitberg,
J. Roehmel, Statistical Software Newsletter 12, 1986); SciPy's exact method takes the values for distinct. A sampler
that draws nothing has one study, which stands for every seed; the other's seeds are then held against that one number
by the sign test, which needs at least six of them. Between two that draw nothing there is no noise.

All claims of a report are corrected together by Holm's method (S. Holm, Scandinavian Journal of Statistics 6, 1979),
which keeps the probability of any false claim below :data:`LEVEL` however the claims depend on each other. It counts
only claims that so many seeds could make as clear as the one at hand (R. E. Tarone, Biometrics 46, 1990; G. Hommel,
F. Krummenauer, Biometrics 54, 1998): the others cannot be among the false ones.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations

import numpy as np

from primesvt.models import PrimeSVTError

# Probability of any false claim in a report.
LEVEL = 0.05
# The number of a study that found nothing: below every number, and level with itself.
NONE_FOUND = -math.inf
# Probabilities that are equal come out of two formulas with different last digits.
_SAME = 1 + 1e-9


@dataclass(frozen=True)
class Sample:
    """One number of each study of a sampler; larger is better.

    Args:
        sampler: The sampler.
        values: The numbers, one per study; :data:`NONE_FOUND` where a study found nothing.
        deterministic: Whether the sampler draws nothing at random, so that one study stands for every seed.

    Raises:
        PrimeSVTError: There is no study, or a number is none.
    """

    sampler: str
    values: tuple[float, ...]
    deterministic: bool

    def __post_init__(self) -> None:
        if not self.values or any(math.isnan(value) for value in self.values):
            raise PrimeSVTError(
                f"The numbers of {self.sampler!r} must be one per study, at least one, and none of them NaN; "
                f"got {self.values}."
            )

    @cached_property
    def found(self) -> tuple[float, ...]:
        """The numbers of the studies that found something."""
        return tuple(value for value in self.values if value != NONE_FOUND)

    @property
    def seeds(self) -> tuple[float, ...]:
        """The numbers that are of draws of their own: one where nothing is drawn."""
        return self.values[:1] if self.deterministic else self.values

    def to_json(self) -> list[float | None]:
        """The numbers as plain data; None where a study found nothing."""
        return [None if value == NONE_FOUND else value for value in self.values]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """That one sampler is ahead of another in one number.

    Args:
        metric: The number.
        first: The sampler ahead.
        second: The other one.
        raw_p: Probability of so clear an order between two equal samplers, by itself.
        p: The same, corrected for all claims of the report.
        least_p: The smallest corrected probability that so many seeds can give, beside the report's other claims.
    """

    metric: str
    first: Sample
    second: Sample
    raw_p: float
    p: float
    least_p: float

    @property
    def certain(self) -> bool:
        """Whether neither sampler draws anything, so that their difference is a fact."""
        return self.first.deterministic and self.second.deterministic

    @property
    def is_level(self) -> bool:
        """Whether all their studies have the same number."""
        return len({*self.first.seeds, *self.second.seeds}) == 1

    @property
    def is_clear(self) -> bool:
        """Whether the difference is more than noise."""
        return self.p < LEVEL

    @property
    def too_few_seeds(self) -> bool:
        """Whether no outcome of so many seeds would have been clear."""
        return self.least_p >= LEVEL


def claims(metrics: Mapping[str, Sequence[Sample]], *, reference: str | None = None) -> list[Claim]:
    """All claims of a report, corrected together.

    Every two samplers are held against each other, although a reader may only be shown the best against the rest: which
    is best is known from the same numbers, and of six equal samplers the luckiest and the unluckiest look different.

    Args:
        metrics: The samplers' numbers, by name; the same samplers in each.
        reference: A sampler that was named before the numbers were seen, against which alone the others are held; fewer
            claims need fewer seeds.

    Raises:
        PrimeSVTError: The reference is no sampler, or samplers have the same name.
    """
    pairs = [
        (metric, *_ordered(first, second))
        for metric, samples in metrics.items()
        for first, second in _pairs(samples, reference)
    ]
    raw = np.array([noise(first, second) for _, first, second in pairs])
    least = np.array([least_noise(first, second) for _, first, second in pairs])
    # Two samplers that draw nothing make no claim that can be false, so they take nothing from the others.
    drawn = np.flatnonzero(least > 0)
    corrected, smallest = raw.copy(), least.copy()
    corrected[drawn] = holm(raw[drawn], least[drawn])
    # Row i: claim i is as clear as can be, and the others are as they are.
    clearest = np.where(np.eye(len(drawn), dtype=bool), least[drawn], raw[drawn])
    smallest[drawn] = np.diagonal(holm(clearest, least[drawn]))
    return [
        Claim(metric=metric, first=first, second=second, raw_p=float(p), p=float(fair), least_p=float(low))
        for (metric, first, second), p, fair, low in zip(pairs, raw, corrected, smallest, strict=True)
    ]


def noise(first: Sample, second: Sample) -> float:
    """Probability of so clear an order, in either direction, between two equal samplers."""
    if first.deterministic and second.deterministic:
        return 0.0 if first.seeds != second.seeds else 1.0
    if first.deterministic or second.deterministic:
        fixed, drawn = (first, second) if first.deterministic else (second, first)
        return _sign_test(drawn.values, fixed.values[0])
    return _rank_sum_test(first.values, second.values)


def least_noise(first: Sample, second: Sample) -> float:
    """The smallest probability that so many seeds can give; 0 where nothing is drawn."""
    if first.deterministic and second.deterministic:
        return 0.0
    if first.deterministic or second.deterministic:
        return min(1.0, 2.0 ** (1 - max(len(first.seeds), len(second.seeds))))
    return min(1.0, 2 / math.comb(len(first.values) + len(second.values), len(first.values)))


def holm(p: np.ndarray, least: np.ndarray | None = None) -> np.ndarray:
    """Probabilities of several claims, corrected so that any of them is false as rarely as each would be alone.

    Args:
        p: The claims' probabilities, ``[..., claims]``.
        least: The smallest probability that each claim can have, ``[claims]``; claims that cannot be as clear as
            another do not count against it. None is 0, and Holm's own method.

    Returns:
        The corrected probabilities, ``[..., claims]``.
    """
    order = np.argsort(p, axis=-1, kind="stable")
    ordered = np.take_along_axis(p, order, axis=-1)
    floor = np.zeros(p.shape[-1]) if least is None else least
    # Claim i competes with itself and those behind it, of which only some can be as clear.
    rivals = np.triu(floor[order][..., None, :] <= ordered[..., None] * _SAME).sum(axis=-1)
    corrected = np.empty(p.shape)
    fair = np.maximum.accumulate(np.minimum(1.0, rivals * ordered), axis=-1)
    np.put_along_axis(corrected, order, fair, axis=-1)
    return corrected


def ranked(samples: Sequence[Sample]) -> list[Sample]:
    """The samplers, the best first, by the mean rank of their studies among those of all.

    Ranks, because studies that found nothing have no place in a mean of what was found.
    """
    ranks = iter(_double_ranks([value for sample in samples for value in sample.seeds]))
    means = [float(np.mean([next(ranks) for _ in sample.seeds])) for sample in samples]
    return [samples[i] for i in sorted(range(len(samples)), key=lambda i: -means[i])]


def _pairs(samples: Sequence[Sample], reference: str | None) -> list[tuple[Sample, Sample]]:
    by_name = {sample.sampler: sample for sample in samples}
    if len(by_name) != len(samples):
        raise PrimeSVTError(f"Samplers must have different names, got {[sample.sampler for sample in samples]}.")
    if reference is None:
        return list(combinations(samples, 2))
    if reference not in by_name:
        raise PrimeSVTError(f"The reference must be one of {', '.join(by_name) or 'no samplers'}; got {reference!r}.")
    return [(by_name[reference], sample) for sample in samples if sample.sampler != reference]


def _ordered(first: Sample, second: Sample) -> tuple[Sample, Sample]:
    """The one ahead first."""
    ours, theirs = np.array(first.seeds)[:, None], np.array(second.seeds)
    return (first, second) if (ours > theirs).sum() >= (ours < theirs).sum() else (second, first)


def _sign_test(values: Sequence[float], fixed: float) -> float:
    differing = [value for value in values if value != fixed]
    if not differing:
        return 1.0
    # scipy.stats takes a second to import, and most commands test nothing.
    from scipy.stats import binomtest

    return float(binomtest(sum(value < fixed for value in differing), len(differing)).pvalue)


def _rank_sum_test(first: Sequence[float], second: Sequence[float]) -> float:
    ranks = _double_ranks([*first, *second])
    ways = _ways(tuple(sorted(ranks.tolist())), len(first))
    mean = len(first) * (len(ranks) + 1)
    as_far = np.abs(np.arange(len(ways)) - mean) >= abs(int(ranks[: len(first)].sum()) - mean)
    return float(ways[as_far].sum() / ways.sum())


def _double_ranks(values: Sequence[float]) -> np.ndarray:
    """Twice the rank of each value, ``[values]``: those of ties are halves.

    The ranks from 1 + those below to those not above have this mean.
    """
    ordered = np.sort(values)
    ranks: np.ndarray = 1 + np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return ranks


@lru_cache(maxsize=256)
def _ways(ranks: tuple[int, ...], size: int) -> np.ndarray:
    """In how many ways ``size`` of the ranks add up to each sum, float ``[largest sum + 1]``."""
    ways = np.zeros((size + 1, sum(ranks) + 1))
    ways[0, 0] = 1
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, : ways.shape[1] - rank].copy()
    of_size: np.ndarray = ways[size]
    return of_size
