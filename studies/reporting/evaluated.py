"""The accuracy of a model on a set of images, as a command says it."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from primesvt.models import Precision, Predictions

from .on_test_set import PairedAccuracy
from .told import Told


@dataclass(frozen=True, kw_only=True)
class Against:
    """A model beside its original, asked in turn for the same images.

    Args:
        predictions: The model's answers.
        original: The original's answers.
        bytes: Of the model.
        original_bytes: Of the original.
    """

    predictions: Predictions
    original: Predictions
    bytes: int
    original_bytes: int

    @property
    def paired(self) -> PairedAccuracy:
        """What was lost and gained, image by image."""
        return PairedAccuracy.compare(self.predictions, self.original)

    @property
    def agreement(self) -> float:
        """Share of the images that both give the same class, right or wrong, in [0, 1]."""
        return float(np.mean(self.predictions.classes == self.original.classes))

    @property
    def memory_saving(self) -> float:
        """Share of the original's bytes that the model saves."""
        return 1 - self.bytes / self.original_bytes

    @property
    def ms_per_image(self) -> tuple[float, float]:
        """Milliseconds that the model and its original take for an image, without the time to read it."""
        images = len(self.original.labels)
        return 1e3 * self.predictions.seconds / images, 1e3 * self.original.seconds / images

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        ours, theirs = self.ms_per_image
        return {
            "accuracy": self.original.accuracy,
            "drop": self.paired.drop,
            "drop_interval": list(self.paired.drop_interval),
            "lost": self.paired.lost,
            "gained": self.paired.gained,
            "agreement": self.agreement,
            "bytes": [self.bytes, self.original_bytes],
            "memory_saving": self.memory_saving,
            "ms_per_image": [ours, theirs],
        }

    @property
    def text(self) -> str:
        """For a person."""
        paired, (low, high), (ours, theirs) = self.paired, self.paired.drop_interval, self.ms_per_image
        return (
            f"against the original's {self.original.accuracy:.2%}: {paired.drop:.2f} points lost (95 % interval "
            f"{low:.2f} to {high:.2f}, paired), {paired.lost:,} right answers lost and {paired.gained:,} gained; the "
            f"same class on {self.agreement:.2%} of the images\n"
            f"{self.bytes:,} of {self.original_bytes:,} bytes, {self.memory_saving:.2%} saved\n"
            f"{ours:.3g} ms an image, the original {theirs:.3g} ms ({theirs / ours:.2f} times), in turn in one run"
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class Evaluated(Told):
    """What a model answers on a set of images.

    Args:
        predictions: Its answers.
        data: Name of the data set.
        split: Which of its sets.
        precision: Of convolutions and matrix products.
        exact: Its answers in float32, where the precision is another one.
        against: The same beside its original, where there is one.
    """

    predictions: Predictions
    data: str
    split: str
    precision: Precision = "float32"
    exact: Predictions | None = None
    against: Against | None = None

    @property
    def accuracy(self) -> float:
        """Fraction of images whose class was told, in [0, 1]."""
        return self.predictions.accuracy

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy."""
        return self.predictions.interval

    @property
    def images_per_second(self) -> float:
        """How many images the model takes, without the time to read them."""
        return len(self.predictions.labels) / self.predictions.seconds

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        result: dict[str, Any] = {
            "accuracy": self.accuracy,
            "images": len(self.predictions.labels),
            "interval": list(self.interval),
            "images_per_second": self.images_per_second,
            "engine": "PyTorch" if self.predictions.reason else "PrimeSVT",
            "left_to_pytorch": [asdict(each) for each in self.predictions.left_out],
        }
        if self.exact is not None:
            result |= {"precision": self.precision, "against_float32": _changes(self.predictions, self.exact)}
        if self.against is not None:
            result["against"] = self.against.to_json()
        return result

    @property
    def text(self) -> str:
        """For a person."""
        low, high = self.interval
        text = (
            f"accuracy {self.accuracy:.2%} on {len(self.predictions.labels):,} {self.split} images of {self.data} "
            f"(95 % interval {low:.2%} to {high:.2%}), {self.images_per_second:,.0f} images/s"
        )
        if self.predictions.reason is not None:
            text += f"\nasked by PyTorch's own kernels, as {self.predictions.reason}"
        if self.predictions.left_out:
            text += f"\nPyTorch adds up in an order of its own: {'; '.join(map(str, self.predictions.left_out))}"
        if self.exact is not None:
            text += f"\n{self.precision}, compared with float32 on the same images: {self._cost(self.exact)}"
        return text if self.against is None else f"{text}\n{self.against.text}"

    def _cost(self, exact: Predictions) -> str:
        """What a lower precision changed, in words."""
        said = _changes(self.predictions, exact)
        low, high = said["drop_interval"]
        return (
            f"{said['changed']:,} of {len(exact.labels):,} classes change, {said['lost']:,} right ones are lost and "
            f"{said['gained']:,} gained: {said['drop']:.2f} points lost (95 % interval {low:.2f} to {high:.2f}) of "
            f"{exact.accuracy:.2%}"
        )


def _changes(predictions: Predictions, exact: Predictions) -> dict[str, Any]:
    """What a lower precision changed, as plain data."""
    paired = PairedAccuracy.compare(predictions, exact)
    return {
        "accuracy": exact.accuracy,
        "images_per_second": len(exact.labels) / exact.seconds,
        "changed": int(np.sum(predictions.classes != exact.classes)),
        "lost": paired.lost,
        "gained": paired.gained,
        "drop": paired.drop,
        "drop_interval": list(paired.drop_interval),
    }
