"""What a new model is like, from a few sizes and the images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from primesvt.models import DataSet, PrimeSVTError, Resizing, Unsaid, build, config_of, split
from primesvt.models.data.images import FileImages
from primesvt.studies.running.new_model import NewModel

from ...conftest import noisy_data


@pytest.fixture(scope="module")
def data() -> DataSet:
    return noisy_data()


def new(family: str | None = "spikformer", *, unsaid: dict[str, Any] | None = None, **sizes: Any) -> NewModel:
    return NewModel(family=family, unsaid=Unsaid(**(unsaid or {})), **sizes)


def test_what_nobody_says_follows_from_the_images(data: DataSet) -> None:
    config = new().of(data)
    channels, height, width = data.fit.source.frame
    assert (config.in_channels, config.image_size, config.classes) == (channels, (height, width), data.classes)
    images = data.fit.source.read(data.fit.indices)
    assert config.mean[0] == pytest.approx(float(images.mean()), abs=1e-3)
    assert config.std[0] == pytest.approx(float(images.std()), abs=1e-3)
    assert (config.time_steps, config.heads, config.sizes()["embed_dim"], config.depth) == (4, 8, 128, 2)


def test_what_is_said_is_taken(data: DataSet) -> None:
    said = {"heads": (2,), "time_steps": 3, "mean": (0.5,), "std": (0.25,), "pooling": "0000"}
    config = new(embed_dim=16, depth=1, unsaid=said).of(data)
    assert (config.heads, config.time_steps, config.mean, config.std) == (2, 3, (0.5,), (0.25,))
    assert (config.sizes()["embed_dim"], config.depth, config.pooling) == (16, 1, "0000")
    build(config)


def test_how_image_files_are_resized_may_be_said(data: DataSet) -> None:
    assert new().of(data).resizing == Resizing()
    assert new(unsaid={"crop_fraction": 0.9}).of(data).resizing == Resizing(0.9, "bilinear")
    assert new(unsaid={"interpolation": "bicubic"}).of(data).resizing == Resizing(1.0, "bicubic")
    with pytest.raises(PrimeSVTError, match="--crop-fraction is that of --init"):
        NewModel(unsaid=Unsaid(crop_fraction=0.9)).again(new().of(data))


def test_mean_and_deviation_are_those_of_the_images_as_the_model_gets_them(tmp_path: Path) -> None:
    """White in the middle third of the height: the less is cut off, the darker."""
    pixels = np.zeros((36, 36), np.uint8)
    pixels[12:24] = 255
    files = tuple(tmp_path / f"{i}.png" for i in range(24))
    for file in files:
        Image.fromarray(pixels).save(file)
    part = FileImages(files, (1, 32, 32)), np.arange(24) % 3
    data = split("stripes", ("a", "b", "c"), part, part)
    whole, half = (new(unsaid={"crop_fraction": fraction}).of(data).mean[0] for fraction in (1.0, 0.5))
    assert whole == pytest.approx(1 / 3, abs=0.02)
    assert half == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.parametrize(("variant", "taken"), [(None, "cifar"), ("imagenet", "imagenet")])
def test_the_variant_is_by_size_where_it_is_not_said(data: DataSet, variant: str | None, taken: str) -> None:
    assert new("qkformer", variant=variant).of(data).variant == taken


def test_a_published_size_says_width_and_depth(data: DataSet) -> None:
    config = NewModel(config="spikformer-4-384", unsaid=Unsaid(time_steps=2)).of(data)
    assert (config.sizes()["embed_dim"], config.depth, config.time_steps) == (384, 4, 2)
    assert config.classes == data.classes


def test_files_are_brought_to_a_size_that_is_said() -> None:
    assert new().frame is None
    assert new(unsaid={"image_size": (32, 48)}).frame == (3, 32, 48)
    assert new(channels=1, unsaid={"image_size": (32, 48)}).frame == (1, 32, 48)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"family": None}, "Say what to train: --family"),
        ({"config": "spikformer-4-384"}, "leave --family, --embed-dim, --depth and --variant out"),
        ({"channels": 3}, r"8x8 with 1 channel\(s\), and are taken as they are"),
        ({"unsaid": {"image_size": (9, 9)}}, "taken as they are"),
        ({"embed_dim": 20}, "embed-dim must be a multiple of 8 and of the 8 heads; got 20"),
        ({"family": "qkformer", "unsaid": {"pooling": "1100"}}, "A qkformer has no --pooling"),
        ({"family": "vgg"}, "vgg"),
        ({"variant": "cifar"}, "A spikformer has no --variant; leave it out"),
        ({"family": "maxformer", "variant": "mnist"}, "variant must be one of cifar, imagenet, got 'mnist'"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(data: DataSet, sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(PrimeSVTError, match=message):
        new(**sizes).of(data)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"embed_dim": 0}, "embed-dim must be at least 1, got 0"),
        ({"channels": 2}, "channels must be 1 or 3, got 2"),
        ({"unsaid": {"heads": (2, 4)}}, "heads of a new model is one number"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(PrimeSVTError, match=message):
        new(**sizes)


def test_a_model_that_is_trained_on_stays_as_it_is_but_for_its_time_steps(make_model) -> None:
    model = make_model()
    config = config_of(model)
    assert NewModel().again(config) == config
    assert new(config.family, unsaid={"time_steps": 7}).again(config).time_steps == 7
    with pytest.raises(PrimeSVTError, match="not a maxformer; leave --family out"):
        new("maxformer").again(config)
    for sizes, flag in (({"embed_dim": 8}, "--embed-dim"), ({"unsaid": {"mean": (0.5,)}}, "--mean")):
        with pytest.raises(PrimeSVTError, match=f"{flag} is that of --init; leave it out"):
            new(None, **sizes).again(config)
