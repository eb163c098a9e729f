"""Spiking self-attention and MLP with spike shortcuts: the block of Spikformer, and of QKFormer's last stage.

Z. Zhou et al., *Spikformer: When Spiking Neural Network Meets Transformer*, ICLR 2023, arXiv:2209.15425, sections 3.3
and 3.4. The attention is a product of matrices per head, so a query channel goes only with the key channel of the same
number, and all heads stay equally wide.
"""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from ..layers.channels import EMBEDDING, ChannelGroup, conv_bn, residual_branch, writer
from ..layers.conv import ConvBN
from ..layers.neuron import LIFNode
from ..layers.stream_index import StreamIndex
from .residual_block import ResidualBlock


class SelfAttention(nn.Module):
    """Attention without softmax.

    Args:
        heads: Among which the channels of query, key and value are divided evenly.
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Spikes ``[T, N, C, H, W]``, twice, and ``[T, N, C', H, W]``; returns the latter shape, not scaled."""
        q, k, v = (x.flatten(3).unflatten(2, (self.heads, -1)) for x in (query, key, value))
        # The product may start with value and key: [C', C] per head, independent of the number of tokens.
        attended: torch.Tensor = (v @ k.transpose(-2, -1)) @ q
        plane: torch.Tensor = attended.flatten(2, 3).unflatten(-1, query.shape[-2:])
        return plane


class SpikingBlock(ResidualBlock):
    """The block; see the module's documentation.

    Args:
        widths: Channels of every layer of the model, by name.
        prefix: Name of the block.
        stream: Name of the stream that it reads and writes.
        heads: Number of attention heads.
        scale: Factor of the attention product.
        lif: Neuron of every layer.
        attention_lif: Neuron after attention.
        qkv_bias: Whether query, key and value have a bias.
        projection_bias: Whether the projection has one.
        mlp_bias: Whether the two layers of the MLP have one.
        batch_coupling: Whether the projection's neuron takes the images of a batch for time steps; see
            :class:`~primesvt.models.QKFormerConfig`.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        prefix: str,
        *,
        stream: str = EMBEDDING,
        heads: int,
        scale: float,
        lif: LIFNode,
        attention_lif: LIFNode,
        qkv_bias: bool = False,
        projection_bias: bool = False,
        mlp_bias: bool = False,
        batch_coupling: bool = False,
    ) -> None:
        super().__init__(widths, prefix)
        read = widths[stream]
        query_key, value, projection, hidden, output = (
            widths[f"{prefix}.{name}"] for name in ("query_key", "value", "projection", "hidden", "output")
        )
        self.scale = scale
        self.batch_coupling = batch_coupling
        if self.mixes:
            self.self_attention = SelfAttention(heads)
            self.query = ConvBN(read, query_key, bias=qkv_bias)
            self.key = ConvBN(read, query_key, bias=qkv_bias)
            self.value = ConvBN(read, value, bias=qkv_bias)
            self.projection = ConvBN(value, projection, bias=projection_bias)
            self.projection_index = StreamIndex(projection, read)
        if self.has_mlp:
            self.hidden = ConvBN(read, hidden, bias=mlp_bias)
            self.output = ConvBN(hidden, output, bias=mlp_bias)
            self.output_index = StreamIndex(output, read)
        self.lif = lif
        self.attention_lif = attention_lif

    def mix(self, x: torch.Tensor) -> torch.Tensor:
        """Attention with its shortcut."""
        query, key, value = (self.lif(layer(x)) for layer in (self.query, self.key, self.value))
        attended = self.attention_lif(self.self_attention(query, key, value) * self.scale)
        written = self.projection(attended)
        if self.batch_coupling:
            fired = self.lif(written.flatten(0, 1)).unflatten(0, written.shape[:2])
        else:
            fired = self.lif(written)
        return self.projection_index.add(x, fired)

    def mlp(self, x: torch.Tensor) -> torch.Tensor:
        """The MLP with its shortcut."""
        return self.output_index.add(x, self.lif(self.output(self.lif(self.hidden(x)))))


def spiking_block_groups(prefix: str, heads: int, stream: str = EMBEDDING) -> tuple[list[ChannelGroup], list[str]]:
    """The prunable layers of a :class:`SpikingBlock`, and the modules that read its stream."""
    attention = [*attention_groups(prefix, heads), writer(f"{prefix}.projection", "projection", stream=stream)]
    groups = [*residual_branch(f"{prefix}.mixer", attention), *spiking_mlp_groups(prefix, stream)]
    return groups, [f"{prefix}.{layer}.conv" for layer in ("query", "key", "value", "hidden")]


def spiking_mlp_groups(prefix: str, stream: str) -> list[ChannelGroup]:
    """The prunable layers of an MLP whose hidden layer writes into no stream."""
    return residual_branch(f"{prefix}.mlp", [hidden_group(prefix), writer(f"{prefix}.output", "mlp", stream=stream)])


def attention_groups(
    prefix: str,
    heads: int,
    *,
    leaves: Callable[..., tuple[str, ...]] = conv_bn,
    reader: str = "projection.conv",
) -> list[ChannelGroup]:
    """The channels that meet in a :class:`SelfAttention`.

    Args:
        prefix: Name of the block, whose layers are ``query``, ``key`` and ``value``.
        heads: Number of attention heads.
        leaves: From names of layers, the leaf modules that have their channels.
        reader: The module of the block that reads the result.
    """
    query_key = leaves(f"{prefix}.query", f"{prefix}.key")
    return [
        ChannelGroup(name=f"{prefix}.query_key", kind="attention", filters=query_key, heads=heads),
        ChannelGroup(
            name=f"{prefix}.value",
            kind="attention",
            filters=leaves(f"{prefix}.value"),
            readers=(f"{prefix}.{reader}",),
            heads=heads,
        ),
    ]


def hidden_group(prefix: str) -> ChannelGroup:
    """The hidden channels of a block's MLP, ``hidden`` to ``output``."""
    return ChannelGroup(
        name=f"{prefix}.hidden",
        kind="mlp",
        filters=conv_bn(f"{prefix}.hidden"),
        readers=(f"{prefix}.output.conv",),
    )
