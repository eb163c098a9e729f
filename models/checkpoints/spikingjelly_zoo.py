"""Converting live models of SpikingJelly's zoo, version 2; a saved state dict of one is imported like any checkpoint.

W. Fang et al., *SpikingJelly*, Science Advances 2023, doi:10.1126/sciadv.adi1480; the modules are those of
``spikingjelly.activation_based.model``. What their weights do not say, the module says.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from spikingjelly.activation_based import neuron
from torch import nn

from ..errors import PrimeSVTError
from ..families.unsaid import Unsaid
from .importing import import_state


def _of_spike_driven_transformer(module: Any) -> dict[str, Any]:
    stages = [*module.patch_embed.stages, module.patch_embed.final_stage]
    pooling = "".join("1" if any(isinstance(m, nn.MaxPool2d) for m in stage) else "0" for stage in stages)
    return {"heads": (module.blocks[0].attn.num_heads,), "pooling": pooling}


def _of_spikformer(module: Any) -> dict[str, Any]:
    stem = module.patch_embed
    pooling = "0011" if stem.patch_size == 4 else "1111"
    return {"heads": (module.num_heads,), "pooling": pooling, "image_size": tuple(stem.image_size)}


def _of_qkformer(module: Any) -> dict[str, Any]:
    heads = tuple(stage[0].attn.num_heads for stage in (module.stage1, module.stage2, module.stage3))
    return {"heads": heads, "attention": module.stage1[0].attn.qka_type}


# What a module of each class says beside its weights, its T and its neurons. By name: the zoo takes seconds to import.
_ZOO = "spikingjelly.activation_based.model"
_KNOWN: Mapping[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {
    f"{_ZOO}.spike_driven_transformer.SpikeDrivenTransformer": (
        "spike-driven-transformer",
        _of_spike_driven_transformer,
    ),
    f"{_ZOO}.spikformer.Spikformer": ("spikformer", _of_spikformer),
    f"{_ZOO}.qkformer.QKFormer": ("qkformer", _of_qkformer),
    f"{_ZOO}.maxformer.MaxFormer": ("maxformer", lambda _module: {}),
}


def from_spikingjelly(
    module: nn.Module,
    *,
    image_size: tuple[int, int] | None = None,
    pooling: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    crop_fraction: float | None = None,
    interpolation: Literal["bilinear", "bicubic"] | None = None,
    classes: Sequence[str] | None = None,
) -> nn.Module:
    """Convert a live zoo model; in evaluation mode it gives the same logits.

    Args:
        module: A ``SpikeDrivenTransformer``, ``Spikformer``, ``QKFormer`` or ``MaxFormer`` of SpikingJelly.
        image_size: Height and width of an image; only a ``Spikformer`` knows its own. Of the others it is assumed, with
            a warning, where it is None: 224x224 where the stem halves the image four times, 32x32 otherwise. Logits do
            not depend on it.
        pooling: Only to override what the module says.
        mean: Per channel, subtracted from an image in [0, 1].
        std: Per channel, divides it afterwards.
        crop_fraction: Of image files: side of the model's image by that to which the shorter side is scaled; where it
            is None as timm does it, 0.875, and 1 for images of up to 64 pixels.
        interpolation: Of image files: ``bilinear`` or ``bicubic``; bicubic where it is None.
        classes: Names of the classes.

    Raises:
        PrimeSVTError: The module is of another kind, or has neurons that PrimeSVT does not.
    """
    family, told = _told(module)
    told = {"image_size": _assumed_size(module, told), **told} if image_size is None else told
    given = {
        "image_size": image_size, "pooling": pooling, "mean": mean, "std": std, "crop_fraction": crop_fraction,
        "interpolation": interpolation, "classes": classes,
    }  # fmt: skip
    unsaid = Unsaid(**{**told, **{key: value for key, value in given.items() if value is not None}})
    # The conversion shares memory with what it converts; a model must not with the one that it came from.
    state = {key: tensor.detach().clone() for key, tensor in module.state_dict().items()}
    return import_state(state, unsaid, family=family).model.train(module.training)


def _told(module: Any) -> tuple[str, dict[str, Any]]:
    """The family of a zoo model, and what the module says beside its weights."""
    kind = type(module)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name not in _KNOWN:
        known = ", ".join(each.rpartition(".")[2] for each in _KNOWN)
        raise PrimeSVTError(f"Cannot convert a {kind.__name__}: expected one of SpikingJelly's {known}.")
    family, look = _KNOWN[name]
    tau, threshold, attention_threshold = _neurons(module)
    neurons = {"tau": tau, "v_threshold": threshold, "attention_threshold": attention_threshold}
    return family, {"time_steps": int(module.T), **neurons, **look(module)}


def _assumed_size(module: nn.Module, told: Mapping[str, Any]) -> tuple[int, int]:
    """The size of the images that such a model is published for."""
    if "image_size" in told:
        size: tuple[int, int] = told["image_size"]
        return size
    # Max-Former for CIFAR has a stem of its own, and tells no pooling.
    small = told.get("pooling", "1111") != "1111" or hasattr(module.patch_embed1, "branch")
    side = 32 if small else 224
    warnings.warn(
        f"A {type(module).__name__} does not know the size of its images: {side}x{side} is assumed; "
        "pass image_size=(H, W).",
        stacklevel=3,
    )
    return side, side


def _neurons(module: nn.Module) -> tuple[float, float, float]:
    """Time constant, threshold, and threshold after attention, which every neuron of its kind must share."""
    found: dict[bool, set[tuple[float, float]]] = {True: set(), False: set()}
    for name, node in module.named_modules():
        if not isinstance(node, neuron.BaseNode):
            continue
        if type(node) is not neuron.LIFNode or node.v_reset != 0.0 or not node.decay_input:
            raise PrimeSVTError(f"{name} is a {node}; only LIFNode with decay_input and v_reset=0 can be converted.")
        found[name.endswith("attn_lif")].add((node.tau, node.v_threshold))
    if any(len(kinds) != 1 for kinds in found.values()):
        raise PrimeSVTError(f"The neurons differ from layer to layer (tau, threshold): {found}; this is not supported.")
    ((tau, threshold),), ((attention_tau, attention_threshold),) = found[False], found[True]
    if tau != attention_tau:
        raise PrimeSVTError(f"The neurons' tau differ: {tau} and {attention_tau} after attention.")
    return tau, threshold, attention_threshold
