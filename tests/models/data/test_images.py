"""Images in arrays and files: how they are decoded, scaled and told apart."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from primesvt.models import ArrayImages, PrimeSVTError, Resizing
from primesvt.models.data.images import FileImages


def test_grey_arrays() -> None:
    array = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4) * 10
    images = ArrayImages(array)
    assert images.frame == (1, 3, 4)
    assert len(images) == 2
    batch = images.read(np.array([1, 0, 1]))
    assert batch.shape == (3, 1, 3, 4)
    assert batch.dtype == torch.float32
    torch.testing.assert_close(batch[1, 0], torch.from_numpy(array[0]) / 255)


def test_colour_arrays() -> None:
    array = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
    images = ArrayImages(array)
    assert images.frame == (3, 5, 4)
    batch = images.read(np.array([1]))
    assert batch.shape == (1, 3, 5, 4)
    assert batch.is_contiguous()
    assert batch[0, 2, 4, 1].item() == pytest.approx(array[1, 4, 1, 2] / 255)


def test_event_arrays() -> None:
    array = np.random.default_rng(0).random((6, 4, 2, 5, 3), dtype=np.float32)
    images = ArrayImages(array)
    assert images.frame == (2, 5, 3)
    batch = images.read(np.array([5, 2]))
    assert batch.shape == (4, 2, 2, 5, 3)
    assert torch.equal(batch[3, 1], torch.from_numpy(array[2, 3]))
    array[2, 0, 0, 0, 0] = np.nan
    images.read(np.array([1, 3]))
    with pytest.raises(PrimeSVTError, match="event sequences hold NaN"):
        images.read(np.array([2]))


def test_reading_copies() -> None:
    array = np.zeros((2, 3, 3), dtype=np.uint8)
    array.flags.writeable = False
    ArrayImages(array).read(np.array([0])).fill_(1)
    assert not array.any()


def test_the_digest_of_a_large_array_looks_at_images_all_over_it(monkeypatch) -> None:
    monkeypatch.setattr("primesvt.models.data.images._HASHED_BYTES", 100)
    array = np.zeros((50, 3, 3), dtype=np.uint8)
    before = ArrayImages(array).digest()
    array[49, 0, 0] = 1
    assert ArrayImages(array).digest() != before
    assert ArrayImages(array.reshape(50, 9, 1)).digest() != ArrayImages(array).digest()


def save(file: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(file)
    return file


def read(file: Path, frame: tuple[int, int, int]) -> torch.Tensor:
    batch = FileImages((file,), frame).read(np.array([0]))
    assert batch.shape == (1, *frame)
    return batch[0]


def test_files_of_the_right_size_are_read_as_they_are(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    tensor = read(save(tmp_path / "a.png", pixels), (3, 6, 4))
    torch.testing.assert_close(tensor, torch.from_numpy(pixels).permute(2, 0, 1) / 255)


def test_every_kind_of_image_is_brought_to_the_channels(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (6, 6), dtype=np.uint8)
    colour = np.stack([grey, grey, grey], -1)
    opaque = np.concatenate([colour, np.full((6, 6, 1), 255, np.uint8)], -1)
    files = [
        save(tmp_path / "grey.png", grey),
        save(tmp_path / "colour.png", colour),
        save(tmp_path / "rgba.png", opaque),
        save(tmp_path / "grey-alpha.png", opaque[..., 2:]),
        save(tmp_path / "deep.png", grey.astype(np.uint16) * 257),
    ]
    Image.fromarray(colour).quantize(256).save(tmp_path / "palette.png")
    for file in (*files, tmp_path / "palette.png"):
        for channels in (1, 3):
            expected = torch.from_numpy(grey).expand(channels, -1, -1) / 255
            torch.testing.assert_close(read(file, (channels, 6, 6)), expected, atol=1.01 / 255, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(12, 8), (8, 12), (4, 4), (100, 7), (1, 1), (1, 50), (7, 9)])
@pytest.mark.parametrize("frame", [(3, 8, 8), (1, 5, 9)])
def test_other_sizes_are_scaled_and_cut(tmp_path: Path, height: int, width: int, frame) -> None:
    file = save(tmp_path / "a.png", np.full((height, width, 3), 120, dtype=np.uint8))
    torch.testing.assert_close(read(file, frame), torch.full(frame, 120 / 255))


def test_the_middle_is_kept(tmp_path: Path) -> None:
    pixels = np.zeros((8, 24), dtype=np.uint8)
    pixels[:, 8:16] = 255
    assert read(save(tmp_path / "a.png", pixels), (1, 8, 8)).mean() > 0.99


def noise(file: Path, height: int, width: int) -> Path:
    return save(file, np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def resized(file: Path, frame: tuple[int, int, int], resizing: Resizing) -> torch.Tensor:
    pixels = np.empty((1, *frame), np.float32)
    FileImages((file,), frame).decode(np.array([0]), resizing, pixels)
    return torch.from_numpy(pixels[0])


SIZES = [(37, 50), (50, 37), (28, 28), (32, 41), (9, 100), (5, 4)]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("fraction", [0.875, 0.95, 1.0])
def test_the_pixels_are_those_of_torchvision(tmp_path: Path, fraction: float, interpolation: str) -> None:
    """Of its evaluation transform, which timm 1.0.31 composes in the same way: that was compared, too."""
    from torchvision import transforms

    transform = transforms.Compose(
        [
            transforms.Resize(int(28 / fraction), transforms.InterpolationMode(interpolation)),
            transforms.CenterCrop(28),
            transforms.ToTensor(),
        ]
    )
    for height, width in SIZES:
        file = noise(tmp_path / f"{height}x{width}.png", height, width)
        for channels, mode in ((3, "RGB"), (1, "L")):
            expected = transform(Image.open(file).convert(mode))
            assert torch.equal(resized(file, (channels, 28, 28), Resizing(fraction, interpolation)), expected)


@pytest.mark.parametrize("frame", [(3, 28, 28), (1, 20, 33)])
def test_what_says_nothing_is_resized_as_in_version_0_1(tmp_path: Path, frame: tuple[int, int, int]) -> None:
    from torchvision.transforms import functional as transforms

    channels, height, width = frame
    for own_height, own_width in SIZES:
        file = noise(tmp_path / f"{own_height}x{own_width}.png", own_height, own_width)
        pixels = Image.open(file).convert("L" if channels == 1 else "RGB")
        scale = max(height / own_height, width / own_width)
        size = [max(height, round(own_height * scale)), max(width, round(own_width * scale))]
        expected = transforms.to_tensor(transforms.center_crop(transforms.resize(pixels, size), [height, width]))
        assert torch.equal(read(file, frame), expected)
        assert torch.equal(resized(file, frame, Resizing()), expected)


def test_every_grey_is_divided_as_pytorch_does(tmp_path: Path) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = torch.from_numpy(grey).float().div(255)
    assert torch.equal(read(save(tmp_path / "a.png", grey), (1, 16, 16))[0], expected)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n", "truncated", "flipped"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes | str) -> None:
    whole = save(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    if content == "truncated":
        content = whole.read_bytes()[:2000]
    elif content == "flipped":
        content = bytearray(whole.read_bytes())
        content[60:400] = np.random.default_rng(1).bytes(340)
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(PrimeSVTError, match=r"Cannot read the image .*bad\.png"):
        read(tmp_path / "bad.png", (3, 64, 64))


def test_an_image_too_large_to_be_true_is_refused(tmp_path: Path, monkeypatch) -> None:
    file = save(tmp_path / "bomb.png", np.zeros((64, 64), dtype=np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(PrimeSVTError, match=r"Cannot read the image .*bomb\.png: Image size"):
        read(file, (1, 8, 8))


def test_pixels_without_a_known_range_are_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "float.tiff", np.zeros((8, 8), dtype=np.float32))
    with pytest.raises(PrimeSVTError, match=r"float\.tiff: its pixels have mode F, expected 8 or 16 bits"):
        read(file, (1, 8, 8))


def test_a_file_that_went_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(PrimeSVTError, match=r"Cannot read the image .*gone\.png"):
        read(tmp_path / "gone.png", (1, 8, 8))


def test_the_digest_of_files(tmp_path: Path) -> None:
    file = save(tmp_path / "a.png", np.zeros((8, 8), dtype=np.uint8))
    before = FileImages((file,), (1, 8, 8)).digest()
    assert FileImages((file,), (1, 8, 8)).digest() == before
    assert FileImages((file,), (3, 8, 8)).digest() != before
    save(file, np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8))
    assert FileImages((file,), (1, 8, 8)).digest() != before
