"""What a family declares of its channels: which of them exist only together.

This is all that pruning knows of a family. A :class:`ChannelGroup` names modules, not code: every tensor of a module in
``filters`` has one entry per channel along dimension 0, every weight of a module in ``readers`` has one along
dimension 1. Removing a channel removes those entries, and nothing else changes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

# The kind of a group that is a residual stream. A family may have several.
EMBEDDING = "embedding"


@dataclass(frozen=True, kw_only=True)
class ChannelGroup:
    """Channels of a family that can only be removed together.

    Args:
        name: Name of the layer, and its key in the configuration's ``widths``.
        kind: What the layer is: ``stem``, ``position``, ``downsampling``, ``convolution``, ``attention``,
            ``projection``, ``mlp``, or ``embedding`` for a residual stream.
        filters: Leaf modules whose tensors have the channels along dimension 0 (convolutions and their BatchNorms; of
            a depth-wise convolution, that is all of it).
        readers: Leaf modules whose weight has the channels along dimension 1.
        heads: The channels are ``heads`` runs of equal length, and must stay so; 1 where heads do not matter.
        stream: Name of the embedding group into which the layer adds its output, or None.
        index: The :class:`~primesvt.models.StreamIndex` module of a layer that writes into a stream, or None.
        branch: Name of the residual branch that the layer is part of, see :func:`residual_branch`; or None.
    """

    name: str
    kind: str
    filters: tuple[str, ...]
    readers: tuple[str, ...] = ()
    heads: int = 1
    stream: str | None = None
    index: str | None = None
    branch: str | None = None


def conv_bn(*prefixes: str) -> tuple[str, ...]:
    """Leaf modules of the :class:`~primesvt.models.layers.conv.ConvBN` modules at ``prefixes``."""
    return tuple(f"{prefix}.{leaf}" for prefix in prefixes for leaf in ("conv", "bn"))


def writer(
    name: str,
    kind: str,
    *,
    stream: str = EMBEDDING,
    filters: tuple[str, ...] | None = None,
    index: str | None = None,
    readers: tuple[str, ...] = (),
) -> ChannelGroup:
    """A layer whose filters add into a residual stream.

    Args:
        name: Name of the layer.
        kind: What the layer is.
        stream: Name of the stream.
        filters: Its leaf modules; those of the ``ConvBN`` of its name where it is None.
        index: Its index; ``<name>_index`` where it is None.
        readers: Modules that read the layer's output before it is added, and so just its own channels.
    """
    return ChannelGroup(
        name=name,
        kind=kind,
        filters=conv_bn(name) if filters is None else filters,
        readers=readers,
        stream=stream,
        index=f"{name}_index" if index is None else index,
    )


def residual_branch(name: str, groups: Iterable[ChannelGroup]) -> list[ChannelGroup]:
    """Layers that may be removed as a whole: what they compute together is only ever added into a stream.

    Such layers may lose all of their channels, all of them together; then nothing is added, and the stream goes on as
    it was. That is not what zeros in the place of what the last of them reads would do: BatchNorm makes a constant of
    them. The modules of a removed branch, its indices among them, do not exist, and the forward pass goes round them.

    Args:
        name: Of the branch, ``<block>.mixer`` or ``<block>.mlp``; no layer has this name.
        groups: All layers of the branch. What each reads comes from a stream or from another one of them.
    """
    return [replace(group, branch=name) for group in groups]
