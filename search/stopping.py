"""How early a study rejects plans: what the limit allows, and how the risk is shared among its evaluations."""

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .constraints import Constraints
from .evaluation import Counted, Evaluation
from .rejection import Rejection

# Images drawn at random before the others are asked in turn. Of recorded answers of the demo model, any number from 64
# to 512 does as well; with more, plans just beyond the limit take longer.
_DRAWN = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class StoppingRule:
    """Says when each evaluation of a study may stop.

    With a probability of at least 1 - ``risk`` no plan that keeps the limit is rejected, in the whole study, however
    long it is and whatever its sampler does. An evaluation at place k (see :mod:`primesvt.search.places`) has the share
    ``risk / ((k + 1) (k + 2))``; no place is given twice, and the shares of all places add up to ``risk``. Each plan's
    first images are its own, drawn from the plan's key by a hash: what was seen of other plans, from which the sampler
    chose this one, says nothing of them.

    Args:
        baseline: The unpruned model on the images of the study.
        constraints: The limits. Only that of accuracy is looked at: a plan that is too large is measured in full.
        slack: Points beyond that limit up to which a plan is measured in full.
        risk: Largest probability that a plan that keeps the limit is rejected; 0 rejects only what cannot keep it.
    """

    baseline: Counted
    constraints: Constraints
    slack: float = 0.0
    risk: float = 0.0

    def rejection(self, key: str, place: int, sureness: np.ndarray) -> Rejection:
        """When to stop measuring a plan.

        Args:
            key: Of the plan: 24 hexadecimal digits.
            place: Of its trial.
            sureness: How sure the unpruned model is of its class of each image, float ``[N]``. It says what is asked
                first, so how soon a plan is rejected, and not which ones keep the limit.
        """
        # The legacy generator's stream is frozen for ever: the same plan is asked the same images under every numpy.
        draw = np.random.RandomState(np.frombuffer(bytes.fromhex(key), "<u4"))
        drawn = draw.permutation(len(self.baseline.right)).astype(np.int64)
        # What may be gained comes first: after that, a plan can only lose.
        turn = np.lexsort((sureness, self.baseline.right))
        ranks = np.empty_like(drawn)
        ranks[turn] = np.arange(len(turn))
        first, others = drawn[:_DRAWN], drawn[_DRAWN:]
        order = np.concatenate([first, others[ranks[others].argsort()]])
        # Image by image the unpruned model may have been asked on another machine, where rounding flips a spike.
        counted_more = int(self.baseline.right.sum()) - self.baseline.evaluation.right
        return Rejection(
            order=order,
            ranks=ranks[order],
            drawn=len(first),
            unpruned=self.baseline.right[order],
            allowed=self.allowed + counted_more,
            least_drop=self._drop(self.allowed + 1),
            risk=self.risk / ((place + 1) * (place + 2)),
        )

    @cached_property
    def allowed(self) -> int:
        """The most images that a plan may lose, gains taken off, so that it stays within the limit and the slack."""
        return bisect_right(range(self.baseline.evaluation.right + 1), self.slack, key=self._excess) - 1

    def keeps(self, evaluation: Evaluation) -> bool:
        """Whether a plan that was measured in full stays within the limit and the slack."""
        return self.baseline.evaluation.right - evaluation.right <= self.allowed

    def _excess(self, lost: int) -> float:
        return self.constraints.excess(self._drop(lost))

    def _drop(self, lost: int) -> float:
        whole = self.baseline.evaluation
        return replace(whole, right=whole.right - lost).drop_from(whole)
