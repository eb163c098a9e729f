"""The resume file of a training: its state, written after every epoch, so that one that was killed goes on."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..engine.device import to_cpu
from ..errors import PrimeSVTError
from ..whole_file import whole_file


@dataclass(frozen=True)
class ResumeFile:
    """Where the state of a training is kept, and what to do with one that is there.

    Args:
        path: The file.
        discard: Start anew where it is damaged or of another training, instead of refusing.
        on_resume: Called with the number of epochs done before, where training goes on.
    """

    path: Path
    discard: bool = False
    on_resume: Callable[[int], None] = lambda _: None

    def save(
        self, run: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer, log: list[dict[str, Any]]
    ) -> None:
        """Write the state, whole or not at all; its tensors are on the CPU, so that any device can go on.

        Args:
            run: What defines the training.
            model: Has the weights.
            optimizer: Has its state.
            log: Of the epochs done.

        Raises:
            PrimeSVTError: It cannot be written.
        """
        state = {
            "run": run,
            "model": to_cpu(model.state_dict()),
            "optimizer": to_cpu(optimizer.state_dict()),
            "log": log,
        }
        # Written to memory first: for a full disk PyTorch has an error that nobody understands.
        buffer = io.BytesIO()
        torch.save(state, buffer)
        with whole_file(self.path, "the resume file") as partial:
            partial.write_bytes(buffer.getbuffer())

    def load(self, run: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
        """Load the state of an earlier, interrupted part of the same training.

        Args:
            run: What defines the training.
            model: Gets the weights.
            optimizer: Gets its state.

        Returns:
            The log of the epochs done, empty where there is no file.

        Raises:
            PrimeSVTError: The file is damaged, or of another training.
        """
        if not self.path.exists():
            return []
        try:
            state = torch.load(self.path, weights_only=True)
            log, changed = list(state["log"]), _changed(state["run"], run)
            if not changed:
                model.load_state_dict(state["model"])
                optimizer.load_state_dict(state["optimizer"])
        except Exception as error:  # torch.load raises whatever the damaged bytes lead to
            if self.discard:
                return []
            raise PrimeSVTError(
                f"Cannot go on from {self.path}: it is damaged, or no resume file of PrimeSVT "
                f"({type(error).__name__}). Delete it to start again."
            ) from error
        if changed and not self.discard:
            raise PrimeSVTError(
                f"{self.path} is of a training with another {', '.join(changed)}; pass the same options to go on, "
                "choose another directory, or begin anew with --overwrite."
            )
        if changed:
            return []
        if log:
            self.on_resume(len(log))
        return log


def _changed(earlier: dict[str, Any], run: dict[str, Any]) -> list[str]:
    """What defines a training and is not the same in another."""
    recipe = earlier["recipe"]
    changed = [key for key, value in run["recipe"].items() if recipe.get(key) != value]
    return changed + [key for key in ("initial model", "data", "teacher") if earlier[key] != run[key]]
