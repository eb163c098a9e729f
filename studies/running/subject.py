"""What studies are about."""

from dataclasses import dataclass

from torch import nn

from primesvt.models import DataSet


@dataclass(frozen=True)
class Subject:
    """What a study is about.

    Args:
        model: The unpruned model.
        data: The data set; only its selection set is looked at, and its calibration set by what needs it.
    """

    model: nn.Module
    data: DataSet
