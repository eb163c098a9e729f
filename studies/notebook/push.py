"""``primesvt.push``: a model onto the Hugging Face hub, from Python."""

import tempfile
from pathlib import Path
from typing import Any

from torch import nn

from primesvt.models import save_model

from ..commands import push as command
from .asked import asked, takes_options
from .given import Model, named


@takes_options(command)
def push(model: Model, name: str, **options: Any) -> str:
    """Upload a model to the hub, as ``primesvt push`` does.

    Args:
        model: A model directory, or a model.
        name: Where to: ``OWNER/NAME``.
        options: Those of ``primesvt push``, by name: ``private=True``.

    Returns:
        The name by which the model can be loaded from now on: ``hf://OWNER/NAME``.

    Raises:
        PrimeSVTError: There is no model, the extra or a token is missing, or the hub refuses it or does not answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(model, nn.Module):
            place = Path(folder) / "model"
            save_model(model, place)
            model = place
        args = asked(command, {**named(model=model), "name": name, **options})
        return str(command.pushed_as(args)["name"])
