"""A second model on the same tensors, to be watched and changed without touching the first one."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import torch
from torch import nn

from primesvt.models import build, config_of


def twin_of(model: nn.Module) -> nn.Module:
    """A model in evaluation mode with the same tensors, which answers each image for itself.

    What replaces a tensor of the twin leaves the model as it is; nothing may be written into one.
    """
    with torch.device("meta"):
        twin = build(config_of(model).independent())
    twin.load_state_dict(model.state_dict(), assign=True)
    return twin.eval().requires_grad_(False)


class Hooks:
    """Hooks of modules that end with a ``with`` block."""

    def __init__(self) -> None:
        self._handles: list[Any] = []

    def before(self, module: nn.Module, hook: Callable[..., Any]) -> None:
        """Call a hook with the module and its arguments, which what it returns replaces."""
        self._handles.append(module.register_forward_pre_hook(hook))

    def after(self, module: nn.Module, hook: Callable[..., Any]) -> None:
        """Call a hook with the module, its arguments and its output, which what it returns replaces."""
        self._handles.append(module.register_forward_hook(hook))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for handle in self._handles:
            handle.remove()
