"""A model on disk: a directory with ``config.json`` and ``model.safetensors``. Nothing is ever unpickled."""

import hashlib
import json
import math
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from .config import ModelConfig
from .errors import PrimeSVTError
from .family import build, config_of, config_type

FORMAT = 1
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
DEMO = "demo"


def save_model(model: nn.Module, directory: str | Path, *, overwrite: bool = False) -> None:
    """Write a model directory, whole or not at all.

    Args:
        model: Any model of PrimeSVT.
        directory: Where to; its parents are made.
        overwrite: Replace what is there; otherwise only a new or empty directory is written.

    Raises:
        PrimeSVTError: The directory holds something, or cannot be written.
    """
    with write_directory(directory, overwrite=overwrite) as new:
        save_into(model, new)


def save_into(model: nn.Module, directory: Path) -> None:
    """Write the two files of a model into a directory that exists, such as one of :func:`write_directory`."""
    config = config_of(model)
    text = json.dumps({"format": FORMAT, "family": config.family, **config.to_json()}, indent=1)
    (directory / CONFIG).write_text(text + "\n", encoding="utf-8")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, directory / WEIGHTS)


@contextmanager
def write_directory(directory: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Fill a directory beside its final place, and move it there when all went well.

    Raises:
        PrimeSVTError: The directory holds something, or cannot be written.
    """
    directory = Path(directory)
    check_free(directory, overwrite=overwrite)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    except OSError as error:
        raise PrimeSVTError(f"Cannot write to {directory.parent}: {error}.") from error
    try:
        yield new
        # mkdtemp makes it private; a result is for whoever may read its parent.
        new.chmod(0o755)
        if directory.exists():
            shutil.rmtree(directory)
        new.replace(directory)
    except (OSError, SafetensorError) as error:
        raise PrimeSVTError(f"Cannot write {directory}: {error}. Nothing was left there.") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def check_free(directory: str | Path, *, overwrite: bool = False) -> None:
    """Refuse an output directory that already holds something, before the work that would fill it.

    Raises:
        PrimeSVTError: It is a file, or holds something and ``overwrite`` is False.
    """
    directory = Path(directory)
    if directory.is_dir():
        if not overwrite and any(directory.iterdir()):
            raise PrimeSVTError(f"{directory} is not empty; choose another directory, or pass --overwrite.")
    elif directory.exists():
        raise PrimeSVTError(f"{directory} exists and is no directory; choose another one.")


def load_model(directory: str | Path) -> nn.Module:
    """Load a model directory, or the embedded demo model where ``directory`` is ``demo``, in evaluation mode.

    Raises:
        PrimeSVTError: There is no model, it is damaged, or written by a newer version.
    """
    with resources.as_file(resources.files(__package__) / DEMO) as embedded:
        folder = embedded if str(directory) == DEMO else Path(directory)
        config = load_config(folder)
        model = build(config)
        state = _read_weights(folder / WEIGHTS, {n: tuple(t.shape) for n, t in model.state_dict().items()})
    model.load_state_dict(state, assign=True)
    return model.eval()


def load_config(folder: Path) -> ModelConfig:
    """Read and check ``config.json``.

    Raises:
        PrimeSVTError: It is not there, no JSON, or not a configuration of a known family.
    """
    file = folder / CONFIG
    data = read_json(
        file, f"No model in {folder}: {{}}. A model is a directory with {CONFIG} and {WEIGHTS}, or 'demo'."
    )
    version = data.pop("format", None)
    if version != FORMAT:
        raise PrimeSVTError(f"{file} has format {version!r}, this version reads {FORMAT}; update PrimeSVT.")
    family = config_type(str(data.pop("family", None)))
    try:
        config: ModelConfig = family.from_json(data)
    except PrimeSVTError as error:
        raise PrimeSVTError(f"{file}: {error}") from error
    return config


def read_json(file: Path, problem: str) -> dict[str, Any]:
    """Read a JSON object; ``problem`` is the message, with ``{}`` for the cause.

    Raises:
        PrimeSVTError: The file cannot be read or holds something else.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise PrimeSVTError(problem.format(error.strerror or error)) from error
    except (ValueError, RecursionError) as error:
        raise PrimeSVTError(problem.format(f"{file.name} is no JSON ({error})")) from error
    if not isinstance(data, dict):
        raise PrimeSVTError(problem.format(f"{file.name} holds no JSON object"))
    return data


def _read_weights(file: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError, ValueError) as error:
        raise PrimeSVTError(f"Cannot read the weights {file}: {error}.") from error
    if odd := sorted(set(tensors) ^ set(shapes)):
        raise PrimeSVTError(f"{file} does not fit its {CONFIG}: missing or unknown tensors {', '.join(odd[:5])}.")
    for name, shape in shapes.items():
        if tuple(tensors[name].shape) != shape:
            raise PrimeSVTError(f"{file}: {name} has shape {tuple(tensors[name].shape)}, {CONFIG} says {shape}.")
        if tensors[name].is_floating_point() and not torch.isfinite(tensors[name]).all():
            raise PrimeSVTError(f"{file}: {name} holds NaN or infinity.")
    return tensors


def model_bytes(model: nn.Module) -> int:
    """Bytes of all tensors that are stored: weights, BatchNorm, indices, each in its own dtype."""
    return sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())


def parameter_count(model: nn.Module) -> int:
    """Number of trainable numbers."""
    return sum(math.prod(p.shape) for p in model.parameters())


def fingerprint(model: nn.Module) -> str:
    """A hash of configuration and weights: equal models, equal accuracies."""
    config = config_of(model)
    digest = hashlib.sha256(json.dumps([config.family, config.to_json()], sort_keys=True).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
