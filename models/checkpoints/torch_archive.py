"""The zip archive that ``torch.save`` writes, read without running any of it.

PyTorch's own reader believes what the archive says of sizes; here every size is checked against the bytes that are
there, before memory is claimed. What the archive's pickle says is read by
:mod:`~primesvt.models.checkpoints.pickle_safety`.
"""

import math
import mmap
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, cast

import torch

from ..errors import PrimeSVTError
from .pickle_safety import StoredTensor

# A record for each tensor; where an optimiser is saved as well, it has a few more for each weight.
MAX_MEMBERS = 80_000
MAX_DIMENSION = 2**31

AGAIN = "load it with PyTorch where you trust it, and save its state dict again with torch.save."
DTYPES = {
    f"torch.{name}": dtype
    for names, dtype in {
        "FloatStorage float32": torch.float32,
        "DoubleStorage float64": torch.float64,
        "HalfStorage float16": torch.float16,
        "BFloat16Storage bfloat16": torch.bfloat16,
        "LongStorage int64": torch.int64,
        "IntStorage int32": torch.int32,
        "ShortStorage int16": torch.int16,
        "CharStorage int8": torch.int8,
        "ByteStorage storage.UntypedStorage uint8": torch.uint8,
        "BoolStorage bool": torch.bool,
        "uint16": torch.uint16,
        "uint32": torch.uint32,
        "uint64": torch.uint64,
    }.items()
    for name in names.split()
}


class TorchArchive:
    """A zip archive of ``torch.save`` in a mapped file: stored records that lie apart."""

    def __init__(self, content: mmap.mmap) -> None:
        self.content = content
        self.records = {info.filename: (start, info) for start, info in _records(content)}
        roots = [name.removesuffix("data.pkl") for name in self.records if name.endswith("/data.pkl")]
        roots = [root for root in roots if root.count("/") == 1]
        if len(roots) != 1:
            raise PrimeSVTError(f"it has {len(roots)} data.pkl, expected one; {AGAIN}")
        self.root = roots[0]
        if any(name.startswith((f"{self.root}constants.pkl", f"{self.root}code/")) for name in self.records):
            raise PrimeSVTError("it is TorchScript, which is code; save the state dict of its model with torch.save.")
        if f"{self.root}byteorder" in self.records and self.record("byteorder").tobytes() != sys.byteorder.encode():
            raise PrimeSVTError(f"its byte order is not that of this machine; {AGAIN}")

    def record(self, name: str) -> memoryview:
        """The bytes of a record, which are what was written.

        Raises:
            PrimeSVTError: There is no such record, or its checksum differs.
        """
        start, info = self.records.get(self.root + name, (0, None))
        if info is None:
            raise PrimeSVTError(f"it lacks the record {name[:100]!r}; get the file again.")
        view = memoryview(self.content)[start : start + info.file_size]
        if zlib.crc32(view) != info.CRC:
            raise PrimeSVTError(f"its record {name[:100]!r} is damaged: the checksum differs; get the file again.")
        return view

    def tensor(self, stored: StoredTensor) -> torch.Tensor:
        """A tensor as a view of the file.

        Raises:
            PrimeSVTError: It claims more than its record has, or is of a type that no weight is of.
        """
        dtype, storage = DTYPES.get(stored.kind), stored.storage
        if dtype is None or storage.kind not in DTYPES:
            raise PrimeSVTError(f"it is of type {stored.kind}, which is not supported; convert it to float32.")
        nbytes = storage.numel * DTYPES[storage.kind].itemsize
        start, info = self.records.get(f"{self.root}data/{storage.key}", (0, None))
        if info is None or info.file_size != nbytes:
            has = "is missing" if info is None else f"has {info.file_size} bytes"
            raise PrimeSVTError(f"it claims {nbytes} bytes, but its record {has}; get the file again.")
        available = nbytes // dtype.itemsize
        last = stored.offset + sum((size - 1) * step for size, step in zip(stored.size, stored.stride, strict=True))
        numel = math.prod(stored.size)
        if numel and (last >= available or numel > available):
            raise PrimeSVTError(f"it claims {numel} numbers, but its storage has {available}; get the file again.")
        if max((0, *stored.size, *stored.stride)) > MAX_DIMENSION:
            raise PrimeSVTError("it has a size or stride that no weight has; get the file again.")
        if not numel:
            return torch.empty(stored.size, dtype=dtype)
        flat = torch.frombuffer(self.content, dtype=dtype, count=available, offset=start)
        return flat.as_strided(stored.size, stored.stride, stored.offset)


def _records(content: mmap.mmap) -> Iterator[tuple[int, zipfile.ZipInfo]]:
    """The members of a zip archive and where their bytes start, after all checks that need no pickle."""
    _check_directory(content)
    try:
        with zipfile.ZipFile(cast(IO[bytes], content)) as archive:
            infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
            end = archive.start_dir
    # zipfile raises whatever the damaged bytes lead to.
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error, EOFError) as error:
        raise PrimeSVTError(f"its zip directory is damaged ({one_line(error)}); get the file again.") from error
    if len({info.filename.casefold() for info in infos}) < len(infos):
        raise PrimeSVTError("two records of its archive have the same name; get the file again.")
    for info, limit in zip(infos, [*(info.header_offset for info in infos[1:]), end], strict=True):
        name = info.filename[:100]
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 1:
            raise PrimeSVTError(f"its record {name!r} is compressed or encrypted, as PyTorch never does; {AGAIN}")
        if ".." in info.filename or "\\" in info.filename or info.filename.startswith("/"):
            raise PrimeSVTError(f"its record {name!r} leads out of the archive; do not trust it.")
        header = content[info.header_offset : info.header_offset + 30]
        if info.header_offset < 0 or len(header) < 30 or header[:4] != b"PK\x03\x04":
            raise PrimeSVTError(f"its record {name!r} is not where the zip directory says; get the file again.")
        start = info.header_offset + 30 + sum(struct.unpack("<2H", header[26:]))
        if start + info.file_size > limit:
            raise PrimeSVTError(f"its record {name!r} claims more bytes than there are; get the file again.")
        yield start, info


def _check_directory(content: mmap.mmap) -> None:
    # Python reads the whole directory before anything can be counted.
    end, large = content[-22:], content[-98:]
    if end[:4] != b"PK\x05\x06" or end[-2:] != b"\0\0":
        raise PrimeSVTError("it ends too early: the end of the archive is missing; get the file again.")
    size = struct.unpack("<I", end[12:16])[0]
    if large[:4] == b"PK\x06\x06" and large[56:60] == b"PK\x06\x07":
        size = max(struct.unpack("<Q", large[40:48])[0], 0 if size == 2**32 - 1 else size)
    if size > min(100 * MAX_MEMBERS, len(content)):
        raise PrimeSVTError(f"its zip directory claims {size} bytes, too many for a checkpoint; {AGAIN}")


def one_line(error: Exception) -> str:
    """The message of an error of other code, short and printable."""
    return "".join(letter if letter.isprintable() else " " for letter in str(error)[:200])
