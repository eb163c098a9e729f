"""Residual branches: attention or MLP of a block, which a plan may remove as a whole."""

from collections.abc import Iterable, Mapping

from torch import nn

from primesvt.models import ChannelGroup, PrimeSVTError, channel_groups


def branches(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """Names of the residual branches that the model has, in the order of the forward pass, with those of their layers.

    A plan removes one by the ratio 1 for every layer of it. What is then left computes what the unpruned model does
    where the branch adds zero into its stream.
    """
    return branches_of(channel_groups(model))


def branches_of(groups: Iterable[ChannelGroup]) -> dict[str, tuple[str, ...]]:
    """As :func:`branches`, from the layers."""
    found: dict[str, tuple[str, ...]] = {}
    for group in groups:
        if group.branch is not None:
            found[group.branch] = (*found.get(group.branch, ()), group.name)
    return found


def check_removed(groups: Iterable[ChannelGroup], ratios: Mapping[str, float]) -> None:
    """Refuse a plan that removes a layer where the rest of its branch stays, or where there is none.

    Raises:
        PrimeSVTError: Naming the layer, and what is missing.
    """
    layers = {group.name: group for group in groups}
    whole = branches_of(layers.values())
    for name, ratio in ratios.items():
        if ratio < 1:
            continue
        branch = layers[name].branch
        if branch is None:
            raise PrimeSVTError(
                f"{name} cannot lose all of its channels: the model would be cut in two, as it is part of no residual "
                "branch. Give a ratio below 1."
            )
        if rest := [other for other in whole[branch] if ratios.get(other, 0.0) < 1]:
            raise PrimeSVTError(
                f"{name} can lose all of its channels only with all other layers of its branch {branch}: give "
                f"{', '.join(rest)} the ratio 1, too, or {name} one below 1."
            )
