"""The second half of every block whose shortcuts add membrane potentials: a spike-driven MLP.

M. Yao et al., *Spike-driven Transformer*, NeurIPS 2023, arXiv:2307.01694, section 3.2. The block's first half,
attention or convolution, is what the families differ in.
"""

from collections.abc import Mapping

import torch

from ..layers.channels import EMBEDDING, ChannelGroup, residual_branch, writer
from ..layers.conv import ConvBN
from ..layers.neuron import LIFNode
from ..layers.stream_index import StreamIndex
from .residual_block import ResidualBlock
from .spiking_block import hidden_group


class MembraneBlock(ResidualBlock):
    """A block whose stream is membrane potentials; what mixes tokens is its subclass's.

    Args:
        widths: Channels of every layer of the model, by name.
        prefix: Name of the block.
        stream: Name of the stream that it reads and writes.
        lif: Neuron of every layer.
        shortcut: Whether a shortcut also spans the first layer, as in published models whose hidden width equals the
            embedding width. That layer then writes into the stream.
        mixer: Last layer of the first half.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        prefix: str,
        *,
        stream: str = EMBEDDING,
        lif: LIFNode,
        shortcut: bool = False,
        mixer: str = "projection",
    ) -> None:
        super().__init__(widths, prefix, mixer=mixer)
        width, hidden, output = widths[stream], widths[f"{prefix}.hidden"], widths[f"{prefix}.output"]
        if self.has_mlp:
            self.hidden = ConvBN(width, hidden, bias=True)
            self.output = ConvBN(width if shortcut else hidden, output, bias=True)
            self.hidden_index = StreamIndex(hidden, width) if shortcut else None
            self.output_index = StreamIndex(output, width)
        self.lif = lif

    def mlp(self, x: torch.Tensor) -> torch.Tensor:
        """The second half of the block."""
        hidden = self.hidden(self.lif(x))
        if self.hidden_index is not None:
            x = hidden = self.hidden_index.add(x, hidden)
        return self.output_index.add(x, self.output(self.lif(hidden)))


def membrane_mlp_groups(prefix: str, *, stream: str = EMBEDDING, shortcut: bool = False) -> list[ChannelGroup]:
    """The prunable layers of the MLP of a :class:`MembraneBlock`."""
    hidden = writer(f"{prefix}.hidden", "mlp", stream=stream) if shortcut else hidden_group(prefix)
    return residual_branch(f"{prefix}.mlp", [hidden, writer(f"{prefix}.output", "mlp", stream=stream)])


def membrane_mlp_readers(prefix: str, *, shortcut: bool = False) -> list[str]:
    """The modules of the MLP that read the stream."""
    return [f"{prefix}.hidden.conv", f"{prefix}.output.conv"] if shortcut else [f"{prefix}.hidden.conv"]
