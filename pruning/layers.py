"""The layers of a model that can be pruned, as the policy sees them."""

from dataclasses import dataclass

from torch import nn

from primesvt.models import EMBEDDING, channel_groups, config_of, parameter_count, unknown


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
    """

    name: str
    kind: str
    channels: int
    heads: int
    parameters: int
    share: float
    consumed_by: tuple[str, ...]


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
            )
        )
    # Sorting is stable: of equally large layers, the one nearer to the input comes first.
    return tuple(sorted(layers, key=lambda layer: -layer.parameters))


def check_layers(model: nn.Module, names: tuple[str, ...]) -> None:
    """Refuse names that are no prunable layers of the model.

    Raises:
        PrimeSVTError: Naming the first unknown one, and those that exist.
    """
    known = [group.name for group in channel_groups(model)]
    for name in names:
        if name not in known:
            raise unknown("layer", name, known, "this model has")
