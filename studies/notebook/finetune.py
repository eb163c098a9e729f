"""``primesvt.finetune``: recover accuracy by a little training, from Python."""

import copy
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from torch import nn

from ..commands import finetune as command
from ..reporting.told import Told
from ..running.finetuning import FineTuned
from ..running.train_run import check_trainable
from .asked import asked, takes_options
from .frames import epochs_figure, frame
from .given import Data, Model, model_if_any, named, session, subject_of


@dataclass(frozen=True, repr=False)
class Tuned(Told):
    """A fine-tuned model.

    Args:
        model: The model; the one that was given stays as it is.
        done: What the training did.
    """

    model: nn.Module
    done: FineTuned

    @property
    def accuracy_before(self) -> float:
        """On the selection set, in [0, 1]."""
        return self.done.before.accuracy

    @property
    def accuracy(self) -> float:
        """On the selection set afterwards, in [0, 1]."""
        return self.done.run.selection.accuracy

    @property
    def text(self) -> str:
        """Accuracy before and after, in a line."""
        epochs = len(self.done.run.log)
        return f"selection accuracy {self.accuracy_before:.2%} -> {self.accuracy:.2%} after {epochs} epochs"

    @cached_property
    def trials(self) -> Any:
        """A ``pandas.DataFrame`` of the epochs: loss, accuracy, seconds."""
        return frame(self.done.run.log)

    @cached_property
    def figures(self) -> Mapping[str, go.Figure]:
        """``epochs``: accuracy on the selection set, before and after every epoch."""
        after = {entry["epoch"]: entry["selection_accuracy"] for entry in self.done.run.log}
        return {"epochs": epochs_figure({0: self.accuracy_before, **after})}


@takes_options(command)
def finetune(
    model: Model | None = None,
    data: Data = None,
    *,
    teacher: Model | None = None,
    output: str | Path | None = None,
    quiet: bool = False,
    **options: Any,
) -> Tuned:
    """Recover accuracy of a pruned model by training it a little, as ``primesvt finetune`` does.

    Args:
        model: The pruned model: its directory, or itself, which stays as it is; None is that of a file of options.
        data: A path, a data set that is open, or None for the embedded sample of Fashion-MNIST.
        teacher: Learn from the answers of this model, such as the unpruned one: its directory, "demo", or itself.
        output: Directory for the model, where an interrupted training goes on; None writes nothing.
        quiet: Show no progress.
        options: Those of ``primesvt finetune``, by name: ``epochs=3, flip=False``.

    Raises:
        PrimeSVTError: An option makes no sense, or the data does not fit.
    """
    args = asked(command, {**named(model=model, data=data, teacher=teacher, output=output), **options})
    if args.output is not None:
        check_trainable(args.output, overwrite=args.overwrite)
    with session(quiet), tempfile.TemporaryDirectory() as folder:
        args.output = args.output or Path(folder) / "model"
        subject = subject_of(args, model, data)
        tuned = copy.deepcopy(subject.model)
        original = model_if_any(teacher, args.teacher)
        return Tuned(tuned, command.finetuned_as(args, tuned, subject.data, original))
