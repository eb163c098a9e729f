"""The models, data and storages that a call is given: as objects, or by the names that a command line has."""

import argparse
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, InMemoryStorage
from torch import nn

from primesvt.models import DEMO, DataSet, PrimeSVTError, Role, load_model
from primesvt.models.layers.compiling import compilations

from ..commands.model_and_data import open_data_for
from ..running.progress import quiet as quietly
from ..running.progress import tell_of_kernel
from ..running.storage import open_storage
from ..running.subject import Subject

# A directory, or "demo" for the embedded model; or the model itself.
Model = str | Path | nn.Module
# A path, or nothing for the embedded sample of Fashion-MNIST; or the data set itself.
Data = str | Path | DataSet | None
# A URL or a file, or nothing for one in memory; or the storage itself.
Storage = str | Path | BaseStorage | None


def or_demo(model: Model | None) -> dict[str, str]:
    """For :func:`~primesvt.studies.notebook.asked.asked`: the demo model, where none was given."""
    return {"model": DEMO} if model is None else {}


def model_of(model: Model | None, said: str | None = None) -> nn.Module:
    """The model.

    Args:
        model: As it was given.
        said: Its name in the options, which counts where none was given: a file may say it.

    Raises:
        PrimeSVTError: There is none.
    """
    if isinstance(model, nn.Module):
        return model
    model = said if model is None else model
    return load_model(_name_of("model", model, "a directory, 'demo', or a model of PrimeSVT"))


def data_of(args: argparse.Namespace, data: Data, model: nn.Module, role: Role) -> DataSet:
    """The data, cut as the options say.

    Raises:
        PrimeSVTError: It cannot be read, or does not fit the model.
    """
    if isinstance(data, DataSet):
        return open_data_for(args, model, role, data)
    if data is not None:
        _name_of("data", data, "a path, a DataSet (primesvt.open_data), or None for the embedded sample")
    return open_data_for(args, model, role, None)


def model_if_any(model: Model | None, said: str | None) -> nn.Module | None:
    """The same of a model that may be left out."""
    return None if model is None and said is None else model_of(model, said)


def subject_of(args: argparse.Namespace, model: Model | None, data: Data, role: Role = "selection") -> Subject:
    """Model and data.

    Raises:
        PrimeSVTError: One of them cannot be read, or they do not fit.
    """
    found = model_of(model, args.model)
    forget_names(args, model=model)
    return Subject(found, data_of(args, data, found, role))


def forget_names(args: argparse.Namespace, **given: object) -> None:
    """Of what was given as a model, the options have no name; what a file of options names is another one."""
    for name, value in given.items():
        if isinstance(value, nn.Module):
            setattr(args, name, None)


def storage_given(storage: Storage, *, create: bool = True) -> BaseStorage:
    """The storage.

    Raises:
        PrimeSVTError: It does not answer.
    """
    if storage is None:
        return InMemoryStorage()
    if isinstance(storage, BaseStorage):
        return storage
    return open_storage(str(_name_of("storage", storage, "a URL, a file, or a storage of Optuna")), create=create)


def _name_of(what: str, given: object, expected: str) -> str | Path:
    """A name as it was given.

    Raises:
        PrimeSVTError: It is none.
    """
    if not isinstance(given, str | Path):
        raise PrimeSVTError(f"{what} must be {expected}; got {type(given).__name__}.")
    return given


def named(**given: Any) -> dict[str, str | None]:
    """Of what was given, the names, which a command line has; an object has none."""
    return {name: str(value) if isinstance(value, str | Path) else None for name, value in given.items()}


@contextmanager
def session(quiet: bool) -> Iterator[None]:
    """What surrounds a call, as it does a command: progress on the error stream, or none."""
    with quietly(quiet), compilations(tell_of_kernel), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
