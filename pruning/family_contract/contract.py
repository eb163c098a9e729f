"""The contract of a family, all of it.

::

    class TestMyFamily(FamilyContract):
        @pytest.fixture
        def config(self) -> ModelConfig:
            return MyConfig.uniform(embed_dim=16, ...)

A family that passes can be pruned, searched, trained, saved, loaded and exported by everything in PrimeSVT. The
configuration should be small (images of about 8x8 pixels, 16 channels), or the tests take long. It is filled with
random weights that make its neurons fire.
"""

import pytest
from torch import nn

from primesvt.models import ModelConfig

from .answered import AnsweredContract
from .declared import DeclaredContract
from .lively import lively_model
from .pruned import PrunedContract


class FamilyContract(DeclaredContract, AnsweredContract, PrunedContract):
    """Subclass it, and give the fixture :meth:`config`."""

    @pytest.fixture
    def config(self) -> ModelConfig:
        """A small unpruned configuration of the family."""
        raise NotImplementedError("Give the fixture `config`: a small configuration of your family.")

    @pytest.fixture
    def model(self, config: ModelConfig) -> nn.Module:
        """A model with lively neurons, in float64."""
        return lively_model(config.independent())
