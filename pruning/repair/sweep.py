"""One pass of the calibration images through a pruned model, in which every layer is mended before its output goes on.

So every layer is fitted to what it will really read: the output of the layers before it, mended already. What it aims
at is what the original writes there. A layer that adds potentials into a residual stream aims at the original's stream
after the addition, and so makes up for what earlier layers left in it.

The mean of every filter's output is made what is wanted by the bias of its BatchNorm, over all positions. Running
statistics stay. Nothing is written in place.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from primesvt.models import StreamIndex, channel_groups, config_of

from ..hooks import Hooks
from ..kept import Kept
from ..rows import patches, sampled, written_size
from .affine import Affine
from .classifier import classifier_change
from .reference import Layer, Reference, Signal, per_image
from .rounding import rounded
from .step import NewTensors
from .twin import convolved, dtype_of, precise_twin_of

# A filter whose output differs from what is wanted by less than this share of its deviation needs nothing.
_NEGLIGIBLE = 1e-3
# Logits that differ by no more than rounding does.
_SAME_ANSWER = 1e-6
# What a deviation is taken for where it is smaller.
_SMALLEST = torch.finfo(torch.float32).eps
_LEAST_SCALE, _LARGEST_SCALE = 0.5, 2.0

# From what filters read, ``[G, R, d]``, and what their output lacks, ``[G, R, C]``, a change of weights ``[G, C, d]``.
Fit = Callable[[torch.Tensor, torch.Tensor], torch.Tensor | None]


class Sweep:
    """The pass.

    Args:
        reference: The original, and the images.
        pruned: The model to mend.
        kept: The channels of the original that it has.
        fit: How weights are fitted, or None where only means are made to agree.
    """

    def __init__(self, reference: Reference, pruned: nn.Module, kept: Kept, fit: Fit | None) -> None:
        self._reference, self._recording = reference, reference.recording
        self._model, self._kept, self._fit = precise_twin_of(pruned), kept, fit
        self._dtype = dtype_of(pruned)
        self._names = {module: name for name, module in self._model.named_modules()}
        self._groups = {leaf: group for group in channel_groups(pruned) for leaf in group.filters}
        self._tensors: dict[str, torch.Tensor] = {}
        self._layers: list[str] = []
        self._untreated: dict[str, str] = {}
        # What is written into a stream waits for it: convolution and its input, by the name of the index.
        self._waiting: dict[str, tuple[nn.Conv2d, torch.Tensor]] = {}

    def repaired(self) -> NewTensors:
        """Mend all layers; nothing, where nothing was removed."""
        widths = config_of(self._reference.original).widths
        if all(len(channels) == widths[name] for name, channels in self._kept.items()):
            return NewTensors({}, ())
        with torch.no_grad(), Hooks() as hooks:
            for module in self._model.modules():
                if isinstance(module, nn.Conv2d):
                    module.forward = partial(self._convolved, module)  # type: ignore[method-assign]
                elif isinstance(module, nn.Linear):
                    hooks.after(module, self._classified)
                elif isinstance(module, StreamIndex):
                    hooks.before(module, self._adding)
            self._model(self._reference.images.to(dtype_of(self._model)))
        assert not self._waiting  # noqa: S101 - what waits was left out of the pass
        return NewTensors(self._tensors, tuple(self._layers), self._untreated)

    def _convolved(self, conv: nn.Conv2d, read: torch.Tensor) -> torch.Tensor:
        """Mend what aims at its own output in the original; BatchNorm may have other statistics by now."""
        name = self._names[conv]
        layer = self._recording.layers[name]
        if layer.index is not None:
            self._waiting[layer.index] = conv, read
            # Nothing reads it: the stream gets what is mended then.
            return read.new_zeros(()).expand(len(read), conv.out_channels, *written_size(conv, read))
        width = layer.output.rows.shape[-1]
        every = torch.arange(width, device=read.device)
        channels = self._kept[self._groups[name].name] if name in self._groups else every
        aim, affine = layer.output[channels], self._affine(conv, layer)
        original = Affine.of(self._reference.original, layer.norms, width)[channels]
        if not affine.equals(original):
            aim = affine.before(original.behind(aim))
        return self._mended(conv, read, aim.rows, original(layer.output.mean[channels]))

    def _adding(self, index: StreamIndex, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        """Mend what is about to be added: it should be what the stream lacks."""
        if len(inputs) < 2 or self._names[index] not in self._waiting:
            return None
        conv, read = self._waiting.pop(self._names[index])
        layer, (written, stream) = self._recording.layers[self._names[conv]], inputs
        assert layer.stream is not None  # noqa: S101 - it is recorded with the index
        every = torch.arange(index.stream, device=stream.device)
        channels = every if index.channels is None else index.channels.long()
        goal = layer.stream[self._kept[str(self._groups[self._names[conv]].stream)][channels]]
        before = stream.index_select(2, channels)
        rows = goal.rows - sampled(before, layer.where)
        mean = goal.mean - before.mean((0, 1, 3, 4))
        output = self._mended(conv, read, self._affine(conv, layer).before(Signal(rows, mean)).rows, mean)
        for norm in layer.norms:
            output = self._model.get_submodule(norm)(output)
        return output.view(written.shape), stream

    def _mended(self, conv: nn.Conv2d, read: torch.Tensor, aim: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        """The new output ``[T * N, C, H, W]`` for the rows ``aim [N, r, C]``; BatchNorm makes its mean ``mean [C]``."""
        layer = self._recording.layers[self._names[conv]]
        self._layers.append(self._names[conv])
        inputs, aim = patches(conv, read, layer.where), aim.flatten(0, 1)
        rows = _product(inputs, conv.weight) + (0.0 if conv.bias is None else conv.bias)
        lacking, deviation = aim - rows, _deviation(aim)
        needy = lacking.double().square().mean(0).sqrt() > _NEGLIGIBLE * deviation.clamp_min(_SMALLEST)
        if not bool(needy.any()):
            return convolved(conv, read)
        if self._fit is not None:
            change = self._fit(inputs, lacking.unflatten(1, (conv.groups, -1)).movedim(1, 0))
            if change is None:
                self._untreated[self._names[conv]] = "its equations have no solution"
            else:
                change = (change * needy.view(conv.groups, -1, 1)).view(conv.weight.shape)
                # A fit varies less than what it is fitted to, and a neuron behind it would fire less.
                found = _deviation(rows + _product(inputs, change.to(inputs.dtype)))
                scale = (deviation / found.clamp_min(1e-12)).clamp(_LEAST_SCALE, _LARGEST_SCALE)
                weight = conv.weight + change
                self._put(conv, "weight", weight * torch.where(needy, scale, 1.0).view(-1, 1, 1, 1))
        output = convolved(conv, read)
        if layer.norms:
            norm = self._model.get_submodule(layer.norms[-1])
            shift = mean - self._affine(conv, layer)(output.mean((0, 2, 3)))
            self._put(norm, "bias", norm.get_parameter("bias") + torch.where(needy, shift, 0.0))
        return output

    def _classified(self, linear: nn.Linear, inputs: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
        name = self._names[linear]
        self._layers.append(name)
        read, answers, wanted = per_image(inputs[0]), per_image(output), self._recording.classifiers[name]
        if float((wanted - answers).abs().max()) <= _SAME_ANSWER:
            return output
        if self._fit is None:
            self._put(linear, "bias", linear.bias + (wanted - answers).mean(0))
        else:
            change = classifier_change(read, answers, wanted)
            self._put(linear, "weight", linear.weight + change.weight)
            self._put(linear, "bias", linear.bias + change.bias)
        return F.linear(inputs[0], linear.weight, linear.bias)

    def _affine(self, conv: nn.Conv2d, layer: Layer) -> Affine:
        return Affine.of(self._model, layer.norms, conv.out_channels)

    def _put(self, module: nn.Module, kind: str, tensor: torch.Tensor) -> None:
        """Replace a parameter of the twin, where it changes; the tensor that it was stays as it is."""
        before = module.get_parameter(kind)
        tensor = torch.where(tensor == before, before, rounded(tensor, self._dtype).to(before.dtype))
        setattr(module, kind, nn.Parameter(tensor, requires_grad=False))
        self._tensors[f"{self._names[module]}.{kind}"] = tensor.to(self._dtype)


def _product(inputs: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """What filters make of what they read, ``[G, R, d]``: rows ``[R, G * C]``."""
    filters = weight.flatten(1).unflatten(0, (len(inputs), -1))
    rows: torch.Tensor = (inputs @ filters.mT).movedim(0, 1).flatten(1)
    return rows


def _deviation(rows: torch.Tensor) -> torch.Tensor:
    """Standard deviations of the columns of rows, float64."""
    rows = rows.double()
    return (rows - rows.mean(0)).square_().mean(0).sqrt()
