"""Which way a model is asked: by the engine, or by PyTorch where the engine cannot answer."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import nn

from ..errors import PrimeSVTError
from ..families.registry import config_of
from .activation_cache import ActivationCache, Read, ResumingEngine
from .counter import CountCache, Counter
from .device_model import DeviceModel
from .left_out import LeftOut
from .once_per_branches import OncePerBranches
from .program import Engine, Program


class Forward(Protocol):
    """The forward pass of a model over images of a set."""

    @property
    def reason(self) -> str | None:
        """Why PyTorch answers and not the engine; None where the engine does."""

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What PyTorch computes where the engine answers, each with the reason."""

    def answer(self, indices: np.ndarray, read: Read) -> torch.Tensor:
        """Logits ``[N, classes]`` of the images of these indices; ``read`` gets the images of some of them."""


@dataclass(frozen=True)
class CountedForward:
    """Every image goes all the way, and its work is counted.

    Args:
        engine: Answers.
        counter: Counts.
        reason: Why it is mostly PyTorch that answers.
    """

    engine: Engine
    counter: Counter
    reason: str | None = None

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What the engine leaves to PyTorch."""
        return self.engine.left_out

    def answer(self, indices: np.ndarray, read: Read) -> torch.Tensor:
        """Logits ``[N, classes]`` of the images of these indices."""
        return self.engine(read(indices), self.counter.before(len(indices)))


@dataclass(frozen=True)
class DirectForward:
    """Every image goes all the way.

    Args:
        run: From images ``[N, C, H, W]`` or event sequences ``[T, N, C, H, W]`` to logits ``[N, classes]``.
        reason: Why it is not the engine.
        left_out: What the engine leaves to PyTorch where it is.
    """

    run: Callable[[torch.Tensor], torch.Tensor]
    reason: str | None = None
    left_out: tuple[LeftOut, ...] = ()

    def answer(self, indices: np.ndarray, read: Read) -> torch.Tensor:
        """Logits ``[N, classes]`` of the images of these indices."""
        return self.run(read(indices))


def forward_of(model: nn.Module, shape: tuple[int, ...]) -> Forward:
    """The fastest way to ask a model on the CPU: its answers are the same bit for bit on every processor.

    Args:
        model: Any model of PrimeSVT, in evaluation mode.
        shape: Of the images; their number does not matter.

    Raises:
        PrimeSVTError: It is a module of another kind.
    """
    program = program_of(model, shape)
    if isinstance(program, str):
        return DirectForward(model, program)
    return DirectForward(Engine(program, model), left_out=program.left_out)


def counted_forward(model: nn.Module, shape: tuple[int, ...]) -> CountedForward:
    """As :func:`forward_of`, and the work of the model is counted meanwhile.

    Raises:
        PrimeSVTError: It is a module of another kind, or its spikes cannot be counted.
    """
    program = program_of(model, shape)
    reason = program if isinstance(program, str) else None
    if isinstance(program, str):
        program = _traced(model, shape, program)
    return CountedForward(Engine(program, model), Counter(program, model), reason)


def _traced(model: nn.Module, shape: tuple[int, ...], reason: str) -> Program:
    """The steps of a model that the engine does not answer for; each is computed as PyTorch does.

    Raises:
        PrimeSVTError: There are none, for the reason.
    """
    weights = next(model.parameters())
    with suppress(Exception):  # torch.fx may raise anything
        if not isinstance(model, DeviceModel) and (weights.device.type, weights.dtype) == ("cpu", torch.float32):
            return Program(model, shape)
    raise PrimeSVTError(f"The spikes of this model cannot be counted: {reason}.")


def program_of(model: nn.Module, shape: tuple[int, ...]) -> Program | str:
    """The steps of the engine for a model and all its pruned versions, or why there are none.

    Raises:
        PrimeSVTError: It is a module of another kind.
    """
    config, weights = config_of(model), next(model.parameters())
    if isinstance(model, DeviceModel):
        return f"it is prepared for {model.device} in {model.precision}"
    if weights.device.type != "cpu":
        return f"the model is on {weights.device}"
    if weights.dtype != torch.float32:
        return f"its weights are {weights.dtype}"
    if config.independent() != config:
        return "the images of a batch meet in it"
    try:
        return Program(model, shape)
    except Exception as error:
        # A family of somebody else may do anything in its forward pass, and torch.fx raise anything about it.
        return f"its forward pass cannot be traced ({type(error).__name__}: {str(error)[:200]})"


class SharedForward:
    """The forward passes of many versions of a model over one set of images: none computes what another has.

    Args:
        model: The model, in evaluation mode; the versions differ in their widths alone, some of which may be 0.
        shape: Of the images; their number does not matter.
        indices: Of the images in their source, int64 ``[N]``.
        budget: Bytes of activations to keep; 0 for none.

    Raises:
        PrimeSVTError: The model is a module of another kind.
    """

    def __init__(self, model: nn.Module, shape: tuple[int, ...], indices: np.ndarray, budget: int) -> None:
        self._shape = shape
        self._programs = OncePerBranches(lambda version: program_of(version, shape))
        self._programs.of(model)
        self._cache = ActivationCache(budget, indices) if budget else None
        self._counts = CountCache(indices) if budget else None

    def of(self, version: nn.Module, version_of: Callable[[str], bytes]) -> Forward:
        """The forward pass of one version.

        Args:
            version: The model, pruned or not, in evaluation mode.
            version_of: From the name of a module to what tells its weights from those of other versions.
        """
        program = self._programs.of(version)
        if isinstance(program, str):
            return DirectForward(version, program)
        engine = Engine(program, version)
        if self._cache is None:
            return DirectForward(engine, left_out=program.left_out)
        return ResumingEngine(engine, self._cache, version_of)

    def counted(self, version: nn.Module, version_of: Callable[[str], bytes]) -> tuple[Forward, Counter]:
        """As :meth:`of`, with what counts the work of the version; then all versions must be counted.

        Raises:
            PrimeSVTError: Its spikes cannot be counted.
        """
        program = self._programs.of(version)
        if isinstance(program, str) or self._cache is None:
            forward = counted_forward(version, self._shape)
            return forward, forward.counter
        counter = Counter(program, version)
        engine = Engine(program, version)
        return ResumingEngine(engine, self._cache, version_of, counter, self._counts), counter
