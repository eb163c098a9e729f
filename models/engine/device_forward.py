"""Many versions of a model asked by PyTorch on a device, where none computes what another has."""

from collections.abc import Callable
from contextlib import suppress

import numpy as np
from torch import nn

from ..errors import PrimeSVTError
from ..families.registry import config_of
from .activation_cache import ActivationCache, ResumingEngine
from .backend import Backend
from .counter import CountCache, Counter
from .forward import CountedForward, DirectForward, Forward
from .once_per_branches import OncePerBranches
from .plain_engine import PlainEngine
from .program import Program


class DeviceForward:
    """As :class:`~primesvt.models.SharedForward`, without the engine.

    What versions share is kept on the device itself. Without a budget, and where the forward pass cannot be traced or
    the images of a batch meet in it, every version goes all the way, on CUDA as a graph.

    Args:
        model: The model, in evaluation mode, on the CPU; the versions differ in their widths alone, some of which
            may be 0.
        shape: Of the images; their number does not matter.
        indices: Of the images in their source, int64 ``[N]``.
        budget: Bytes of activations to keep; 0 for none.
        backend: Where, and in which precision.

    Raises:
        PrimeSVTError: The model is a module of another kind.
    """

    def __init__(
        self, model: nn.Module, shape: tuple[int, ...], indices: np.ndarray, budget: int, backend: Backend
    ) -> None:
        config = config_of(model)
        self._backend, self._programs = backend, OncePerBranches(lambda version: _traced(version, shape))
        shared = budget > 0 and self._programs.of(model) is not None and config.independent() == config
        self._cache = ActivationCache(budget, indices) if shared else None
        self._counts = CountCache(indices) if shared else None

    def of(self, version: nn.Module, version_of: Callable[[str], bytes]) -> Forward:
        """The forward pass of one version.

        Args:
            version: The model, pruned or not, in evaluation mode.
            version_of: From the name of a module to what tells its weights from those of other versions.
        """
        program = self._programs.of(version)
        if program is None or self._cache is None:
            return DirectForward(self._backend.prepared(version), self._backend.reason)
        return ResumingEngine(PlainEngine(program, version, self._backend), self._cache, version_of)

    def counted(self, version: nn.Module, version_of: Callable[[str], bytes]) -> tuple[Forward, Counter]:
        """As :meth:`of`, with what counts the work of the version; then all versions must be counted.

        Raises:
            PrimeSVTError: Its spikes cannot be counted.
        """
        program = self._programs.of(version)
        if program is None:
            raise PrimeSVTError("The spikes of this model cannot be counted: its forward pass cannot be traced.")
        engine, counter = PlainEngine(program, version, self._backend), Counter(program, version)
        if self._cache is None:
            return CountedForward(engine, counter, self._backend.reason), counter
        return ResumingEngine(engine, self._cache, version_of, counter, self._counts), counter


def _traced(model: nn.Module, shape: tuple[int, ...]) -> Program | None:
    with suppress(Exception):  # torch.fx may raise anything
        return Program(model, shape)
    return None
