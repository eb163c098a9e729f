"""Where the time of a search goes: an evaluator with clocks. Shared by the benchmarks."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from primesvt.models import Predictions
from primesvt.pruning import PruningPlan, Version
from primesvt.search import Evaluation, Evaluator, Rejection


class Stopwatch:
    """Seconds by part: ``asking`` a candidate for images, and all of the ``evaluation``."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.evaluations = 0

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time of the context to a part."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - started

    @contextmanager
    def running(self) -> Iterator[None]:
        """The ``total``."""
        with self.timed("total"):
            yield

    def around_evaluator(self, kind: type[Evaluator]) -> type[Evaluator]:
        """An evaluator of a kind, with the time of what it does added to the parts."""
        watch = self

        class Timed(kind):  # type: ignore[misc, valid-type]
            def evaluate(self, plan: PruningPlan, rejection: Rejection | None = None) -> Evaluation:
                watch.evaluations += 1
                with watch.timed("evaluation"):
                    evaluation: Evaluation = super().evaluate(plan, rejection)
                    return evaluation

            def _ask(self, version: Version, rejection: Rejection | None) -> Predictions:
                with watch.timed("asking"):
                    predictions: Predictions = super()._ask(version, rejection)
                    return predictions

        return Timed

    def shares(self) -> dict[str, float]:
        """Seconds of each part that add up to the total.

        ``building`` is surgery, repair and bookkeeping of an evaluation; what is no evaluation is the sampler with its
        storage.
        """
        s = self.seconds
        return {
            "asking": s["asking"],
            "building": s["evaluation"] - s["asking"],
            "sampler": s["total"] - s["evaluation"],
        }
