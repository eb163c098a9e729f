"""What a family's forward pass must be: lively, without memory, the same however it is asked; and it learns."""

import copy
import dataclasses

import torch
from torch import nn

from primesvt.models import (
    CPU,
    DeviceModel,
    LIFNode,
    ModelConfig,
    fingerprint,
)

from ..plan import PruningPlan
from ..pruner import prune
from .lively import TOLERANCE, difference, lively_model, random_images

# Of every neuron layer: neither silent nor saturated, or equal logits would prove nothing.
FIRING_RATES = (0.01, 0.99)


class AnsweredContract:
    """The forward pass and training."""

    # The forward pass

    def test_the_neurons_fire(self, model: nn.Module, config: ModelConfig) -> None:
        rates: list[float] = []
        for module in model.modules():
            if isinstance(module, LIFNode):
                module.register_forward_hook(lambda _m, _i, spikes: rates.append(float(spikes.mean())))
        with torch.no_grad():
            logits = model(random_images(config, 32))
        low, high = FIRING_RATES
        assert rates, "the model has no LIFNode of PrimeSVT"
        for call, rate in enumerate(rates):
            place = f"call {call} of {len(rates)} of a neuron fires at a rate of {rate:.4f}"
            assert rate > low, f"{place}: lower the thresholds of the configuration, or take larger images"
            assert rate < high, f"{place}: raise the thresholds of the configuration"
        assert len(logits.unique(dim=0)) > 16, "most images get the same answer"

    def test_a_static_image_is_the_sequence_of_its_repetitions(self, config: ModelConfig) -> None:
        for steps in (1, 3):
            model = lively_model(dataclasses.replace(config.independent(), time_steps=steps))
            static = random_images(config, 4)
            with torch.no_grad():
                logits = model(static)
                assert logits.shape == (4, len(config.classes))
                repeated = model(static.unsqueeze(0).repeat(steps, 1, 1, 1, 1))
            assert difference(logits, repeated) <= TOLERANCE, "an image is not what its T repetitions are"

    def test_an_event_sequence_brings_its_own_time_steps(self, model: nn.Module, config: ModelConfig) -> None:
        events = random_images(config, config.time_steps + 2, 8)
        with torch.no_grad():
            logits = model(events)
            assert logits.shape == (8, len(config.classes))
            assert difference(logits, model(events.flip(0))) > TOLERANCE, "the order of the time steps does not matter"

    def test_a_model_remembers_nothing(self, model: nn.Module, config: ModelConfig) -> None:
        batch = random_images(config, 4)
        with torch.no_grad():
            first = model(batch)
            model(random_images(config, 2, seed=1))
            model(random_images(config, 5, 4, seed=2))
            assert torch.equal(model(batch), first), "the second call gives another answer: something is remembered"

    def test_images_of_a_batch_do_not_meet(self, model: nn.Module, config: ModelConfig) -> None:
        batch = random_images(config, 6)
        with torch.no_grad():
            apart = difference(model(batch)[2:4], model(batch[2:4]))
        assert apart <= TOLERANCE, "the answer to an image depends on the other images of the batch"

    def test_prepared_for_a_device_it_answers_the_same(self, model: nn.Module, config: ModelConfig) -> None:
        images, events = random_images(config, 4), random_images(config, 3, 4)
        half = prune(model, PruningPlan({group.name: 0.5 for group in config.groups()}))
        for each in (model, half):
            before, prepared = fingerprint(each), DeviceModel(each, CPU)
            with torch.no_grad():
                apart = max(difference(prepared(batch), each(batch)) for batch in (images, events))
            assert apart <= TOLERANCE, "folding BatchNorm into the convolutions changes the answers"
            assert fingerprint(each) == before, "preparing the model changes it"

    def test_a_copy_is_equal_and_independent(self, model: nn.Module) -> None:
        twin = copy.deepcopy(model)
        assert fingerprint(twin) == fingerprint(model)
        next(twin.parameters()).data.add_(1)
        assert fingerprint(twin) != fingerprint(model)

    # Training

    def test_every_weight_learns(self, model: nn.Module, config: ModelConfig) -> None:
        model.train()(random_images(config, 16)).square().sum().backward()
        parameters = dict(model.named_parameters())
        assert all(p.grad is not None and p.grad.isfinite().all() for p in parameters.values())
        # BatchNorm normalises the bias before it away: no other parameter may be without a gradient.
        unreached = {name for name, p in parameters.items() if p.grad is not None and not p.grad.any()}
        odd = sorted(name for name in unreached if not name.endswith("conv.bias"))
        assert not odd, f"without a gradient, so not used, or behind silent neurons: {odd}"
