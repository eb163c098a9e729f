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


def inputs_of(model, name: str, images: torch.Tensor) -> torch.Tensor:
    """What a module is given first."""
    seen = []
    hook = model.get_submodule(name).register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model.eval()(images)
    hook.remove()
    return seen[0].double()


def test_covariances_are_those_of_all_positions_of_a_small_layer(make_model, data: DataSet) -> None:
    model, calibration = make_model(), Calibration(data.calibration)
    read = inputs_of(model, "blocks.0.output.conv", calibration.read(model.config))
    found = Statistics(model, calibration).covariance("blocks.0.output.conv")
    torch.testing.assert_close(found, read.movedim(1, -1).flatten(0, 2).T.cov(correction=0), atol=1e-5, rtol=0)


def test_a_covariance_is_of_channels_times_pixels(make_model, data: DataSet) -> None:
    model = make_model()
    statistics = Statistics(model, Calibration(data.calibration))
    found, rates = statistics.covariance("stem.1.conv"), statistics.activity("stem.1.conv")
    variance = found.diagonal().view(len(rates), 9)
    # Of spikes, p (1 - p), but for the border and for which positions were drawn.
    torch.testing.assert_close(variance[:, 4], rates * (1 - rates), atol=0.05, rtol=0)


def test_variances_are_those_of_what_is_written(make_model, family: str, data: DataSet) -> None:
    model, calibration = make_model(family), Calibration(data.calibration)
    statistics, images = Statistics(model, calibration), calibration.read(model.config)
    added = inputs_of(model, "blocks.0.projection_index", images)
    measured = statistics.variance("blocks.0.projection_index")
    torch.testing.assert_close(measured, added.var((0, 1, 3, 4), correction=0), atol=1e-6, rtol=1e-5)
    if family == "spikformer":
        assert float(measured.max()) <= 0.25
    else:
        torch.testing.assert_close(measured, statistics.variance("blocks.0.projection.bn"), atol=1e-6, rtol=1e-5)
