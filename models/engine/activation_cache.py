"""Activations that several models share, kept so that the next one begins where it differs from those before.

Two pruned versions of a model agree on everything up to the first layer in which they differ. What a step computes has
a key that follows from all weights it depends on; equal keys, equal activations. They are kept image by image, spikes
as the bits they are, so that the next model may be asked about other images first.
"""

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import fx

from .activations import Activation
from .counter import CountCache, Counter
from .device import CPU
from .left_out import LeftOut
from .placed import Form, Placed
from .program import Engine, Program, Seen, Values

# Of the budget, what floats may take: spikes are 32 times as small, and save most of the time.
_FLOATS = 0.75

Keys = Mapping[fx.Node, bytes]
Read = Callable[[np.ndarray], torch.Tensor]


def _bytes(rows: Any, images: int, known: int) -> int:
    """What rows of so many images take, of which some are known.

    The CPU's memory is taken when it is first written to, that of another device at once.
    """
    lazy = isinstance(rows, np.ndarray) or rows.device == CPU
    each: int = rows.nbytes // rows.shape[1]
    return each * (known if lazy else images)


def _space(rows: Any, images: int) -> Any:
    """Memory for rows of so many images, where these rows are."""
    shape = (rows.shape[0], images, *rows.shape[2:])
    return np.empty(shape, rows.dtype) if isinstance(rows, np.ndarray) else rows.new_empty(shape)


def _taken(rows: Any, places: np.ndarray) -> Any:
    """The rows of these images, one after the other in memory as what reads them takes for granted."""
    # Of an array, rows[:, places] may lie in memory with the images outermost.
    return rows.take(places, axis=1) if isinstance(rows, np.ndarray) else rows[:, _index(rows, places)]


def _index(rows: Any, places: np.ndarray) -> Any:
    """Places of images, as these rows are indexed."""
    return places if isinstance(rows, np.ndarray) else torch.from_numpy(places).to(rows.device)


def keys_of(program: Program, version_of: Callable[[str], bytes]) -> Keys:
    """The key of everything that a program computes.

    Programs of models without some branches have steps of the same number that compute other things.

    Args:
        program: The steps.
        version_of: From the name of a module to what tells its weights from those of the same module in other versions
            of the model.
    """
    keys: dict[fx.Node, bytes] = {program.images: b"images"}
    for number, step in enumerate(program.steps):
        digest = hashlib.blake2b(number.to_bytes(4, "little"), digest_size=16)
        for node in step.reads:
            digest.update(keys[node])
        for node in step.nodes:
            digest.update(f"{node.op} {node.target} {node.args} {node.kwargs}".encode())
            if node.op == "call_module":
                digest.update(version_of(str(node.target)))
        for place, node in enumerate(step.nodes):
            keys[node] = digest.digest() + place.to_bytes(2, "little")
    return keys


@dataclass(frozen=True)
class _Kept:
    """What is known of one key.

    Args:
        form: What makes activations of the same kind.
        rows: ``[T, all images, ...]``, of which only the known ones mean anything: an array or, of :class:`Placed`, a
            tensor on its device.
        known: Which images are, bool ``[all images]``.
    """

    form: Activation | Form
    rows: Any
    known: np.ndarray

    @property
    def bytes(self) -> int:
        return _bytes(self.rows, len(self.known), int(self.known.sum()))


@dataclass(frozen=True)
class Shared:
    """What a model has in common with those before it, by its keys.

    Args:
        known: All that one of them computed, too.
        last: Of these, what is needed where the model goes on alone. Of the first model both are everything.
    """

    known: frozenset[bytes]
    last: frozenset[bytes]


class ActivationCache:
    """What models computed on one set of images, within a budget of memory.

    Of the first model everything is kept, of later ones what they need at the step where they leave the path of those
    before: the next one may well leave it there, too. When memory runs out, what was used longest ago goes; what the
    current model uses stays.

    Args:
        budget: Bytes.
        indices: Of the images in their source, int64 ``[N]``.
    """

    def __init__(self, budget: int, indices: np.ndarray) -> None:
        self._budget = budget
        self._place = np.full(int(indices.max()) + 1, -1, np.int64)
        self._place[indices] = np.arange(len(indices))
        self._images = len(indices)
        self._kept: dict[bytes, _Kept] = {}
        self._used: dict[bytes, int] = {}
        self._models = 0
        self._lock = threading.Lock()
        self.bytes = 0

    def begin(self, program: Program, keys: Keys) -> Shared:
        """A model begins: mark its keys as used; returns what it has in common with those before."""
        with self._lock:
            before = frozenset(key for key in keys.values() if key in self._used)
            live = ([keys[node] for node in nodes] for nodes in reversed(program.live))
            last = next((needed for needed in live if before.issuperset(needed)), [])
            everything, first = frozenset(keys.values()), not self._models
            self._models += 1
            self._used |= dict.fromkeys(keys.values(), self._models)
            return Shared(everything, everything) if first else Shared(before, frozenset(last))

    def depths(self, program: Program, keys: Keys, indices: np.ndarray) -> np.ndarray:
        """For each image, the last step before which all that is needed is kept, 0 for none; int64 ``[n]``."""
        places, depths = self._place[indices], np.zeros(len(indices), np.int64)
        with self._lock:
            for number in range(len(program.steps), 0, -1):
                kept = [self._kept.get(keys[node]) for node in program.live[number]]
                if all(kept):
                    known = np.logical_and.reduce([one.known[places] for one in kept if one is not None])
                    depths = np.where((depths == 0) & known, number, depths)
                if depths.all():
                    break
        return depths

    def recall(self, program: Program, keys: Keys, indices: np.ndarray, depth: int) -> Values:
        """What is needed before a step, of images of which it is kept."""
        places = self._place[indices]
        with self._lock:
            kept = {node: self._kept[keys[node]] for node in program.live[depth]}
            return {node: one.form.with_rows(_taken(one.rows, places)) for node, one in kept.items()}

    def keep(self, key: bytes, indices: np.ndarray, activation: Activation | Placed) -> None:
        """Keep what was computed, if there is room or something older to give up for it."""
        rows = activation.rows()
        if rows is None:
            return
        with self._lock:
            kept, places = self._kept.get(key), self._place[indices]
            known = np.zeros(self._images, bool) if kept is None else kept.known.copy()
            known[places] = True
            new = _bytes(rows, self._images, int(known.sum())) - (0 if kept is None else kept.bytes)
            if kept is not None and known.sum() == kept.known.sum():
                return
            if self._room(new, self._budget * (1 if activation.spiking else _FLOATS)):
                kept = kept or _Kept(activation.form, _space(rows, self._images), np.zeros(self._images, bool))
                kept.rows[:, _index(rows, places)] = rows
                kept.known[places] = True
                self._kept[key] = kept
                self.bytes += new

    def _room(self, new: int, limit: float) -> bool:
        while self.bytes + new > limit:
            oldest = min(self._kept, key=self._used.__getitem__, default=b"")
            if self._used.get(oldest, self._models) == self._models:
                return False
            self.bytes -= self._kept.pop(oldest).bytes
        return True


class ResumingEngine:
    """An engine that begins where earlier models on the same images left the path of this one.

    Args:
        engine: Of the model.
        cache: What earlier models computed.
        version_of: As of :func:`keys_of`.
        counter: Counts the model's work, if it is wanted.
        counts: What was counted of earlier models, each of which was counted.
    """

    def __init__(
        self,
        engine: Engine,
        cache: ActivationCache,
        version_of: Callable[[str], bytes],
        counter: Counter | None = None,
        counts: CountCache | None = None,
    ) -> None:
        self._engine, self._cache = engine, cache
        self._counter, self._counts = counter, counts
        self._keys = keys_of(engine.program, version_of)
        self._shared = cache.begin(engine.program, self._keys)

    @property
    def reason(self) -> str | None:
        """Why PyTorch answers and not the engine; None where the engine does."""
        return self._engine.reason

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What the engine leaves to PyTorch."""
        return self._engine.left_out

    def answer(self, indices: np.ndarray, read: Read) -> torch.Tensor:
        """Logits ``[N, classes]`` of the images of these indices, of which only those not known are read."""
        program, keys = self._engine.program, self._keys
        depths = self._cache.depths(program, keys, indices)
        parts, order = [], []
        for depth in np.unique(depths):
            (mine,) = np.nonzero(depths == depth)
            chosen = indices[mine]
            with self._engine.running():
                if depth:
                    values = self._cache.recall(program, keys, chosen, int(depth))
                else:
                    values = self._engine.begin(read(chosen))
                self._run(values, int(depth), chosen)
                parts.append(self._engine.logits(values))
            order.append(mine)
        return torch.cat(parts)[torch.from_numpy(np.concatenate(order).argsort())]

    def _run(self, values: Values, first: int, indices: np.ndarray) -> None:
        for number in range(len(self._engine.program.steps)):
            self._count(number, self._engine.seen(values) if number >= first else None, indices)
            if number < first:
                continue
            self._engine.step(values, number)
            for node in self._engine.program.steps[number].nodes:
                value = values.get(node)
                if self._keys[node] in self._shared.last and isinstance(value, Activation | Placed):
                    self._cache.keep(self._keys[node], indices, value)

    def _count(self, number: int, values: Seen | None, indices: np.ndarray) -> None:
        """Count what a step is about to read, or recall it where that step is left out."""
        if self._counter is None or self._counts is None:
            return
        for reading in self._counter.readings(number):
            key = tuple(self._keys[source] for source in reading.sources), reading.probe
            if values is None:
                counted = self._counts.recall(key, indices)
            else:
                counted = reading.count(values, len(indices))
                if self._shared.known.issuperset(key[0]):
                    self._counts.keep(key, indices, counted)
            self._counter.add(reading, counted)
