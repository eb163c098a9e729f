"""Hooks of modules: how a pass of images through a model is watched, and changed."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from torch import nn


class Hooks:
    """Hooks of modules that end with a ``with`` block."""

    def __init__(self) -> None:
        self._handles: list[Any] = []

    def before(self, module: nn.Module, hook: Callable[..., Any], *, named: bool = False) -> None:
        """Call a hook with the module and its arguments, which what it returns replaces.

        Args:
            module: The module.
            hook: The hook.
            named: Whether the hook gets the arguments that were passed by name, too.
        """
        self._handles.append(module.register_forward_pre_hook(hook, with_kwargs=named))

    def after(self, module: nn.Module, hook: Callable[..., Any]) -> None:
        """Call a hook with the module, its arguments and its output, which what it returns replaces."""
        self._handles.append(module.register_forward_hook(hook))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for handle in self._handles:
            handle.remove()
