"""The steps of the engine answer as the plain forward pass does.

That every family in every variant is answered alike, pruned or not, is in the contract of a family.
"""

import torch

from primesvt.models import LIFNode
from primesvt.models.engine import Engine, Program
from primesvt.models.engine.activations import Plain

from .versions import MakeModel


def test_all_convolutions_run_on_our_kernels(make_model: MakeModel, family: str, images: torch.Tensor) -> None:
    model = make_model(family)
    program = Program(model, images.shape)
    engine = Engine(program, model)
    assert torch.equal(engine(images), model(images))
    convolutions = sum(name.endswith(".conv") for name, _ in model.named_modules())
    assert sum(len(conv.widths) for conv in engine._convs.values()) == convolutions


def test_what_is_not_needed_is_forgotten(make_model: MakeModel, images: torch.Tensor) -> None:
    model = make_model()
    program = Program(model, images.shape)
    engine, values = Engine(program, model), {}
    values[program.images] = Plain(images)
    for number in range(len(program.steps)):
        engine.step(values, number)
        assert set(values) == set(program.live[number + 1])
    assert len(values) == 1


def test_the_answer_to_an_image_does_not_depend_on_the_others(make_model: MakeModel, images: torch.Tensor) -> None:
    model = make_model()
    engine = Engine(Program(model, images.shape), model)
    alone = torch.cat([engine(image[None]) for image in images])
    torch.testing.assert_close(alone, engine(images), rtol=0, atol=1e-6)


def test_a_neuron_of_another_kind_is_left_to_pytorch(make_model: MakeModel, images: torch.Tensor) -> None:
    class Louder(LIFNode):
        def forward(self, x: torch.Tensor, steps: int | None = None) -> torch.Tensor:
            return super().forward(2 * x, steps)

    model = make_model()
    before = model(images)
    model.lif.__class__ = Louder
    assert not torch.equal(model(images), before)
    assert torch.equal(Engine(Program(model, images.shape), model)(images), model(images))


def test_a_step_says_how_it_is_computed(make_model: MakeModel, images: torch.Tensor) -> None:
    model = make_model("spikformer")
    engine = Engine(Program(model, images.shape), model)
    ways, values = {}, engine.begin(images)
    for number, step in enumerate(engine.program.steps):
        ways |= {str(node.target): engine.way(values, number) for node in step.nodes}
        engine.step(values, number)
    assert ways["stem.0"] == "dense"
    assert ways["blocks.0.output"] == "sparse"
    assert ways["head"] == "engine"
    assert ways["blocks.0.self_attention"] == "PyTorch"
