"""Configurations are data: they round-trip through JSON, and refuse what makes no sense."""

import copy
import json
import math
import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primesvt.models import ModelConfig, PrimeSVTError, Resizing, config_type
from primesvt.models.families.config import MAX_WIDTH

from ...conftest import FAMILIES, small_config


@st.composite
def configs(draw: st.DrawFn) -> ModelConfig:
    family = draw(st.sampled_from(FAMILIES))
    channels = draw(st.integers(1, 4))
    number = st.floats(-1e6, 1e6)
    heads = draw(st.integers(1, 4))
    positive = st.floats(1e-3, 1e6)
    config = config_type(family).uniform(
        embed_dim=8 * heads * draw(st.integers(1, 4)),
        depth=draw(st.integers(1, 3)),
        heads=heads,
        mlp_ratio=draw(st.sampled_from([1.0, 2.0, 2.5, 4.0])),
        in_channels=channels,
        image_size=draw(st.tuples(st.integers(1, 250), st.integers(1, 250))),
        classes=tuple(draw(st.lists(st.text(max_size=8), min_size=2, max_size=5, unique=True))),
        time_steps=draw(st.integers(1, 1024)),
        mean=tuple(draw(st.lists(number, min_size=channels, max_size=channels))),
        std=tuple(draw(st.lists(positive, min_size=channels, max_size=channels))),
        pooling="".join(draw(st.lists(st.sampled_from("01"), min_size=4, max_size=4))),
        tau=draw(st.floats(1, 1e6, exclude_min=True)),
        v_threshold=draw(positive),
        attention_threshold=draw(positive),
    )
    layer = draw(st.sampled_from([g for g in config.groups() if g.kind != "embedding"]))
    return config.with_widths(
        {layer.name: layer.heads * draw(st.integers(1, config.widths[layer.name] // layer.heads))}
    )


@given(configs())
@settings(max_examples=60)
def test_json_round_trip(config: ModelConfig) -> None:
    again = type(config).from_json(json.loads(json.dumps(config.to_json())))
    assert again == config == type(config).from_json(config.to_json())
    assert hash(again) == hash(config)
    for copied in (pickle.loads(pickle.dumps(config)), copy.deepcopy(config), copy.copy(config)):  # noqa: S301
        assert copied == config
        assert type(copied) is type(config)
        assert list(copied.widths) == sorted(config.widths)


def test_what_says_no_resizing_is_written_as_version_0_1_did(family: str) -> None:
    """So an old model has the fingerprint that its studies know."""
    assert not {"crop_fraction", "interpolation"} & set(small_config(family).to_json())
    config = replace(small_config(family), crop_fraction=0.875, interpolation="bicubic")
    assert type(config).from_json(json.loads(json.dumps(config.to_json()))) == config
    assert pickle.loads(pickle.dumps(config)).resizing == Resizing(0.875, "bicubic")  # noqa: S301
    assert config.with_widths({}).resizing == config.resizing
    assert small_config(family).resizing == Resizing()


def test_a_configuration_cannot_be_changed(family: str) -> None:
    config = small_config(family)
    with pytest.raises(TypeError):
        config.widths["embedding"] = 3
    with pytest.raises(AttributeError):
        config.depth = 3


def plain(family: str, **changes: Any) -> dict[str, Any]:
    data = json.loads(json.dumps(small_config(family).to_json()))
    return {key: value for key, value in {**data, **changes}.items() if value is not ...}


NAN = float("nan")
BAD_FIELDS = [
    ("depth", "2", "Field depth"),
    ("depth", True, "Field depth"),
    ("depth", 2.0, "Field depth"),
    ("depth", None, "Field depth"),
    ("depth", 0, "depth must be between 1 and 256, got 0"),
    ("depth", 10**30, "depth must be between"),
    ("heads", -1, "heads must be between"),
    ("heads", 0, "heads must be between"),
    ("time_steps", 0, "time_steps must be between 1 and 1024"),
    ("time_steps", 5000, "time_steps must be between"),
    ("in_channels", 0, "in_channels must be between"),
    ("in_channels", 3, "mean must be 3 finite numbers"),
    ("image_size", [8], "image_size must be"),
    ("image_size", [8, 8, 8], "image_size must be"),
    ("image_size", [8, 0], "image_size must be between"),
    ("image_size", [16384, 16384], "An image of 16384x16384 pixels, 1 channels and 2 time steps is"),
    ("image_size", 8, "Field image_size"),
    ("image_size", [8, "8"], "Field image_size"),
    ("classes", "abc", "Field classes"),
    ("classes", ["a"], "at least two different names"),
    ("classes", ["a", "a"], "at least two different names"),
    ("classes", ["a", 2], "Field classes"),
    ("mean", [NAN], "mean must be 1 finite"),
    ("mean", [math.inf], "mean must be 1 finite"),
    ("mean", [], "mean must be 1 finite"),
    ("mean", [1e300], "mean must be 1 finite"),
    ("mean", [10**400], "Field mean"),
    ("mean", ["0"], "Field mean"),
    ("std", [0.0], "std must be positive"),
    ("std", [-1.0], "std must be positive"),
    ("std", [1e-300], "std must be positive"),
    ("std", [NAN], "std must be 1 finite"),
    ("pooling", "01", "pooling must be four digits"),
    ("pooling", "0120", "pooling must be four digits"),
    ("pooling", 11, "Field pooling"),
    ("tau", 1.0, "tau must be above 1"),
    ("tau", NAN, "tau must be above 1"),
    ("tau", math.inf, "tau must be above 1"),
    ("tau", True, "Field tau"),
    ("tau", 10**400, "Field tau"),
    ("v_threshold", NAN, "v_threshold must be above 0"),
    ("v_threshold", 0.0, "v_threshold must be above 0"),
    ("attention_threshold", math.inf, "attention_threshold must be above 0"),
    ("crop_fraction", 0.01, r"crop_fraction must be between 0\.1 and 1, got 0\.01"),
    ("crop_fraction", "1", r"Field crop_fraction of the configuration must be float \| None"),
    ("crop_fraction", NAN, "crop_fraction must be between"),
    ("interpolation", "nearest", "interpolation must be bilinear or bicubic, got 'nearest'"),
    ("interpolation", "bicubic", "a crop_fraction must be said"),
    ("interpolation", 3, "Field interpolation"),
    ("widths", [], "Field widths"),
    ("widths", {}, "widths must name every layer"),
    ("widths", ..., "Missing fields of a .*: widths"),
    ("classes", ..., "Missing fields of a .*: classes"),
    ("colour", 1, "Unknown fields of a .*: colour"),
]


@pytest.mark.parametrize(("field", "value", "message"), BAD_FIELDS)
def test_a_bad_field_is_named(family: str, field: str, value: Any, message: str) -> None:
    with pytest.raises(PrimeSVTError, match=message):
        config_type(family).from_json(plain(family, **{field: value}))


@pytest.mark.parametrize(
    ("layer", "width", "message"),
    [
        ("stem.0", 0, r"width of stem\.0 must be between 1 and 16384, got 0"),
        ("stem.0", MAX_WIDTH + 1, r"width of stem\.0 must be between"),
        ("stem.0", 10**30, r"width of stem\.0 must be between"),
        ("stem.0", 2.0, "Field widths"),
        ("stem.0", True, "Field widths"),
        ("stem.0", "2", "Field widths"),
        ("blocks.0.output", 17, r"blocks\.0\.output writes 17 channels into embedding, which has 16"),
        ("blocks.7.hidden", 4, r"missing or unknown: \['blocks\.7\.hidden'\]"),
    ],
)
def test_a_bad_width_is_named(family: str, layer: str, width: Any, message: str) -> None:
    widths = {**small_config(family).widths, layer: width}
    with pytest.raises(PrimeSVTError, match=message):
        config_type(family).from_json(plain(family, widths=widths))


def test_heads_stay_equally_wide() -> None:
    with pytest.raises(PrimeSVTError, match=r"width of blocks\.1\.value must be a multiple of its 4 heads, got 10"):
        small_config("spikformer").with_widths({"blocks.1.value": 10})


def test_the_attention_scale_is_checked() -> None:
    with pytest.raises(PrimeSVTError, match="attention_scale must be above 0"):
        config_type("spikformer").from_json(plain("spikformer", attention_scale=NAN))


@pytest.mark.parametrize(("embed_dim", "hidden"), [(61, 7), (115, 122), (230, 237), (128, 512)])
def test_a_ratio_of_two_widths_gives_the_width_back(family: str, embed_dim: int, hidden: int) -> None:
    common = {"heads": 1, "time_steps": 1, "in_channels": 1, "image_size": (8, 8), "classes": ("a", "b")}
    config = config_type(family).uniform(
        embed_dim=embed_dim, depth=1, mlp_ratio=hidden / embed_dim, mean=(0.0,), std=(1.0,), **common
    )
    assert config.widths["blocks.0.hidden"] == hidden
