"""Where the time of a search goes: clocks put around the functions that it calls. Shared by the benchmarks."""

import functools
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

import primesvt.search.evaluator as evaluator_module
from primesvt.search import Evaluator

# Functions that the evaluator calls, by what they are for; the rest of an evaluation is counted as `other`.
_PARTS = {
    "building": ("kept_channels", "remove", "version_of", "kept_bytes", "model_bytes"),
    "asking": ("predict",),
}


class Stopwatch:
    """Seconds by part: ``building`` a candidate, ``asking`` it for images, and all of the ``evaluation``."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.evaluations = 0

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time added to a part."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[part] += time.perf_counter() - started

        return timed

    @contextmanager
    def running(self) -> Iterator[None]:
        """Clocks on while the context lasts, also over the ``total``."""
        names = [(part, name) for part, functions in _PARTS.items() for name in functions]
        originals = {name: getattr(evaluator_module, name) for _, name in names}
        evaluate, baseline = Evaluator.evaluate, Evaluator.baseline
        for part, name in names:
            setattr(evaluator_module, name, self.around(part, originals[name]))

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.evaluations += 1
            return self.around("evaluation", evaluate)(*args, **kwargs)

        Evaluator.evaluate = counted  # type: ignore[method-assign]
        Evaluator.baseline = self.around("evaluation", baseline)  # type: ignore[method-assign]
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds["total"] += time.perf_counter() - started
            Evaluator.evaluate, Evaluator.baseline = evaluate, baseline  # type: ignore[method-assign]
            for name, function in originals.items():
                setattr(evaluator_module, name, function)

    def shares(self) -> dict[str, float]:
        """Seconds of each part that add up to the total: what is not evaluation is the sampler with its storage."""
        s = self.seconds
        return {
            "asking": s["asking"],
            "building": s["building"],
            "other": s["evaluation"] - s["asking"] - s["building"],
            "sampler": s["total"] - s["evaluation"],
        }


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "threads": torch.get_num_threads(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "platform": platform.platform(),
        "torch": torch.__version__,
    }
