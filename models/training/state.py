"""The checkpoint of a training: written after every epoch, so that one that was killed goes on."""

import io
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..engine.device import to_cpu
from ..errors import PrimeSVTError
from ..whole_file import whole_file


def save_state(
    file: Path,
    run: dict[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    log: list[dict[str, Any]],
) -> None:
    """Write the checkpoint, whole or not at all; its tensors are on the CPU, so that any device can go on.

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
    with whole_file(file, "the checkpoint") as partial:
        partial.write_bytes(buffer.getbuffer())


def load_state(
    file: Path, run: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer, *, discard: bool
) -> list[dict[str, Any]]:
    """Load the state of an earlier, interrupted part of the same training.

    Args:
        file: The checkpoint.
        run: What defines the training.
        model: Gets the weights.
        optimizer: Gets its state.
        discard: Start anew where the checkpoint is damaged or of another training, instead of refusing.

    Returns:
        The log of the epochs done, empty where there is no checkpoint.

    Raises:
        PrimeSVTError: The checkpoint is damaged, or of another training.
    """
    if not file.exists():
        return []
    try:
        state = torch.load(file, weights_only=True)
        earlier, log = state["run"], list(state["log"])
        recipe = earlier["recipe"]
        changed = [key for key, value in run["recipe"].items() if recipe.get(key) != value]
        changed += [key for key in ("initial model", "data", "teacher") if earlier[key] != run[key]]
        if not changed:
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
    except Exception as error:  # torch.load raises whatever the damaged bytes lead to
        if discard:
            return []
        raise PrimeSVTError(
            f"Cannot go on from {file}: it is damaged, or no checkpoint of PrimeSVT ({type(error).__name__}). Delete "
            "it to start again."
        ) from error
    if changed and discard:
        return []
    if changed:
        raise PrimeSVTError(
            f"{file} is of a training with another {', '.join(changed)}; pass the same options to go on, "
            "choose another directory, or begin anew with --overwrite."
        )
    return log
