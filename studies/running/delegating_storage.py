"""A storage that has another one do its work: what those have in common that add something to one."""

import types
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from optuna.storages import BaseStorage

Result = TypeVar("Result")
Call = Callable[[], Result]


def _delegated(name: str) -> Callable[..., Any]:
    """A method that asks the other storage."""

    @wraps(getattr(BaseStorage, name), updated=())  # else it would be as abstract
    def method(self: "DelegatingStorage", *args: Any, **options: Any) -> Any:
        return self.asked(lambda: getattr(self.inner, name)(*args, **options))

    return method


def _methods() -> Mapping[str, Callable[..., Any]]:
    public = [name for name, value in vars(BaseStorage).items() if callable(value) and not name.startswith("_")]
    return {name: _delegated(name) for name in public if name != "check_trial_is_updatable"}


_Delegating: Any = types.new_class("_Delegating", (BaseStorage,), exec_body=lambda body: body.update(_methods()))


class DelegatingStorage(_Delegating):  # type: ignore[misc]
    """Does what another storage does.

    Args:
        inner: The other one.
    """

    def __init__(self, inner: BaseStorage) -> None:
        self.inner = inner

    def asked(self, call: Call[Result]) -> Result:
        """What a call of the other storage returns; every method goes this way."""
        return call()
