"""What QKFormer and Max-Former declare alike, in both variants."""

import pytest

from primesvt.models import MaxFormerConfig, PrimeSVTError, QKFormerConfig
from primesvt.models.families.patch_embedding import PatchEmbeddingConfig, patch_embedding_chain

COMMON = {
    "embed_dim": 32,
    "heads": 2,
    "in_channels": 3,
    "image_size": (32, 32),
    "classes": ("a", "b"),
    "time_steps": 2,
    "mean": (0.0,) * 3,
    "std": (1.0,) * 3,
}
kinds = pytest.mark.parametrize("kind", [QKFormerConfig, MaxFormerConfig])


@kinds
@pytest.mark.parametrize(("variant", "depths"), [("cifar", (1, 1, 2)), ("imagenet", (1, 2, 1))])
def test_a_number_of_blocks_is_divided_among_the_stages(
    kind: type[PatchEmbeddingConfig], variant: str, depths: tuple[int, ...]
) -> None:
    assert kind.uniform(depth=4, variant=variant, **COMMON).depths == depths
    assert kind.uniform(depth=(2, 2, 2), variant=variant, **COMMON).depths == (2, 2, 2)


@kinds
def test_too_few_blocks_and_unknown_variants_are_refused(kind: type[PatchEmbeddingConfig]) -> None:
    with pytest.raises(PrimeSVTError, match="for cifar has at least 3 blocks, got depth 2"):
        kind.uniform(depth=2, variant="cifar", **COMMON)
    with pytest.raises(PrimeSVTError, match="variant must be one of cifar, imagenet, got 'mnist'"):
        kind.from_json({**kind.uniform(depth=4, **COMMON).to_json(), "variant": "mnist"})
    with pytest.raises(PrimeSVTError, match="variant must be one of cifar, imagenet, got 'mnist'"):
        kind.uniform(depth=4, variant="mnist", **COMMON)


@kinds
def test_numbers_that_are_not_one_per_stage_are_refused(kind: type[PatchEmbeddingConfig]) -> None:
    with pytest.raises(PrimeSVTError, match=rf"heads of a {kind.family} must be {kind.stages_with_heads} numbers, one"):
        kind.uniform(depth=4, **{**COMMON, "heads": (1, 2)})
    for depth in ((1, 2), (1, 1, 1, 1)):
        with pytest.raises(PrimeSVTError, match=rf"depths of a {kind.family} must be 3 numbers, one per stage, got"):
            kind.uniform(depth=depth, **COMMON)


@kinds
@pytest.mark.parametrize("variant", ["cifar", "imagenet"])
def test_the_last_of_the_chain_and_the_shortcut_write_the_stream(
    kind: type[PatchEmbeddingConfig], variant: str
) -> None:
    config = kind.uniform(depth=4, variant=variant, **COMMON)
    by_name = {group.name: group for group in config.groups()}
    for s in range(3):
        chain = patch_embedding_chain(s, variant)
        assert len(chain) == (3 if (s, variant) == (0, "imagenet") else 2)
        for name in (chain[-1], "shortcut"):
            assert by_name[f"stages.{s}.{name}"].stream == f"stages.{s}.embedding"
        assert by_name[f"stages.{s}.first"].stream is None
    # The first stage's shortcut begins behind its first convolution, those of the others beside it.
    assert by_name["stages.0.first"].readers == ("stages.0.second.conv", "stages.0.shortcut.conv")
    assert by_name["stages.1.first"].readers == ("stages.1.second.conv",)
    assert by_name["stages.0.embedding"].readers[-2:] == ("stages.1.first.conv", "stages.1.shortcut.conv")
    assert by_name["stages.2.embedding"].readers[-1] == "head"


@kinds
def test_widths_double_from_stage_to_stage(kind: type[PatchEmbeddingConfig]) -> None:
    widths = kind.uniform(depth=4, mlp_ratio=3.0, **COMMON).widths
    assert [widths[f"stages.{s}.embedding"] for s in range(3)] == [8, 16, 32]
    assert [widths[f"stages.{s}.first"] for s in range(3)] == [4, 16, 32]
    assert widths["stages.2.blocks.0.hidden"] == 96


def test_a_hidden_layer_as_wide_as_the_stage_has_a_shortcut_in_max_former() -> None:
    assert MaxFormerConfig.uniform(depth=4, mlp_ratio=1.0, **COMMON).mlp_shortcut
    assert not MaxFormerConfig.uniform(depth=4, mlp_ratio=2.0, **COMMON).mlp_shortcut
