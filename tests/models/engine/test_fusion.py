"""Which nodes go into one step, of models that are made for the question."""

import pytest
import torch
from torch import nn

from primesvt.models import ConvBN, LIFNode, StreamIndex
from primesvt.models.engine.fusion import FusionGroup, fusion_groups
from primesvt.models.engine.graph import trace

SHAPE = (2, 1, 4, 6, 6)


class Net(nn.Module):
    """Layers of four channels by name, and a forward pass that a test brings along."""

    def __init__(self, forward) -> None:
        super().__init__()
        self.lif, self.other = LIFNode(), LIFNode(v_threshold=0.5)
        for name in ("first", "query", "key", "projection"):
            self.add_module(name, ConvBN(4, 4))
        self.wide, self.deep = ConvBN(4, 4, 3), ConvBN(4, 4, 3, depthwise=True)
        self.index = StreamIndex(4, 4)
        self._forward = forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._forward(self, x)


def steps(forward) -> tuple[FusionGroup, ...]:
    net = Net(forward)
    return fusion_groups(trace(net, SHAPE), dict(net.named_modules()))


def names(step: FusionGroup) -> list[str]:
    """The modules and functions of a step."""
    return [str(node.target) if node.op == "call_module" else node.name for node in step.nodes]


def convolving(forward) -> list[list[str]]:
    return [names(step) for step in steps(forward) if step.branches]


def test_a_convolution_goes_with_the_neuron_that_alone_reads_it() -> None:
    assert convolving(lambda n, x: n.lif(n.query(n.lif(x)))) == [["query", "lif"]]


def test_a_convolution_that_two_read_stays_alone() -> None:
    def forward(n: Net, x: torch.Tensor) -> torch.Tensor:
        y = n.query(n.lif(x))
        return n.lif(y) + y

    assert convolving(forward) == [["query"]]


def test_what_reads_the_images_goes_with_its_neuron_too() -> None:
    assert convolving(lambda n, x: n.lif(n.first(x), 4)) == [["first", "lif"]]


def test_a_filter_per_channel_stays_alone() -> None:
    assert convolving(lambda n, x: n.lif(n.deep(x))) == []


def test_query_and_key_go_together_and_a_larger_filter_does_not() -> None:
    def forward(n: Net, x: torch.Tensor) -> torch.Tensor:
        s = n.lif(x)
        return n.lif(n.query(s)) * n.lif(n.wide(s)) * n.lif(n.key(s))

    assert sorted(convolving(forward)) == [["query", "lif", "key", "lif"], ["wide", "lif"]]


def test_a_shortcut_and_the_neurons_behind_it() -> None:
    def forward(n: Net, x: torch.Tensor) -> torch.Tensor:
        stream = n.index.add(x, n.projection(n.lif(x)))
        return n.lif(stream) + n.lif(stream) + stream

    (step,) = [step for step in steps(forward) if step.branches]
    assert names(step) == ["projection", "index", "lif", "lif"]
    (branch,) = step.branches
    assert branch.fire is None
    assert branch.source.target == "lif"
    assert branch.stream is not None
    assert branch.stream.op == "placeholder"
    assert [node.op for node in step.reads] == ["call_module", "placeholder"]


def test_neurons_that_differ_are_no_part_of_the_shortcut() -> None:
    def forward(n: Net, x: torch.Tensor) -> torch.Tensor:
        stream = n.index.add(x, n.projection(n.lif(x)))
        return n.lif(stream) + n.other(stream)

    assert convolving(forward) == [["projection", "index"]]


def test_a_shortcut_of_spikes() -> None:
    def forward(n: Net, x: torch.Tensor) -> torch.Tensor:
        stream = n.index.add(x, n.lif(n.projection(n.lif(x))))
        return n.lif(stream)

    # The neuron behind the sum is a step of its own: the kernel has one neuron.
    assert convolving(forward) == [["projection", "lif", "index"]]


def test_scattering_is_no_shortcut() -> None:
    assert convolving(lambda n, x: n.index.scatter(n.projection(n.lif(x)))) == [["projection"]]


@pytest.mark.parametrize("late", [False, True])
def test_every_step_finds_what_it_needs(late: bool) -> None:
    """A step moves behind what any of its nodes needs, however early it begins."""

    def forward(n: Net, x: torch.Tensor) -> torch.Tensor:
        s = n.lif(x)
        query = n.lif(n.query(s))
        stream = n.index.add(query, n.projection(s)) if late else n.index.add(x, n.projection(s))
        return stream * query

    done = set()
    found = steps(forward)
    for step in found:
        assert {node for node in step.reads if node.op != "placeholder"} <= done
        done |= set(step.nodes)
    assert len([node for step in found for node in step.nodes]) == len(done)
