"""Trainable numbers of a model: weights, biases and BatchNorm's factors and summands."""

from primesvt.models import parameter_count

from .measure import Measure

PARAMETERS = Measure(name="parameters", label="parameters", unit="", of=parameter_count)
