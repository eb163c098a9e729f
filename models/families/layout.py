"""Key layouts: how the checkpoint of other code names the weights of a family, and what its shapes say.

A :class:`Layout` is a list of :class:`Rename` between our modules and theirs, which reads in both directions: a state
dict of theirs becomes a model, and a model becomes a state dict of theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import torch

from ..errors import PrimeSVTError
from ..layers.channels import EMBEDDING, ChannelGroup
from .resizing import Rule, timm_default

State = Mapping[str, torch.Tensor]
# Far above every published depth; a block number beyond it is damage or an attack.
_MAX_BLOCKS = 256
# In a template, the number of a block; and what it may be.
_BLOCK = "{b}"
_NUMBER = re.compile(r"0|[1-9][0-9]*")
COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Rename:
    """One module under its two names; ``{b}`` in both stands for the number of a block.

    Args:
        ours: Name of our leaf module.
        theirs: Name of their leaf module.
        ndim: Dimensions of their weight: 3 for a ``Conv1d``, 2 for a ``Linear`` that is a 1x1 convolution here.
        part: Which part of their tensors is ours, where they hold several of our layers in one.
        parts: Of how many equal parts, along dimension 0.
    """

    ours: str
    theirs: str
    ndim: int | None = None
    part: int = 0
    parts: int = 1


def conv_bn_renames(ours: str, conv: str, bn: str, ndim: int = 4, *, part: int = 0, parts: int = 1) -> list[Rename]:
    """The two leaf modules of a :class:`~primesvt.models.layers.conv.ConvBN`."""
    return [Rename(f"{ours}.conv", conv, ndim, part, parts), Rename(f"{ours}.bn", bn, None, part, parts)]


def fused_renames(ours: str, names: Sequence[str], conv: str, bn: str) -> list[Rename]:
    """Several :class:`~primesvt.models.layers.conv.ConvBN` below ``ours`` that are one ``Conv1d`` of theirs."""
    parts = enumerate(names)
    return [r for i, name in parts for r in conv_bn_renames(f"{ours}.{name}", conv, bn, 3, part=i, parts=len(names))]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the checkpoints of one code base look.

    Args:
        source: Repository and file, or library.
        renames: Every module of ours that has weights.
        structure: From a checkpoint, the configuration's fields that its shapes say, and the groups that follow.
        rules: Fields of the configuration as this code base has them, unless the caller says otherwise.
        ignored: Fields of the configuration that this code base fixes although it has an argument for them: what a
            training command said of them is not what was trained.
        told: Fields of the configuration that keys which the model does not use give away.
        assumed: What this code can do otherwise, which its weights do not tell and this family has not.
        resizing: How this code evaluates images of a size; timm's way where it has none.
        note: From the configuration, what a user has to know of a model of this code, or None.
        unused: Patterns of keys that its models have and do not use, with the reason.
        fill: The unused keys that a model of this code nevertheless has, with tensors to put there.
    """

    source: str
    renames: tuple[Rename, ...]
    structure: Callable[[Checkpoint], tuple[dict[str, Any], tuple[ChannelGroup, ...]]]
    rules: Mapping[str, Any] = field(default_factory=dict)
    ignored: Mapping[str, Any] = field(default_factory=dict)
    told: Callable[[State], dict[str, Any]] = lambda _state: {}
    assumed: Mapping[str, Any] = field(default_factory=dict)
    resizing: Rule = timm_default
    note: Callable[[Any], str | None] = lambda _config: None
    unused: tuple[tuple[str, str], ...] = ()
    fill: Callable[[Any], dict[str, torch.Tensor]] | None = None

    @cached_property
    def _ours(self) -> Mapping[str, Rename]:
        return {rename.ours: rename for rename in self.renames}

    @cached_property
    def _theirs(self) -> Mapping[str, Rename]:
        return {rename.theirs: rename for rename in self.renames}

    def theirs(self, module: str) -> tuple[str, Rename]:
        """Their name of a module of ours.

        Raises:
            PrimeSVTError: The layout has no such module, so it cannot hold this model.
        """
        for name, number in _templates(module):
            if rename := self._ours.get(name):
                return rename.theirs.replace(_BLOCK, number), rename
        raise PrimeSVTError(f"{self.source} has no layer like {module}.")

    def coverage(self, state: State) -> float:
        """The fraction of a checkpoint's keys that this layout knows; shapes of another kind do not count."""
        known = sum(self._knows(key, tensor) for key, tensor in state.items())
        return known / max(len(state), 1)

    def _knows(self, key: str, tensor: torch.Tensor) -> bool:
        module, _, leaf = key.rpartition(".")
        for name, _ in _templates(module):
            if rename := self._theirs.get(name):
                return leaf != "weight" or rename.ndim in (None, tensor.ndim)
        return self.reason(key) is not None

    def reason(self, key: str) -> str | None:
        """Why their model does not use a key, or None where it is not known."""
        return next((reason for pattern, reason in self.unused if re.fullmatch(pattern, key)), None)


@dataclass(frozen=True)
class Checkpoint:
    """A state dict of theirs, looked at under our names.

    Args:
        state: What their ``state_dict()`` returned.
        layout: How it names things.
        said: Fields of the configuration that the caller said: some change which layers there are.
    """

    state: State
    layout: Layout
    said: Mapping[str, Any] = field(default_factory=dict)

    def key(self, ours: str) -> str:
        """Their key of a tensor of ours."""
        module, _, leaf = ours.rpartition(".")
        return f"{self.layout.theirs(module)[0]}.{leaf}"

    def has(self, ours: str) -> bool:
        """Whether the checkpoint holds a tensor of ours."""
        return self.key(ours) in self.state

    def shape(self, ours: str) -> tuple[int, ...]:
        """Shape of a tensor of ours.

        Raises:
            PrimeSVTError: The checkpoint lacks it.
        """
        module, _, leaf = ours.rpartition(".")
        theirs, rename = self.layout.theirs(module)
        tensor = self._tensor(f"{theirs}.{leaf}")
        if leaf == "weight" and rename.ndim not in (None, tensor.ndim):
            raise PrimeSVTError(f"{theirs}.{leaf} has {tensor.ndim} dimensions, expected {rename.ndim}.")
        first, *rest = tensor.shape or (1,)
        return (first // rename.parts, *rest)

    def _tensor(self, theirs: str) -> torch.Tensor:
        if theirs not in self.state:
            raise PrimeSVTError(f"The weights lack {theirs}.")
        return self.state[theirs]

    def count(self, ours: str) -> int:
        """Number of blocks: one more than the largest ``{b}`` of a tensor of ours.

        Raises:
            PrimeSVTError: There is no block, or absurdly many.
        """
        module, _, leaf = ours.rpartition(".")
        theirs = self.layout._ours[module].theirs
        # Any key below the block tells that it is there, so that a missing one is named as such later.
        before = theirs.partition(_BLOCK)[0]
        following = (key.removeprefix(before).partition(".") for key in self.state if key.startswith(before))
        numbers = [int(number) for number, dot, _ in following if dot and _NUMBER.fullmatch(number)]
        if not numbers:
            raise PrimeSVTError(f"The weights have no transformer block: no key is like {theirs}.{leaf}.")
        if max(numbers) >= _MAX_BLOCKS:
            raise PrimeSVTError(f"The weights have a block number {max(numbers)}; at most {_MAX_BLOCKS - 1} is known.")
        return max(numbers) + 1

    def widths(self, groups: Iterable[ChannelGroup]) -> dict[str, int]:
        """Width of every group, as the shapes say it.

        Raises:
            PrimeSVTError: A tensor is missing.
        """
        return {
            group.name: self.shape(f"{group.readers[-1]}.weight")[1]
            if group.kind == EMBEDDING
            else self.shape(f"{group.filters[0]}.weight")[0]
            for group in groups
        }

    def converted(self, own: Mapping[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], frozenset[str]]:
        """Our state dict, and the keys of theirs that went into it; nothing is copied.

        Args:
            own: State dict of the model to fill, for names and shapes alone.

        Raises:
            PrimeSVTError: A tensor is missing or has another shape, named by their key.
        """
        state, used = {}, set()
        for name, like in own.items():
            module, _, leaf = name.rpartition(".")
            theirs, rename = self.layout.theirs(module)
            key = f"{theirs}.{leaf}"
            if leaf == COUNTER and key not in self.state:
                # Older PyTorch did not store it, and evaluation does not need it.
                state[name] = torch.zeros((), dtype=torch.int64)
                continue
            state[name] = _take(key, self._tensor(key), rename, like)
            if leaf != COUNTER and not state[name].is_floating_point():
                raise PrimeSVTError(f"{key} is {state[name].dtype}, expected floating-point numbers.")
            used.add(key)
        return state, frozenset(used)


def _take(key: str, tensor: torch.Tensor, rename: Rename, like: torch.Tensor) -> torch.Tensor:
    if rename.parts > 1:
        if not tensor.ndim:
            return tensor.clone()  # A counter, which every part has for itself.
        if tensor.shape[0] % rename.parts:
            raise PrimeSVTError(f"{key} has {tensor.shape[0]} rows, expected a multiple of {rename.parts}.")
        tensor = tensor.chunk(rename.parts)[rename.part]
    # A 1x1 convolution over a line of tokens, or a linear layer, is one over the plane.
    expected = tuple(like.shape[: rename.ndim] if key.endswith(".weight") and rename.ndim else like.shape)
    if tuple(tensor.shape) != expected or set(like.shape[len(expected) :]) - {1}:
        raise PrimeSVTError(f"{key} has shape {tuple(tensor.shape)}, expected {expected}.")
    return tensor.reshape(like.shape)


def renamed(state: State, layout: Layout) -> dict[str, torch.Tensor]:
    """A state dict of theirs from one of ours: the inverse of :meth:`Checkpoint.converted`; nothing is shared.

    Args:
        state: Our state dict.
        layout: The layout to write.

    Raises:
        PrimeSVTError: The layout has no place for a tensor.
    """
    parts: dict[str, dict[int, torch.Tensor]] = {}
    for name, tensor in state.items():
        module, _, leaf = name.rpartition(".")
        theirs, rename = layout.theirs(module)
        shape = tensor.shape[: rename.ndim] if leaf == "weight" and rename.ndim else tensor.shape
        parts.setdefault(f"{theirs}.{leaf}", {})[rename.part] = tensor.detach().reshape(shape)
    written = {}
    for key, pieces in parts.items():
        ordered = [pieces[part] for part in sorted(pieces)]
        written[key] = torch.cat(ordered) if len(ordered) > 1 and ordered[0].ndim else ordered[0].clone()
    return written


# Every layout is asked for every key of a file whose layout is sought.
@lru_cache(2**14)
def _templates(name: str) -> tuple[tuple[str, str], ...]:
    """A module's name as a template may have it, with the number of the block that it then has: of each number one."""
    parts = name.split(".")
    numbers = [i for i, part in enumerate(parts) if _NUMBER.fullmatch(part)]
    return (name, ""), *((".".join([*parts[:i], _BLOCK, *parts[i + 1 :]]), parts[i]) for i in numbers)
