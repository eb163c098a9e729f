"""When to stop measuring a plan: once it cannot keep the limit of accuracy any more, or very probably does not.

Of N images, a plan loses some that the unpruned model tells, and gains some that it does not. It keeps the limit if and
only if ``lost - gained <= allowed``, a number that :mod:`primesvt.search.stopping` works out. The first images asked
are drawn at random; then come those whose answers pruning changes first: all that the unpruned model tells wrong, and
of the others the least sure ones first. Two rules look at the first n images:

* *Exact*: the plan has told so many wrong already that it misses the limit even if it tells all the others right. Once
  all images are asked that can be gained, that is as soon as ``lost - gained`` of those seen is above ``allowed``, and
  nearly all that are lost are among the least sure ones. So plans just beyond the limit are rejected without any risk
  after a quarter to a half of the images, where a bet needs nearly all of them.
* *Statistical*, for hopeless plans: of the images drawn at random, the evidence against ``lost - gained <= allowed`` is
  so strong that a plan that keeps the limit gives it with a probability of at most ``risk``. It is a bet. Let x be 1
  for a lost image, -1 for a gained one, 0 otherwise, and let the images be asked in an order drawn uniformly at random.
  Given the images before the i-th, it is any of the ``R = N - i + 1`` others alike, so x is expected to be ``(lost -
  gained - x_1 - ... - x_(i-1)) / R``, at most ``m = (allowed - x_1 - ... - x_(i-1)) / R`` where the limit is kept. A
  capital of 1, of which a share b in (0, 1) is bet every time, becomes the product of ``1 + b (x_i - m) / (1 + m)``. As
  ``x_i >= -1`` no factor is below ``1 - b``; where the limit is kept none is expected above 1. So the capital is a
  nonnegative supermartingale, and so is the mean of the capitals of several b. By Ville's inequality the probability
  that it *ever* reaches ``1 / risk`` is at most ``risk``: every look is free, after any batch and however many there
  are. Sampling without replacement is in m, as it is.

Sources: J. Ville, *Étude critique de la notion de collectif*, 1939; I. Waudby-Smith and A. Ramdas, *Estimating means
of bounded random variables by betting*, Journal of the Royal Statistical Society B 86, 2024, arXiv:2010.09686, which
has sampling without replacement, too. Their shares follow the data; ours are a fixed few whose capitals are averaged.

Tried, and left out: bets over images drawn by weights, the unsure ones rather (arXiv:2305.06884), which need more
images than the exact rule; and accepting early by such bets, which would save two fifths of the images of plans within
the limit (60 trials each of ``prioritized`` and ``sensitivity`` on the demo model): these are the plans that reports
and fronts show, and their accuracy would be an estimate.
"""

import math
from dataclasses import dataclass

import numpy as np

EXACT = "exact"
STATISTICAL = "statistical"

# Shares of the capital that are bet: the worse the plan, the larger the one that wins first.
_SHARES = np.array([0.95, 0.7, 0.5, 0.35, 0.22, 0.12, 0.06])[:, None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rejection:
    """When to stop measuring one plan.

    Args:
        order: In which order the images are asked, int64 ``[N]``. The first ones are drawn at random, and not looked at
            when the plan was chosen.
        ranks: Where each image, in that order, would be asked if none were drawn, int64 ``[N]``; the others come by it.
        drawn: So many are drawn at random.
        unpruned: Whether the unpruned model tells the class of each image, in that order, bool ``[N]``.
        allowed: So many images more than it gains a plan may lose against the unpruned model.
        least_drop: Percentage points that a plan loses at least that loses one image more.
        risk: Largest probability that a plan that keeps the limit is rejected; 0 leaves the exact rule alone.
    """

    order: np.ndarray
    ranks: np.ndarray
    drawn: int
    unpruned: np.ndarray
    allowed: int
    least_drop: float
    risk: float

    def decide(self, right: np.ndarray) -> str:
        """Why to stop, ``exact`` or ``statistical``; empty where the plan must be asked further, or was asked all.

        Takes milliseconds for ten thousand images. What is decided stays decided when more images follow.

        Args:
            right: Whether the plan tells the class of each of the first n images, bool ``[n]``.
        """
        seen, images = len(right), len(self.unpruned)
        if seen == images:
            return ""
        if int((~right).sum()) > int((~self.unpruned).sum()) + self.allowed:
            return EXACT
        drawn = min(seen, self.drawn)
        lost = self.unpruned[:drawn].astype(np.int64) - right[:drawn]
        if self.risk > 0 and evidence(lost, images, self.allowed) >= -math.log(self.risk):
            return STATISTICAL
        return ""

    def estimate(self, right: np.ndarray) -> float:
        """What accuracy the first images let expect of all, a fraction; it never keeps the limit.

        Args:
            right: As of :meth:`decide`.
        """
        lost = self.unpruned[: len(right)].astype(np.int64) - right
        unpruned = float(self.unpruned.mean())
        expected = unpruned - float(self.weights(len(right)) @ lost) / len(self.order)
        return max(0.0, min(expected, unpruned - self.least_drop / 100))

    def weights(self, seen: int) -> np.ndarray:
        """How many of all images each of the first ``seen`` ones stands for, float64 ``[seen]``; they add up to N.

        Images that would be asked later than the last one stand for all of those, as they were drawn at random among
        them; every other one stands for itself (post-stratification, D. Holt and T. M. F. Smith, 1979).
        """
        images, counts = len(self.order), np.ones(seen)
        last = -1 if seen <= self.drawn else self.ranks[seen - 1]
        beyond = np.flatnonzero(self.ranks[: min(seen, self.drawn)] > last)
        counts[beyond] = (images - 1 - last) / max(1, len(beyond))
        return np.asarray(counts * (images / counts.sum()))


def evidence(lost: np.ndarray, images: int, allowed: int) -> float:
    """Logarithm of the largest capital on the way, betting that more than ``allowed`` images are lost in all.

    Args:
        lost: 1 for an image that is lost, -1 for one gained, 0 otherwise, int64 ``[n]``, ``n >= 1``, in random order.
        images: Images in all.
        allowed: Lost less gained, at most, where the limit is kept.
    """
    left = images - np.arange(len(lost))
    expected = allowed - (np.cumsum(lost) - lost)
    # (x - m) / (1 + m) times the images left. Where 1 + m is not above 0, nothing is bet.
    room = left + expected
    gains = np.where(room > 0, (lost * left - expected) / np.where(room > 0, room, 1), 0.0)
    capital = np.logaddexp.reduce(np.cumsum(np.log1p(_SHARES * gains), axis=1), axis=0)
    return float(capital.max()) - math.log(len(_SHARES))
