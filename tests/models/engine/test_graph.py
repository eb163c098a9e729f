"""The graph of a forward pass."""

import threading
from collections.abc import Callable

import pytest
import torch
from torch import nn

from primesvt.models import ConvBN, LIFNode
from primesvt.models.engine.graph import interpret, trace

from ...search.models import tiny_model


def both(*works: Callable[[], None]) -> list[BaseException]:
    """What two threads raise that work at the same time."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_other_threads_use_models_while_one_is_traced() -> None:
    """torch.fx replaces how the modules of all threads are called; their answers must not become parts of the graph."""
    model, images = tiny_model(), torch.rand(2, 1, 8, 8)
    with torch.no_grad():
        expected, graph = model(images), str(trace(model, images.shape))
    traced = threading.Event()

    def tracing() -> None:
        for _ in range(8):
            assert str(trace(model, images.shape)) == graph
        traced.set()

    def calling() -> None:
        while not traced.is_set():
            with torch.no_grad():
                assert torch.equal(model(images), expected)

    call, attribute = torch.nn.Module.__call__, torch.nn.Module.__getattr__
    assert both(tracing, calling) == []
    assert (torch.nn.Module.__call__, torch.nn.Module.__getattr__) == (call, attribute)


def test_two_threads_trace() -> None:
    model, images = tiny_model(), torch.rand(2, 1, 8, 8)
    graph = str(trace(model, images.shape))

    def tracing() -> None:
        for _ in range(8):
            assert str(trace(model, images.shape)) == graph

    call = torch.nn.Module.__call__
    assert both(tracing, tracing) == []
    assert torch.nn.Module.__call__ is call


class Net(nn.Module):
    """Does all that a graph may hold: modules, functions, methods, attributes, and what nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.lif, self.nothing = ConvBN(1, 3, 3), LIFNode(), nn.Identity()
        self.part = nn.Sequential(nn.Identity(), ConvBN(3, 3))
        self.register_buffer("scale", torch.tensor(0.5))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        static = images.ndim == 4
        x = self.nothing(images.unsqueeze(0) if static else images)
        x = self.lif(self.conv(x), 3 if static else images.shape[0])
        x.sum()
        return (self.part(x) * self.scale).flatten(3).mean(-1)


def run(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The graph of a model, node by node."""
    graph, modules, values = trace(net, images.shape), dict(net.named_modules()), {}
    for node in graph.nodes:
        if node.op == "placeholder":
            values[node] = images
        elif node.op != "output":
            known = torch.fx.map_arg((node.args, node.kwargs), values.__getitem__)
            values[node] = interpret(node, *known, modules)
    (result,) = graph.output_node().all_input_nodes
    return values[result]


@pytest.mark.parametrize("shape", [(2, 1, 6, 6), (4, 2, 1, 6, 6)])
def test_the_graph_does_what_the_model_does(shape: tuple[int, ...]) -> None:
    net = Net().eval()
    with torch.no_grad():
        images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        expected = net(images)
        assert torch.equal(run(net, images), expected)
        # The number of images does not matter, and that of the time steps is the one that was traced.
        fewer = images[..., :1, :, :, :]
        assert torch.equal(run(net, fewer), net(fewer))


def test_our_layers_are_nodes_and_what_does_nothing_is_none() -> None:
    graph = trace(Net(), (2, 1, 6, 6))
    assert [node.target for node in graph.nodes if node.op == "call_module"] == ["conv", "lif", "part.1"]
    assert "sum" not in {node.target for node in graph.nodes}
    events = trace(Net(), (4, 2, 1, 6, 6))
    assert "unsqueeze" not in {node.target for node in events.nodes}


def test_no_weight_is_in_the_graph() -> None:
    """So it serves every version of the model: the same graph, other weights."""
    net, other = Net().eval(), Net().eval()
    images = torch.randn(2, 1, 6, 6)
    assert str(trace(net, images.shape)) == str(trace(other, images.shape))
    with torch.no_grad():
        assert not torch.equal(run(net, images), run(other, images))


def test_what_cannot_be_traced_is_refused() -> None:
    class Odd(Net):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images if images.sum() > 0 else super().forward(images)

    with pytest.raises(torch.fx.proxy.TraceError, match="control flow"):
        trace(Odd(), (2, 1, 6, 6))
