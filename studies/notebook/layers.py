"""``primesvt.layers``: what there is to prune in a model, from Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..commands import layers as command
from ..reporting.told import Told
from .asked import asked, takes_options
from .frames import frame
from .given import Model, model_of, named, or_demo


@dataclass(frozen=True, repr=False)
class Listed(Told):
    """The prunable layers of a model, the largest first: the order in which the policy prunes.

    Args:
        told: Plain data, as ``primesvt layers --json`` prints it.
    """

    told: dict[str, Any]

    @property
    def text(self) -> str:
        """Names and bytes, in a line."""
        return f"{self.bytes:,} bytes; the largest layer first: {', '.join(self.names)}"

    @property
    def bytes(self) -> int:
        """Of the model."""
        return int(self.told["bytes"])

    @property
    def measures(self) -> Mapping[str, float]:
        """Of the model, those that look at no image, by name."""
        return dict(self.told["measures"])

    @property
    def names(self) -> tuple[str, ...]:
        """Of the layers, as plans have them."""
        return tuple(each["name"] for each in self.told["layers"])

    @cached_property
    def frame(self) -> Any:
        """A ``pandas.DataFrame``: a row for every layer, by its name: kind, channels, parameters, share, branch."""
        rows = [{key: value for key, value in each.items() if key != "name"} for each in self.told["layers"]]
        return frame(rows, index=self.names)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return self.told


@takes_options(command)
def layers(model: Model | None = None, **options: Any) -> Listed:
    """List the prunable layers of a model, the largest first, as ``primesvt layers`` does.

    Args:
        model: A model directory, "demo", ``hf://OWNER/NAME``, or a model; None is that of a file of options, or else
            the embedded demo model.
        options: Those of ``primesvt layers``, by name: ``embedding=True``.

    Raises:
        PrimeSVTError: There is no such model.
    """
    args = asked(command, {**named(model=model), **options}, or_demo(model))
    return Listed(command.layers_of(model_of(model, args.model), embedding=args.embedding))
