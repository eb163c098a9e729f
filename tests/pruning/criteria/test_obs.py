"""Optimal brain surgeon, by hand, against fits of all that is left, and in any order of the channels."""

import pytest
import torch

from primesvt.models import ChannelGroup, DataSet
from primesvt.pruning import Calibration, Pruner, PruningPlan, Statistics, criterion
from primesvt.pruning.criteria.obs import _RIDGE, Reader, removal_order


class Measured(Statistics):
    """Statistics that are given, and not measured."""

    def __init__(self, **given: list) -> None:
        object.__setattr__(self, "given", given)

    def covariance(self, reader: str) -> torch.Tensor:
        return torch.tensor(self.given[reader], dtype=torch.float64)  # type: ignore[attr-defined]

    def variance(self, module: str) -> torch.Tensor:
        return torch.tensor(self.given[module], dtype=torch.float64)  # type: ignore[attr-defined]


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(channels: int = 8, pixels: int = 1, outputs: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight ``[outputs, C, k, 1]``, and a covariance whose channels partly stand in for each other."""
    mixed = noise(1, 400, channels * pixels) @ (torch.eye(channels * pixels) + 0.4 * noise(2, *[channels * pixels] * 2))
    return noise(0, outputs, channels, pixels, 1), mixed.T @ mixed / len(mixed)


def test_by_hand() -> None:
    """The first two inputs mostly stand in for each other: of either, 1 - .9^2 = .19 is lost.

    Costs are 1.2^2 * .19, 1.1^2 * .19 and .7^2, so the second goes, and the weight of the first becomes
    1.2 + .9 * 1.1 = 2.19. By the norm of its weight, the third would have been first.
    """
    weight, covariance = torch.tensor([1.2, 1.1, 0.7]).view(1, 3, 1, 1), [[1.0, 0.9, 0], [0.9, 1.0, 0], [0, 0, 1.0]]
    reader = Reader.of(weight, torch.tensor(covariance).double())
    torch.testing.assert_close(reader.costs(), torch.tensor([0.2736, 0.2299, 0.49]).double(), atol=5e-3, rtol=0)
    reader.remove(1)
    torch.testing.assert_close(reader.costs()[[0, 2]], torch.tensor([2.19**2, 0.49]).double(), atol=1e-2, rtol=0)
    group = ChannelGroup(name="a", kind="mlp", filters=("a.conv",), readers=("b.conv",))
    score = criterion("obs").score(group, {"b.conv.weight": weight}, Measured(**{"b.conv": covariance}))
    assert score.tolist() == [2, 0, 1]


@pytest.mark.parametrize(("pixels", "readers"), [(1, 1), (3, 1), (2, 2)])
def test_every_cost_is_what_the_best_fit_loses(pixels: int, readers: int) -> None:
    """Brute force: of those left, remove the one without which the refitted weights miss least of the first outputs."""
    weight, covariance = problem(pixels=pixels)
    regular = covariance + _RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance))
    rows = weight.flatten(1)

    def lost(removed: set[int]) -> float:
        gone = torch.tensor([c in removed for c in range(8)]).repeat_interleave(pixels)
        among, across = regular[~gone][:, ~gone], regular[~gone][:, gone]
        # Of the outputs of the removed ones, what those left cannot say.
        rest = regular[gone][:, gone] - across.T @ torch.linalg.solve(among, across)
        return float((rows[:, gone] @ rest * rows[:, gone]).sum())

    removed: set[int] = set()
    expected = torch.zeros(8, dtype=torch.float64)
    for step in range(7):
        channel = min(set(range(8)) - removed, key=lambda c: lost(removed | {c}))
        expected[channel] = step
        removed.add(channel)
    expected[next(iter(set(range(8)) - removed))] = 7
    found = removal_order([Reader.of(weight, covariance) for _ in range(readers)])
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("heads", [1, 4])
def test_the_order_of_the_channels_does_not_matter(heads: int) -> None:
    weight, covariance = problem()
    inside = torch.tensor([3, 0, 7, 1, 6, 2, 5, 4]) if heads == 1 else torch.tensor([1, 0, 2, 3, 5, 4, 7, 6])
    score = removal_order([Reader.of(weight, covariance)], heads)
    moved = removal_order([Reader.of(weight[:, inside], covariance[inside][:, inside])], heads)
    assert moved.tolist() == score[inside].tolist()


def test_heads_lose_channels_in_turn() -> None:
    score = removal_order([Reader.of(*problem())], heads=4)
    assert [sorted(head) for head in score.view(4, 2).tolist()] == [[0, 4], [1, 5], [2, 6], [3, 7]]


def test_channels_that_never_vary_go_first() -> None:
    weight, covariance = problem()
    covariance[2], covariance[:, 2] = 0, 0
    assert removal_order([Reader.of(100 * weight, covariance)])[2] == 0
    assert sorted(removal_order([Reader.of(weight, 0 * covariance)]).tolist()) == list(range(8))


def test_what_has_no_reader_is_scored_by_its_variance() -> None:
    weights = {"q.conv.weight": torch.ones(2, 1, 1, 1), "q.bn.weight": torch.ones(2), "k.bn.weight": torch.ones(2)}
    product = ChannelGroup(name="qk", kind="attention", filters=("q.conv", "q.bn", "k.bn"))
    statistics = Measured(**{"q.bn": [1.0, 2.0], "k.bn": [0.5, 0.25], "index": [0.125, 0.0625]})
    assert criterion("obs").score(product, weights, statistics).tolist() == [1.5, 2.25]
    writer = ChannelGroup(name="w", kind="mlp", filters=("q.conv", "q.bn"), stream="embedding", index="index")
    assert criterion("obs").score(writer, weights, statistics).tolist() == [0.125, 0.0625]


def test_the_same_images_keep_the_same_channels(make_model, family: str, data: DataSet) -> None:
    model = make_model(family)
    plan = PruningPlan({group.name: 0.5 for group in model.config.groups()}, "obs")
    one, other = (Pruner(model, Calibration(data.calibration)).kept(plan) for _ in range(2))
    assert all(torch.equal(one[layer], other[layer]) for layer in model.config.widths)
