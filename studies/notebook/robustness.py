"""``primesvt.robustness``: the accuracy with one layer pruned, from Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import plotly.graph_objects as go

from primesvt.pruning import Robustness

from ..commands import robustness as command
from ..reporting import figures
from ..reporting.told import Told
from .asked import asked, takes_options
from .frames import frame
from .given import Data, Model, named, or_demo, session, subject_of


@dataclass(frozen=True, repr=False)
class Probed(Told):
    """How robust each layer is.

    Args:
        robustness: The accuracies.
        images: Selection images that they were measured on.
    """

    robustness: Robustness
    images: int

    @property
    def accuracy(self) -> float:
        """Of the unpruned model, in [0, 1]."""
        return self.robustness.accuracy

    @property
    def text(self) -> str:
        """What the command prints."""
        return command.robustness_text(self.robustness, self.images)

    @cached_property
    def trials(self) -> Any:
        """A ``pandas.DataFrame`` of accuracies: a row for every layer, the largest first, a column for every ratio."""
        layers = self.robustness.layers
        return frame(list(layers.values()), index=list(layers))

    @cached_property
    def figures(self) -> Mapping[str, go.Figure]:
        """The heatmap, ``robustness``."""
        return {"robustness": figures.robustness(self.robustness, None)}

    def to_json(self) -> dict[str, Any]:
        """Plain data, as ``primesvt robustness --json`` prints it."""
        return self.robustness.to_json()


@takes_options(command)
def robustness(model: Model | None = None, data: Data = None, *, quiet: bool = False, **options: Any) -> Probed:
    """Measure the accuracy when one layer alone is pruned, at several ratios, as ``primesvt robustness`` does.

    Args:
        model: A model directory, "demo", ``hf://OWNER/NAME``, or a model; None is that of a file of options, or else
            the embedded demo model.
        data: A path, a data set that is open, or None for the embedded sample of Fashion-MNIST.
        quiet: Show no progress.
        options: Those of ``primesvt robustness``, by name: ``rates=[0.25, 0.5], images=1000``.

    Raises:
        PrimeSVTError: An option makes no sense for this model and data.
    """
    args = asked(command, {**named(model=model, data=data), **options}, or_demo(model))
    with session(quiet):
        subject = subject_of(args, model, data)
        return Probed(*command.robustness_as(args, subject.model, subject.data))
