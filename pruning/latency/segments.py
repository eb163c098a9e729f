"""The stretches of an exported graph that are timed by themselves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from onnx import helper

from .template import Template

# Operators that multiply matrices: each begins a stretch.
_PRODUCTS = frozenset(("Conv", "Gemm", "MatMul"))


@dataclass(frozen=True)
class Segment:
    """A product of matrices, and all that follows up to the next.

    Args:
        nodes: Its place in the graph.
        layers: Layers whose widths it follows; those that the product itself reads and writes come first.
        kind: Equal for segments that take the same time at the same widths.
    """

    nodes: range
    layers: tuple[str, ...]
    kind: tuple[object, ...]


def segments(template: Template, full: Mapping[str, int]) -> Iterator[Segment]:
    """All of a graph whose time follows some layer's width.

    Args:
        template: The graph.
        full: Channels of every layer of the unpruned model.
    """
    begins = [i for i, node in enumerate(template.nodes) if node.op_type in _PRODUCTS]
    for start, stop in zip([0, *begins], [*begins, len(template.nodes)], strict=True):
        nodes = range(start, stop)
        if layers := _layers(template, nodes):
            yield Segment(nodes, layers, _kind(template, nodes, layers, full))


def _layers(template: Template, nodes: range) -> tuple[str, ...]:
    tensors = [name for i in nodes for name in (*template.nodes[i].input, *template.nodes[i].output) if name]
    sizes = [size for name in tensors for size in template.shapes.get(name, ())]
    return tuple(dict.fromkeys(layer for size in sizes for layer in template.layers(size)))


def _kind(template: Template, nodes: range, layers: Sequence[str], full: Mapping[str, int]) -> tuple[object, ...]:
    places = {layer: place for place, layer in enumerate(layers)}
    names: dict[str, int] = {}

    def tensor(name: str) -> tuple[object, ...]:
        sizes = template.shapes.get(name, ())
        told = [(template.at(size, full), *(places[layer] for layer in template.layers(size))) for size in sizes]
        return names.setdefault(name, len(names)), *told

    widths = tuple((full[layer], template.heads[layer]) for layer in layers)
    steps = (
        (node.op_type, tuple(map(tensor, node.input)), tuple(map(tensor, node.output)), _attributes(node))
        for node in (template.nodes[i] for i in nodes)
    )
    return (widths, *steps)


def _attributes(node: object) -> str:
    return repr(sorted((a.name, helper.get_attribute_value(a)) for a in node.attribute))  # type: ignore[attr-defined]
