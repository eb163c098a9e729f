"""What a family declares of its channels: which of them exist only together.

This is all that pruning knows of a family. A :class:`ChannelGroup` names modules, not code: every tensor of a module in
``filters`` has one entry per channel along dimension 0, every weight of a module in ``readers`` has one along
dimension 1. Removing a channel removes those entries, and nothing else changes.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ChannelGroup:
    """Channels of a family that can only be removed together.

    Args:
        name: Name of the layer, and its key in the configuration's ``widths``.
        kind: What the layer is: ``stem``, ``position``, ``attention``, ``projection``, ``mlp``, ``embedding``.
        filters: Leaf modules whose tensors have the channels along dimension 0 (convolutions and their BatchNorms).
        readers: Leaf modules whose weight has the channels along dimension 1.
        heads: The channels are ``heads`` runs of equal length, and must stay so; 1 where heads do not matter.
        stream: Name of the embedding group into which the layer adds its output, or None.
        index: The :class:`~primesvt.models.writer.StreamIndex` module of a layer that writes into a stream, or None.
    """

    name: str
    kind: str
    filters: tuple[str, ...]
    readers: tuple[str, ...] = ()
    heads: int = 1
    stream: str | None = None
    index: str | None = None


def conv_bn(*prefixes: str) -> tuple[str, ...]:
    """Leaf modules of the :class:`~primesvt.models.conv.ConvBN` modules at ``prefixes``."""
    return tuple(f"{prefix}.{leaf}" for prefix in prefixes for leaf in ("conv", "bn"))
