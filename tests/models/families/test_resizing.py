"""Resizing: by hand arithmetic, and as the official codes have it."""

import pytest

from primesvt.models import FAMILIES, PrimeSVTError, Resizing
from primesvt.models.families.resizing import mae_rule


@pytest.mark.parametrize(
    ("fraction", "image", "frame", "expected"),
    [
        (0.875, (375, 500), (224, 224), (256, 341)),
        (0.875, (500, 375), (224, 224), (341, 256)),
        (0.95, (375, 500), (224, 224), (235, 313)),
        (0.9, (480, 480), (224, 224), (248, 248)),
        # 224 / 375 of 500 is 298.67: cut off, where version 0.1 rounded.
        (1.0, (375, 500), (224, 224), (224, 298)),
        (None, (375, 500), (224, 224), (224, 299)),
        (1.0, (10, 20), (32, 32), (32, 64)),
        # Height and width differ: both are covered.
        (0.875, (100, 100), (28, 56), (64, 64)),
        (1.0, (30, 90), (20, 30), (20, 60)),
        (None, (30, 90), (20, 30), (20, 60)),
        (1.0, (32, 48), (32, 48), (32, 48)),
    ],
)
def test_the_size_that_an_image_is_scaled_to(fraction, image, frame, expected) -> None:
    assert Resizing(fraction).scaled(image, frame) == expected


@pytest.mark.parametrize(
    ("fraction", "interpolation", "message"),
    [
        (0.05, "bicubic", r"crop_fraction must be between 0\.1 and 1, got 0\.05"),
        (1.1, "bicubic", "crop_fraction must be between"),
        (float("nan"), "bicubic", "crop_fraction must be between"),
        (0.9, "nearest", "interpolation must be bilinear or bicubic, got 'nearest'"),
        (None, "bicubic", "With interpolation bicubic, a crop_fraction must be said"),
    ],
)
def test_what_makes_no_sense_is_refused(fraction, interpolation, message) -> None:
    with pytest.raises(PrimeSVTError, match=message):
        Resizing(fraction, interpolation)


def test_the_rules_of_the_official_codes() -> None:
    """As their training configurations and evaluation scripts have it, for CIFAR and ImageNet and larger images."""
    said = {
        "ZK-Zhou/spikformer, cifar10/model.py": (1.0, 1.0, 1.0),
        "ZK-Zhou/spikformer, imagenet/model.py": (1.0, 1.0, 1.0),
        "BICLab/Spike-Driven-Transformer, model/spikeformer.py": (1.0, 0.95, 0.95),
        "BICLab/Spike-Driven-Transformer-V2, classification/models.py": (1.0, 0.875, 1.0),
        "zhouchenlin2096/QKFormer, imagenet/qkformer.py": (1.0, 0.875, 1.0),
    }
    layouts = {layout.source: layout for kind in FAMILIES.values() for layout in kind.layouts}
    for source, fractions in said.items():
        rules = [layouts[source].resizing(side) for side in (32, 224, 384)]
        assert [rule.crop_fraction for rule in rules] == list(fractions), source
        assert {rule.interpolation for rule in rules} == {"bicubic"}
    zoo = layouts["spikingjelly.activation_based.model.Spikformer"].resizing
    assert (zoo(32).crop_fraction, zoo(224).crop_fraction) == (1.0, 0.875)


def test_the_rule_in_words() -> None:
    assert mae_rule(224).told((224, 224)) == (
        "scale the image, its aspect kept, to just cover 256x256 (bicubic, smoothed); cut 224x224 out of the middle"
    )
    assert "just cover 28x28 (bilinear" in Resizing().told((28, 28))
