"""How the time of a search grows with one quantity, all others held. Used by ``scaling.py``.

Of every curve the exponent is told, the slope of time over the quantity where both are logarithms: 1 is in proportion,
2 the square. It is taken over all points, and of the last two alone. What *bends* a curve is the module of PrimeSVT or
Optuna whose part of the time grew most from the first step to the last: of calls into NumPy, PyTorch or SQLAlchemy, the
module that made them. Times are the processor's.

* ``depth``, ``width``, ``image``: the engine answers random images by a Spike-driven Transformer with random weights.
* ``layers``: a trial, where asking the images costs nothing, by the number of layers that may be pruned.
* ``trials``: a whole study, in the same way: its bookkeeping alone, in any storage.
"""

import math
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch

from primesvt.models import SpikeDrivenTransformerConfig, build, forward_of, open_data
from primesvt.pruning import PruningPlan, prunable_layers
from primesvt.pruning.family_contract import lively_model
from primesvt.search import Constraints, Counted, Evaluation, Evaluator, Rejection
from primesvt.search.samplers import PrioritizedOptions
from primesvt.search.samplers.nsga2 import NSGA2Options
from primesvt.studies.running.runner import RunOptions, Status, run_study
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.storage import open_storage
from primesvt.studies.running.subject import Subject

DEPTHS: tuple[int, ...] = (2, 4, 8, 16, 24)
WIDTHS: tuple[int, ...] = (64, 128, 256, 512, 768)
SIZES: tuple[int, ...] = (28, 56, 112, 224)
# Of a model that is not asked: 13 to 149 layers.
LAYERS_DEPTHS: tuple[int, ...] = (2, 4, 8, 16, 36)
MARKS = (10, 20, 50, 100, 200, 500, 1000, 2000)
# Storage, sampler, and up to how many trials: the policy ends by itself, and ours is made for some dozens.
STUDIES = (
    ("memory", "random", 2000),
    ("journal", "random", 2000),
    ("sqlite", "random", 500),
    ("memory", "nsga2", 2000),
    ("memory", "tpe", 1000),
    ("memory", "prioritized", 500),
    ("memory", "sensitivity", 100),
)
_TICK = 0.005
_PACKAGES = ("primesvt.", "optuna.")


@dataclass(frozen=True)
class Curve:
    """Time over a quantity.

    Args:
        name: What grows.
        what: Whose time it is.
        points: The quantity, ascending, and seconds.
        parts: Seconds of a step by module, at the beginning and at the end.
    """

    name: str
    what: str
    points: Sequence[tuple[int, float]]
    parts: tuple[Mapping[str, float], Mapping[str, float]]

    @property
    def exponent(self) -> float:
        """Over all points."""
        x, y = np.log(np.array(self.points)).T
        return float(np.polyfit(x, y, 1)[0])

    @property
    def at_the_end(self) -> float:
        """Of the last two points."""
        (x, y), (farther, later) = self.points[-2:]
        return math.log(later / y) / math.log(farther / x)

    @property
    def bent_by(self) -> str:
        """The module whose time grew most, with both times."""
        before, after = self.parts
        most = max(after, key=lambda module: after[module] - before.get(module, 0.0), default="")
        return f"{most} ({_text(before.get(most, 0.0))} to {_text(after[most])})" if most else "nothing"

    def to_json(self) -> dict[str, Any]:
        """What is written of it."""
        return {
            "points": list(self.points),
            "exponent": self.exponent,
            "exponent_at_the_end": self.at_the_end,
            "parts": [dict(part) for part in self.parts],
        }

    def __str__(self) -> str:
        (first, least), (last, most) = self.points[0], self.points[-1]
        return (
            f"{self.name:<8}{self.what:<34}{first:>5} to {last:<6}{_text(least):>9} to {_text(most):<9}"
            f"{self.exponent:>9.2f}{self.at_the_end:>9.2f}  {self.bent_by}"
        )


HEADER = f"{'curve':<8}{'whose time':<34}{'from, to':^14}{'time':^22}{'exponent':>9}{'its end':>9}  bent by"


class Whereabouts:
    """Which module the main thread is in, looked at now and then."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._thread = threading.get_ident()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look meanwhile."""
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def parts(self, seconds: float) -> dict[str, float]:
        """These seconds, shared by how often the thread was seen in each module since this was asked last."""
        seen, self._counts = self._counts, Counter()
        whole = max(1, seen.total())
        return {module: seconds * count / whole for module, count in seen.most_common()}

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(_TICK):
            frame = sys._current_frames().get(self._thread)
            while frame is not None and not frame.f_globals.get("__name__", "").startswith(_PACKAGES):
                frame = frame.f_back
            self._counts["others" if frame is None else frame.f_globals["__name__"]] += 1


class FreeEvaluator(Evaluator):
    """Plans cost nothing to measure: the larger the ratios, the more images are lost, of each layer at its own pace."""

    def counted(self, plan: PruningPlan, rejection: Rejection | None = None) -> Counted:
        """What might have been measured."""
        del rejection
        pace = {layer.name: 0.2 + 0.4 * (at % 5) for at, layer in enumerate(prunable_layers(self.model))}
        lost = 0.05 * sum(pace[layer] * ratio**3 for layer, ratio in plan.ratios.items())
        images, size = len(self.images), self.pruner.bytes(plan)
        right = np.arange(images) >= images * min(0.9, 0.1 + lost)
        evaluation = Evaluation(
            right=int(right.sum()),
            images=images,
            bytes=size,
            memory_saving=1 - size / self.pruner.unpruned_bytes,
            seconds=0.0,
            divergence=lost,
        )
        return Counted(evaluation, right)

    def baseline(self) -> Counted:
        """The same of the unpruned model."""
        return self.counted(PruningPlan())

    @cached_property
    def sureness(self) -> np.ndarray:
        """Of all images the same: the unpruned model is not asked."""
        return np.ones(len(self.images), np.float32)


def config_of_size(depth: int = 2, width: int = 64, size: int = 28) -> SpikeDrivenTransformerConfig:
    """A Spike-driven Transformer."""
    return SpikeDrivenTransformerConfig.uniform(
        embed_dim=width,
        depth=depth,
        heads=8,
        pooling="1101",
        in_channels=1,
        image_size=(size, size),
        classes=open_data(None).classes,
        time_steps=4,
        mean=(0.2883,),
        std=(0.3541,),
    )


def forward_curve(name: str, configs: Mapping[int, SpikeDrivenTransformerConfig], images: int) -> Curve:
    """Seconds of the engine for an image."""
    points, parts, whereabouts = [], [], Whereabouts()
    for quantity, config in configs.items():
        batch = torch.randn(images, 1, *config.image_size, generator=torch.Generator().manual_seed(0))
        forward = forward_of(lively_model(config).float().eval(), tuple(batch.shape))
        forward.answer(np.arange(images), batch.__getitem__)
        with whereabouts.watching():
            whereabouts.parts(0)
            spans, end = list[float](), time.monotonic() + 0.5
            while not spans or time.monotonic() < end:
                began = time.process_time()
                forward.answer(np.arange(images), batch.__getitem__)
                spans.append(time.process_time() - began)
            points.append((quantity, min(spans) / images))
            parts.append(whereabouts.parts(points[-1][1]))
    return Curve(name, "the engine, an image", points, (parts[0], parts[-1]))


def settings_of(sampler: str, trials: int) -> StudySettings:
    """A search whose limit of accuracy refutes plans."""
    options = {"prioritized": PrioritizedOptions(exhaust=True, probe_first=True), "nsga2": NSGA2Options(population=50)}
    settings = StudySettings(
        sampler=sampler, constraints=Constraints(max_drop=3, min_saving=0.0), options=options.get(sampler)
    )
    return settings.for_trials(trials)


class Marks:
    """When a study had so many trials.

    Args:
        marks: Numbers of trials, ascending.
    """

    def __init__(self, marks: Sequence[int]) -> None:
        self._marks = marks
        self._whereabouts = Whereabouts()
        self._began = self._last = 0.0
        self._before = 0
        self.points: list[tuple[int, float]] = []
        self.parts: list[dict[str, float]] = []

    def watching(self) -> Any:
        """See where the time goes."""
        return self._whereabouts.watching()

    def see(self, status: Status) -> None:
        """After every trial, and before the first."""
        now = time.process_time()
        if not status.done:
            self._began = self._last = now
            self._whereabouts.parts(0)
        elif status.done in self._marks:
            self.points.append((status.done, now - self._began))
            trials = status.done - self._before
            self.parts.append(self._whereabouts.parts((now - self._last) / trials))
            self._before, self._last = status.done, now


def study_marks(depth: int, sampler: str, storage: str, marks: Sequence[int]) -> Marks:
    """A study whose plans cost nothing to measure."""
    data, seen = open_data(None), Marks(marks)
    subject = Subject(build(config_of_size(depth)).eval(), data)
    with tempfile.TemporaryDirectory() as folder, seen.watching():
        files = {"sqlite": Path(folder) / "study.db", "journal": Path(folder) / "study.journal"}
        kept = optuna.storages.InMemoryStorage() if storage == "memory" else open_storage(str(files[storage]))
        options = RunOptions(trials=max(marks), evaluator_type=FreeEvaluator, on_status=seen.see)
        run_study("growth", kept, subject, settings_of(sampler, max(marks)), options)
    return seen


def layers_curve(sampler: str, depths: Sequence[int], trials: int) -> Curve:
    """Seconds of a trial's bookkeeping by the number of layers."""
    points, parts = [], []
    for depth in depths:
        seen = study_marks(depth, sampler, "memory", (4, trials))
        layers = len(prunable_layers(build(config_of_size(depth))))
        points.append((layers, (seen.points[1][1] - seen.points[0][1]) / (trials - 4)))
        parts.append(seen.parts[-1])
    return Curve("layers", f"a trial of {sampler}", points, (parts[0], parts[-1]))


def trials_curve(storage: str, sampler: str, most: int) -> Curve:
    """Seconds of a study's bookkeeping by its trials; its parts are those of a trial."""
    depth = 8 if sampler == "prioritized" else 2
    seen = study_marks(depth, sampler, storage, [mark for mark in MARKS if mark <= most])
    return Curve("trials", f"{sampler}, {storage}", seen.points, (seen.parts[0], seen.parts[-1]))


def curves(*, quick: bool) -> Iterator[Curve]:
    """All of them, one after the other."""
    few = slice(0, 2) if quick else slice(None)
    images = 4 if quick else 16
    yield forward_curve("depth", {depth: config_of_size(depth=depth) for depth in DEPTHS[few]}, images)
    yield forward_curve("width", {width: config_of_size(width=width) for width in WIDTHS[few]}, images)
    yield forward_curve("image", {size: config_of_size(size=size) for size in SIZES[few]}, images)
    for sampler in ("random", "prioritized", "sensitivity"):
        yield layers_curve(sampler, LAYERS_DEPTHS[few], 8 if quick else 16)
    for storage, sampler, most in STUDIES:
        yield trials_curve(storage, sampler, min(most, 20) if quick else most)


def _text(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 10 else f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"
