"""Bytes of what is stored of a model: the saving that every study maximizes, as a number that a limit can be put on."""

from primesvt.models import model_bytes

from .measure import Measure

SIZE = Measure(name="size", label="size", unit="bytes", of=model_bytes)
