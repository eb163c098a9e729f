"""``primesvt.measure``: what a device feels of a model, from Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..commands import measure as command
from ..commands.options import options_of
from ..reporting.told import Told
from .asked import asked, takes_options
from .frames import frame
from .given import Data, Model, named, or_demo, session, subject_of


@dataclass(frozen=True, repr=False)
class Measured(Told):
    """Numbers of a model.

    Args:
        told: Plain data, as ``primesvt measure --json`` prints it.
        words: The same for a person.
    """

    told: dict[str, Any]
    words: str

    @property
    def text(self) -> str:
        """What the command prints."""
        return self.words

    @property
    def measures(self) -> Mapping[str, float]:
        """Every installed measure by name: see docs/measures.md."""
        return dict(self.told["measures"])

    @cached_property
    def frame(self) -> Any:
        """A ``pandas.DataFrame``: a row for every layer that computes, by its name: operations and firing rate."""
        rows = [{key: value for key, value in each.items() if key != "layer"} for each in self.told["layers"]]
        return frame(rows, index=[each["layer"] for each in self.told["layers"]])

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return self.told


@takes_options(command)
def measure(model: Model | None = None, data: Data = None, *, quiet: bool = False, **options: Any) -> Measured:
    """Count a model's operations, spikes, energy and memory at work, as ``primesvt measure`` does.

    Args:
        model: A model directory, "demo", ``hf://OWNER/NAME``, or a model; None is that of a file of options, or else
            the embedded demo model.
        data: A path, a data set that is open, or None for the embedded sample of Fashion-MNIST.
        quiet: Show no progress.
        options: Those of ``primesvt measure``, by name: ``images=100, latency=True``.

    Raises:
        PrimeSVTError: An option makes no sense, the images do not fit the model, or it cannot be counted or exported.
    """
    args = asked(command, {**named(model=model, data=data), **options}, or_demo(model))
    with session(quiet):
        subject = subject_of(args, model, data, options_of(args, command.MeasureOptions).split)
        return Measured(*command.measured_as(args, subject.model, subject.data))
