"""PrimeSVT: spiking vision transformers made small enough for their devices, as a command line and from Python.

    import primesvt

    found = primesvt.search("demo", trials=20, images=500)
    smaller = found.pruned()

Everything here is imported when it is first asked for (PEP 562), so that ``import primesvt`` takes no time. The folders
of the package are ``models``, ``pruning``, ``search`` and ``studies``; ``primesvt.search`` is a folder that can be
called.
"""

import sys
from importlib import import_module
from inspect import signature
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .models import (
        DataSet,
        PrimeSVTError,
        export_onnx,
        export_pt2,
        import_checkpoint,
        load_model,
        model_bytes,
        open_data,
        save_model,
    )
    from .pruning import PruningPlan, load_plan, prunable_layers, save_plan
    from .studies.notebook import (
        compare,
        evaluate,
        finetune,
        layers,
        measure,
        prune,
        push,
        repair,
        robustness,
        search,
        train,
    )

    __version__: str

__all__ = [
    "DataSet",
    "PrimeSVTError",
    "PruningPlan",
    "__version__",
    "compare",
    "evaluate",
    "export_onnx",
    "export_pt2",
    "finetune",
    "import_checkpoint",
    "layers",
    "load_model",
    "load_plan",
    "measure",
    "model_bytes",
    "open_data",
    "prunable_layers",
    "prune",
    "push",
    "repair",
    "robustness",
    "save_model",
    "save_plan",
    "search",
    "train",
]

_PLACES = {
    ".models": (
        "DataSet", "PrimeSVTError", "export_onnx", "export_pt2", "import_checkpoint", "load_model", "model_bytes",
        "open_data", "save_model",
    ),
    ".pruning": ("PruningPlan", "load_plan", "prunable_layers", "save_plan"),
    ".studies.notebook": (
        "compare", "evaluate", "finetune", "layers", "measure", "prune", "push", "repair", "robustness", "train",
    ),
}  # fmt: skip
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("primesvt")
    if name == "search":
        return import_module(".search", __name__)
    if name not in _PLACE_OF:
        from .models.suggestion import meant

        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{meant(name, __all__)}")
    found = globals()[name] = getattr(import_module(_PLACE_OF[name], __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*__all__, "models", "pruning", "search", "studies"})


class _Searching(ModuleType):
    """The folder ``search/``, which can be called: ``primesvt.search(...)``."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Search for a plan that keeps the limits: see ``help(primesvt.studies.notebook.search)``."""
        return _search()(*arguments, **options)

    @property
    def __signature__(self) -> Any:
        """For a notebook, which shows it."""
        return signature(_search())


def _search() -> Any:
    return import_module("primesvt.studies.notebook").search


class _Package(ModuleType):
    """The package. Importing a folder binds its name here, and ``search`` can be called from then on."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "search" and isinstance(value, ModuleType) and not isinstance(value, _Searching):
            value.__class__ = type(_Searching.__name__, (_Searching, type(value)), {})
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
