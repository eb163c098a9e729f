"""Augmentation: mirrored, moved and blanked images, and nothing else."""

from typing import Any

import torch

from primesvt.models.data.augmentation import augment


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def change(images: torch.Tensor, generator: torch.Generator, **changes: Any) -> torch.Tensor:
    return augment(images, generator, **{"flip": False, "shift": 0, "erase": 0.0, **changes})


def test_augmentation_may_do_nothing() -> None:
    images = torch.rand(4, 2, 5, 6)
    assert torch.equal(change(images, draw()), images)


def test_flipping() -> None:
    images = torch.rand(64, 1, 3, 4)
    flipped = change(images, draw(), flip=True)
    same = (flipped == images).flatten(1).all(1)
    mirrored = (flipped == images.flip(-1)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 16 < same.sum() < 48


def test_shifting() -> None:
    images = torch.rand(40, 2, 6, 7)
    shifted = change(images, draw(), shift=2)
    moves = set()
    for image, moved in zip(images, shifted, strict=True):
        padded = torch.nn.functional.pad(image.unsqueeze(0), (2, 2, 2, 2), mode="replicate")[0]
        found = [(y, x) for y in range(5) for x in range(5) if torch.equal(padded[:, y : y + 6, x : x + 7], moved)]
        assert len(found) == 1
        moves.update(found)
    assert len(moves) > 15


def test_erasing() -> None:
    images = torch.ones(200, 3, 16, 16)
    erased = change(images, draw(), erase=0.5)
    assert set(erased.unique().tolist()) == {0.0, 1.0}
    blank = erased == 0
    assert torch.equal(blank[:, 0], blank[:, 2])
    touched = blank.flatten(1).any(1)
    assert 60 < touched.sum() < 140
    # A rectangle: the blank rows and the blank columns span all that is blank.
    area = blank[:, 0].any(1).sum(1) * blank[:, 0].any(2).sum(1)
    assert torch.equal(area, blank[:, 0].flatten(1).sum(1))
    assert blank[touched].float().mean() < 0.2


def test_frames_of_a_sequence_are_changed_alike() -> None:
    images = torch.rand(20, 2, 6, 7)
    sequence = torch.stack([images, images * 0.5, images * 0.25])
    changes = {"flip": True, "shift": 2, "erase": 0.5}
    changed = change(sequence, draw(3), **changes)
    assert changed.shape == sequence.shape
    for frame, factor in zip(changed, (1, 0.5, 0.25), strict=True):
        torch.testing.assert_close(frame, change(images, draw(3), **changes) * factor)
