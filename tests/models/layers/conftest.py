"""Convolutions by either way."""

import pytest

from primesvt.models.layers import sparse_conv

from .convolutions import DENSE, SPARSE


@pytest.fixture(params=[SPARSE, DENSE], ids=["sparse", "dense"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """Both ways to convolve, whichever were the faster one."""
    monkeypatch.setattr(sparse_conv, "_PRODUCT", request.param)
    return request.param
