"""A model on disk: a directory with ``config.json`` and ``model.safetensors``. Nothing is ever unpickled."""

import hashlib
import json
import math
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from .errors import PrimeSVTError
from .families.config import ModelConfig
from .families.registry import assembled, build, config_of, config_type
from .hub import SCHEME, HubName, download, is_hub_name
from .int8_weights import float_state, int8_state
from .json_text import read_json

FORMAT, INT8_FORMAT = 1, 2
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
DEMO = "demo"
# How a model was trained, and how it was pruned, where its directory says so.
TRAINING, PLAN = "training.json", "plan.json"
_ON_HUB = f"{SCHEME}OWNER/NAME"
# In the configuration of a model whose weights are known to be NaN or infinite in places.
NONFINITE = "nonfinite"
# How the weights of a model of the newer format are stored.
STORED, INT8 = "weights", "int8"
# Far above the configuration of a model with a thousand layers and classes.
MAX_JSON_BYTES = 2**24
WEIGHT_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def save_model(
    model: nn.Module,
    directory: str | Path,
    *,
    overwrite: bool = False,
    allow_nonfinite: bool = False,
    int8: bool = False,
) -> None:
    """Write a model directory, whole or not at all.

    Args:
        model: Any model of PrimeSVT.
        directory: Where to; its parents are made.
        overwrite: Replace what is there; otherwise only a new or empty directory is written.
        allow_nonfinite: Let :func:`load_model` take weights that are NaN or infinite, which it refuses otherwise.
        int8: Store the weights of convolutions in a byte each; loaded again, they are what the bytes say.

    Raises:
        PrimeSVTError: The directory holds something, or cannot be written; or a weight is NaN that shall be int8.
    """
    with write_directory(directory, overwrite=overwrite) as new:
        save_into(model, new, allow_nonfinite=allow_nonfinite, int8=int8)


def save_into(model: nn.Module, directory: Path, *, allow_nonfinite: bool = False, int8: bool = False) -> None:
    """Write the two files of a model into a directory that exists, such as one of :func:`write_directory`.

    Raises:
        PrimeSVTError: A weight is NaN or infinite that shall be int8.
    """
    config = config_of(model)
    head = {"format": FORMAT, "family": config.family, **({NONFINITE: True} if allow_nonfinite else {})}
    # Versions that know no such weights know no such format, and say so.
    head |= {"format": INT8_FORMAT, STORED: INT8} if int8 else {}
    text = json.dumps({**head, **config.to_json()}, indent=1)
    (directory / CONFIG).write_text(text + "\n", encoding="utf-8")
    state = int8_state(model) if int8 else model.state_dict()
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, directory / WEIGHTS)
    # safetensors makes its files private; the weights are for whoever may read the configuration.
    (directory / WEIGHTS).chmod((directory / CONFIG).stat().st_mode)


@contextmanager
def write_directory(directory: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Fill a directory beside its final place, and move it there when all went well.

    Raises:
        PrimeSVTError: The directory holds something, or cannot be written.
    """
    directory = Path(directory)
    if overwrite:
        _check_no_file(directory)
    else:
        check_free(directory)
    place = directory.resolve()
    new = place.parent / f".{place.name}-{secrets.token_hex(4)}"
    try:
        new.mkdir(parents=True)
    except OSError as error:
        raise PrimeSVTError(f"Cannot write to {directory.parent}: {error}.") from error
    try:
        yield new
        _move(new, place)
    except (OSError, SafetensorError) as error:
        raise PrimeSVTError(f"Cannot write {directory}: {error}. What was there before is untouched.") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _move(new: Path, place: Path) -> None:
    """Move a directory to its place; what was there is deleted last, and put back where the move fails."""
    old = new.with_name(f"{new.name}.old")
    if place.exists():
        place.rename(old)
    try:
        new.rename(place)
    except OSError:
        if old.exists():
            old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)


def check_free(directory: str | Path, *, overwrite: bool = False) -> None:
    """Refuse an output directory that already holds something, before the work that would fill it.

    Raises:
        PrimeSVTError: It is a file, or holds something and ``overwrite`` is False, or something that is no model.
    """
    directory = Path(directory)
    _check_no_file(directory)
    if directory.is_dir() and any(directory.iterdir()):
        if not overwrite:
            raise PrimeSVTError(f"{directory} is not empty; choose another directory, or pass --overwrite.")
        # Replacing a directory deletes all that is in it: nobody means their home.
        if not any((directory / name).exists() for name in (CONFIG, WEIGHTS)):
            raise PrimeSVTError(f"{directory} holds no model that could be replaced; choose another directory.")


def _check_no_file(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise PrimeSVTError(f"{directory} exists and is no directory; choose another one.")


def check_writable(directory: str | Path) -> None:
    """Make an output directory, and refuse one that cannot be written, before the work that would fill it.

    Raises:
        PrimeSVTError: It cannot be made, or no file can be made in it or beside it.
    """
    directory = Path(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for place in (directory, directory.resolve().parent):
            tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        raise PrimeSVTError(f"Cannot write to {directory}: {error.strerror or error}.") from error


@contextmanager
def model_folder(name: str | Path) -> Iterator[Path]:
    """The directory of a model: the one that is named, that of ``demo``, or one of the hub, which is fetched.

    Raises:
        PrimeSVTError: The hub has no such model, or does not answer.
    """
    if not isinstance(name, str | Path):
        raise PrimeSVTError(f"A model is named by its directory, 'demo' or {_ON_HUB}; got {name!r}.")
    if is_hub_name(name):
        yield download(HubName.read(str(name)), CONFIG, (CONFIG, WEIGHTS, TRAINING, PLAN))
    elif str(name) == DEMO:
        with resources.as_file(resources.files("primesvt.models") / DEMO) as embedded:
            yield embedded
    else:
        yield Path(name)


def load_model(directory: str | Path, *, families: Iterable[type[ModelConfig]] = ()) -> nn.Module:
    """Load a model in evaluation mode.

    Args:
        directory: Where :func:`save_model` wrote; ``demo`` for the embedded model; ``hf://OWNER/NAME[@REVISION]`` for
            one of the Hugging Face hub.
        families: Families that may occur beside those that are installed.

    Raises:
        PrimeSVTError: There is no model, it is damaged, or written by a newer version.
    """
    with model_folder(directory) as folder:
        config, nonfinite, int8 = _read_config(folder, families)
        # On the meta device nothing is allocated, so widths that the weights do not have cost nothing.
        with torch.device("meta"):
            model = build(config)
        tensors = _load_tensors(folder / WEIGHTS)
        tensors = float_state(tensors) if int8 else tensors
        state = _checked(folder / WEIGHTS, tensors, config, model.state_dict(), nonfinite)
    model.load_state_dict(state, assign=True)
    return model.eval()


def _read_config(folder: Path, families: Iterable[type[ModelConfig]]) -> tuple[ModelConfig, bool, bool]:
    """The configuration, whether weights that are NaN or infinite are to be taken, and whether they are int8."""
    file = folder / CONFIG
    if file.exists() and not (file.is_file() and file.stat().st_size <= MAX_JSON_BYTES):
        raise PrimeSVTError(
            f"{file} is no configuration of PrimeSVT: it is no file, or larger than {MAX_JSON_BYTES} bytes."
        )
    data = read_json(
        file, f"No model in {folder}: {{}}. A model is a directory with {CONFIG} and {WEIGHTS}, 'demo' or {_ON_HUB}."
    )
    version = data.pop("format", None)
    if type(version) is not int or version < 1:
        raise PrimeSVTError(f"{file} is no configuration of PrimeSVT: its format is {version!r}, expected {FORMAT}.")
    if version not in (FORMAT, INT8_FORMAT):
        raise PrimeSVTError(
            f"{file} has format {version}, this version reads {FORMAT} and {INT8_FORMAT}; update PrimeSVT."
        )
    if version == INT8_FORMAT and (stored := data.pop(STORED, None)) != INT8:
        raise PrimeSVTError(f"{file}: {STORED} must be {INT8!r}, got {str(stored)[:60]!r}.")
    try:
        name, more = str(data.pop("family", None)), {kind.family: kind for kind in families}
        nonfinite = data.pop(NONFINITE, False)
        if type(nonfinite) is not bool:
            raise PrimeSVTError(f"{NONFINITE} must be true or false, got {str(nonfinite)[:60]!r}.")
        config: ModelConfig = (more.get(name) or config_type(name)).from_json(data)
    except PrimeSVTError as error:
        raise PrimeSVTError(f"{file}: {error}") from error
    return config, nonfinite, version == INT8_FORMAT


def _load_tensors(file: Path) -> dict[str, torch.Tensor]:
    if file.exists() and not file.is_file():
        raise PrimeSVTError(f"Cannot read the weights {file}: it is no file.")
    try:
        return load_file(file)
    except (OSError, SafetensorError, ValueError) as error:
        raise PrimeSVTError(f"Cannot read the weights {file}: {error}.") from error


def _checked(
    file: Path,
    tensors: dict[str, torch.Tensor],
    config: ModelConfig,
    expected: dict[str, torch.Tensor],
    nonfinite: bool,
) -> dict[str, torch.Tensor]:
    """The tensors, where they are those of the configuration."""
    if odd := sorted(set(tensors) ^ set(expected)):
        raise PrimeSVTError(f"{file} does not fit its {CONFIG}: missing or unknown tensors {', '.join(odd[:5])}.")
    # Weights may be stored in any of these, but all in the same one; counters and indices have their own.
    stored = tensors["head.weight"].dtype
    if stored not in WEIGHT_DTYPES:
        raise PrimeSVTError(f"{file}: head.weight is {stored}, expected one of {', '.join(map(str, WEIGHT_DTYPES))}.")
    for name, like in expected.items():
        _check_tensor(f"{file}: {name}", tensors[name], like, stored if like.is_floating_point() else like.dtype)
        if not nonfinite and like.is_floating_point() and not _is_finite(tensors[name]):
            raise PrimeSVTError(f"{file}: {name} holds NaN or infinity.")
    for group in config.groups():
        channels = tensors.get(f"{group.index}.channels")
        if channels is not None and group.stream is not None:
            _check_index(file, f"{group.index}.channels", channels.long(), config.widths[group.stream])
    return tensors


def _check_tensor(name: str, tensor: torch.Tensor, like: torch.Tensor, dtype: torch.dtype) -> None:
    if tensor.shape != like.shape:
        raise PrimeSVTError(f"{name} has shape {tuple(tensor.shape)}, but {CONFIG} says {tuple(like.shape)}.")
    if tensor.dtype != dtype:
        raise PrimeSVTError(f"{name} is {tensor.dtype}, expected {dtype}.")
    if name.endswith(".running_var") and bool((tensor < 0).any()):
        raise PrimeSVTError(f"{name} holds a negative variance.")


def _is_finite(tensor: torch.Tensor) -> bool:
    # One pass and no copy; only a sum that overflows asks for another.
    return bool(torch.isfinite(tensor.sum())) or bool(torch.isfinite(tensor).all())


def _check_index(file: Path, name: str, channels: torch.Tensor, stream: int) -> None:
    if channels[0] < 0 or channels[-1] >= stream or not (channels.diff() > 0).all():
        raise PrimeSVTError(f"{file}: {name} must be different channels of 0 to {stream - 1}, ascending.")


def model_bytes(model: nn.Module) -> int:
    """Bytes of all tensors that are stored: weights, BatchNorm, indices, each in its own dtype."""
    return sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())


def as_int8(model: nn.Module) -> nn.Module:
    """The model that its weights as int8 say: what is loaded from a directory that stores them so, in the same mode.

    Raises:
        PrimeSVTError: A weight is NaN or infinite.
    """
    return assembled(config_of(model), float_state(int8_state(model))).train(model.training)


def stored_bytes(directory: str | Path) -> int:
    """Bytes of all tensors in a model's directory, as they are stored: fewer than the model's where weights are int8.

    Args:
        directory: As for :func:`load_model`.

    Raises:
        PrimeSVTError: There is no model, or its weights cannot be read.
    """
    with model_folder(directory) as folder:
        tensors = _load_tensors(folder / WEIGHTS)
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


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
