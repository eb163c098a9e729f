"""``primesvt.train``: a new model for a data set, from Python."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from torch import nn

from primesvt.models import DataSet

from ..commands import train as command
from ..reporting.told import Told
from ..running.train_run import TrainRun, check_trainable
from .asked import asked, takes_options
from .frames import epochs_figure, frame
from .given import Data, Model, model_if_any, named, session


@dataclass(frozen=True, repr=False)
class Trained(Told):
    """A trained model.

    Args:
        model: The model.
        run: What the training did.
    """

    model: nn.Module
    run: TrainRun

    @property
    def accuracy(self) -> float:
        """On the selection set, in [0, 1]."""
        return self.run.selection.accuracy

    @property
    def text(self) -> str:
        """The accuracy, in a line."""
        return f"selection accuracy {self.accuracy:.2%} after {len(self.run.log)} epochs"

    @cached_property
    def trials(self) -> Any:
        """A ``pandas.DataFrame`` of the epochs: loss, accuracy, seconds."""
        return frame(self.run.log)

    @cached_property
    def figures(self) -> Mapping[str, go.Figure]:
        """``epochs``: accuracy on the selection set after every epoch."""
        return {"epochs": epochs_figure({entry["epoch"]: entry["selection_accuracy"] for entry in self.run.log})}


@takes_options(command)
def train(
    data: Data = None,
    *,
    init: Model | None = None,
    output: str | Path | None = None,
    quiet: bool = False,
    **options: Any,
) -> Trained:
    """Train a spiking vision transformer, as ``primesvt train`` does.

    Args:
        data: A path, a data set that is open, or None for the embedded sample of Fashion-MNIST.
        init: Start from the weights of this model, which stays as it is, instead of random ones.
        output: Directory for the model, where an interrupted training goes on; None writes nothing.
        quiet: Show no progress.
        options: Those of ``primesvt train``, by name: ``family="spikformer", epochs=3``.

    Raises:
        PrimeSVTError: An option makes no sense, or the data does not fit.
    """
    args = asked(command, {**named(data=data, init=init, output=output), **options})
    if args.output is not None:
        check_trainable(args.output, overwrite=args.overwrite)
    with session(quiet), tempfile.TemporaryDirectory() as folder:
        args.output = args.output or Path(folder) / "model"
        given = data if isinstance(data, DataSet) else None
        return Trained(*command.trained_as(args, model_if_any(init, args.init), given))
