"""Event sequences in files of their own, as SpikingJelly writes them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from primesvt.models import PrimeSVTError, open_data


def write(directory: Path, count: int, dtype: type = np.float32, steps: int = 4) -> None:
    rng = np.random.default_rng(len(str(directory)))
    for name in ("airplane", "cat"):
        (directory / name).mkdir(parents=True)
        for i in range(count):
            np.savez(directory / name / f"{i}.npz", frames=rng.integers(0, 5, (steps, 2, 6, 5)).astype(dtype))


def test_class_folders_alone(tmp_path: Path) -> None:
    """CIFAR10-DVS has no train and test."""
    write(tmp_path, 20)
    data = open_data(tmp_path)
    assert data.classes == ("airplane", "cat")
    assert len(data.test) == 4
    assert (data.test.source.frame, data.test.source.steps) == ((2, 6, 5), 4)
    batch = data.test.source.read(np.array([0, 3]))
    expected = [np.load(data.test.source.files[i])["frames"] for i in (0, 3)]
    assert torch.equal(batch, torch.from_numpy(np.stack(expected, axis=1)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float64])
def test_parts_and_types(tmp_path: Path, dtype: type) -> None:
    """DVS128 Gesture has train and test."""
    write(tmp_path / "train", 12, dtype)
    write(tmp_path / "test", 3, dtype)
    data = open_data(tmp_path)
    assert (len(data.fit) + len(data.calibration) + len(data.selection), len(data.test)) == (24, 6)
    assert data.fit.source.read(np.arange(2)).dtype == torch.float32


def test_another_number_of_frames_is_named(tmp_path: Path) -> None:
    write(tmp_path / "train", 12)
    write(tmp_path / "test", 3, steps=5)
    with pytest.raises(PrimeSVTError, match=r"test/airplane/0\.npz: frames are \[5, 2, 6, 5\], but .* \[4, 2, 6, 5\]"):
        open_data(tmp_path).test.source.read(np.arange(1))


def test_damage_is_named(tmp_path: Path) -> None:
    write(tmp_path, 20)
    data = open_data(tmp_path)
    files = data.fit.source.files
    files[0].write_bytes(b"no archive")
    np.savez(files[1], other=np.zeros(3))
    np.savez(files[2], frames=np.zeros((4, 2)))
    np.savez(files[3], frames=np.full((4, 2, 6, 5), np.inf))
    for i, message in enumerate(
        ("it is no .npz file", "holds no frames .* but other. Events must be", r"\[T, C, H, W\]", "NaN or infinity")
    ):
        with pytest.raises(PrimeSVTError, match=message) as error:
            data.fit.source.read(np.array([i]))
        assert str(files[i]) in str(error.value)


def test_a_digest_that_knows_the_content(tmp_path: Path) -> None:
    write(tmp_path, 20)
    before = open_data(tmp_path)
    fit, test = before.fit.fingerprint, before.test.fingerprint
    file = before.test.source.files[0]
    np.savez(file, frames=np.load(file)["frames"] + 1)
    after = open_data(tmp_path)
    assert after.fit.fingerprint == fit
    assert after.test.fingerprint != test
