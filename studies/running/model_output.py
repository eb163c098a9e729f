"""A model directory that a command leaves: beside the model, how it was pruned, and how to do the same again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from primesvt.models import PLAN, TRAINING, model_folder, save_into, write_directory
from primesvt.pruning import PruningPlan, load_plan, save_plan

# The options that a result was made with: `primesvt COMMAND --config FILE` does the same again.
OPTIONS_FILE = "options.toml"


def write_model(
    model: nn.Module,
    directory: Path,
    *,
    overwrite: bool = False,
    plan: PruningPlan | None = None,
    training: Mapping[str, Any] | None = None,
    options: str = "",
    int8: bool = False,
) -> None:
    """Write a model directory, whole or not at all.

    Args:
        model: Any model of PrimeSVT.
        directory: Where to.
        overwrite: Replace what is there; otherwise only a new or empty directory is written.
        plan: By which the model was pruned, where that is known.
        training: How the model was trained, and what that gave; nothing where it was not.
        options: The file of options of the command that made it; nothing where there is none.
        int8: Store the weights of convolutions in a byte each.

    Raises:
        PrimeSVTError: The directory holds something, or cannot be written.
    """
    with write_directory(directory, overwrite=overwrite) as new:
        save_into(model, new, int8=int8)
        if plan is not None:
            save_plan(plan, new / PLAN)
        if training is not None:
            (new / TRAINING).write_text(json.dumps(training, indent=1) + "\n", encoding="utf-8")
        if options:
            (new / OPTIONS_FILE).write_text(options, encoding="utf-8")


def plan_beside(model: str | Path | None) -> PruningPlan | None:
    """The plan by which a model was pruned, where its directory says it.

    Args:
        model: Name of a model, as a command line has it; None is a model without a directory.

    Raises:
        PrimeSVTError: What the directory holds is no plan.
    """
    if model is None:
        return None
    with model_folder(model) as folder:
        return load_plan(folder / PLAN) if (folder / PLAN).exists() else None
