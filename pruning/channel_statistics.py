"""What the calibration images say of a model: how active the channels are that its layers read."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from primesvt.models import batch_size_of, channel_groups, config_of, evaluation_mode

from .calibration import Calibration


@dataclass(frozen=True, eq=False)
class Statistics:
    """Statistics of one model on the calibration images; one pass over them, when they are first asked for.

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

    @cached_property
    def _activities(self) -> Mapping[str, torch.Tensor]:
        config = config_of(self.model)
        modules = dict(self.model.named_modules())
        names = {reader for group in channel_groups(self.model) for reader in group.readers}
        sums: dict[str, torch.Tensor] = {}
        counts = dict.fromkeys(names, 0)

        def note(name: str):  # type: ignore[no-untyped-def]
            def hook(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
                # A convolution reads [B, C, H, W], the classifier [..., C].
                x = inputs[0].detach().abs()
                rows = x.flatten(2).mean(2) if x.ndim == 4 else x.flatten(0, -2)
                sums[name] = sums.get(name, 0) + rows.double().sum(0)
                counts[name] += len(rows)

            return hook

        hooks = [modules[name].register_forward_pre_hook(note(name)) for name in names]
        try:
            with evaluation_mode(self.model), torch.inference_mode():
                for images in self.calibration.batches(config, batch_size_of(config)):
                    self.model(images)
        finally:
            for hook in hooks:
                hook.remove()
        return {name: total / counts[name] for name, total in sums.items()}
