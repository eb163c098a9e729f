"""Which channels a plan keeps: the plan's ratios made into indices by the importance of the channels."""

import functools
from collections.abc import Callable, Mapping

import torch
from torch import nn

from primesvt.models import EMBEDDING, ChannelGroup, PrimeSVTError, config_of

from .branches import check_removed
from .channel_statistics import Statistics
from .criteria import criterion
from .layers import check_layers
from .plan import PruningPlan, kept_count

Kept = Mapping[str, torch.Tensor]


# From a layer to the scores of its channels, float64 ``[C]``.
Scores = Callable[[ChannelGroup], torch.Tensor]


def scores_of(model: nn.Module, criterion_name: str, statistics: Statistics | None = None) -> Scores:
    """Scores of a model's channels, each computed once: for many plans of one model.

    Args:
        model: Any model of PrimeSVT, whose weights stay as they are.
        criterion_name: Name of the criterion.
        statistics: What the calibration images say of the model, for a criterion that asks for it.

    Raises:
        PrimeSVTError: There is no such criterion, or it asks for statistics and there are none.
    """
    chosen, state = criterion(criterion_name), model.state_dict()
    if chosen.needs_statistics and statistics is None:
        raise PrimeSVTError(f"The criterion {criterion_name!r} looks at calibration images; give a data set (--data).")
    seen = statistics if chosen.needs_statistics else None
    return functools.cache(lambda group: chosen.score(group, state, seen))


def kept_channels(model: nn.Module, plan: PruningPlan, scores: Scores | None = None) -> Kept:
    """Indices of the channels that stay, sorted, int64 ``[kept]``, by layer; every layer of the model is named.

    The embedding width is decided first. A layer that writes into the stream then loses the channels that the stream
    lost, and its own ratio applies to what is left. Layers of a branch that is removed keep nothing, and have no say in
    what a stream keeps.

    Args:
        model: Any model of PrimeSVT.
        plan: What to remove.
        scores: Those of the plan's criterion, where they are known already.

    Raises:
        PrimeSVTError: The plan names a layer or a criterion that does not exist, or removes a part of a branch.
    """
    check_layers(model, tuple(plan.ratios))
    score = scores_of(model, plan.criterion) if scores is None else scores
    config, state = config_of(model), model.state_dict()
    groups = config.groups_left()
    check_removed(groups, plan.ratios)
    kept: dict[str, torch.Tensor] = {}
    for stream in (group for group in groups if group.kind == EMBEDDING):
        writers = [g for g in groups if g.stream == stream.name and plan.ratios.get(g.name, 0.0) < 1]
        width, ratio = config.widths[stream.name], plan.ratios.get(stream.name, 0.0)
        kept[stream.name] = _keep_stream(score, state, writers, width, ratio, plan.multiple)
    for group in groups:
        if group.kind != EMBEDDING:
            kept[group.name] = _keep_layer(score, state, group, plan, kept)
    return kept


def layer_scores(model: nn.Module, layer: str, score: Scores) -> torch.Tensor:
    """Scores of the channels of a layer that the model has, float64 ``[C]``; a stream's are its writers', added up."""
    config = config_of(model)
    groups = {group.name: group for group in config.groups_left()}
    if groups[layer].kind != EMBEDDING:
        return score(groups[layer])
    writers = [group for group in groups.values() if group.stream == layer]
    return _stream_scores(score, model.state_dict(), writers, config.widths[layer])


def written_channels(state: Mapping[str, torch.Tensor], group: ChannelGroup) -> torch.Tensor:
    """Stream channels that a layer writes, in the order of its filters, int64 ``[C]``."""
    index = state.get(f"{group.index}.channels")
    return torch.arange(len(state[f"{group.filters[0]}.weight"])) if index is None else index.long()


def _keep_stream(
    score: Scores,
    state: Mapping[str, torch.Tensor],
    writers: list[ChannelGroup],
    width: int,
    ratio: float,
    multiple: int,
) -> torch.Tensor:
    if ratio == 0:
        return torch.arange(width)
    total = _stream_scores(score, state, writers, width)
    # No writer may be left without a channel: the most important one of a narrow writer stays, whatever its rank.
    required = torch.zeros(width, dtype=torch.bool)
    for writer in writers:
        channels, scores = written_channels(state, writer), score(writer)
        if len(channels) < width:
            required[channels[scores.argmax()]] = True
    total[required] = torch.inf
    return _largest(total, kept_count(width, ratio, multiple=multiple, least=max(int(required.sum()), 1)))


def _stream_scores(
    score: Scores, state: Mapping[str, torch.Tensor], writers: list[ChannelGroup], width: int
) -> torch.Tensor:
    total = torch.zeros(width, dtype=torch.float64)
    for writer in writers:
        total.index_add_(0, written_channels(state, writer), score(writer))
    return total


def _keep_layer(
    score: Scores, state: Mapping[str, torch.Tensor], group: ChannelGroup, plan: PruningPlan, kept: Kept
) -> torch.Tensor:
    ratio = plan.ratios.get(group.name, 0.0)
    if ratio == 1:
        return torch.arange(0)
    written = written_channels(state, group)
    if group.stream is None:
        remaining = torch.arange(len(written))
    else:
        remaining = torch.isin(written, kept[group.stream]).nonzero().flatten()
    if ratio == 0:
        return remaining  # Scores cost a pass over the weights.
    scores = score(group)
    if group.stream is not None:
        return remaining[_largest(scores[remaining], kept_count(len(remaining), ratio, multiple=plan.multiple))]
    per_head = scores.view(group.heads, -1)
    count = kept_count(len(scores), ratio, group.heads, multiple=plan.multiple) // group.heads
    return torch.cat([_largest(row, count) + i * per_head.shape[1] for i, row in enumerate(per_head)])


def _largest(scores: torch.Tensor, count: int) -> torch.Tensor:
    """Sorted indices of the ``count`` largest scores; of equal ones, those that come first."""
    return scores.sort(descending=True, stable=True).indices[:count].sort().values
