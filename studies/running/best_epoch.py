"""The best epoch of a fine-tuning, by the selection set: one that makes a model worse leaves it as it was."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from primesvt.models import partial_file, whole_file

State = Mapping[str, torch.Tensor]


@dataclass
class BestEpoch:
    """Keeps the weights of the best epoch in a file, so that an interrupted training goes on with them.

    Args:
        file: Where.
        accuracy: Of the model before the first epoch, on the selection set.
        start: Its weights; the model's own are copied.
        epoch: The best epoch so far; 0 is the start.
    """

    file: Path
    accuracy: float
    start: State
    epoch: int = field(default=0, init=False)
    _start_accuracy: float = field(init=False)

    def __post_init__(self) -> None:
        self.start = {name: tensor.clone() for name, tensor in self.start.items()}
        self._start_accuracy = self.accuracy

    def consider(self, epoch: int, accuracy: float, model: nn.Module) -> None:
        """Keep the weights after an epoch if they are better than all before.

        Args:
            epoch: Its number, from 1; the first one forgets what another training left.
            accuracy: On the selection set.
            model: Has the weights.
        """
        if epoch == 1:
            self.epoch, self.accuracy = 0, self._start_accuracy
            self.file.unlink(missing_ok=True)
        elif not self.epoch:
            self._recall(epoch)
        if accuracy > self.accuracy:
            self.epoch, self.accuracy = epoch, accuracy
            state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
            with whole_file(self.file, "the best epoch") as partial:
                save_file(state, partial, {"epoch": str(epoch), "accuracy": repr(accuracy)})

    def restore(self, epochs: int, model: nn.Module) -> None:
        """Give a model the weights of the best epoch, after so many epochs."""
        if not self.epoch:
            self._recall(epochs + 1)
        if self.epoch != epochs:
            model.load_state_dict(load_file(self.file) if self.epoch else dict(self.start))

    def _recall(self, epoch: int) -> None:
        """What the epochs before an interruption left."""
        if not self.file.exists():
            return
        with safe_open(self.file, "pt") as file:
            said = file.metadata() or {}
        if 0 < int(said.get("epoch", 0)) < epoch and float(said["accuracy"]) > self._start_accuracy:
            self.epoch, self.accuracy = int(said["epoch"]), float(said["accuracy"])

    def files(self) -> set[Path]:
        """What it may leave in its directory."""
        return {self.file, partial_file(self.file)}
