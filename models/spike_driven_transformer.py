"""Spike-driven Transformer (version 1), with free internal widths.

M. Yao et al., *Spike-driven Transformer*, NeurIPS 2023, arXiv:2307.01694. Reference code:
BICLab/Spike-Driven-Transformer, and ``spikingjelly.activation_based.model.SpikeDrivenTransformer``, whose logits this
model equals.

Deviations from both:

* Every internal width is free: attention may be narrower than the embedding, a layer that writes into the residual
  stream may write only some of its channels.
* A static image goes through the first convolution once instead of T times: the result is the same T times.

Its attention multiplies query, key and value element by element, so a channel meets no other channel: query, key,
value and the projection's input share channels, and heads do not matter. Shortcuts add membrane potentials.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import nn

from .channels import ChannelGroup, conv_bn
from .config import ModelConfig
from .conv import ConvBN, MaxPool
from .neuron import LIFNode
from .stem import hidden_width, stem_widths
from .writer import StreamIndex


@dataclass(frozen=True, kw_only=True)
class SpikeDrivenTransformerConfig(ModelConfig):
    """Configuration of a :class:`SpikeDrivenTransformer`.

    Args:
        conv_bias: Whether the stem's convolutions have a bias (SpikingJelly's have; the official code's have not).
        mlp_shortcut: Whether a shortcut also spans the first MLP layer, as in published models whose hidden width
            equals the embedding width. That layer then writes into the stream.
    """

    family: ClassVar[str] = "spike-driven-transformer"

    conv_bias: bool = False
    mlp_shortcut: bool = False

    @classmethod
    def uniform(cls, *, embed_dim: int, depth: int, mlp_ratio: float = 4.0, **common: object) -> Self:
        """An unpruned model: widths follow from the embedding width, as in the paper."""
        widths = stem_widths(embed_dim)
        for b in range(depth):
            widths[f"blocks.{b}.attention"] = embed_dim
            widths[f"blocks.{b}.projection"] = embed_dim
            widths[f"blocks.{b}.hidden"] = hidden_width(embed_dim, mlp_ratio)
            widths[f"blocks.{b}.output"] = embed_dim
        shortcut = hidden_width(embed_dim, mlp_ratio) == embed_dim
        return cls(depth=depth, widths=widths, mlp_shortcut=shortcut, **common)  # type: ignore[arg-type]

    def groups(self) -> tuple[ChannelGroup, ...]:
        """Prunable layers, in the order of the forward pass; ``embedding`` is last."""
        groups = [
            ChannelGroup(name=f"stem.{i}", kind="stem", filters=conv_bn(f"stem.{i}"), readers=(f"stem.{i + 1}.conv",))
            for i in range(3)
        ]
        # The position convolution reads what the last stage wrote, before anything else is added to the stream.
        groups.append(_writer("stem.3", "stem", "stem.3", "stem_index", readers=("position.conv",)))
        groups.append(_writer("position", "position", "position", "position_index"))
        stream_readers = []
        for b in range(self.depth):
            block = f"blocks.{b}"
            qkv = (f"{block}.query", f"{block}.key", f"{block}.value")
            groups.append(
                ChannelGroup(
                    name=f"{block}.attention",
                    kind="attention",
                    filters=conv_bn(*qkv),
                    readers=(f"{block}.projection.conv",),
                )
            )
            groups.append(
                _writer(f"{block}.projection", "projection", f"{block}.projection", f"{block}.projection_index")
            )
            stream_readers += [f"{prefix}.conv" for prefix in qkv] + [f"{block}.hidden.conv"]
            if self.mlp_shortcut:
                groups.append(_writer(f"{block}.hidden", "mlp", f"{block}.hidden", f"{block}.hidden_index"))
                stream_readers.append(f"{block}.output.conv")
            else:
                groups.append(
                    ChannelGroup(
                        name=f"{block}.hidden",
                        kind="mlp",
                        filters=conv_bn(f"{block}.hidden"),
                        readers=(f"{block}.output.conv",),
                    )
                )
            groups.append(_writer(f"{block}.output", "mlp", f"{block}.output", f"{block}.output_index"))
        groups.append(ChannelGroup(name="embedding", kind="embedding", filters=(), readers=(*stream_readers, "head")))
        return tuple(groups)


def _writer(name: str, kind: str, prefix: str, index: str, readers: tuple[str, ...] = ()) -> ChannelGroup:
    return ChannelGroup(name=name, kind=kind, filters=conv_bn(prefix), readers=readers, stream="embedding", index=index)


class Block(nn.Module):
    """Spike-driven self-attention and MLP, each with a membrane shortcut (sections 3.2 and 3.3 of the paper)."""

    def __init__(self, config: SpikeDrivenTransformerConfig, b: int) -> None:
        super().__init__()
        widths = config.widths
        stream, attention, projection, hidden, output = (
            widths[name]
            for name in (
                "embedding",
                f"blocks.{b}.attention",
                f"blocks.{b}.projection",
                f"blocks.{b}.hidden",
                f"blocks.{b}.output",
            )
        )
        self.mlp_shortcut = config.mlp_shortcut
        self.query = ConvBN(stream, attention)
        self.key = ConvBN(stream, attention)
        self.value = ConvBN(stream, attention)
        self.projection = ConvBN(attention, projection, bias=True)
        self.hidden = ConvBN(stream, hidden, bias=True)
        self.output = ConvBN(stream if config.mlp_shortcut else hidden, output, bias=True)
        self.projection_index = StreamIndex(projection, stream)
        self.hidden_index = StreamIndex(hidden, stream) if config.mlp_shortcut else None
        self.output_index = StreamIndex(output, stream)
        self.lif = LIFNode(tau=config.tau, v_threshold=config.v_threshold)
        self.attention_lif = LIFNode(tau=config.tau, v_threshold=config.attention_threshold)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Membrane potentials of the stream, ``[T, N, C, H, W]`` to the same shape."""
        spikes = self.lif(x)
        query = self.lif(self.query(spikes))
        key = self.lif(self.key(spikes))
        value = self.lif(self.value(spikes))
        # Summed over the tokens: [T, N, C, 1, 1], one mask per channel.
        mask = self.attention_lif((key * value).sum(dim=(-2, -1), keepdim=True))
        x = self.projection_index.add(x, self.projection(query * mask))
        hidden = self.hidden(self.lif(x))
        if self.hidden_index is not None:
            x = hidden = self.hidden_index.add(x, hidden)
        return self.output_index.add(x, self.output(self.lif(hidden)))


class SpikeDrivenTransformer(nn.Module):
    """The model; see the module's documentation."""

    def __init__(self, config: SpikeDrivenTransformerConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        channels = [config.in_channels, *(widths[f"stem.{i}"] for i in range(4))]
        self.stem = nn.ModuleList(ConvBN(channels[i], channels[i + 1], 3, bias=config.conv_bias) for i in range(4))
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
        x = self.stem[0](images.unsqueeze(0) if static else images)
        x = self.pools[0](self.lif(x.expand(steps, -1, -1, -1, -1)))
        for i in (1, 2):
            x = self.pools[i](self.lif(self.stem[i](x)))
        x = self.pools[3](self.stem[3](x))
        position = self.position(self.lif(x))
        x = self.position_index.add(self.stem_index.scatter(x), position)
        for block in self.blocks:
            x = block(x)
        rate = self.lif(x.flatten(3).mean(-1)).mean(0)
        logits: torch.Tensor = self.head(rate)
        return logits
