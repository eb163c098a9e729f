"""Bytes of a model stored as ``prune --quantize int8`` does: what pruning and quantizing save together."""

from primesvt.models import int8_bytes

from .measure import Measure

INT8_SIZE = Measure(name="int8-size", label="size with int8 weights", unit="bytes", of=int8_bytes)
