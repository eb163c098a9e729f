"""The layers of a model that can be pruned, as the policy sees them."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from primesvt.models import EMBEDDING, PrimeSVTError, channel_groups, config_of, parameter_count, unknown


@dataclass(frozen=True)
class PrunableLayer:
    """A set of channels that can be removed together.

    Args:
        name: Name of the layer, as in plans.
        kind: As in :class:`~primesvt.models.ChannelGroup`.
        channels: Number of channels.
        heads: Heads among which the channels are divided evenly, and must stay so; 1 where heads do not matter.
        parameters: Trainable numbers of the layer's own filters: weights, biases and BatchNorm.
        share: ``parameters`` as a fraction of the model's.
        consumed_by: Modules whose input channels go away with them.
        branch: Name of the residual branch that it is part of, see :func:`branches`, or None.
    """

    name: str
    kind: str
    channels: int
    heads: int
    parameters: int
    share: float
    consumed_by: tuple[str, ...]
    branch: str | None = None


def prunable_layers(model: nn.Module, *, embedding: bool = False) -> tuple[PrunableLayer, ...]:
    """The prunable layers of a model, the largest first: the order in which the policy prunes (paper, step 1).

    Args:
        model: Any model of PrimeSVT.
        embedding: Whether the embedding width is a layer too; its parameters are those that read the stream.
    """
    config, total = config_of(model), parameter_count(model)
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    layers = []
    for group in channel_groups(model):
        if group.kind == EMBEDDING and not embedding:
            continue
        owners = group.filters or group.readers
        own = sum(size for name, size in sizes.items() if name.rpartition(".")[0] in owners)
        layers.append(
            PrunableLayer(
                name=group.name,
                kind=group.kind,
                channels=config.widths[group.name],
                heads=group.heads,
                parameters=own,
                share=own / total,
                consumed_by=group.readers,
                branch=group.branch,
            )
        )
    # Sorting is stable: of equally large layers, the one nearer to the input comes first.
    return tuple(sorted(layers, key=lambda layer: -layer.parameters))


def matching_layers(model: nn.Module, patterns: tuple[str, ...]) -> frozenset[str]:
    """Names of the layers that names or patterns mean, such as ``stem.0`` and ``blocks.*.hidden``.

    A stream, which is the embedding width, is meant by its own name alone: whoever says ``*`` does not think of it.

    Raises:
        PrimeSVTError: A name is no layer of the model, or a pattern means none.
    """
    groups = channel_groups(model)
    known = [group.name for group in groups]
    inner = [group.name for group in groups if group.kind != EMBEDDING]
    found: set[str] = set()
    for pattern in patterns:
        meant = {pattern} & {*known} or {name for name in inner if fnmatchcase(name, pattern)}
        if not meant:
            raise unknown("layer", pattern, known, "this model has")
        found |= meant
    return frozenset(found)


def choose_layers(
    model: nn.Module, names: Iterable[str], only: tuple[str, ...] = (), without: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Those of some layers that may be pruned, in their order.

    Args:
        model: Any model of PrimeSVT.
        names: Names of its layers.
        only: Names and patterns of those that may be; all where there is none, see :func:`matching_layers`.
        without: Names and patterns of those that may not, which count more.

    Raises:
        PrimeSVTError: A name or a pattern means no layer, or none is left.
    """
    wanted, spared = matching_layers(model, only), matching_layers(model, without)
    chosen = tuple(name for name in names if (not wanted or name in wanted) and name not in spared)
    if not chosen and (only or without):
        said = [f"layers {','.join(only)}"] * bool(only) + [f"exclude-layers {','.join(without)}"] * bool(without)
        raise PrimeSVTError(f"No layer is left to prune: {' and '.join(said)} leave none.")
    return chosen


def check_layers(model: nn.Module, names: tuple[str, ...]) -> None:
    """Refuse names that are no prunable layers of the model.

    Raises:
        PrimeSVTError: Naming the first unknown one, and those that exist.
    """
    known = [group.name for group in channel_groups(model)]
    for name in names:
        if name not in known:
            raise unknown("layer", name, known, "this model has")
