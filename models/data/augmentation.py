"""Light augmentation of training images: mirrored, moved, and with a rectangle blanked."""

import torch


def augment(images: torch.Tensor, generator: torch.Generator, *, flip: bool, shift: int, erase: float) -> torch.Tensor:
    """Mirror, shift and erase images ``[N, C, H, W]`` or event sequences ``[T, N, C, H, W]``, the same over T.

    Args:
        images: The images; they are not changed.
        generator: Of the random draws.
        flip: Whether images are mirrored at random.
        shift: Images are moved by up to this many pixels in each direction.
        erase: Probability that a random rectangle of an image is blanked.
    """
    count, height, width = images.shape[-4], *images.shape[-2:]
    if flip:
        mirrored = torch.rand(count, generator=generator) < 0.5
        images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(-1), images)
    if shift:
        images = _shift(images, shift, generator)
    if erase:
        erased = torch.rand(count, generator=generator) < erase
        size = torch.rand(2, count, generator=generator) * 0.3 + 0.1
        middle = torch.rand(2, count, generator=generator)
        rows, columns = (
            ((torch.arange(length) / length - middle[i].unsqueeze(1)).abs() < size[i].unsqueeze(1) / 2)
            for i, length in enumerate((height, width))
        )
        blank = erased.view(-1, 1, 1) & rows.unsqueeze(2) & columns.unsqueeze(1)
        images = images.masked_fill(blank.unsqueeze(1), 0.0)
    return images


def _shift(images: torch.Tensor, limit: int, generator: torch.Generator) -> torch.Tensor:
    """Move every image by whole pixels; what comes in from outside repeats the border."""
    count, height, width = images.shape[-4], *images.shape[-2:]
    moves = torch.randint(-limit, limit + 1, (2, count), generator=generator)
    rows = (torch.arange(height) + moves[0].unsqueeze(1)).clamp(0, height - 1)
    columns = (torch.arange(width) + moves[1].unsqueeze(1)).clamp(0, width - 1)
    # Advanced indices are apart, so numpy's rule puts N, H, W first and C last, and T is looped over.
    picked = torch.arange(count).view(-1, 1, 1)
    frames = [
        frame[picked, :, rows.unsqueeze(2), columns.unsqueeze(1)].movedim(-1, 1)
        for frame in (images if images.ndim == 5 else images.unsqueeze(0))
    ]
    return torch.stack(frames) if images.ndim == 5 else frames[0]
