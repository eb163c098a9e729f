"""Weights out of the checkpoint of a stranger: a ``.pth`` of PyTorch or ``.safetensors``; the content decides which.

Nothing in the file is run, and what it claims is checked before memory is claimed for it: the tensors of a ``.pth`` are
views of the mapped file. Training scripts put the weights under many names, beside optimisers and moving averages;
every collection of weights in the file is found, and the most likely one taken.
"""

import math
import mmap
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from ..errors import PrimeSVTError
from ..json_text import parse_json
from .pickle_safety import Other, StoredTensor, read_pickle
from .torch_archive import AGAIN, DTYPES, MAX_DIMENSION, TorchArchive, one_line

MAX_TENSORS = 20_000
MAX_KEY = 500
MAX_HEADER = 2**25
MAX_DEPTH = 3

# The likeliest first; "" is the top level, and what is left of a name such as "ema".
COLLECTIONS = (
    *("state_dict", "model", "model_state_dict", "model_state", "net", "network", "module", "weights", "params"),
    "",
)
PREFIXES = ("module.", "model.")
OTHER_FILES = (
    (0, b"version https://git-lfs", "is a pointer of Git LFS, not the file; fetch it with `git lfs pull`."),
    (0, b"\x1f\x8b", "is compressed with gzip; unpack it first."),
    (257, b"ustar", f"is a tar archive; unpack it, or {AGAIN}"),
    (0, b"\x80", f"is a pickle or of PyTorch before 1.6; {AGAIN}"),
)


@dataclass(frozen=True)
class WeightsFile:
    """The weights of a checkpoint.

    Args:
        state: Tensors by name, without the prefixes that wrappers add. They may be views of the mapped file.
        found_under: Where in the checkpoint they were, such as ``state_dict``; empty for the top level.
        others: Other collections of weights that could have been taken, such as ``state_dict_ema``.
    """

    state: Mapping[str, torch.Tensor]
    found_under: str
    others: tuple[str, ...]


def read_weights(file: Path, *, collection: str | None = None) -> WeightsFile:
    """Read the weights of a checkpoint; nothing in it is ever run.

    Args:
        file: A zip archive of ``torch.save``, or safetensors, whatever its name.
        collection: Where in the checkpoint the weights are, such as ``state_dict_ema``; by default the likeliest place.

    Raises:
        PrimeSVTError: The file cannot be read, is damaged or hostile, or has no such collection.
    """
    try:
        content = _map(file)
        if content[:4] == b"PK\x03\x04":
            return _read_archive(content, collection)
        if content[8:9] == b"{":
            return _read_safetensors(file, content, collection)
        for position, magic, problem in OTHER_FILES:
            if content[position : position + len(magic)] == magic:
                raise PrimeSVTError(f"it {problem}")
        raise PrimeSVTError("it is neither a checkpoint of PyTorch nor safetensors; get the file again.")
    except PrimeSVTError as error:
        raise PrimeSVTError(f"Cannot read weights from {file}: {error}") from error


def check_values(state: Mapping[str, torch.Tensor], *, allow_nonfinite: bool = False) -> None:
    """Refuse weights that no working model has; needs no memory beside the tensors.

    Args:
        state: Tensors by name.
        allow_nonfinite: Accept NaN and infinity; a negative variance is refused all the same.

    Raises:
        PrimeSVTError: A value is NaN or infinite, or the variance of a BatchNorm negative.
    """
    for name, tensor in state.items():
        # NaN in, NaN out; unlike isfinite, aminmax makes no copy.
        if not allow_nonfinite and tensor.is_floating_point() and tensor.numel():
            low, high = torch.aminmax(tensor.detach())
            if not math.isfinite(low) or not math.isfinite(high):
                raise PrimeSVTError(f"{name} holds NaN or infinity; pass --allow-nonfinite to go on.")
        if name.split(".")[-1] == "running_var" and bool((tensor.detach() < 0).any()):
            raise PrimeSVTError(f"{name} holds a negative variance, so the checkpoint is damaged; get another one.")


def _map(file: Path) -> mmap.mmap:
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise PrimeSVTError("it is no file; give the checkpoint itself.")
        if not status.st_size:
            raise PrimeSVTError("it is empty; get the file again.")
        with file.open("rb") as stream:
            # Private to this process and writable, as PyTorch wants its memory; the file never changes.
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError) as error:
        raise PrimeSVTError(f"{getattr(error, 'strerror', None) or error}; give a file that can be read.") from error


def _read_archive(content: mmap.mmap, collection: str | None) -> WeightsFile:
    archive = TorchArchive(content)
    pickle = archive.record("data.pkl")
    if len(pickle) > MAX_HEADER:
        raise PrimeSVTError(f"its pickle has {len(pickle)} bytes, more than {MAX_HEADER}; save a state dict alone.")
    found = _collections(read_pickle(bytes(pickle)))
    path = next(iter(found), None) if collection is None else collection
    if path is None:
        raise PrimeSVTError("it holds no weights, that is no dict of tensors; save model.state_dict().")
    if path not in found and list(found) == [""]:
        raise PrimeSVTError(f"it has no weights under {path[:100]!r}: they are at the top level; leave --weights out.")
    if path not in found:
        raise PrimeSVTError(
            f"it has no weights under {path[:100]!r}; choose one of {', '.join(map(repr, list(found)[:10]))}."
        )
    entries = {key: value for key, value in found[path].items() if key != "_metadata"}
    _check_names(entries)
    checked: set[str] = set()
    state = {}
    for key, value in entries.items():
        if type(value) is not StoredTensor:
            what = value.kind if type(value) is Other else type(value).__name__
            raise PrimeSVTError(f"{key!r} is no plain tensor but {what[:100]}; save model.state_dict() alone.")
        try:
            state[key] = archive.tensor(value)
            if value.storage.key not in checked:
                archive.record(f"data/{value.storage.key}")
                checked.add(value.storage.key)
        except PrimeSVTError as error:
            raise PrimeSVTError(f"{key!r}: {error}") from error
    # Tied weights are stored once; a thousand views of the same numbers are an attack.
    claimed = sum(tensor.nbytes for tensor in state.values())
    if claimed > 2 * len(content):
        raise PrimeSVTError(f"its tensors claim {claimed} bytes, but it has {len(content)}; get the file again.")
    return WeightsFile(_strip(state), path, tuple(other for other in found if other != path))


def _collections(checkpoint: Any) -> dict[str, dict[Any, Any]]:
    """Every collection of weights in a checkpoint by its path, the likeliest first."""
    found: dict[str, dict[Any, Any]] = {}
    # A pickle can put one dict in many places, or into itself: each is looked at once.
    verdicts: dict[int, bool] = {}
    queue = [("", checkpoint, 0)]
    for path, value, depth in queue:
        if type(value) is not dict:
            continue
        if id(value) not in verdicts:
            verdicts[id(value)] = _is_collection(value)
            if depth < MAX_DEPTH:
                queue += [(f"{path}.{key}" if path else key, value[key], depth + 1) for key in value if _leads_on(key)]
        if verdicts[id(value)]:
            found.setdefault(path, value)
    return {path: found[path] for path in sorted(found, key=_likelihood)}


def _is_collection(value: dict[Any, Any]) -> bool:
    entries = [entry for key, entry in value.items() if key != "_metadata"]
    # Tensors of another kind count, so that they are named rather than not found.
    tensors = sum(type(entry) is StoredTensor or (type(entry) is Other and "torch" in entry.kind) for entry in entries)
    return 2 * tensors > len(entries) and not any(type(entry) is dict for entry in entries)


def _leads_on(key: Any) -> bool:
    return type(key) is str and len(key) <= MAX_KEY and key.isprintable() and "optim" not in key


def _likelihood(path: str) -> tuple[bool, int, int]:
    """A sort key: known names first, moving averages after what they are of, then what is nearest to the top."""
    words = path.split(".")[-1].split("_")
    name = "_".join(word for word in words if word != "ema")
    rank = COLLECTIONS.index(name) if name in COLLECTIONS else len(COLLECTIONS)
    is_average = any(word == "ema" for word in path.replace(".", "_").split("_"))
    return is_average, rank, path.count(".")


def _check_names(entries: Mapping[Any, Any]) -> None:
    if not entries:
        raise PrimeSVTError("it holds no tensors; save model.state_dict().")
    if len(entries) > MAX_TENSORS:
        raise PrimeSVTError(f"it has {len(entries)} tensors, more than {MAX_TENSORS}; save a state dict alone.")
    for key in entries:
        if type(key) is not str:
            raise PrimeSVTError(f"a tensor is named {str(key)[:100]!r}, which is no text; save model.state_dict().")
        if not 0 < len(key) <= MAX_KEY or not key.isprintable():
            raise PrimeSVTError(
                f"a tensor is named {key[:100]!r}; a name must have 1 to {MAX_KEY} printable characters."
            )


def _strip(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names as the model itself has them, without those of wrappers around it."""
    # Unlike the others, torch.compile is told by its name, and may wrap a part.
    names = {key: key.replace("_orig_mod.", "") for key in state}
    while prefix := next((p for p in PREFIXES if all(len(n) > len(p) and n.startswith(p) for n in names.values())), ""):
        names = {key: name.removeprefix(prefix) for key, name in names.items()}
    stripped: dict[str, str] = {}
    for key, name in names.items():
        if (first := stripped.setdefault(name, key)) != key:
            raise PrimeSVTError(f"{first!r} and {key!r} are the same weight, {name!r}; remove one of them.")
    return {name: state[key] for name, key in stripped.items()}


def _read_safetensors(file: Path, content: mmap.mmap, collection: str | None) -> WeightsFile:
    if collection:
        raise PrimeSVTError(f"safetensors has one collection of weights, not {collection[:100]!r}; leave it out.")
    size = int.from_bytes(content[:8], "little")
    if size > min(MAX_HEADER, len(content) - 8):
        raise PrimeSVTError(f"its header claims {size} bytes, more than there are or may be; get the file again.")
    try:
        # The library checks offsets and sizes, but takes the last of two tensors with one name.
        header = parse_json(content[8 : 8 + size])
        _check_names({key: None for key in header if key != "__metadata__"})
        with safe_open(file, framework="pt") as tensors:
            state = {key: tensors.get_tensor(key) for key in tensors.keys()}  # noqa: SIM118
    # Bytes of a stranger: the library raises its own error, json these, and conversion to PyTorch the rest.
    except (SafetensorError, OSError, ValueError, RecursionError, TypeError, RuntimeError, AttributeError) as error:
        raise PrimeSVTError(f"its header is damaged ({one_line(error)}); get the file again.") from error
    for key, tensor in state.items():
        if tensor.dtype not in DTYPES.values():
            raise PrimeSVTError(f"{key!r} is of type {tensor.dtype}, which is not supported; convert it to float32.")
        if max((0, *tensor.shape)) > MAX_DIMENSION:
            raise PrimeSVTError(f"{key!r} has a size that no weight has; get the file again.")
    return WeightsFile(_strip(state), "", ())
