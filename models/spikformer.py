"""Spikformer, with free internal widths.

Z. Zhou et al., *Spikformer: When Spiking Neural Network Meets Transformer*, ICLR 2023, arXiv:2209.15425. Reference
code: ZK-Zhou/spikformer, and ``spikingjelly.activation_based.model.Spikformer``, whose logits (averaged over the time
steps, as its training does) this model equals.

Deviations from both:

* Every internal width is free: query and key may be narrower than the value, both narrower than the embedding, and a
  layer that writes into the residual stream may write only some of its channels.
* A static image goes through the first convolution once instead of T times: the result is the same T times.
* Tokens keep their two dimensions, and every linear layer is a 1x1 convolution.

Its attention is a product of matrices per head, so a query channel goes only with the key channel of the same number,
and all heads stay equally wide. Shortcuts add spikes.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import nn

from .channels import ChannelGroup, conv_bn
from .config import ModelConfig, check_above
from .conv import ConvBN, MaxPool
from .neuron import LIFNode
from .stem import hidden_width, stem_widths
from .writer import StreamIndex


@dataclass(frozen=True, kw_only=True)
class SpikformerConfig(ModelConfig):
    """Configuration of a :class:`Spikformer`.

    Args:
        attention_scale: Factor of the attention product; the published models have 0.125, whatever the head's width.
    """

    family: ClassVar[str] = "spikformer"

    attention_scale: float = 0.125

    def __post_init__(self) -> None:
        super().__post_init__()
        check_above("attention_scale", self.attention_scale, 0)

    @classmethod
    def uniform(cls, *, embed_dim: int, depth: int, mlp_ratio: float = 4.0, **common: object) -> Self:
        """An unpruned model: widths follow from the embedding width, as in the paper."""
        widths = stem_widths(embed_dim)
        for b in range(depth):
            for layer in ("query_key", "value", "projection", "output"):
                widths[f"blocks.{b}.{layer}"] = embed_dim
            widths[f"blocks.{b}.hidden"] = hidden_width(embed_dim, mlp_ratio)
        return cls(depth=depth, widths=widths, **common)  # type: ignore[arg-type]

    def groups(self) -> tuple[ChannelGroup, ...]:
        """Prunable layers, in the order of the forward pass; ``embedding`` is last."""
        groups = [
            ChannelGroup(name=f"stem.{i}", kind="stem", filters=conv_bn(f"stem.{i}"), readers=(f"stem.{i + 1}.conv",))
            for i in range(3)
        ]
        # The position convolution reads what the last stage wrote, before anything else is added to the stream.
        groups.append(_writer("stem.3", "stem", readers=("position.conv",)))
        groups.append(_writer("position", "position"))
        stream_readers = []
        for b in range(self.depth):
            block = f"blocks.{b}"
            groups += [
                ChannelGroup(
                    name=f"{block}.query_key",
                    kind="attention",
                    filters=conv_bn(f"{block}.query", f"{block}.key"),
                    heads=self.heads,
                ),
                ChannelGroup(
                    name=f"{block}.value",
                    kind="attention",
                    filters=conv_bn(f"{block}.value"),
                    readers=(f"{block}.projection.conv",),
                    heads=self.heads,
                ),
                _writer(f"{block}.projection", "projection"),
                ChannelGroup(
                    name=f"{block}.hidden",
                    kind="mlp",
                    filters=conv_bn(f"{block}.hidden"),
                    readers=(f"{block}.output.conv",),
                ),
                _writer(f"{block}.output", "mlp"),
            ]
            stream_readers += [f"{block}.{layer}.conv" for layer in ("query", "key", "value", "hidden")]
        groups.append(ChannelGroup(name="embedding", kind="embedding", filters=(), readers=(*stream_readers, "head")))
        return tuple(groups)


def _writer(name: str, kind: str, readers: tuple[str, ...] = ()) -> ChannelGroup:
    index = "stem_index" if kind == "stem" else f"{name}_index"
    return ChannelGroup(name=name, kind=kind, filters=conv_bn(name), readers=readers, stream="embedding", index=index)


class Block(nn.Module):
    """Spiking self-attention and MLP, each with a spike shortcut (sections 3.3 and 3.4 of the paper)."""

    def __init__(self, config: SpikformerConfig, b: int) -> None:
        super().__init__()
        widths = config.widths
        stream, query_key, value, projection, hidden, output = (
            widths[name]
            for name in (
                "embedding",
                f"blocks.{b}.query_key",
                f"blocks.{b}.value",
                f"blocks.{b}.projection",
                f"blocks.{b}.hidden",
                f"blocks.{b}.output",
            )
        )
        self.heads = config.heads
        self.scale = config.attention_scale
        self.query = ConvBN(stream, query_key)
        self.key = ConvBN(stream, query_key)
        self.value = ConvBN(stream, value)
        self.projection = ConvBN(value, projection)
        self.hidden = ConvBN(stream, hidden)
        self.output = ConvBN(hidden, output)
        self.projection_index = StreamIndex(projection, stream)
        self.output_index = StreamIndex(output, stream)
        self.lif = LIFNode(tau=config.tau, v_threshold=config.v_threshold)
        self.attention_lif = LIFNode(tau=config.tau, v_threshold=config.attention_threshold)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Spike counts of the stream, ``[T, N, C, H, W]`` to the same shape."""
        query = self._heads(self.lif(self.query(x)))
        key = self._heads(self.lif(self.key(x)))
        value = self._heads(self.lif(self.value(x)))
        # No softmax, so the product may start with value and key: [C, C] per head, independent of the tokens.
        attended = (value @ key.transpose(-2, -1)) @ query * self.scale
        attended = self.attention_lif(attended).flatten(2, 3).unflatten(-1, x.shape[-2:])
        x = self.projection_index.add(x, self.lif(self.projection(attended)))
        return self.output_index.add(x, self.lif(self.output(self.lif(self.hidden(x)))))

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        """``[T, N, C, H, W]`` to ``[T, N, heads, C / heads, H * W]``."""
        heads: torch.Tensor = x.flatten(3).unflatten(2, (self.heads, -1))
        return heads


class Spikformer(nn.Module):
    """The model; see the module's documentation."""

    def __init__(self, config: SpikformerConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        channels = [config.in_channels, *(widths[f"stem.{i}"] for i in range(4))]
        self.stem = nn.ModuleList(ConvBN(channels[i], channels[i + 1], 3) for i in range(4))
        self.stem_index = StreamIndex(widths["stem.3"], widths["embedding"])
        self.position = ConvBN(widths["stem.3"], widths["position"], 3)
        self.position_index = StreamIndex(widths["position"], widths["embedding"])
        self.pools = nn.ModuleList(MaxPool() if digit == "1" else nn.Identity() for digit in config.pooling)
        self.lif = LIFNode(tau=config.tau, v_threshold=config.v_threshold)
        self.blocks = nn.ModuleList(Block(config, b) for b in range(config.depth))
        self.head = nn.Linear(widths["embedding"], len(config.classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, classes]`` of static images ``[N, C, H, W]`` or event sequences ``[T, N, C, H, W]``."""
        static = images.ndim == 4
        steps = self.config.time_steps if static else images.shape[0]
        x = self.pools[0](self.stem[0](images.unsqueeze(0) if static else images))
        x = self.lif(x.expand(steps, -1, -1, -1, -1))
        for i in (1, 2, 3):
            x = self.lif(self.pools[i](self.stem[i](x)))
        position = self.lif(self.position(x))
        x = self.position_index.add(self.stem_index.scatter(x), position)
        for block in self.blocks:
            x = block(x)
        logits: torch.Tensor = self.head(x.flatten(3).mean(-1))
        return logits.mean(0)
