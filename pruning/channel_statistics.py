"""What the calibration images say of a model: what its layers read and write, and what its loss makes of that.

Each kind of statistic costs one pass of the images, when it is first asked for.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn
from torch.nn import functional as F

from primesvt.models import EMBEDDING, batch_size_of, channel_groups, config_of, evaluation_mode

from .calibration import Calibration
from .hooks import Hooks
from .rows import patches, positions

# Images at a time where gradients are asked for: all that the layers wrote is kept until then.
_FEW = 32


@dataclass(frozen=True, eq=False)
class Statistics:
    """Statistics of one model on the calibration images.

    Args:
        model: Any model of PrimeSVT, whose weights stay as they are.
        calibration: The images.
    """

    model: nn.Module
    calibration: Calibration

    def activity(self, reader: str) -> torch.Tensor:
        """Mean magnitude of every channel that a layer reads, float64 ``[C]``: of spikes, their firing rates.

        Args:
            reader: A leaf module that a group of channels names among its readers.
        """
        return self._activities[reader]

    def covariance(self, reader: str) -> torch.Tensor:
        """Covariance of what the filters of a layer read, float64 ``[d, d]``: channels times pixels, as in its weight.

        Args:
            reader: A leaf module that a group of channels, which is no stream, names among its readers.
        """
        return self._covariances[reader]

    def variance(self, module: str) -> torch.Tensor:
        """Variance of every channel that a layer writes, float64 ``[C]``.

        Args:
            module: A BatchNorm among the filters of a group, or a group's index, of which it is what is added.
        """
        return self._variances[module]

    def influence(self, norm: str) -> torch.Tensor:
        """By how much an image's loss changes without a channel, to first order: mean magnitude, float64 ``[C]``.

        It is the sum over time steps and positions of the channel times its gradient, the surrogate one of the neurons.

        Args:
            norm: A BatchNorm among the filters of a group.
        """
        return self._influences[norm]

    @cached_property
    def _activities(self) -> Mapping[str, torch.Tensor]:
        names = {reader for group in channel_groups(self.model) for reader in group.readers}
        sums: dict[str, _Sums] = defaultdict(_Sums)

        def note(name: str, x: torch.Tensor) -> None:
            # A convolution reads [B, C, H, W], the classifier [..., C].
            sums[name].add(x.abs().flatten(2).mean(2) if x.ndim == 4 else x.abs().flatten(0, -2))

        with Hooks() as hooks:
            for name in names:
                hooks.before(self._module(name), lambda _m, inputs, name=name: note(name, inputs[0]))
            self._ask()
        return {name: total.mean for name, total in sums.items()}

    @cached_property
    def _covariances(self) -> Mapping[str, torch.Tensor]:
        groups = [group for group in channel_groups(self.model) if group.kind != EMBEDDING and group.stream is None]
        drawn: dict[str, Iterator[torch.Tensor]] = {}
        products: dict[str, _Products] = defaultdict(_Products)

        def note(name: str, layer: nn.Module, read: torch.Tensor, written: torch.Tensor) -> None:
            if not isinstance(layer, nn.Conv2d):
                products[name].add(read.flatten(0, -2))
                return
            if name not in drawn:
                shape = (len(written) // min(self._batch_size, len(self.calibration)), *written.shape[2:])
                where = positions(name, len(self.calibration), shape, layer.weight[0].numel())
                drawn[name] = iter(where.split(self._batch_size))
            products[name].add(patches(layer, read, next(drawn[name])).flatten(0, 1))

        with Hooks() as hooks:
            for name in {reader for group in groups for reader in group.readers}:
                hooks.after(self._module(name), lambda m, i, written, name=name: note(name, m, i[0], written))
            self._ask()
        return {name: product.covariance for name, product in products.items()}

    @cached_property
    def _variances(self) -> Mapping[str, torch.Tensor]:
        means: dict[str, _Sums] = defaultdict(_Sums)
        squares: dict[str, _Sums] = defaultdict(_Sums)

        def note(name: str, frames: torch.Tensor) -> None:
            frames = frames.flatten(0, -4)
            means[name].add(frames.mean((2, 3)))
            squares[name].add(frames.square().mean((2, 3)))

        def added(name: str, x: torch.Tensor, gather: bool = False) -> None:
            if not gather:
                note(name, x)

        with Hooks() as hooks:
            for name in self._norms:
                hooks.after(self._module(name), lambda _m, _i, written, name=name: note(name, written))
            for name in {group.index for group in channel_groups(self.model) if group.index is not None}:
                hooks.before(self._module(name), lambda _m, x, said, name=name: added(name, x[0], **said), named=True)
            self._ask()
        return {name: (squares[name].mean - mean.mean.square()).clamp_min(0) for name, mean in means.items()}

    @cached_property
    def _influences(self) -> Mapping[str, torch.Tensor]:
        sums: dict[str, _Sums] = defaultdict(_Sums)
        written: dict[str, torch.Tensor] = {}
        with evaluation_mode(self.model), torch.enable_grad(), Hooks() as hooks:
            for name in self._norms:
                hooks.after(self._module(name), lambda _m, _i, frames, name=name: written.update({name: frames}))
            for images, labels in self.calibration.labelled(config_of(self.model), min(_FEW, self._batch_size)):
                written.clear()
                # The images are differentiated by, so that the layers are, whether their weights learn or not.
                loss = F.cross_entropy(self.model(images.requires_grad_()), labels, reduction="sum")
                gradients = torch.autograd.grad(loss, list(written.values()), materialize_grads=True)
                for (name, frames), gradient in zip(written.items(), gradients, strict=True):
                    change = (frames.detach() * gradient).sum((2, 3)).unflatten(0, (-1, len(labels))).sum(0)
                    sums[name].add(change.abs())
        return {name: total.mean for name, total in sums.items()}

    @cached_property
    def _norms(self) -> list[str]:
        """The BatchNorms among the filters of all groups."""
        leaves = {leaf for group in channel_groups(self.model) for leaf in group.filters}
        return sorted(leaf for leaf in leaves if isinstance(self._module(leaf), nn.BatchNorm2d))

    @cached_property
    def _batch_size(self) -> int:
        return batch_size_of(config_of(self.model))

    def _module(self, name: str) -> nn.Module:
        return self.model.get_submodule(name)

    def _ask(self) -> None:
        """One pass of the images."""
        with evaluation_mode(self.model), torch.inference_mode():
            for images in self.calibration.batches(config_of(self.model), self._batch_size):
                self.model(images)


class _Sums:
    """A mean over rows that come in batches."""

    def __init__(self) -> None:
        self._count, self._total = 0, torch.zeros((), dtype=torch.float64)

    def add(self, rows: torch.Tensor) -> None:
        """Add rows ``[n, C]``."""
        self._count, self._total = self._count + len(rows), self._total + rows.double().sum(0)

    @property
    def mean(self) -> torch.Tensor:
        """Float64 ``[C]``."""
        return self._total / self._count


class _Products:
    """A covariance of rows that come in batches."""

    def __init__(self) -> None:
        self._mean, self._count, self._products = _Sums(), 0, torch.zeros((), dtype=torch.float64)

    def add(self, rows: torch.Tensor) -> None:
        """Add rows ``[n, d]``."""
        self._mean.add(rows)
        self._count, self._products = self._count + len(rows), self._products + (rows.T @ rows).double()

    @property
    def covariance(self) -> torch.Tensor:
        """Float64 ``[d, d]``."""
        mean = self._mean.mean
        return self._products / self._count - torch.outer(mean, mean)
