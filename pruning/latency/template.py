"""The exported forward pass of a model at any widths, without exporting it again.

A model is exported once, with widths by which every layer can be told: a prime for each, times its heads. Wherever a
number in a shape is a multiple of that prime, it follows the width of that layer, and a graph of other widths has just
other numbers there. Weights are noise: for dense kernels all numbers take the same time.
"""

import itertools
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from primesvt.models import EMBEDDING, ChannelGroup, ModelConfig, export_onnx
from primesvt.models.export import IR_VERSION, OPSET

# No size is as large; what is, such as the end of a slice, only means "all".
_MOST = 2**40


@dataclass(frozen=True, eq=False)
class Template:
    """An exported graph whose widths are marked.

    Args:
        nodes: Its nodes, in the order of the forward pass.
        constants: Weights, and numbers in shapes, by name.
        shapes: Shape of every tensor by name, with marked widths.
        types: Its element type.
        marks: The prime that marks each layer's width.
        heads: Channels of a layer are a multiple of these.
        outputs: Names of the graph's outputs.
    """

    nodes: tuple[NodeProto, ...]
    constants: Mapping[str, TensorProto]
    shapes: Mapping[str, tuple[int, ...]]
    types: Mapping[str, int]
    marks: Mapping[str, int]
    heads: Mapping[str, int]
    outputs: frozenset[str]
    _factors: dict[int, tuple[int, tuple[str, ...]]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, config: ModelConfig) -> "Template":
        """Export a model of this structure.

        Raises:
            PrimeSVTError: It cannot be exported.
        """
        config = config.independent()
        marks = dict(_marks(config))
        heads = {group.name: group.heads for group in config.groups_left()}
        model = config.with_widths({name: mark * heads[name] for name, mark in marks.items()}).build()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "marked.onnx")
            export_onnx(model.eval(), file, batch=1)
            return cls.of_graph(onnx.load(file), marks, heads)

    @classmethod
    def of_graph(cls, exported: onnx.ModelProto, marks: Mapping[str, int], heads: Mapping[str, int]) -> "Template":
        """From a graph whose widths are marked already."""
        graph = onnx.shape_inference.infer_shapes(exported).graph
        known = {each.name: each.type.tensor_type for each in (*graph.value_info, *graph.input, *graph.output)}
        shapes = {name: tuple(size.dim_value for size in kind.shape.dim) for name, kind in known.items()}
        constants = {constant.name: constant for constant in graph.initializer}
        return cls(
            nodes=tuple(graph.node),
            constants=constants,
            shapes=shapes | {name: tuple(constant.dims) for name, constant in constants.items()},
            types={name: kind.elem_type for name, kind in known.items()},
            marks=marks,
            heads=heads,
            outputs=frozenset(output.name for output in graph.output),
        )

    def layers(self, number: int) -> tuple[str, ...]:
        """Layers whose width a number in a shape follows."""
        return self._split(number)[1]

    def at(self, number: int, widths: Mapping[str, int]) -> int:
        """A number in a shape, at other widths."""
        rest, layers = self._split(number)
        return rest * math.prod(widths[layer] // self.heads[layer] for layer in layers)

    def shape(self, tensor: str, widths: Mapping[str, int]) -> tuple[int, ...]:
        """Shape of a tensor at some widths."""
        return tuple(self.at(size, widths) for size in self.shapes[tensor])

    def inputs(self, nodes: range) -> list[str]:
        """Tensors that a stretch of nodes reads from outside, constants aside."""
        made = {name for i in nodes for name in self.nodes[i].output}
        read = (name for i in nodes for name in self.nodes[i].input)
        return list(dict.fromkeys(name for name in read if name and name not in made and name not in self.constants))

    def model(self, widths: Mapping[str, int], nodes: range | None = None, *, spread: bool = False) -> bytes:
        """A file of the graph, or of a stretch of its nodes, at some widths.

        Args:
            widths: Channels of every layer.
            nodes: The stretch; None for all.
            spread: Whether layers that write all of their stream spread their channels over it nevertheless, as
                narrower ones must.
        """
        stretch = range(len(self.nodes)) if nodes is None else nodes
        alias = {} if spread else self._alias(widths)
        chosen = [self.nodes[i] for i in stretch if not set(self.nodes[i].output) & alias.keys()]
        kept = [_renamed(node, alias) for node in chosen]
        made = {name for node in kept for name in node.output}
        # What a gather left out had read first is made for nobody.
        asked = {alias.get(name, name) for name in self._outputs(stretch)} & made
        used = {name for node in kept for name in node.input}
        graph = helper.make_graph(
            kept,
            "stretch",
            [self._value(name, widths) for name in self.inputs(stretch) if name in used],
            [self._value(name, widths) for name in sorted(asked)],
            [self._constant(name, widths) for name in self.constants if name in used],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        data: bytes = model.SerializeToString()
        return data

    def spreads(self, nodes: range) -> Iterator[tuple[str, str]]:
        """Layers of a stretch whose channels are spread over a stream, or taken from it, with that stream."""
        for i in nodes:
            if sizes := self._spread(self.nodes[i]):
                names = [self.layers(size) for size in sizes]
                if len(names[0]) == len(names[1]) == 1:
                    yield (
                        min((*names[0], *names[1]), key=self.marks.__getitem__),
                        max((*names[0], *names[1]), key=self.marks.__getitem__),
                    )

    def _outputs(self, nodes: range) -> set[str]:
        made = {name for i in nodes for name in self.nodes[i].output}
        return {name for name in made if self.outputs & {name} or self._readers.get(name, set()) - set(nodes)}

    @cached_property
    def _readers(self) -> Mapping[str, set[int]]:
        readers: dict[str, set[int]] = {}
        for i, node in enumerate(self.nodes):
            for name in node.input:
                readers.setdefault(name, set()).add(i)
        return readers

    @cached_property
    def _makers(self) -> Mapping[str, NodeProto]:
        return {name: node for node in self.nodes for name in node.output}

    def _source(self, gather: NodeProto) -> str:
        """What an index reads, without the zeros that are padded before it."""
        before = self._makers.get(gather.input[0])
        return str(before.input[0] if before is not None and before.op_type == "Pad" else gather.input[0])

    def _spread(self, node: NodeProto) -> tuple[int, int] | None:
        """Marked numbers of channels that an index of channels reads and writes; None where a node is none."""
        if node.op_type != "Gather" or node.input[1] not in self.constants or not self.shapes[node.input[1]]:
            return None
        axis = helper.get_node_attr_value(node, "axis")
        return self.shapes[self._source(node)][axis], self.shapes[node.input[1]][0]

    def _alias(self, widths: Mapping[str, int]) -> dict[str, str]:
        """Tensors that are another one at these widths, as an index would read every channel: it is not exported."""
        alias: dict[str, str] = {}
        for node in self.nodes:
            sizes = self._spread(node)
            if sizes is not None and self.at(sizes[0], widths) == self.at(sizes[1], widths):
                source = self._source(node)
                alias.update(dict.fromkeys({node.output[0], node.input[0]} - {source}, alias.get(source, source)))
        return alias

    def _split(self, number: int) -> tuple[int, tuple[str, ...]]:
        if number not in self._factors:
            rest, layers = number, list[str]()
            for layer, mark in self.marks.items():
                while 0 < rest < _MOST and rest % mark == 0:
                    rest, layers = rest // mark, [*layers, layer]
            self._factors[number] = rest, tuple(layers)
        return self._factors[number]

    def _value(self, name: str, widths: Mapping[str, int]) -> Any:
        return helper.make_tensor_value_info(name, self.types[name], self.shape(name, widths))

    def _constant(self, name: str, widths: Mapping[str, int]) -> TensorProto:
        before = self.constants[name]
        if before.data_type == TensorProto.FLOAT:
            shape = self.shape(name, widths)
            return numpy_helper.from_array(noise(shape), name) if shape != tuple(before.dims) else before
        values = numpy_helper.to_array(before)
        if values.ndim == 1 and self.layers(len(values)):
            # An index of channels; every layer has as many as the narrowest one.
            values = np.arange(self.at(len(values), widths)) % min(widths[layer] for layer in self.marks)
        elif before.data_type == TensorProto.INT64:
            values = np.array([self.at(int(value), widths) for value in values.flat], np.int64).reshape(values.shape)
        return numpy_helper.from_array(values.astype(numpy_helper.to_array(before).dtype), name)


def noise(shape: Sequence[int]) -> np.ndarray:
    """Numbers that are neither equal nor tiny, float32; quickly made, and the same every time."""
    return np.resize(_NOISE, shape)


_NOISE = np.random.default_rng(0).normal(scale=0.25, size=4_099).astype(np.float32)


def _renamed(node: NodeProto, alias: Mapping[str, str]) -> NodeProto:
    if not alias.keys() & set(node.input):
        return node
    copy = NodeProto()
    copy.CopyFrom(node)
    for i, name in enumerate(copy.input):
        copy.input[i] = alias.get(name, name)
    return copy


def _marks(config: ModelConfig) -> Iterator[tuple[str, int]]:
    """A prime for each layer, above every number that a shape may have otherwise; a stream's above its writers'."""
    groups: list[ChannelGroup] = sorted(config.groups_left(), key=lambda group: group.kind == EMBEDDING)
    above = max(*config.image_size, config.time_steps, len(config.classes), config.in_channels, 16)
    widest = 0
    for group in groups:
        mark = next(filter(_is_prime, itertools.count(max(above, widest if group.kind == EMBEDDING else 0) + 1)))
        above = mark
        widest = max(widest, mark * group.heads if group.stream else 0)
        yield group.name, mark


def _is_prime(number: int) -> bool:
    return all(number % divisor for divisor in range(2, math.isqrt(number) + 1))
