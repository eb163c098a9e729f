"""Converting models of SpikingJelly's zoo: ``SpikeDrivenTransformer`` and ``Spikformer`` of version 2.

W. Fang et al., *SpikingJelly*, Science Advances 2023, doi:10.1126/sciadv.adi1480; the modules are
``spikingjelly.activation_based.model.spike_driven_transformer`` and ``.spikformer``.

Weights say every width. What they do not say (heads, time steps, pooling, image size, neuron parameters) comes from the
live module, or from the caller where there is only a state dict.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from spikingjelly.activation_based import model as zoo
from spikingjelly.activation_based import neuron
from torch import nn

from .config import ModelConfig
from .errors import PrimeSVTError
from .family import build
from .spike_driven_transformer import SpikeDrivenTransformerConfig
from .spikformer import SpikformerConfig

State = Mapping[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Unsaid:
    """What the weights of a model do not say.

    Args:
        heads: Number of attention heads.
        time_steps: T.
        pooling: Which of the four stem stages halve the image, such as ``0011``.
        image_size: Height and width of an image.
        mean: Per channel, subtracted from an image in [0, 1]; 0 where it is None.
        std: Per channel, divides it afterwards; 1 where it is None.
        classes: Names of the classes in the order of the logits; their numbers where it is None.
        tau: Membrane time constant.
        v_threshold: Threshold of the neurons.
        attention_threshold: Threshold of the neurons after attention.
    """

    heads: int
    time_steps: int
    pooling: str
    image_size: tuple[int, int]
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    classes: Sequence[str] | None = None
    tau: float = 2.0
    v_threshold: float = 1.0
    attention_threshold: float = 0.5


def from_spikingjelly(
    module: nn.Module,
    *,
    image_size: tuple[int, int] | None = None,
    pooling: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    classes: Sequence[str] | None = None,
) -> nn.Module:
    """Convert a live zoo model; in evaluation mode it gives the same logits.

    Args:
        module: A ``SpikeDrivenTransformer`` or ``Spikformer`` of SpikingJelly.
        image_size: Height and width of an image; a ``SpikeDrivenTransformer`` does not know its own.
        pooling: Only to override what the module says.
        mean: Per channel, subtracted from an image in [0, 1].
        std: Per channel, divides it afterwards.
        classes: Names of the classes.

    Raises:
        PrimeSVTError: The module is of another kind, or has neurons that PrimeSVT does not.
    """
    if isinstance(module, zoo.SpikeDrivenTransformer):
        heads, own_pooling = module.blocks[0].attn.num_heads, _pooling(module)
    elif isinstance(module, zoo.Spikformer):
        heads, own_pooling = module.num_heads, "0011" if module.patch_embed.patch_size == 4 else "1111"
        image_size = image_size or tuple(module.patch_embed.image_size)
    else:
        raise PrimeSVTError(
            f"Cannot convert a {type(module).__name__}: expected SpikingJelly's SpikeDrivenTransformer or Spikformer."
        )
    if image_size is None:
        raise PrimeSVTError("A SpikeDrivenTransformer does not know the size of its images: pass image_size=(H, W).")
    tau, threshold, attention_threshold = _neurons(module)
    unsaid = Unsaid(
        heads=heads,
        time_steps=module.T,
        pooling=pooling or own_pooling,
        image_size=image_size,
        mean=mean,
        std=std,
        classes=classes,
        tau=tau,
        v_threshold=threshold,
        attention_threshold=attention_threshold,
    )
    return from_state_dict(module.state_dict(), unsaid).train(module.training)


def from_state_dict(state: State, unsaid: Unsaid) -> nn.Module:
    """Convert the state dict of a zoo model; the family is recognised from its keys.

    Args:
        state: What ``state_dict()`` of the zoo model returned.
        unsaid: What the weights do not say.

    Raises:
        PrimeSVTError: The keys are of no known model, or one is missing, left over or of a wrong shape.
    """
    if "patch_embed.final_stage.0.weight" in state:
        convert = _spike_driven_transformer
    elif "patch_embed.stages.0.conv_bn.block.0.weight" in state:
        convert = _spikformer
    else:
        raise PrimeSVTError(
            "These weights are of no SpikingJelly SpikeDrivenTransformer or Spikformer; their first keys are "
            f"{', '.join(list(state)[:3])}."
        )
    try:
        converted, config = convert(state, unsaid)
    except KeyError as error:
        raise PrimeSVTError(f"The weights lack {error.args[0]}.") from error
    model = build(config)
    own = model.state_dict()
    if odd := sorted(set(converted) ^ set(own)):
        raise PrimeSVTError(f"The weights do not fit a {config.family}: missing or unknown {', '.join(odd[:5])}.")
    for name, tensor in own.items():
        if converted[name].shape != tensor.shape:
            raise PrimeSVTError(
                f"{name} has shape {tuple(converted[name].shape)}, expected {tuple(tensor.shape)} in this model."
            )
    model.load_state_dict(converted)
    return model.to(next(iter(state.values())).dtype).eval()


def _common(state: State, unsaid: Unsaid, first: str) -> dict[str, object]:
    channels, classes = state[first].shape[1], state["head.weight"].shape[0]
    return {
        "in_channels": channels,
        "image_size": unsaid.image_size,
        "classes": tuple(unsaid.classes or map(str, range(classes))),
        "time_steps": unsaid.time_steps,
        "mean": tuple(unsaid.mean or [0.0] * channels),
        "std": tuple(unsaid.std or [1.0] * channels),
        "heads": unsaid.heads,
        "pooling": unsaid.pooling,
        "tau": unsaid.tau,
        "v_threshold": unsaid.v_threshold,
        "attention_threshold": unsaid.attention_threshold,
    }


def _spike_driven_transformer(state: State, unsaid: Unsaid) -> tuple[dict[str, torch.Tensor], ModelConfig]:
    depth = _depth(state)
    pairs = [(f"patch_embed.stages.{i}", f"stem.{i}") for i in range(3)] + [("patch_embed.final_stage", "stem.3")]
    modules = [(f"{old}.{n}", f"{new}.{leaf}") for old, new in pairs for n, leaf in enumerate(("conv", "bn"))]
    modules += [("patch_embed.rpe_conv", "position.conv"), ("patch_embed.rpe_bn", "position.bn"), ("head", "head")]
    for b in range(depth):
        for old, new in (("q", "query"), ("k", "key"), ("v", "value"), ("proj", "projection")):
            modules += [(f"blocks.{b}.attn.{old}_{leaf}", f"blocks.{b}.{new}.{leaf}") for leaf in ("conv", "bn")]
        for n, new in ((1, "hidden"), (2, "output")):
            modules += [(f"blocks.{b}.mlp.fc{n}", f"blocks.{b}.{new}.conv")]
            modules += [(f"blocks.{b}.mlp.bn{n}", f"blocks.{b}.{new}.bn")]
    converted = _rename(state, modules)
    embed, hidden = state["head.weight"].shape[1], state["blocks.0.mlp.fc1.weight"].shape[0]
    config = SpikeDrivenTransformerConfig.uniform(
        embed_dim=embed,
        depth=depth,
        mlp_ratio=hidden / embed,
        conv_bias="patch_embed.final_stage.0.bias" in state,
        **_common(state, unsaid, "patch_embed.stages.0.0.weight"),
    )
    return converted, config


def _spikformer(state: State, unsaid: Unsaid) -> tuple[dict[str, torch.Tensor], ModelConfig]:
    depth = _depth(state)
    pairs = [(f"patch_embed.stages.{i}.conv_bn.block", f"stem.{i}") for i in range(4)]
    pairs.append(("patch_embed.positional_encoding.conv_bn.block", "position"))
    for b in range(depth):
        block = f"blocks.{b}"
        pairs += [(f"{block}.attn.{name}", f"{block}.{name}") for name in ("query", "key", "value")]
        pairs += [(f"{block}.attn.proj_conv_bn", f"{block}.projection")]
        pairs += [(f"{block}.mlp.fc{n}", f"{block}.{new}") for n, new in ((1, "hidden"), (2, "output"))]
    modules = [(f"{old}.{n}", f"{new}.{leaf}") for old, new in pairs for n, leaf in enumerate(("conv", "bn"))]
    converted = _rename(dict(_split_qkv(state)), [*modules, ("head", "head")])
    embed, hidden = state["head.weight"].shape[1], state["blocks.0.mlp.fc1.0.weight"].shape[0]
    config = SpikformerConfig.uniform(
        embed_dim=embed,
        depth=depth,
        mlp_ratio=hidden / embed,
        **_common(state, unsaid, "patch_embed.stages.0.conv_bn.block.0.weight"),
    )
    return converted, config


def _split_qkv(state: State) -> Iterator[tuple[str, torch.Tensor]]:
    """The zoo fuses query, key and value into one convolution; they are three layers to pruning."""
    for name, tensor in state.items():
        prefix, fused, rest = name.partition("qkv_conv_bn")
        if not fused:
            yield name, tensor
            continue
        parts = tensor.chunk(3) if tensor.ndim else (tensor,) * 3
        for part, values in zip(("query", "key", "value"), parts, strict=True):
            yield f"{prefix}{part}{rest}", values


def _rename(state: State, modules: list[tuple[str, str]]) -> dict[str, torch.Tensor]:
    """State dict with the modules' new names; a key of no module keeps its own and is complained of later."""
    names = dict(modules)
    renamed = {}
    for key, tensor in state.items():
        module, _, leaf = key.rpartition(".")
        # A 1x1 convolution over a line of tokens is one over the plane.
        plane = tensor.unsqueeze(-1) if tensor.ndim == 3 else tensor
        renamed[f"{names.get(module, module)}.{leaf}"] = plane.detach().clone()
    return renamed


def _depth(state: State) -> int:
    blocks = {key.split(".")[1] for key in state if key.startswith("blocks.")}
    if not blocks:
        raise PrimeSVTError("These weights have no transformer block (no key starts with 'blocks.').")
    return len(blocks)


def _pooling(module: nn.Module) -> str:
    stem = module.patch_embed
    stages = [*stem.stages, stem.final_stage]  # type: ignore[union-attr, misc]
    return "".join("1" if any(isinstance(m, nn.MaxPool2d) for m in stage) else "0" for stage in stages)


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
