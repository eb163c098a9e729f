"""What a channel says to its readers, by hand."""

import torch

from primesvt.models import ChannelGroup, DataSet, LIFNode
from primesvt.pruning import Calibration, Pruner, PruningPlan, criterion
from primesvt.pruning.statistics import Statistics


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


def test_statistics_are_firing_rates(make_model, data: DataSet) -> None:
    """The rate of the hidden layer's neurons, measured by a hook of its own on the neuron."""
    model, seen = make_model(), []
    statistics = Statistics(model, Calibration(data.calibration))
    measured = statistics.activity("blocks.1.output.conv")
    reads = model.blocks[1].output
    hook = reads.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model.eval()(data.calibration.read(model.config, data.calibration.indices)[0])
    hook.remove()
    assert any(isinstance(module, LIFNode) for module in model.modules())
    assert set(seen[0].unique().tolist()) <= {0.0, 1.0}
    torch.testing.assert_close(measured, seen[0].double().mean((0, 1, 3, 4)))
