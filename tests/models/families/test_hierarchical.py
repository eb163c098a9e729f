"""Stages in a row: their layers and streams in order, and the widths of an unpruned model."""

import pytest

from primesvt.models import ChannelGroup, MetaSpikeFormerConfig, PrimeSVTError, QKFormerConfig, writer
from primesvt.models.families.hierarchical import staged_groups, stream_name, uniform_widths


def block(prefix: str, s: int) -> tuple[list[ChannelGroup], list[str]]:
    hidden = ChannelGroup(name=f"{prefix}.hidden", kind="mlp", filters=(f"{prefix}.hidden.conv",))
    return [hidden, writer(f"{prefix}.output", "mlp", stream=stream_name(s))], [f"{prefix}.hidden.conv"]


def groups() -> tuple[ChannelGroup, ...]:
    return staged_groups(
        (2, 1),
        lambda s: [writer(f"stages.{s}.first", "stem", stream=stream_name(s))],
        block,
        lambda s: ["head"] if s else ["stages.1.first.conv"],
    )


def test_layers_follow_the_forward_pass_and_streams_are_last() -> None:
    assert [group.name for group in groups()] == [
        "stages.0.first",
        "stages.0.blocks.0.hidden",
        "stages.0.blocks.0.output",
        "stages.0.blocks.1.hidden",
        "stages.0.blocks.1.output",
        "stages.1.first",
        "stages.1.blocks.0.hidden",
        "stages.1.blocks.0.output",
        "stages.0.embedding",
        "stages.1.embedding",
    ]


def test_a_stream_is_read_by_its_blocks_and_what_follows() -> None:
    first, second = groups()[-2:]
    assert first.kind == second.kind == "embedding"
    assert first.readers == ("stages.0.blocks.0.hidden.conv", "stages.0.blocks.1.hidden.conv", "stages.1.first.conv")
    assert second.readers == ("stages.1.blocks.0.hidden.conv", "head")


def test_widths_follow_the_stage_but_for_factors() -> None:
    widths = uniform_widths(groups(), (8, 12), 2.5, {"stages.0.first": 0.5})
    assert widths["stages.0.first"] == 4
    assert widths["stages.1.first"] == 12
    assert widths["stages.0.blocks.1.hidden"] == 20
    assert widths["stages.1.blocks.0.hidden"] == 30
    assert widths["stages.1.embedding"] == widths["stages.1.blocks.0.output"] == 12


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": (1, 2)}, r"depths of a qkformer must be 3 numbers, one per stage, got \(1, 2\)"),
        ({"depths": (1, 0, 1)}, "depths must be between 1 and 256, got 0"),
        ({"heads": (0, 2, 2)}, "heads must be between 1 and"),
    ],
)
def test_numbers_of_stages_are_checked(changes: dict[str, tuple[int, ...]], message: str) -> None:
    config = QKFormerConfig.uniform(
        embed_dim=16,
        depth=4,
        heads=2,
        in_channels=1,
        image_size=(16, 16),
        classes=("a", "b"),
        time_steps=1,
        mean=(0.0,),
        std=(1.0,),
    )
    with pytest.raises(PrimeSVTError, match=message):
        QKFormerConfig.from_json({**config.to_json(), **changes})


def test_more_blocks_than_stages_are_refused_before_layers_are_declared() -> None:
    with pytest.raises(PrimeSVTError, match="depths of a meta-spikeformer must be 5 numbers, one per stage, got"):
        MetaSpikeFormerConfig.uniform(
            embed_dim=32, depth=(1, 1, 1, 1), heads=2, in_channels=1, image_size=(16, 16), classes=("a", "b"),
            time_steps=1, mean=(0.0,), std=(1.0,),
        )  # fmt: skip
