"""Equal logits: checkpoints of the official implementations, imported as a user does, against what those answered."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from primesvt.models import (
    PrimeSVTError,
    Resizing,
    Unsaid,
    import_checkpoint,
    import_state,
    load_model,
    save_model,
    to_layout,
)

FILES = sorted((Path(__file__).parent / "official").glob("*.safetensors"))


@dataclass(frozen=True)
class Recording:
    """What an official model was, was shown, and answered."""

    config: dict[str, Any]
    state: dict[str, torch.Tensor]
    images: torch.Tensor
    logits: torch.Tensor

    @property
    def unsaid(self) -> Unsaid:
        """What the training command said."""
        return Unsaid(
            heads=(self.config["heads"],),
            time_steps=self.config["T"],
            image_size=(self.config["size"],) * 2,
            pooling=self.config.get("pooling"),
        )


def read(file: Path) -> Recording:
    with safe_open(file, "pt") as recorded:
        keys = list(recorded.keys())
        state = {key.removeprefix("state."): recorded.get_tensor(key) for key in keys if key.startswith("state.")}
        return Recording(
            config=json.loads(recorded.metadata()["config"]),
            state=state,
            images=recorded.get_tensor("input").double(),
            logits=recorded.get_tensor("logits"),
        )


def recording(name: str) -> Recording:
    return read(Path(__file__).parent / "official" / f"{name}.safetensors")


def test_all_recordings_are_here() -> None:
    assert len(FILES) == 8


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_same_logits_as_the_official_code(file: Path, tmp_path: Path) -> None:
    recorded = read(file)
    checkpoint = tmp_path / "model_best.pth.tar"
    torch.save(
        {"epoch": 3, "arch": "a", "state_dict": {f"module.{k}": v for k, v in recorded.state.items()}}, checkpoint
    )
    imported = import_checkpoint(checkpoint, recorded.unsaid)
    assert all(entry.reason for entry in imported.unused), "a key is dropped without a known reason"
    save_model(imported.model, tmp_path / "model")
    model = load_model(tmp_path / "model").double()
    with torch.no_grad():
        assert (model(recorded.images) - recorded.logits).abs().max() <= 1e-9
        assert torch.equal(model(recorded.images), model(recorded.images))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_official_state_dict_comes_back(file: Path) -> None:
    """Every key and every number, but those of layers that the official code never uses."""
    recorded = read(file)
    imported = import_state(recorded.state, recorded.unsaid)
    (layout,) = (each for each in imported.model.config.layouts if each.source == imported.source)
    state = to_layout(imported.model, layout)
    assert state.keys() == recorded.state.keys()
    unused = {entry.key for entry in imported.unused}
    for key, tensor in recorded.state.items():
        assert state[key].shape == tensor.shape
        assert key in unused or torch.equal(state[key], tensor), key


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_missing_or_misshapen_key_is_named(file: Path) -> None:
    recorded = read(file)
    needed = set(recorded.state) - {entry.key for entry in import_state(recorded.state, recorded.unsaid).unused}
    # One of every kind: the numbers of the blocks aside.
    kinds = {"".join("#" if c.isdigit() else c for c in key): key for key in sorted(needed)}
    for key in list(kinds.values())[:: 1 + len(kinds) // 15]:
        if key.endswith("num_batches_tracked"):
            continue
        missing = {name: tensor for name, tensor in recorded.state.items() if name != key}
        if key.endswith("conv.bias") or "head_kd" in key:
            continue  # What the shapes say is then another variant; its other biases are what is left over or missing.
        with pytest.raises(PrimeSVTError):
            import_state(missing, recorded.unsaid)
        with pytest.raises(PrimeSVTError):
            import_state(
                {**recorded.state, key: recorded.state[key].repeat(2, *[1] * (recorded.state[key].ndim - 1))},
                recorded.unsaid,
            )


def test_what_is_missing_or_misshapen_is_said_by_its_name() -> None:
    recorded = recording("spikformer_cifar")
    state = dict(recorded.state)
    del state["block.1.mlp.fc1_bn.running_mean"]
    with pytest.raises(PrimeSVTError, match=r"The weights lack block\.1\.mlp\.fc1_bn\.running_mean"):
        import_state(state, recorded.unsaid)
    state = {**recorded.state, "block.0.attn.k_bn.bias": torch.zeros(3)}
    with pytest.raises(PrimeSVTError, match=r"block\.0\.attn\.k_bn\.bias has shape \(3,\), expected \(64,\)"):
        import_state(state, recorded.unsaid)
    state = {**recorded.state, "head.weight": torch.zeros(64)}
    with pytest.raises(PrimeSVTError, match=r"head\.weight has 1 dimensions, expected 2"):
        import_state(state, recorded.unsaid)


def test_what_weights_cannot_tell_is_asked_for_all_at_once() -> None:
    recorded = recording("qkformer_imagenet")
    with pytest.raises(
        PrimeSVTError, match=r"image_size, time_steps, heads; pass --image-size S, --time-steps T, --heads"
    ):
        import_state(recorded.state, Unsaid())
    with pytest.raises(PrimeSVTError, match=r"A qkformer has no pooling; leave it out"):
        import_state(recorded.state, Unsaid(pooling="1111"))


def test_the_preprocessing_is_that_of_the_official_evaluation_unless_it_is_said() -> None:
    recorded = recording("sdt_imagenet")
    imported = import_state(recorded.state, replace(recorded.unsaid, image_size=(224, 224)))
    assert imported.model.config.resizing == Resizing(0.95, "bicubic")
    assert {"crop_fraction": 0.95, "interpolation": "bicubic"}.items() <= imported.guessed.items()
    said = replace(recorded.unsaid, image_size=(224, 224), crop_fraction=0.9)
    imported = import_state(recorded.state, said)
    assert imported.model.config.resizing == Resizing(0.9, "bicubic")
    assert "crop_fraction" not in imported.guessed


def test_every_guess_is_told() -> None:
    recorded = recording("spikformer_imagenet")
    guessed = import_state(recorded.state, Unsaid(heads=(4,), image_size=(64, 64))).guessed
    assert guessed["time_steps"] == 4
    assert guessed["pooling"] == "1111"
    assert guessed["tau"] == 2.0
    assert "heads" not in guessed
    said = Unsaid(heads=(4,), image_size=(64, 64), time_steps=2, tau=1.5)
    imported = import_state(recorded.state, said)
    assert not {"time_steps", "tau"} & set(imported.guessed)
    assert (imported.model.config.time_steps, imported.model.config.tau) == (2, 1.5)


def test_heads_that_the_code_ignores_are_ignored_and_told() -> None:
    """The official CIFAR code of QKFormer has eight heads, whatever its argument says."""
    recorded = recording("qkformer_cifar")
    imported = import_state(recorded.state, recorded.unsaid)
    assert imported.model.config.heads == (8, 8, 8)
    assert any("heads 4 was not taken" in note for note in imported.notes)


def test_heads_that_the_weights_tell_must_agree() -> None:
    recorded = recording("sdt_cifar")
    assert (
        import_state(recorded.state, Unsaid(time_steps=4, pooling="0011", image_size=(32, 32))).model.config.heads == 4
    )
    with pytest.raises(PrimeSVTError, match="The weights have heads 4, got 2"):
        import_state(recorded.state, Unsaid(heads=(2,)))


def test_images_of_a_batch_meet_as_in_the_official_qkformer_or_not() -> None:
    recorded = recording("qkformer_imagenet")
    images = recorded.images
    coupled = import_state(recorded.state, recorded.unsaid)
    assert any("--no-batch-coupling" in note for note in coupled.notes)
    free = import_state(recorded.state, Unsaid(**{**vars(recorded.unsaid), "batch_coupling": False}))
    assert free.notes == ()
    with torch.no_grad():
        together = free.model.double()(images)
        alone = torch.cat([coupled.model.double()(image.unsqueeze(0)) for image in images])
        assert (together - alone).abs().max() <= 1e-9
        assert (coupled.model(images) - alone).abs().max() > 1e-3


def test_a_variant_that_weights_do_not_tell_is_a_guess() -> None:
    """The official code has another attention for event data, without weights of its own."""
    recorded = recording("sdt_cifar")
    imported = import_state(recorded.state, recorded.unsaid)
    assert imported.guessed["dvs_mode"] is False
    assert imported.notes == ()
    events = {**recorded.state, "patch_embed.proj_conv.weight": torch.zeros(8, 2, 3, 3)}
    assert any("dvs_mode" in note for note in import_state(events, recorded.unsaid).notes)


def test_the_head_of_another_public_version_can_be_chosen() -> None:
    """The same weights; an earlier version's first head reads membrane potentials."""
    recorded = recording("meta_spikeformer_t1")
    imported = import_state(recorded.state, recorded.unsaid)
    assert imported.guessed["spiking_head"] is True
    earlier = import_state(recorded.state, Unsaid(**{**vars(recorded.unsaid), "spiking_head": False}))
    with torch.no_grad():
        assert (earlier.model.double()(recorded.images) - recorded.logits).abs().max() > 0.1


def test_code_around_a_model_may_prefix_its_keys() -> None:
    recorded = recording("sdt_imagenet")
    wrapped = {f"backbone.{key}": tensor for key, tensor in recorded.state.items()} | {"loss.weight": torch.ones(10)}
    imported = import_state(wrapped, recorded.unsaid)
    assert [(entry.key, entry.reason) for entry in imported.unused][-1] == ("loss.weight", "not below backbone.")


def test_parametric_neurons_are_refused() -> None:
    recorded = recording("sdt_imagenet")
    with pytest.raises(PrimeSVTError, match=r"block\.0\.attn\.q_lif\.w belongs to a parametric neuron"):
        import_state({**recorded.state, "block.0.attn.q_lif.w": torch.zeros(())}, recorded.unsaid)


def test_unknown_weights_are_refused() -> None:
    with pytest.raises(PrimeSVTError, match=r"not of a family that PrimeSVT knows: their first keys are conv1\.weight"):
        import_state({"conv1.weight": torch.zeros(3, 3, 3, 3)}, Unsaid())
    recorded = recording("sdt_imagenet")
    with pytest.raises(PrimeSVTError, match="not of a qkformer"):
        import_state(recorded.state, recorded.unsaid, family="qkformer")
    with pytest.raises(PrimeSVTError, match=r"These weights are no sdt-8-384: .* channels, sdt-8-384 has"):
        import_state(recorded.state, recorded.unsaid, name="sdt-8-384")
    with pytest.raises(PrimeSVTError, match="Unknown configuration 'sdt'; known are sdt-2-512"):
        import_state(recorded.state, recorded.unsaid, name="sdt")


def test_mixed_dtypes_become_the_widest() -> None:
    recorded = recording("sdt_imagenet")
    mixed = {key: tensor.half() if "conv" in key else tensor for key, tensor in recorded.state.items()}
    imported = import_state(mixed, recorded.unsaid)
    assert imported.guessed["dtype"] == "float32"
    assert {tensor.dtype for tensor in imported.model.parameters()} == {torch.float32}
    with pytest.raises(PrimeSVTError, match=r"head\.bias is torch\.int64, expected floating-point"):
        import_state({**recorded.state, "head.bias": torch.zeros(10, dtype=torch.int64)}, recorded.unsaid)
