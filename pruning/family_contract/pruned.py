"""What pruning must leave of a family: equal answers, the bytes that were promised, and a model like any other."""

import importlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from torch import nn

from primesvt.models import (
    ModelConfig,
    PrimeSVTError,
    channel_groups,
    export_onnx,
    fingerprint,
    forward_of,
    import_state,
    load_model,
    model_bytes,
    save_model,
    to_layout,
    unsaid_of,
)

from ..branches import branches
from ..kept import kept_channels
from ..masking import masked_logits
from ..plan import PruningPlan
from ..pruner import prune
from ..stored_bytes import pruned_bytes
from .lively import SETTINGS, TOLERANCE, difference, dyadic, plans, random_images


class PrunedContract:
    """Surgery, storage and export."""

    # Surgery

    def test_every_layer_alone_pruned_equals_masked(self, model: nn.Module, config: ModelConfig) -> None:
        images = random_images(config, 4)
        for group in channel_groups(model):
            # At random there are other channels in every head: only so is seen whether heads are declared.
            plan = PruningPlan({group.name: 0.4}, "random")
            kept = kept_channels(model, plan)
            with torch.no_grad():
                logits = prune(model, plan)(images)
            assert difference(logits, masked_logits(model, kept, images)) <= TOLERANCE, (
                f"{group.name}: the shapes fit, the answers differ; are heads declared, does a number depend on "
                "a width (an attention scale, a mean), is a BatchNorm missing after a filter?"
            )

    def test_every_branch_alone_removed_adds_zero(self, model: nn.Module, config: ModelConfig) -> None:
        images = random_images(config, 4)
        with torch.no_grad():
            whole = model(images)
        for branch, layers in branches(model).items():
            plan = PruningPlan(dict.fromkeys(layers, 1.0))
            removed = prune(model, plan)
            own = [group for group in channel_groups(model) if group.name in layers]
            gone = tuple(f"{leaf}." for group in own for leaf in (*group.filters, str(group.index)))
            assert not [name for name in removed.state_dict() if name.startswith(gone)], branch
            assert pruned_bytes(model, plan) == model_bytes(removed)
            with torch.no_grad():
                logits = removed(images)
            assert difference(logits, whole) > TOLERANCE, f"{branch} is removed, and nothing changes"
            assert difference(logits, masked_logits(model, kept_channels(model, plan), images)) <= TOLERANCE, (
                f"{branch}: does one of its layers read, or feed, anything else than a stream and its other layers?"
            )

    @given(data=st.data())
    @SETTINGS
    def test_pruned_equals_masked(self, model: nn.Module, config: ModelConfig, data: st.DataObject) -> None:
        plan = data.draw(plans(model))
        images = random_images(
            config, *([3, 2] if data.draw(st.booleans()) else [2]), seed=data.draw(st.integers(0, 9))
        )
        with torch.no_grad():
            logits = prune(model, plan)(images)
        assert difference(logits, masked_logits(model, kept_channels(model, plan), images)) <= TOLERANCE

    @given(data=st.data())
    @SETTINGS
    def test_a_pruned_model_can_be_pruned(self, model: nn.Module, config: ModelConfig, data: st.DataObject) -> None:
        once = prune(model, data.draw(plans(model)))
        plan, images = data.draw(plans(once)), random_images(config, 2)
        twice = prune(once, plan)
        with torch.no_grad():
            logits = twice(images)
        assert difference(logits, masked_logits(once, kept_channels(once, plan), images)) <= TOLERANCE
        assert pruned_bytes(once, plan) == model_bytes(twice)

    @given(data=st.data())
    @SETTINGS
    def test_planned_bytes_and_widths(self, model: nn.Module, config: ModelConfig, data: st.DataObject) -> None:
        plan = data.draw(plans(model))
        kept = kept_channels(model, plan)
        assert pruned_bytes(model, plan) == model_bytes(prune(model, plan))
        for group in channel_groups(model):
            channels, per_head = kept[group.name], config.widths[group.name] // group.heads
            assert len(channels) >= group.heads or plan.ratios[group.name] == 1
            assert (channels.diff() > 0).all()
            assert len(set(torch.bincount(channels // per_head, minlength=group.heads).tolist())) == 1

    def test_the_empty_plan_changes_nothing(self, model: nn.Module) -> None:
        pruned = prune(model, PruningPlan({}))
        assert fingerprint(pruned) == fingerprint(model)
        for tensor in pruned.state_dict().values():
            tensor.zero_()
        assert fingerprint(model) != fingerprint(pruned), "the pruned model shares memory with the original"

    def test_a_pruned_model_trains(self, model: nn.Module, config: ModelConfig) -> None:
        pruned = prune(model, PruningPlan({group.name: 0.4 for group in channel_groups(model)})).train()
        pruned(random_images(config, 8)).square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in pruned.parameters())

    # Storage and export

    def test_a_pruned_model_is_saved_and_loaded(self, model: nn.Module, config: ModelConfig, tmp_path: Path) -> None:
        plan = _without_a_branch(model, 0.3)
        pruned = prune(model, plan)
        save_model(pruned, tmp_path / "model")
        loaded = load_model(tmp_path / "model", families=[type(config)])
        assert fingerprint(loaded) == fingerprint(pruned)
        images = random_images(config, 3)
        with torch.no_grad():
            assert torch.equal(loaded(images), pruned(images))
        with safe_open(tmp_path / "model" / "model.safetensors", "pt") as file:
            tensors = [file.get_tensor(key) for key in file.keys()]  # noqa: SIM118 - it is no mapping
        assert sum(tensor.numel() * tensor.element_size() for tensor in tensors) == pruned_bytes(model, plan)

    def test_the_layouts_of_other_code_round_trip(self, model: nn.Module, config: ModelConfig) -> None:
        problems, images = [], random_images(config, 3)
        for layout in config.layouts:
            try:
                state = to_layout(model, layout)
            except PrimeSVTError as error:
                problems.append(str(error))  # A layout of another variant of the family, or a wrong one.
                continue
            again = import_state(state, unsaid_of(config.independent()), kinds=[type(config)]).model
            with torch.no_grad():
                assert difference(again(images), model(images)) <= TOLERANCE, layout.source
        if len(problems) == len(config.layouts):
            pytest.skip(f"no layout fits this configuration: {problems}")

    def test_the_engine_answers_as_the_forward_pass_does(self, model: nn.Module, config: ModelConfig) -> None:
        """The two add up in other orders: with numbers of few bits, no order rounds anything."""
        plan = PruningPlan({group.name: 0.3 for group in channel_groups(model)})
        gone = PruningPlan({layer: 1.0 for layers in list(branches(model).values())[1::2] for layer in layers})
        for version in map(dyadic, (model, prune(model, plan), prune(model, gone))):
            for draw in (random_images(config, 12), random_images(config, 4, 8)):
                images = torch.round(draw.float() * 4) / 4
                along = 0 if images.ndim == 4 else 1
                read = partial(_picked, images, along)
                found = forward_of(version, images.shape).answer(np.arange(images.shape[along]), read)
                with torch.no_grad():
                    assert difference(found, version(images)) <= 1e-6

    def test_a_pruned_model_is_exported(self, model: nn.Module, config: ModelConfig, tmp_path: Path) -> None:
        plan = _without_a_branch(model, 0.4)
        pruned, file = prune(model, plan).float(), tmp_path / "model.onnx"
        images = random_images(config, 24).float()
        # A batch of any size takes three times as long to write.
        export_onnx(pruned, file, batch=12)
        session = importlib.import_module("onnxruntime").InferenceSession(str(file))
        answers = [torch.from_numpy(session.run(None, {"images": part.numpy()})[0]) for part in images.split(12)]
        with torch.no_grad():
            error = (torch.cat(answers) - pruned(images)).abs().amax(1)
        # In float32 a potential within rounding of its threshold may flip a spike, which moves one image's logits.
        assert int((error > 1e-4).sum()) <= 1


def _without_a_branch(model: nn.Module, ratio: float) -> PruningPlan:
    """A plan for all layers; of a family that has residual branches, it removes the last of them."""
    *_, last = ((), *branches(model).values())
    return PruningPlan({group.name: ratio for group in channel_groups(model)} | dict.fromkeys(last, 1.0))


def _picked(images: torch.Tensor, along: int, indices: np.ndarray) -> torch.Tensor:
    return images.index_select(along, torch.from_numpy(indices))
