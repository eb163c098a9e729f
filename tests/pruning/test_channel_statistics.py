"""What the calibration images say of a model, against hooks of the test's own."""

import torch

from primesvt.models import DataSet, LIFNode
from primesvt.pruning import Calibration, Statistics


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


def test_the_model_stays_as_it_was(make_model, data: DataSet) -> None:
    model = make_model().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    Statistics(model, Calibration(data.calibration)).activity("head")
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(module._forward_pre_hooks for module in model.modules())
