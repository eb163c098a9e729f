"""Bytes of plans, thousands a second: they are a polynomial in the widths of the layers.

Every stored tensor has at most two dimensions that follow a layer's width, so the bytes of a model are the sum of
``pairs[a, b] * width[a] * width[b]`` over all layers and the constant 1. Three things are not in it: the index that a
writer of the stream stores once it is narrower than the stream; the counters that a layer has as long as it has a
channel; and how many channels of a writer are left when the stream has lost some, which depends on which. They are
counted as :func:`~primesvt.pruning.kept_bytes` does, for each stream by itself; the sums are equal to its.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Self

import numpy as np
from torch import nn

from primesvt.models import EMBEDDING, ChannelGroup, config_of

from .kept import Scores, kept_channels, scores_of
from .plan import DEFAULT_CRITERION, PruningPlan, kept_counts
from .stored_bytes import INDEX_BYTES
from .surgery import cuts, owners_of

# Layers and ratios, and the widths of all layers when a stream alone loses channels and some layers all.
Lost = tuple[tuple[str, float], ...]
Remaining = Callable[[Lost], Mapping[str, int]]


@dataclass(frozen=True, eq=False)
class ByteCounter:
    """Counts the bytes of one model's plans.

    Args:
        groups: All layers of the model, by name.
        pairs: Bytes per product of two widths, float64 ``[L + 1, L + 1]``; the last row and column are the constant's.
        counters: Bytes of every layer's tensors of no dimension, float64 ``[L]``.
        remaining: Widths when a stream alone loses channels, and removed layers all.
        multiple: Of the plans.
    """

    groups: Mapping[str, ChannelGroup]
    pairs: np.ndarray
    counters: np.ndarray
    remaining: Remaining
    multiple: int = 1

    @classmethod
    def of(
        cls,
        model: nn.Module,
        criterion: str = DEFAULT_CRITERION,
        scores: Scores | None = None,
        *,
        multiple: int = 1,
    ) -> Self:
        """For a model.

        Args:
            model: Any model of PrimeSVT.
            criterion: By which a stream's channels are chosen.
            scores: Those of the criterion, where they are known already.
            multiple: Of the plans, see :class:`~primesvt.pruning.PruningPlan`.

        Raises:
            PrimeSVTError: There is no such criterion.
        """
        known = scores_of(model, criterion) if scores is None else scores

        def remaining(lost: Lost) -> Mapping[str, int]:
            kept = kept_channels(model, PruningPlan(dict(lost), criterion, multiple=multiple), known)
            return {layer: len(channels) for layer, channels in kept.items()}

        groups = {group.name: group for group in config_of(model).groups_left()}
        return cls(groups, *_sizes(model, tuple(groups)), remaining, multiple)

    def bytes(self, ratios: Mapping[str, float]) -> int:
        """Bytes of the model that a plan leads to.

        Args:
            ratios: Those of the plan; layers that are not named stay as they are.

        Raises:
            PrimeSVTError: They remove a part of a branch.
        """
        return round(float(self._count(self._widths(self._left(ratios), self._row(ratios))[None])[0]))

    def along(self, ratios: Mapping[str, float], layer: str, choices: Sequence[float]) -> np.ndarray:
        """Bytes of the plan with each of several ratios for one layer, float64 ``[K]``."""
        rows = np.tile(self._row(ratios), (len(choices), 1))
        rows[:, tuple(self.groups).index(layer)] = choices
        left = self._left({**ratios, layer: 0.0})
        if layer in self._streams:
            left, removed = np.tile(left, (len(choices), 1)), _removed(ratios)
            for row, ratio in zip(left, choices, strict=True):
                self._narrow(row, layer, ratio, removed)
        return self._count(self._widths(left, rows))

    def _row(self, ratios: Mapping[str, float]) -> np.ndarray:
        return np.array([ratios.get(name, 0.0) for name in self.groups])

    def _left(self, ratios: Mapping[str, float]) -> np.ndarray:
        """Channels left of every layer, float64 ``[L]``, when streams and removed layers alone lose theirs."""
        removed = _removed(ratios)
        left = self._known(removed).copy()
        for stream in self._streams:
            self._narrow(left, stream, ratios.get(stream, 0.0), removed)
        return left

    def _narrow(self, left: np.ndarray, stream: str, ratio: float, removed: Lost) -> None:
        """Write into ``left``, ``[L]``, what a stream and its writers have left once the stream has lost its ratio."""
        if ratio > 0:
            places, branches = self._streams[stream]
            silent = tuple(each for each in removed if self.groups[each[0]].branch in branches)
            left[places] = self._known(((stream, ratio), *silent))[places]

    def _widths(self, left: np.ndarray, ratios: np.ndarray) -> np.ndarray:
        """Channels left of every layer and a last 1, ``[..., L + 1]``.

        Args:
            left: Channels once streams and removed layers have lost theirs, float64 ``[..., L]``.
            ratios: Float64 ``[..., L]``.
        """
        own, heads = self._own
        # A stream has lost its channels already.
        widths = np.where(own, kept_counts(left, ratios, heads, self.multiple), left)
        return np.concatenate([widths, np.ones((*widths.shape[:-1], 1))], axis=-1)

    def _count(self, widths: np.ndarray) -> np.ndarray:
        """Bytes, float64 ``[K]``, of widths ``[K, L + 1]``."""
        writers, streams = self._writers
        own = widths[:, writers]
        indices = np.where(own < widths[:, streams], own, 0.0).sum(1)
        counters = (widths[:, :-1] > 0) @ self.counters
        return np.asarray(((widths @ self.pairs) * widths).sum(1) + INDEX_BYTES * indices + counters)

    @cached_property
    def _known(self) -> Callable[[Lost], np.ndarray]:
        """Channels left of every layer, float64 ``[L]``, from what a stream and the removed layers lose."""

        def known(lost: Lost) -> np.ndarray:
            widths = self.remaining(lost)
            return np.array([widths[name] for name in self.groups], dtype=np.float64)

        # A search asks for the same ratios again and again; of all streams together there would be too many.
        return lru_cache(4096)(known)

    @cached_property
    def _own(self) -> tuple[np.ndarray, np.ndarray]:
        """Whether each layer's ratio is applied to its own channels, and the heads that stay equally wide, ``[L]``."""
        groups = self.groups.values()
        heads = [group.heads if group.stream is None else 1 for group in groups]
        return np.array([group.name not in self._streams for group in groups]), np.array(heads, dtype=np.float64)

    @cached_property
    def _streams(self) -> dict[str, tuple[list[int], set[str | None]]]:
        """The places of every stream and its writers, whose widths it decides, and the branches that write into it."""
        found: dict[str, tuple[list[int], set[str | None]]] = {}
        for place, group in enumerate(self.groups.values()):
            stream = group.name if group.kind == EMBEDDING else group.stream
            if stream is not None:
                places, branches = found.setdefault(stream, ([], set()))
                places.append(place)
                branches.add(group.branch)
        return found

    @cached_property
    def _writers(self) -> tuple[list[int], list[int]]:
        """Places of the layers that write into a stream, and of the streams they write into."""
        places = {name: at for at, name in enumerate(self.groups)}
        pairs = [(places[name], places[g.stream]) for name, g in self.groups.items() if g.stream is not None]
        return [writer for writer, _ in pairs], [stream for _, stream in pairs]


def _removed(ratios: Mapping[str, float]) -> Lost:
    return tuple(sorted((name, 1.0) for name, each in ratios.items() if each == 1))


def _sizes(model: nn.Module, layers: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """``pairs`` and ``counters``."""
    config, state = config_of(model), model.state_dict()
    indices = {f"{group.index}.channels" for group in config.groups_left() if group.stream is not None}
    places: dict[str, dict[int, int]] = {name: {} for name in state if name not in indices}
    for name, dim, layer in cuts(config, state):
        places[name][dim] = layers.index(layer)
    pairs, counters = np.zeros((len(layers) + 1, len(layers) + 1)), np.zeros(len(layers))
    filters = owners_of(config, state)
    for name, owners in places.items():
        if name in filters and not state[name].ndim:
            counters[layers.index(filters[name])] += state[name].element_size()
            continue
        fixed = [size for dim, size in enumerate(state[name].shape) if dim not in owners]
        first, second = (*owners.values(), len(layers), len(layers))[:2]
        pairs[first, second] += np.prod(fixed, dtype=np.float64) * state[name].element_size()
    return pairs, counters
