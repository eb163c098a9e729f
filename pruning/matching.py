"""Which channels a pruned model kept of its original, found by the weights: for a model whose plan is lost.

Removing channels cuts a BatchNorm's vectors along the channels and nothing else, so a channel of the pruned model has
the factor and the statistics of the one that it was: repair by least squares leaves them, and fine-tuning with frozen
statistics leaves the latter. Channels keep their order, so the match is the first one in order.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from primesvt.models import EMBEDDING, ChannelGroup, PrimeSVTError, config_of

from .kept import Kept, written_channels

State = Mapping[str, torch.Tensor]
# What tells a channel, from what repair and fine-tuning change least to what a changed statistic leaves.
_EVIDENCE = (("weight", "running_mean", "running_var"), ("running_mean", "running_var"), ("weight",))


def kept_channels_of(original: nn.Module, pruned: nn.Module) -> Kept:
    """Indices of the original's channels that a pruned model has left, int64 ``[kept]``, by layer, of every layer.

    Args:
        original: The model that was pruned.
        pruned: What is left of it, repaired or fine-tuned or not.

    Raises:
        PrimeSVTError: It is no pruned version of the original, or changed so much that its channels cannot be told.
    """
    whole, narrow = config_of(original), config_of(pruned)
    if type(whole) is not type(narrow) or whole.with_widths(narrow.widths) != narrow:
        raise PrimeSVTError(
            f"A {narrow.family} of this configuration is no pruned version of this {whole.family}: they differ in more "
            "than their widths. Give the model that was pruned."
        )
    groups = whole.groups_left()
    before, after = original.state_dict(), pruned.state_dict()
    kept = {g.name: _matched(g, before, after, narrow.widths[g.name]) for g in groups if g.kind != EMBEDDING}
    for stream in (group for group in groups if group.kind == EMBEDDING):
        writers = [group for group in groups if group.stream == stream.name and narrow.widths[group.name]]
        kept[stream.name] = _stream(stream, writers, (before, after), kept, narrow.widths[stream.name])
    return kept


def _matched(group: ChannelGroup, before: State, after: State, width: int) -> torch.Tensor:
    """The channels of a layer, by its BatchNorms."""
    if not width:
        return torch.arange(0)  # Gone, with its branch.
    norms = [name for name in group.filters if f"{name}.running_var" in before]
    for leaves in _EVIDENCE:
        ours, theirs = (
            torch.stack([state[f"{norm}.{leaf}"] for norm in norms for leaf in leaves], 1) for state in (before, after)
        )
        # Factors alone tell channels apart only where no two are equal; statistics are those of a channel.
        telling = "running_var" in leaves or len(ours.unique(dim=0)) == len(ours)
        if telling and (found := _in_order(ours, theirs)) is not None:
            return found
    raise PrimeSVTError(
        f"The channels that {group.name} kept cannot be told: {width} are left of {len(ours)}, and their BatchNorms "
        "are not the original's. Give the model that was pruned, or the plan that it was pruned by (--plan)."
    )


def _in_order(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor | None:
    """For every row of ``after [k, n]`` the first equal row of ``before [C, n]`` behind the match of the row above."""
    found, start = [], 0
    for row in after.tolist():
        same = (before[start:] == before.new_tensor(row)).all(1).nonzero()
        if not len(same):
            return None
        found.append(start + int(same[0]))
        start = found[-1] + 1
    return torch.tensor(found, dtype=torch.int64)


def _stream(
    stream: ChannelGroup, writers: Sequence[ChannelGroup], states: tuple[State, State], kept: Kept, width: int
) -> torch.Tensor:
    """The channels of a stream: where its writers write, and what its readers weigh the others with."""
    before, after = states
    full = len(before[f"{stream.readers[0]}.weight"][0]) if stream.readers else width
    if width == full:
        return torch.arange(width)
    channels = torch.full((width,), -1, dtype=torch.int64)
    for writer in writers:
        channels[written_channels(after, writer)] = written_channels(before, writer)[kept[writer.name]]
    for place in (channels < 0).nonzero().flatten().tolist():
        # Nobody writes it any more: any channel between its neighbours is the same zero.
        channels[place] = channels[place - 1] + 1 if place else 0
    if (channels.diff() <= 0).any() or int(channels[-1]) >= full:
        raise PrimeSVTError(
            f"The channels that the stream {stream.name} kept cannot be told. Give the plan that the model was pruned "
            "by (--plan)."
        )
    return channels
