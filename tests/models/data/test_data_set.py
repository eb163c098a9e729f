"""The four sets: disjoint, always the same, and refused where they do not fit a model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from primesvt.models import ArrayImages, DataSet, ImageSet, ModelConfig, PrimeSVTError
from primesvt.models.data.data_set import split, split_sizes

from ...conftest import noisy_data, small_config


def source(count: int, size: int = 8, fill: int | None = None) -> ArrayImages:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size), dtype=np.uint8)
    return ArrayImages(images if fill is None else np.full_like(images, fill))


def labels(count: int, classes: int = 3) -> np.ndarray:
    return np.arange(count, dtype=np.int64) % classes


def make(train: int = 48, test: int = 6, classes: tuple[str, ...] = ("a", "b", "c"), **options: bool) -> DataSet:
    parts = ((source(count), labels(count, len(classes))) for count in (train, test))
    return split("toy", classes, *parts, **options)


def test_the_parts_are_disjoint_and_complete() -> None:
    data = make(240)
    parts = [data.selection.indices, data.calibration.indices, data.fit.indices]
    assert [len(part) for part in parts] == [80, 20, 140]
    assert sorted(np.concatenate(parts)) == list(range(240))
    assert sorted(data.test.indices) == list(range(6))
    assert data.fit.source is data.selection.source is not data.test.source


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (24, (8, 2)),
        (240, (80, 20)),
        (12_000, (4_000, 1_000)),
        (60_000, (4_000, 1_000)),
        (90_000, (6_000, 1_000)),
        (1_281_167, (10_000, 1_000)),
    ],
)
def test_the_sizes(count: int, sizes: tuple[int, int]) -> None:
    assert split_sizes(count) == sizes


@given(st.integers(24, 10**7))
def test_every_part_has_images(count: int) -> None:
    selection, calibration = split_sizes(count)
    assert selection >= 8
    assert calibration >= 2
    assert count - selection - calibration >= count // 2


def test_the_rule_is_frozen() -> None:
    """The same images play the same role in every version: these numbers must never change."""
    assert make(48).selection.indices[:6].tolist() == np.random.RandomState(0).permutation(48)[:6].tolist()
    assert make(48).selection.indices[:6].tolist() == [29, 4, 26, 30, 32, 37]
    assert make(48, shuffled=True).selection.indices.tolist() == list(range(16))


def test_a_sample_drawn_in_that_order_selects_the_same_images() -> None:
    """The first fifth of the permuted training set, as the embedded sample is of Fashion-MNIST."""
    full = split_sizes(60_000)
    assert full == split_sizes(12_000)
    order = np.random.RandomState(0).permutation(60)
    pixels, truth = source(60), labels(60)
    sample = split(
        "sample",
        ("a", "b", "c"),
        (ArrayImages(pixels.array[order[:30]]), truth[order[:30]]),
        (source(3), labels(3)),
        shuffled=True,
    )
    whole = split("whole", ("a", "b", "c"), (pixels, truth), (source(3), labels(3)))
    first = min(len(sample.selection), len(whole.selection))
    assert torch.equal(
        sample.selection.source.read(sample.selection.indices[:first]),
        whole.selection.source.read(whole.selection.indices[:first]),
    )


def test_roles() -> None:
    data = make()
    for role in ("fit", "calibration", "selection", "test"):
        assert data.role(role).role == role
    assert data.classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ((source(24), labels(24)), (source(0), labels(0)), "toy: needs at least one test image, got none"),
        ((source(24), labels(23)), (source(3), labels(3)), "toy: 24 training images but 23 labels"),
        ((source(24), labels(24)), (source(3), labels(4)), "toy: 3 test images but 4 labels"),
        ((source(24), labels(24, 4)), (source(3), labels(3)), "training labels must be 0 to 2, got 0 to 3"),
        ((source(24), labels(24)), (source(3), labels(3) - 1), "test labels must be 0 to 2, got -1 to 1"),
    ],
)
def test_parts_that_make_no_data_set(train, test, message: str) -> None:
    with pytest.raises(PrimeSVTError, match=message):
        split("toy", ("a", "b", "c"), train, test)


@pytest.mark.parametrize("count", [0, 23])
def test_few_training_images_are_no_reason_not_to_test(count: int) -> None:
    data = split("toy", ("a", "b", "c"), (source(count), labels(count)), (source(3), labels(3)))
    assert [len(data.role(role)) for role in ("fit", "calibration", "selection", "test")] == [0, 0, 0, 3]
    few = f"toy has {count} training images, and fewer than 24 are too few to be cut into parts"
    assert data.notes == (
        f"{few}: it serves evaluate, and with --selection-from-test a search without calibration; training needs them.",
    )
    assert data.fit.lacking == few
    # A validation part is the selection set all the same.
    train, test, validation = ((source(n), labels(n)) for n in (count, 3, 4))
    chosen = split("toy", ("a", "b", "c"), train, test, validation=validation)
    assert (len(chosen.selection), len(chosen.fit), chosen.notes) == (4, 0, ())


@pytest.mark.parametrize("classes", [("a",), (), ("a", "a"), ("a", "b", "a")])
def test_classes_have_different_names(classes: tuple[str, ...]) -> None:
    with pytest.raises(PrimeSVTError, match="at least two classes with different names"):
        split("toy", classes, (source(24), labels(24, 1)), (source(3), labels(3, 1)))


def test_the_first_images() -> None:
    fit = make().fit
    assert fit.first(None) is fit
    assert fit.first(5).indices.tolist() == fit.indices[:5].tolist()
    assert len(fit.first(10**6)) == len(fit)
    for limit in (0, -1):
        with pytest.raises(PrimeSVTError, match=f"number of images must be at least 1, got {limit}"):
            fit.first(limit)


def config_for(classes: tuple[str, ...] = ("a", "b", "c"), **changes: object) -> ModelConfig:
    return replace(small_config("spikformer"), classes=classes, **changes)


def test_images_are_normalised() -> None:
    images = ImageSet("fit", source(4, fill=51), labels(4), np.arange(4), ("a", "b", "c"))
    batch, truth = images.read(config_for(mean=(0.1,), std=(0.5,)), np.array([3, 1]))
    assert batch.shape == (2, 1, 8, 8)
    torch.testing.assert_close(batch, torch.full((2, 1, 8, 8), (0.2 - 0.1) / 0.5))
    assert truth.tolist() == [0, 1]
    assert truth.dtype == torch.int64


def test_every_channel_has_its_own_normalisation() -> None:
    array = np.zeros((2, 8, 8, 2), dtype=np.uint8) + np.array([0, 255], dtype=np.uint8)
    images = ImageSet("fit", ArrayImages(array), labels(2), np.arange(2), ("a", "b", "c"))
    config = config_for(in_channels=2, mean=(0.5, 0.0), std=(1.0, 2.0))
    batch, _ = images.read(config, np.arange(2))
    assert batch[0, :, 0, 0].tolist() == [-0.5, 0.5]


def test_batches_follow_the_order_of_the_set() -> None:
    data = make()
    config = config_for()
    batches = list(data.selection.batches(config, 7))
    assert [len(truth) for _, truth in batches] == [7, 7, 2]
    assert torch.cat([truth for _, truth in batches]).tolist() == (data.selection.indices % 3).tolist()
    together = torch.cat([images for images, _ in batches])
    assert torch.equal(together, data.selection.read(config, data.selection.indices)[0])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (config_for(image_size=(8, 9)), "The images are 8x8 pixels with 1 channel, but the model reads 8x9 pixels"),
        (config_for(in_channels=3, mean=(0.0,) * 3, std=(1.0,) * 3), "but the model reads 8x8 pixels with 3 channels"),
        (config_for(("a", "b")), "The data has 3 classes, but the model tells 2 apart"),
        (config_for(("a", "b", "d")), "classes that the model does not know: c; the model knows d instead"),
        (config_for(("x", "y", "z")), "does not know: a, b, c; the model knows x, y, z instead"),
    ],
)
def test_data_that_does_not_fit_a_model(config: ModelConfig, message: str) -> None:
    with pytest.raises(PrimeSVTError, match=message):
        make().selection.check(config)


def test_an_empty_set_is_refused() -> None:
    empty = ImageSet("calibration", source(3), labels(3), np.arange(0), ("a", "b", "c"))
    with pytest.raises(PrimeSVTError, match="The calibration set is empty"):
        empty.check(config_for())


@pytest.mark.parametrize(
    ("data", "model", "expected"),
    [
        (("a", "b", "c"), ("a", "b", "c"), [0, 1, 2]),
        (("a", "b", "c"), ("b", "c", "a"), [2, 0, 1]),
        (("c", "a", "b"), ("a", "b", "c"), [2, 0, 1]),
        (("0", "2", "1"), ("0", "1", "2"), [0, 2, 1]),
        (("a", "b", "c"), ("0", "1", "2"), [0, 1, 2]),
        (("0", "1", "2"), ("a", "b", "c"), [0, 1, 2]),
        (("1", "2", "3"), ("0", "1", "2"), [0, 1, 2]),
    ],
)
def test_classes_of_the_same_name_are_the_same(
    data: tuple[str, ...], model: tuple[str, ...], expected: list[int]
) -> None:
    """Labels come out in the order of the model's logits; names that are just numbers say nothing."""
    images = make(classes=data).test
    config = config_for(model)
    images.check(config)
    assert images.read(config, np.arange(3))[1].tolist() == expected
    in_order = [truth for _, batch in images.batches(config, 3) for truth in batch.tolist()]
    assert in_order == [expected[images.labels[i]] for i in images.indices]


def test_the_first_images_of_sorted_classes_are_of_all_classes() -> None:
    source = ArrayImages(np.zeros((300, 2, 2), np.uint8))
    labels = np.repeat(np.arange(3), 100)
    data = split("d", ("a", "b", "c"), (source, labels), (source, labels))
    for part in (data.test, data.selection, data.fit):
        assert np.bincount(part.labels[part.first(60).indices], minlength=3).min() >= 10


def test_the_fingerprint_tells_sets_apart() -> None:
    base = noisy_data()
    assert noisy_data().selection.fingerprint == base.selection.fingerprint
    others = [
        base.fit,
        base.selection.first(5),
        noisy_data(seed=1).selection,
        replace(base.selection, role="test"),
        replace(base.selection, classes=("b", "a", "c")),
        replace(base.selection, labels=base.selection.labels[::-1].copy()),
        replace(base.selection, indices=base.selection.indices[::-1].copy()),
    ]
    prints = {images.fingerprint for images in others}
    assert len(prints) == len(others)
    assert base.selection.fingerprint not in prints


def test_the_fingerprint_sees_one_pixel_of_one_image() -> None:
    pixels = np.zeros((500, 8, 8), dtype=np.uint8)
    base = ImageSet("selection", ArrayImages(pixels), labels(500), np.arange(500), ("a", "b", "c"))
    for i in (0, 3, 250, 499):
        changed = pixels.copy()
        changed[i, 4, 4] = 1
        assert replace(base, source=ArrayImages(changed)).fingerprint != base.fingerprint
