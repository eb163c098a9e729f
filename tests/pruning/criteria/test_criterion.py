"""Criteria against hand arithmetic, and one that another package brings."""

import pytest
import torch

from primesvt.models import ChannelGroup, DataSet, PrimeSVTError
from primesvt.pruning import CRITERIA, Calibration, Criterion, Pruner, PruningPlan, criterion, kept_channels

WEIGHTS = {
    "a.conv.weight": torch.tensor([[[[3.0]], [[-4.0]]], [[[1.0]], [[0.0]]]]),
    "a.bn.weight": torch.tensor([-2.0, 0.5]),
    "b.conv.weight": torch.tensor([[[[1.0]], [[1.0]]], [[[0.0]], [[-2.0]]]]),
    "b.bn.weight": torch.tensor([1.0, 3.0]),
}
ONE = ChannelGroup(name="one", kind="mlp", filters=("a.conv", "a.bn"))
TWO = ChannelGroup(name="two", kind="attention", filters=("a.conv", "a.bn", "b.conv", "b.bn"))


def scores(name: str, group: ChannelGroup) -> list[float]:
    found: list[float] = criterion(name).score(group, WEIGHTS, None).tolist()
    return found


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
    assert scores(name, ONE) == one
    assert scores(name, TWO) == two


def test_scores_are_exact_in_low_precision() -> None:
    weights = {"a.weight": torch.tensor([[300.0], [301.0]], dtype=torch.float16)}
    group = ChannelGroup(name="a", kind="mlp", filters=("a",))
    assert criterion("l2").score(group, weights, None).tolist() == [90_000.0, 90_601.0]


def test_random_knows_nothing_of_the_weights() -> None:
    score = criterion("random").score
    drawn = score(ONE, WEIGHTS, None)
    assert torch.equal(drawn, score(ONE, {name: -7 * w for name, w in WEIGHTS.items()}, None))
    assert ((drawn >= 0) & (drawn < 1)).all()
    renamed = {"c.conv.weight": WEIGHTS["a.conv.weight"], "c.bn.weight": WEIGHTS["a.bn.weight"]}
    group = ChannelGroup(name="c", kind="mlp", filters=("c.conv", "c.bn"))
    assert not torch.equal(drawn, score(group, renamed, None))


def test_random_is_the_same_in_every_process_and_release() -> None:
    """Recorded once: Python's own hash() would differ from process to process; a checksum does not."""
    torch.manual_seed(5)
    assert scores("random", ONE) == pytest.approx([0.2039433327, 0.5205787148])


@pytest.mark.parametrize("name", sorted(CRITERIA))
def test_every_criterion_scores_every_layer(make_model, family: str, name: str, data: DataSet) -> None:
    model = make_model(family)
    plan = PruningPlan({group.name: 0.5 for group in model.config.groups()}, name)
    kept = Pruner(model, Calibration(data.calibration)).kept(plan)
    assert all(len(kept[layer]) < width for layer, width in model.config.widths.items())


def test_the_criteria_choose_differently(make_model, family: str, data: DataSet) -> None:
    pruner = Pruner(make_model(family), Calibration(data.calibration))
    layer = "blocks.0.hidden"
    chosen = {name: tuple(pruner.kept(PruningPlan({layer: 0.5}, name))[layer].tolist()) for name in CRITERIA}
    assert len(set(chosen.values())) >= 4


def test_a_criterion_that_looks_at_data_needs_data(make_model) -> None:
    with pytest.raises(PrimeSVTError, match=r"'activity' looks at calibration images; give a data set \(--data\)"):
        kept_channels(make_model(), PruningPlan({"stem.1": 0.5}, "activity"))


def test_only_a_criterion_that_asks_for_data_gets_it(make_model, data: DataSet, monkeypatch) -> None:
    seen = []
    spy = Criterion(name="spy", score=lambda group, weights, data: seen.append(data) or CRITERIA["l2"].score(
        group, weights, data
    ))  # fmt: skip
    monkeypatch.setattr("primesvt.pruning.kept.criterion", lambda _name: spy)
    Pruner(make_model(), Calibration(data.calibration)).kept(PruningPlan({"stem.1": 0.5}, "spy"))
    assert seen == [None]
