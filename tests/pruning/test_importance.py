"""Importance criteria against hand arithmetic."""

import zlib

import pytest
import torch

from primesvt.models import PrimeSVTError
from primesvt.pruning import CRITERIA, PruningPlan, criterion, kept_channels
from primesvt.pruning.importance import importance

WEIGHTS = {
    "a.conv.weight": torch.tensor([[[[3.0]], [[-4.0]]], [[[1.0]], [[0.0]]]]),
    "a.bn.weight": torch.tensor([-2.0, 0.5]),
    "b.conv.weight": torch.tensor([[[[1.0]], [[1.0]]], [[[0.0]], [[-2.0]]]]),
    "b.bn.weight": torch.tensor([1.0, 3.0]),
}
ONE, TWO = ("a.conv", "a.bn"), ("a.conv", "a.bn", "b.conv", "b.bn")


@pytest.mark.parametrize(
    ("name", "one", "two"),
    [
        ("l2", [9.0 + 16.0, 1.0], [25.0 + 2.0, 1.0 + 4.0]),
        ("l1", [7.0, 1.0], [7.0 + 2.0, 1.0 + 2.0]),
        ("bn-scale", [2.0, 0.5], [2.0 + 1.0, 0.5 + 3.0]),
    ],
)
def test_scores_by_hand(name: str, one: list[float], two: list[float]) -> None:
    """The scores of coupled filters are added up."""
    assert importance(criterion(name), WEIGHTS, ONE).tolist() == one
    assert importance(criterion(name), WEIGHTS, TWO).tolist() == two


def test_scores_are_exact_in_low_precision() -> None:
    weights = {"a.weight": torch.tensor([[300.0], [301.0]], dtype=torch.float16)}
    assert importance(criterion("l2"), weights, ("a",)).tolist() == [90_000.0, 90_601.0]


def test_random_knows_nothing_of_the_weights() -> None:
    score = criterion("random")
    scores = importance(score, WEIGHTS, ONE)
    assert torch.equal(scores, importance(score, {name: -7 * w for name, w in WEIGHTS.items()}, ONE))
    assert ((scores >= 0) & (scores < 1)).all()
    renamed = {"c.conv.weight": WEIGHTS["a.conv.weight"]}
    assert not torch.equal(scores, importance(score, renamed, ("c.conv",)))


def test_random_is_the_same_in_every_process() -> None:
    """Python's own hash() would differ from process to process; a checksum does not."""
    generator = torch.Generator().manual_seed(zlib.crc32(b"blocks.0.hidden.conv"))
    expected = torch.rand(4, generator=generator, dtype=torch.float64)
    torch.manual_seed(5)
    assert torch.equal(criterion("random")("blocks.0.hidden.conv", torch.zeros(4, 1)), expected)


@pytest.mark.parametrize("name", sorted(CRITERIA))
def test_every_criterion_scores_every_layer(make_model, family: str, name: str) -> None:
    model = make_model(family)
    plan = PruningPlan({group.name: 0.5 for group in model.config.groups()}, name)
    kept = kept_channels(model, plan)
    assert all(len(kept[layer]) < width for layer, width in model.config.widths.items())


def test_the_criteria_choose_differently(make_model, family: str) -> None:
    model = make_model(family)
    layer = "blocks.0.hidden"
    chosen = {name: tuple(kept_channels(model, PruningPlan({layer: 0.5}, name))[layer].tolist()) for name in CRITERIA}
    assert len(set(chosen.values())) >= 3


def test_unknown_criteria_are_refused(make_model) -> None:
    with pytest.raises(PrimeSVTError, match="Unknown criterion 'l3'; known are l2, l1, bn-scale, random"):
        criterion("l3")
    with pytest.raises(PrimeSVTError, match="Unknown criterion 'l3'"):
        kept_channels(make_model(), PruningPlan({}, "l3"))
