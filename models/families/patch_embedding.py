"""Three stages, each begun by a patch embedding: what QKFormer and Max-Former declare alike.

Their modules are each family's own: Max-Former's layers read membrane potentials and fire before they convolve,
QKFormer's read spikes and fire afterwards.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Self

from ..errors import PrimeSVTError
from ..layers.channels import ChannelGroup, conv_bn, writer
from .hierarchical import BlockGroups, HierarchicalConfig, staged_groups, stream_name, uniform_widths
from .isotropic import hidden_width
from .layout import Rename, conv_bn_renames

VARIANTS = ("cifar", "imagenet")
LAST = 2


@dataclass(frozen=True, kw_only=True)
class PatchEmbeddingConfig(HierarchicalConfig):
    """What the two families have in common.

    Args:
        variant: ``imagenet``, whose first patch embedding has three convolutions and halves the image twice; or
            ``cifar``, whose first one has two and keeps the size.
    """

    stages: ClassVar[int] = LAST + 1
    named_stage: ClassVar[int] = LAST

    variant: str = "imagenet"

    def __post_init__(self) -> None:
        _check_variant(self.variant)
        super().__post_init__()

    @classmethod
    def block_groups(cls, prefix: str, s: int, said: Mapping[str, Any]) -> BlockGroups:
        """The prunable layers of a block, and the modules that read its stream.

        Args:
            prefix: Name of the block.
            s: Number of its stage.
            said: Fields of the configuration.
        """
        raise NotImplementedError

    @classmethod
    def derived_fields(cls, embed_dim: int, hidden: int) -> dict[str, Any]:
        """Fields of an unpruned model that follow from the widths of its last stage, if there are any."""
        del embed_dim, hidden
        return {}

    @classmethod
    def declared(cls, said: Mapping[str, Any]) -> tuple[ChannelGroup, ...]:
        """The groups of a model with these fields of the configuration."""
        return staged_groups(
            said["depths"],
            lambda s: _patch_embedding_groups(s, said["variant"]),
            lambda prefix, s: cls.block_groups(prefix, s, said),
            lambda s: ["head"] if s == LAST else [f"stages.{s + 1}.first.conv", f"stages.{s + 1}.shortcut.conv"],
        )

    def groups(self) -> tuple[ChannelGroup, ...]:
        """Prunable layers, in the order of the forward pass; the three streams are last."""
        return self.declared(vars(self))

    @classmethod
    def uniform(
        cls,
        *,
        embed_dim: int,
        depth: int | tuple[int, ...],
        heads: int | tuple[int, ...],
        mlp_ratio: float = 4.0,
        **common: Any,
    ) -> Self:
        """An unpruned model.

        Args:
            embed_dim: Width of the last stage; the first two have a quarter and half of it.
            depth: Number of blocks, of every stage, or of all: then one is in the first, one (``cifar``) or two in the
                second.
            heads: Number of attention heads.
            mlp_ratio: Hidden width by embedding width.
            common: The other fields.

        Raises:
            PrimeSVTError: The depth is too small for three stages, or a field makes no sense.
        """
        _check_variant(common.get("variant", cls.variant))
        fields = {
            "depths": _depths(cls.family, depth, common.get("variant", cls.variant)),
            "heads": cls.heads_of(heads),
            **cls.derived_fields(embed_dim, hidden_width(embed_dim, mlp_ratio)),
            **common,
        }
        cls.check_count("depths", fields["depths"], cls.stages)
        groups = cls.declared({**{f.name: f.default for f in dataclasses.fields(cls)}, **fields})
        dims = (embed_dim // 4, embed_dim // 2, embed_dim)
        return cls(widths=uniform_widths(groups, dims, mlp_ratio, {"stages.0.first": 0.5}), **fields)


def _check_variant(variant: str) -> None:
    if variant not in VARIANTS:
        raise PrimeSVTError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}.")


def _depths(family: str, depth: int | tuple[int, ...], variant: str) -> tuple[int, ...]:
    if not isinstance(depth, int):
        return depth
    second = 1 if variant == "cifar" else 2
    if depth < second + 2:
        raise PrimeSVTError(f"A {family} for {variant} has at least {second + 2} blocks, got depth {depth}.")
    return 1, second, depth - 1 - second


def patch_embedding_chain(s: int, variant: str) -> tuple[str, ...]:
    """The convolutions of a stage's patch embedding, in a row; beside them is its ``shortcut``."""
    return ("first", "second", "third") if s == 0 and variant == "imagenet" else ("first", "second")


def _patch_embedding_groups(s: int, variant: str) -> list[ChannelGroup]:
    """The prunable layers of a stage's patch embedding: the last of its chain and the shortcut write the stream."""
    stream, prefix, chain = stream_name(s), f"stages.{s}", patch_embedding_chain(s, variant)
    groups = []
    for name, following in pairwise(chain):
        readers = [f"{prefix}.{following}.conv"]
        if s == 0 and name == "first":
            readers.append(f"{prefix}.shortcut.conv")
        filters = conv_bn(f"{prefix}.{name}")
        groups.append(ChannelGroup(name=f"{prefix}.{name}", kind="stem", filters=filters, readers=tuple(readers)))
    return [*groups, *(writer(f"{prefix}.{name}", "stem", stream=stream) for name in (chain[-1], "shortcut"))]


def zoo_patch_embedding(s: int, variant: str) -> list[Rename]:
    """SpikingJelly's names of a stage's patch embedding."""
    embed, renames = f"patch_embed{s + 1}", []
    for number, name in enumerate(patch_embedding_chain(s, variant), 1):
        renames += conv_bn_renames(f"stages.{s}.{name}", f"{embed}.conv{number}", f"{embed}.bn{number}")
    return renames + conv_bn_renames(f"stages.{s}.shortcut", f"{embed}.shortcut.0", f"{embed}.shortcut.1")
