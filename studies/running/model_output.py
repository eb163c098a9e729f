"""A model directory that a command leaves: beside the model, how it was pruned, and how to do the same again."""

from pathlib import Path

from torch import nn

from primesvt.models import PLAN, save_into, write_directory
from primesvt.pruning import PruningPlan, save_plan

# The options that a result was made with: `primesvt COMMAND --config FILE` does the same again.
OPTIONS_FILE = "options.toml"


def write_model(
    model: nn.Module,
    directory: Path,
    *,
    overwrite: bool = False,
    plan: PruningPlan | None = None,
    options: str = "",
) -> None:
    """Write a model directory, whole or not at all.

    Args:
        model: Any model of PrimeSVT.
        directory: Where to.
        overwrite: Replace what is there; otherwise only a new or empty directory is written.
        plan: By which the model was pruned, where that is known.
        options: The file of options of the command that made it; nothing where there is none.

    Raises:
        PrimeSVTError: The directory holds something, or cannot be written.
    """
    with write_directory(directory, overwrite=overwrite) as new:
        save_into(model, new)
        if plan is not None:
            save_plan(plan, new / PLAN)
        write_options(new, options)


def write_options(directory: Path, options: str) -> None:
    """Write the file of options into a directory that exists; none where there are no options."""
    if options:
        (directory / OPTIONS_FILE).write_text(options, encoding="utf-8")
