"""Which way a model is asked, and what versions of it have in common."""

import numpy as np
import torch

from primesvt.models import DataSet, forward_of, predict
from primesvt.models.engine import SharedForward
from primesvt.models.engine.forward import DirectForward
from primesvt.pruning import branches, prunable_layers

from .versions import Counting, MakeModel, layers_of, version


def test_a_model_in_float64_is_asked_by_pytorch(make_model: MakeModel, data: DataSet) -> None:
    model = make_model()
    assert predict(model, data.test).reason is None
    reason = predict(model.double(), data.test).reason
    assert reason is not None
    assert "torch.float64" in reason


def test_a_forward_pass_that_cannot_be_traced_is_asked_by_pytorch(make_model: MakeModel, images: torch.Tensor) -> None:
    model = make_model()
    plain = model(images)
    original = type(model).forward

    class Odd(type(model)):  # type: ignore[misc]
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if float(x.sum()) > 1e9:
                return x
            return original(self, x)

    model.__class__ = Odd
    forward = forward_of(model, images.shape)
    assert forward.reason is not None
    assert "cannot be traced" in forward.reason
    assert torch.equal(forward.answer(np.arange(20), lambda i: images[i]), plain)


def test_versions_share_what_they_have_in_common(make_model: MakeModel, family: str, images: torch.Tensor) -> None:
    model = make_model(family)
    shared = SharedForward(model, images.shape, np.arange(20), 10**9)
    everything = np.arange(20)
    for layer in [None, *reversed(layers_of(model)), *layers_of(model)]:
        smaller, versions = version(model, {} if layer is None else {layer: 0.5})
        read = Counting(images)
        forward = shared.of(smaller, versions)
        for indices in (everything[:7], everything[5:], everything[::-1].copy()):
            expected = smaller(images)[torch.from_numpy(indices)]
            torch.testing.assert_close(forward.answer(indices, read), expected, rtol=0, atol=1e-6)
        # Only what differs in the first layer reads the images, and each of them not even once when seen before.
        assert read.read == 0 or layer in (None, layers_of(model)[0]), layer


def test_versions_without_some_branches_share_what_comes_before(
    make_model: MakeModel, family: str, images: torch.Tensor
) -> None:
    model = make_model(family)
    shared = SharedForward(model, images.shape, np.arange(20), 10**9)
    whole = branches(model)
    # Each is asked twice, so that what others kept in between is there to be taken for its own.
    for gone in [[], *([name] for name in whole), list(whole), ["blocks.0.mlp", "blocks.1.mixer"]] * 2:
        smaller, versions = version(model, {layer: 1.0 for name in gone for layer in whole[name]})
        read = Counting(images)
        found = shared.of(smaller, versions).answer(np.arange(20), read)
        torch.testing.assert_close(found, smaller(images), rtol=0, atol=1e-6)
        assert read.read == 0 or not gone, "the stem is the same in all of them"


def test_images_that_are_known_in_part(make_model: MakeModel, images: torch.Tensor) -> None:
    model = make_model()
    shared = SharedForward(model, images.shape, np.arange(20), 10**9)
    first, versions = version(model, {})
    shared.of(first, versions).answer(np.array([3, 1, 17]), Counting(images))
    smaller, versions = version(model, {layers_of(model)[-1]: 0.5})
    read = Counting(images)
    found = shared.of(smaller, versions).answer(np.array([0, 1, 2, 3, 17, 19]), read)
    assert read.read == 3
    torch.testing.assert_close(found, smaller(images)[[0, 1, 2, 3, 17, 19]], rtol=0, atol=1e-6)


def test_without_a_budget_nothing_is_kept(make_model: MakeModel, images: torch.Tensor) -> None:
    model = make_model()
    forward = SharedForward(model, images.shape, np.arange(20), 0).of(model, lambda _: b"")
    assert isinstance(forward, DirectForward)
    assert forward.reason is None
    assert len(prunable_layers(model)) > 3
