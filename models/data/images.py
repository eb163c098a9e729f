"""Images in an array, in memory or memory-mapped, and images in files."""

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..errors import PrimeSVTError
from ..families.resizing import Resizing

_PLAIN = Resizing()
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
# Arrays up to this size are hashed whole, which takes a fraction of a second.
_HASHED_BYTES = 2**28
_HASHED_IMAGES = 4_096


@dataclass(frozen=True)
class ArrayImages:
    """Images in one array, in memory or memory-mapped.

    Args:
        array: Images ``[N, H, W]`` or ``[N, H, W, C]``, uint8 or floating point in [0, 1], or event sequences
            ``[N, T, C, H, W]`` of any real type.
    """

    array: np.ndarray = field(repr=False)

    @property
    def frame(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        shape = self.array.shape
        if self.array.ndim == 5:
            return (shape[2], shape[3], shape[4])
        return (shape[3] if self.array.ndim == 4 else 1, shape[1], shape[2])

    @property
    def steps(self) -> int | None:
        """Frames of an event sequence; None for static images."""
        return self.array.shape[1] if self.array.ndim == 5 else None

    def __len__(self) -> int:
        return len(self.array)

    def read(self, indices: np.ndarray) -> torch.Tensor:
        """Images ``[N, C, H, W]`` in [0, 1], or event sequences ``[T, N, C, H, W]``.

        Raises:
            PrimeSVTError: An event sequence holds NaN or infinity, or floating point pixels are not in [0, 1].
        """
        # Plain slices of a memory-mapped file are read in one piece.
        pixels = np.array(self.array[indices])
        batch = torch.from_numpy(pixels.astype(np.float32, copy=False))
        if batch.ndim == 5:
            if not torch.isfinite(batch).all():
                raise PrimeSVTError("The event sequences hold NaN or infinity.")
            return batch.transpose(0, 1).contiguous()
        if pixels.dtype == np.uint8:
            batch = batch.div(255)
        else:
            check_pixels(batch.numpy(), "The array of images")
        return (batch.unsqueeze(1) if batch.ndim == 3 else batch.permute(0, 3, 1, 2)).contiguous()

    def digest(self) -> str:
        """Shape, and a hash of all bytes; of 4,096 images spread over an array that is too large for that."""
        sample = self.array
        if sample.nbytes > _HASHED_BYTES:
            sample = sample[spread(len(sample))]
        sample = np.ascontiguousarray(sample)
        return f"{self.array.shape}{self.array.dtype}{hashlib.sha256(sample.data).hexdigest()}"


@dataclass(frozen=True)
class FileImages:
    """Image files, decoded when they are read; each is scaled, and the middle cut out.

    Args:
        files: The files.
        frame: Channels (1 or 3), height and width they are brought to.
    """

    files: tuple[Path, ...] = field(repr=False)
    frame: tuple[int, int, int]
    steps: None = field(default=None, init=False)

    def __len__(self) -> int:
        return len(self.files)

    def read(self, indices: np.ndarray) -> torch.Tensor:
        """Images ``[N, C, H, W]`` in [0, 1], resized as version 0.1 did.

        Raises:
            PrimeSVTError: A file is damaged.
        """
        pixels = np.empty((len(indices), *self.frame), np.float32)
        self.decode(indices, _PLAIN, pixels)
        return torch.from_numpy(pixels)

    def decode(self, indices: np.ndarray, resizing: Resizing, pixels: np.ndarray) -> None:
        """Write images in [0, 1] into an array, float32 ``[N, C, H, W]``.

        Pillow decodes and scales without holding Python's lock, so several threads do so at the same time.

        Args:
            indices: Which.
            resizing: How they are brought to the frame.
            pixels: Filled.

        Raises:
            PrimeSVTError: A file is damaged.
        """
        for i, index in enumerate(indices):
            image = np.asarray(self._image(self.files[index], resizing))
            pixels[i] = image if image.ndim == 2 else image.transpose(2, 0, 1)
        pixels /= np.float32(255)

    def _image(self, file: Path, resizing: Resizing) -> Image.Image:
        """The image in 8 bits, in the size and with the channels of the frame."""
        channels, height, width = self.frame
        mode = "L" if channels == 1 else "RGB"
        try:
            with Image.open(file) as opened:
                image = _eight_bits(opened)
                # Converting an image to what it is would copy it; loading it is enough.
                image.load()
                image = image if image.mode == mode else image.convert(mode)
        except Exception as error:  # Pillow raises whatever the damaged bytes lead to
            raise PrimeSVTError(f"Cannot read the image {file}: {error}.") from error
        scaled = resizing.scaled((image.height, image.width), (height, width))
        if scaled != (image.height, image.width):
            image = image.resize(scaled[::-1], _FILTERS[resizing.interpolation])
        # As torchvision.transforms.functional.center_crop.
        top, left = round((image.height - height) / 2), round((image.width - width) / 2)
        return image.crop((left, top, left + width, top + height))

    def digest(self) -> str:
        """Names and sizes of the files, a hash of 4,096 of them spread over all, and the frame."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        return f"{self.frame}{digest_of_files(self.files)}"


@dataclass(frozen=True)
class FrameFiles:
    """Event sequences in files of their own, as SpikingJelly integrates events: ``frames`` ``[T, C, H, W]`` in each.

    Args:
        files: The ``.npz`` files.
        steps: Frames of every sequence.
        frame: Channels, height and width.
    """

    files: tuple[Path, ...] = field(repr=False)
    steps: int
    frame: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.files)

    def read(self, indices: np.ndarray) -> torch.Tensor:
        """Event sequences ``[T, N, C, H, W]``.

        Raises:
            PrimeSVTError: A file is damaged, or of another shape than the first.
        """
        return torch.stack([self._sequence(self.files[i]) for i in indices], dim=1)

    def _sequence(self, file: Path) -> torch.Tensor:
        frames = read_frames(file)
        if frames.shape != (self.steps, *self.frame):
            raise PrimeSVTError(
                f"{file}: frames are {list(frames.shape)}, but those of the first file {[self.steps, *self.frame]}. "
                "Integrate all events into the same number of frames."
            )
        sequence = torch.from_numpy(frames.astype(np.float32))
        if not torch.isfinite(sequence).all():
            raise PrimeSVTError(f"{file}: frames hold NaN or infinity.")
        return sequence

    def digest(self) -> str:
        """Names and sizes of the files, a hash of 4,096 of them spread over all, and the shape."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        return f"{self.steps}{self.frame}{digest_of_files(self.files)}"


def read_frames(file: Path) -> np.ndarray:
    """``frames`` ``[T, C, H, W]`` of an ``.npz`` file, of any real type.

    Raises:
        PrimeSVTError: The file is damaged, or holds something else.
    """
    try:
        if not zipfile.is_zipfile(file):
            # Numpy would take it for a pickle, and say how to run it.
            raise ValueError("it is no .npz file")
        with np.load(file, allow_pickle=False) as arrays:
            names = arrays.files
            frames: np.ndarray | None = arrays["frames"] if "frames" in names else None
    except Exception as error:  # zipfile, its decompressors and numpy raise whatever the damaged bytes lead to
        raise PrimeSVTError(f"Cannot read the event frames {file}: {str(error).rstrip('.')}.") from error
    if frames is None:
        raise PrimeSVTError(
            f"{file} holds no frames [T, C, H, W], but {', '.join(sorted(names)[:8]) or 'nothing'}. Events must be "
            'integrated into frames first, such as by SpikingJelly (data_type="frame").'
        )
    if frames.ndim != 4 or frames.dtype.kind not in "uif" or 0 in frames.shape:
        raise PrimeSVTError(f"{file}: frames must be numbers [T, C, H, W], got {frames.dtype} {list(frames.shape)}.")
    return frames


# What to do about pixels that are not in [0, 1]: where none is below 0, and where some are.
_TO_UNIT = ("Divide them by their largest value", "Scale them from their smallest and largest value to 0 and 1")


def check_pixels(pixels: np.ndarray, what: str) -> None:
    """Refuse floating point pixels that are not in [0, 1].

    Args:
        pixels: Some or all of them.
        what: They belong to, for the message.

    Raises:
        PrimeSVTError: One is outside, or no number.
    """
    if np.isnan(pixels).any():
        raise PrimeSVTError(f"{what} holds pixels that are no numbers (NaN); repair or leave out those images.")
    if not ((pixels >= 0) & (pixels <= 1)).all():
        raise PrimeSVTError(
            f"{what} is {pixels.dtype}, so its pixels must lie in [0, 1]; got {pixels.min():g} to {pixels.max():g}. "
            f"{_TO_UNIT[bool(pixels.min() < 0)]}, or store them as uint8."
        )


def digest_of_files(files: Sequence[Path]) -> str:
    """Names and sizes of all files, and the content of 4,096 of them spread over all, as a hash."""
    hashed = hashlib.sha256()
    for file in files:
        hashed.update(f"{file.parent.name}/{file.name}:{file.stat().st_size}\n".encode())
    for i in spread(len(files)):
        hashed.update(files[i].read_bytes())
    return hashed.hexdigest()


def spread(count: int, most: int = _HASHED_IMAGES) -> np.ndarray:
    """Which of ``count`` images are looked at where not all are: evenly spread over them, int64."""
    return np.linspace(0, count - 1, min(most, count)).astype(np.int64)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Pillow cuts 16-bit grey values off at 255 when it converts them; they are scaled instead."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels have mode {image.mode}, expected 8 or 16 bits per channel")
    return image
