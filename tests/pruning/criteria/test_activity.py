"""What a channel says to its readers, by hand."""

import torch

from primesvt.models import ChannelGroup, DataSet
from primesvt.pruning import Calibration, Pruner, PruningPlan, criterion
from primesvt.pruning.channel_statistics import Statistics


class Rates(Statistics):
    """Firing rates that are given, and not measured."""

    def __init__(self, rates: dict[str, list[float]]) -> None:
        object.__setattr__(self, "rates", rates)

    def activity(self, reader: str) -> torch.Tensor:
        return torch.tensor(self.rates[reader], dtype=torch.float64)  # type: ignore[attr-defined]


def test_rate_times_weight_summed_over_readers() -> None:
    group = ChannelGroup(name="a", kind="mlp", filters=("a.conv",), readers=("b.conv", "c.conv"))
    weights = {
        "a.conv.weight": torch.ones(2, 1, 1, 1),
        "b.conv.weight": torch.tensor([[3.0, 1.0], [4.0, 0.0]]).view(2, 2, 1, 1),
        "c.conv.weight": torch.tensor([[0.0, -2.0]]).view(1, 2, 1, 1),
    }
    found = criterion("activity").score(group, weights, Rates({"b.conv": [0.5, 0.25], "c.conv": [0.5, 0.25]}))
    assert found.tolist() == [5 * 0.5 + 0, 1 * 0.25 + 2 * 0.25]


def test_silent_channels_go_first(make_model, data: DataSet) -> None:
    model = make_model()
    bn = model.blocks[0].hidden.bn
    with torch.no_grad():
        bn.weight[5:9] = 0
        bn.bias[5:9] = -10
    calibration = Calibration(data.calibration)
    rates = Statistics(model, calibration).activity("blocks.0.output.conv")
    silent = set((rates == 0).nonzero().flatten().tolist())
    assert {5, 6, 7, 8} <= silent < set(range(32))
    kept = Pruner(model, calibration).kept(PruningPlan({"blocks.0.hidden": len(silent) / 32}, "activity"))
    assert not set(kept["blocks.0.hidden"].tolist()) & silent
