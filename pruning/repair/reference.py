"""What the unpruned model says on the calibration images: recorded once, and aimed at by the repair of every plan."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import torch
from torch import nn

from primesvt.models import Backend, ConvBN, StreamIndex, batch_size_of, build, config_of

from ..calibration import Calibration
from ..hooks import Hooks
from ..rows import positions, sampled
from .twin import dtype_of, placed, precise_twin_of

# Numbers of the largest activation of all images of one pass, 2 GB in float64: a few such are alive at a time.
_LARGEST = 2**28


@dataclass(frozen=True)
class Signal:
    """A tensor ``[T, N, C, H, W]``, by some of its rows and by the mean of all.

    Args:
        rows: Its values at a layer's positions, ``[N, r, C]``.
        mean: Of every channel, float64 ``[C]``.
    """

    rows: torch.Tensor
    mean: torch.Tensor

    def __getitem__(self, channels: torch.Tensor) -> "Signal":
        return Signal(self.rows[..., channels], self.mean[channels])


@dataclass(frozen=True)
class Layer:
    """A convolution of the original.

    Args:
        norms: The BatchNorms that its output goes through, in their order; none where something else comes first.
        where: The positions of its rows, ``[N, r]``.
        output: What it writes, before BatchNorm.
        index: The index by which the last of ``norms`` is added into a stream with nothing in between, or None.
        stream: What is in the stream then, or None.
    """

    norms: tuple[str, ...]
    where: torch.Tensor
    output: Signal
    index: str | None
    stream: Signal | None


@dataclass(frozen=True)
class Recording:
    """All of what is aimed at: by name of the module, and the logits ``[N, classes]``.

    Args:
        layers: The convolutions, in the order of the forward pass.
        classifiers: The outputs of the linear layers, averaged over the time steps, ``[N, classes]``.
        logits: The model's answers.
    """

    layers: Mapping[str, Layer]
    classifiers: Mapping[str, torch.Tensor]
    logits: torch.Tensor


@dataclass(frozen=True)
class Reference:
    """The unpruned model and the images on which its versions are repaired.

    Args:
        original: Any model of PrimeSVT, on the device of the backend; its weights must stay as they are.
        calibration: The images.
        backend: Where models are repaired, in float32 whatever its precision, and how they are asked what that gained.
    """

    original: nn.Module = field(repr=False)
    calibration: Calibration
    backend: Backend = field(default_factory=Backend)

    @classmethod
    def on(cls, backend: Backend, original: nn.Module, calibration: Calibration) -> Self:
        """Of a model on the CPU, which is brought to the device of a backend."""
        return cls(placed(original, backend.device), calibration, backend)

    @cached_property
    def images(self) -> torch.Tensor:
        """The images of a repair's pass, all at once: fewer than those of the calibration where they are large."""
        config, dtype = config_of(self.original), dtype_of(self.original)
        limit = max(1, _LARGEST // self._largest())
        return self.calibration.first(limit).read(config).to(self.backend.device, dtype)

    @cached_property
    def recording(self) -> Recording:
        """What the original says on :attr:`images`."""
        return _Recorder(self.original, self.images).recording()

    def _largest(self) -> int:
        """Numbers of the largest activation of an image."""
        config, sizes = config_of(self.original), [1]
        images = self.calibration.first(1).read(config)
        with torch.device("meta"), torch.inference_mode(), Hooks() as hooks:
            model = build(config.independent()).eval()
            for module in model.modules():
                hooks.after(module, lambda _m, _i, output: sizes.append(output.numel()))
            model(images.to("meta"))
        return max(sizes)


class _Recorder:
    """One pass of the images through the original, some at a time, in float64 on a CPU."""

    def __init__(self, model: nn.Module, images: torch.Tensor) -> None:
        self.model = precise_twin_of(model)
        self.images = images.to(dtype_of(self.model))
        self.names = {module: name for name, module in self.model.named_modules()}
        self.count = images.shape[-4]
        self.where: dict[str, torch.Tensor] = {}
        self.norms: dict[str, list[str]] = {}
        self.indices: dict[str, str] = {}
        self.signals: dict[tuple[str, str], _Sum] = defaultdict(_Sum)
        self.linear: dict[str, list[torch.Tensor]] = defaultdict(list)
        # The images of the batch, and the convolution whose output has just gone through the last of its norms.
        self.batch = slice(0, 0)
        self.last: tuple[str, torch.Tensor] | None = None

    def recording(self) -> Recording:
        logits, size = [], batch_size_of(config_of(self.model))
        with torch.inference_mode(), Hooks() as hooks:
            for module in self.model.modules():
                self._watch(module, hooks)
            for start in range(0, self.count, size):
                self.batch = slice(start, min(start + size, self.count))
                logits.append(self.model(self.images[..., self.batch, :, :, :]))
        layers = {name: self._layer(name) for name in self.where}
        classifiers = {name: torch.cat(parts) for name, parts in self.linear.items()}
        return Recording(layers, classifiers, torch.cat(logits))

    def _watch(self, module: nn.Module, hooks: Hooks) -> None:
        for kind, hook in (
            (nn.Conv2d, self._convolved),
            (nn.BatchNorm2d, self._normed),
            (nn.Linear, self._classified),
            (StreamIndex, self._added),
        ):
            if isinstance(module, kind):
                hooks.after(module, hook)

    def _layer(self, name: str) -> Layer:
        stream = self.signals.get((name, "stream"))
        return Layer(
            norms=tuple(self.norms[name]),
            where=self.where[name],
            output=self.signals[name, "output"].signal(),
            index=self.indices.get(name),
            stream=None if stream is None else stream.signal(),
        )

    def _convolved(self, conv: Any, _inputs: Any, output: torch.Tensor) -> None:
        name = self.names[conv]
        frames = output.unflatten(0, (-1, self.batch.stop - self.batch.start))
        if name not in self.where:
            steps, _, _, height, width = frames.shape
            drawn = positions(name, self.count, (steps, height, width), conv.weight[0].numel())
            self.where[name] = drawn.to(output.device)
        self.signals[name, "output"].add(frames, self.where[name][self.batch])
        self.last, self.norms[name] = (name, output), []
        owner = name.rpartition(".")[0]
        if isinstance(self.model.get_submodule(owner), ConvBN):
            # In a RepConv, a border is put around what its BatchNorm reads.
            self.norms[name].append(f"{owner}.bn")

    def _normed(self, norm: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        if self.last is None:
            return
        (name, before), own = self.last, self.names[norm]
        if self.norms[name][:1] == [own] or _same(inputs[0], before):
            if own not in self.norms[name]:
                self.norms[name].append(own)
            self.last = name, output

    def _added(self, index: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        if self.last is None or len(inputs) < 2:
            return
        (name, before), (written, stream) = self.last, inputs
        if _same(written, before) and written.shape[:2] == stream.shape[:2]:
            self.indices[name] = self.names[index]
            self.signals[name, "stream"].add(output, self.where[name][self.batch])

    def _classified(self, linear: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        self.linear[self.names[linear]].append(per_image(output))


class _Sum:
    """A :class:`Signal` that grows by a batch at a time."""

    def __init__(self) -> None:
        self.rows: list[torch.Tensor] = []
        self.count, self.total = 0, torch.zeros((), dtype=torch.float64)

    def add(self, frames: torch.Tensor, where: torch.Tensor) -> None:
        """Add frames ``[T, n, C, H, W]``, whose rows are at ``where [n, r]``."""
        count = frames.numel() // frames.shape[2]
        self.rows.append(sampled(frames, where))
        self.count, self.total = self.count + count, self.total + count * frames.mean((0, 1, 3, 4)).double()

    def signal(self) -> Signal:
        """The whole."""
        return Signal(torch.cat(self.rows), self.total / self.count)


def per_image(x: torch.Tensor) -> torch.Tensor:
    """The mean ``[N, C]`` over the time steps of what a classifier reads or writes, ``[T, N, C]`` or ``[N, C]``."""
    return x.mean(0) if x.ndim > 2 else x


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors are the same numbers in memory, perhaps in another shape."""
    return one.data_ptr() == other.data_ptr() and one.numel() == other.numel()
