"""How much memory a model needs, computed from shapes: nothing is built.

*Memory* is the bytes of everything that is stored: weights, BatchNorm, indices, each in its own dtype. It is what the
safetensors file of the pruned model holds, without its header. What inference needs beside it, membrane potentials and
spikes, is reported as :class:`InferenceState`.
"""

import math
from collections.abc import Iterable

import torch
from torch import nn

from primesvt.models import config_of, model_bytes

from .kept import Kept, kept_channels
from .plan import PruningPlan
from .surgery import cuts, owners_of

# Of a channel that a layer narrower than its stream writes.
INDEX_BYTES = torch.int16.itemsize


def pruned_bytes(model: nn.Module, plan: PruningPlan) -> int:
    """Bytes of the model that :func:`~primesvt.pruning.prune` would make.

    Raises:
        PrimeSVTError: The plan names a layer or a criterion that does not exist.
    """
    return kept_bytes(model, kept_channels(model, plan))


def kept_bytes(model: nn.Module, kept: Kept) -> int:
    """Bytes of the model with just the kept channels."""
    config, state = config_of(model), model.state_dict()
    indices = {f"{group.index}.channels" for group in config.groups_left() if group.stream is not None}
    shapes = {name: list(tensor.shape) for name, tensor in state.items() if name not in indices}
    for name, dim, layer in cuts(config, state):
        shapes[name][dim] = len(kept[layer])
    gone = {name for name, layer in owners_of(config, state).items() if not len(kept[layer])}
    total: int = sum(math.prod(shapes[name]) * state[name].element_size() for name in shapes.keys() - gone)
    for group in config.groups_left():
        if group.stream is not None and len(kept[group.name]) < len(kept[group.stream]):
            total += INDEX_BYTES * len(kept[group.name])
    return total


def memory_saving(model: nn.Module, plan: PruningPlan) -> float:
    """Fraction of the model's bytes that the plan saves; below 0 where new indices cost more than it removes."""
    return 1 - pruned_bytes(model, plan) / model_bytes(model)


def largest_saving(
    model: nn.Module, layers: tuple[str, ...], ratio: float, multiple: int = 1, gone: Iterable[str] = ()
) -> float:
    """The memory saving when every one of ``layers`` loses ``ratio`` of its channels, and those of ``gone`` all."""
    ratios = {**dict.fromkeys(layers, ratio), **dict.fromkeys(gone, 1.0)}
    return memory_saving(model, PruningPlan(ratios, multiple=multiple))
