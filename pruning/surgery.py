"""Removing channels for real: the pruned model is the same family with smaller widths and smaller tensors.

What it means: the pruned model's logits equal those of the original with the removed channels forced to zero where they
are read. A filter that is merely zeroed is not removed: BatchNorm would still make it spike. A layer that keeps nothing
is gone, with all of its tensors.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import nn

from primesvt.models import ModelConfig, assembled, config_of

from .kept import Kept, written_channels


def remove(model: nn.Module, kept: Kept, *, share: bool = False) -> nn.Module:
    """A new model with just the kept channels.

    Args:
        model: Any model of PrimeSVT.
        kept: Sorted indices ``[kept]``, int64, for every layer.
        share: Whether tensors that lose nothing may be those of ``model``: for a new model that is only asked.
    """
    config = config_of(model)
    narrow = config.with_widths({name: len(channels) for name, channels in kept.items()})
    with torch.no_grad():
        pruned = assembled(narrow, _cut(config, model.state_dict(), kept, share))
    return pruned.train(model.training)


def _cut(config: ModelConfig, state: Mapping[str, torch.Tensor], kept: Kept, share: bool) -> dict[str, torch.Tensor]:
    places: dict[str, list[tuple[int, torch.Tensor]]] = {name: [] for name in state}
    for name, dim, group in cuts(config, state):
        if len(kept[group]) < state[name].shape[dim]:
            places[name].append((dim, kept[group]))
    owners = owners_of(config, state)
    gone = {name for name, layer in owners.items() if not len(kept[layer])}
    cut = {name: _selected(tensor, places[name], share) for name, tensor in state.items() if name not in gone}
    for writer in config.groups_left():
        if writer.stream is None:
            continue
        stream = kept[writer.stream]
        channels = torch.searchsorted(stream, written_channels(state, writer)[kept[writer.name]])
        cut.pop(f"{writer.index}.channels", None)
        if 0 < len(channels) < len(stream):
            cut[f"{writer.index}.channels"] = channels.to(torch.int16)
    return cut


def _selected(tensor: torch.Tensor, places: Sequence[tuple[int, torch.Tensor]], share: bool) -> torch.Tensor:
    """A copy with just the kept entries; what is not kept is not copied either."""
    if not places:
        return tensor if share else tensor.clone()
    for dim, channels in places:
        tensor = tensor.index_select(dim, channels)
    return tensor


def version_of(config: ModelConfig, kept: Kept) -> Callable[[str], bytes]:
    """What tells the weights of a module from those of the same module in other versions of one model.

    Args:
        config: Of the unpruned model.
        kept: The channels that this version keeps, of every layer.

    Returns:
        A function from the name of a module: where it returns the same of two versions, the module has equal weights.
    """
    digests = {layer: hashlib.blake2b(c.numpy().tobytes(), digest_size=16).digest() for layer, c in kept.items()}
    touched: dict[str, list[str]] = {}
    for group in config.groups_left():
        for leaf in (*group.filters, *group.readers):
            touched.setdefault(leaf, []).append(group.name)
        if group.index is not None and group.stream is not None:
            touched.setdefault(group.index, []).extend((group.name, group.stream))

    def version(module: str) -> bytes:
        leaves = (leaf for leaf in touched if leaf == module or leaf.startswith(f"{module}."))
        return b"".join(digests[layer] for leaf in leaves for layer in touched[leaf])

    return version


def cuts(config: ModelConfig, state: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, int, str]]:
    """Every place where a layer's channels lie: name of the tensor, dimension, name of the layer."""
    owners = owners_of(config, state)
    consumed = {module: group.name for group in config.groups_left() for module in group.readers}
    for tensor, values in state.items():
        module, _, kind = tensor.rpartition(".")
        if tensor in owners and values.ndim:
            yield tensor, 0, owners[tensor]
        if module in consumed and kind == "weight":
            yield tensor, 1, consumed[module]


def owners_of(config: ModelConfig, state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """The layers whose filters hold the tensors, by name of the tensor: it is there as long as they keep a channel."""
    filters = {leaf: group.name for group in config.groups_left() for leaf in group.filters}
    return {name: filters[module] for name in state if (module := name.rpartition(".")[0]) in filters}
