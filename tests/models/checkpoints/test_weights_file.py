"""Checkpoints of strangers: weights are found in every usual form, and what is damaged or hostile is refused."""

import argparse
import collections
import io
import json
import os
import pickle
import struct
import tarfile
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save, save_file
from torch import nn

from primesvt.models import PrimeSVTError
from primesvt.models.checkpoints import weights_file as module
from primesvt.models.checkpoints.weights_file import WeightsFile, check_values, read_weights


def weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "conv.weight": torch.randn(4, 3, 2, 2, generator=generator),
        "conv.bias": torch.randn(4, generator=generator).bfloat16(),
        "bn.running_var": torch.rand(4, generator=generator, dtype=torch.float64),
        "bn.num_batches_tracked": torch.tensor(7),
        "mask": torch.tensor([True, False]),
        "scalar": torch.tensor(2.5).half(),
    }


def pth(tmp_path: Path, checkpoint: Any, name: str = "a.pth", **options: Any) -> Path:
    torch.save(checkpoint, tmp_path / name, **options)
    return tmp_path / name


def same(state: Any, expected: Any) -> bool:
    return list(state) == list(expected) and all(
        torch.equal(state[key], expected[key]) and state[key].dtype == expected[key].dtype for key in expected
    )


def refused(file: Path, message: str, **options: Any) -> None:
    """The file is refused, in one line, without claiming memory or taking long."""
    start = time.monotonic()
    tracemalloc.start()
    with pytest.raises(PrimeSVTError, match=message) as caught:
        read_weights(file, **options)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700
    assert "weights_only" not in str(caught.value)
    assert time.monotonic() - start < 20
    assert peak < 2**24


# --- What is read


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.pth.tar", "a.safetensors", "a"])
def test_a_plain_state_dict(tmp_path: Path, name: str, protocol: int) -> None:
    """Content decides: PyTorch's own loader takes every .safetensors at its word."""
    found = read_weights(pth(tmp_path, weights(), name, pickle_protocol=protocol))
    assert (found.found_under, found.others) == ("", ())
    assert same(found.state, weights())


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
def test_safetensors(tmp_path: Path, name: str) -> None:
    save_file(weights(), tmp_path / name, metadata={"format": "pt"})
    found = read_weights(tmp_path / name)
    assert (found.found_under, found.others) == ("", ())
    assert same({key: found.state[key] for key in weights()}, weights())
    assert read_weights(tmp_path / name, collection="").state.keys() == found.state.keys()
    refused(tmp_path / name, "one collection of weights, not 'ema'", collection="ema")


def test_a_checkpoint_of_a_training_script(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    checkpoint = {
        "epoch": 3,
        "arch": "spikformer",
        "state_dict": nn.DataParallel(model).state_dict(),
        "optimizer": optimizer.state_dict(),
        "args": argparse.Namespace(lr=0.1, nested=argparse.Namespace(a=[1, 2]), dtype=torch.float16),
        "state_dict_ema": {key: value * 0 for key, value in model.state_dict().items()},
        "best_acc": np.float64(71.5),
        "best_epoch": np.int64(2),
        "seen": {1, 2},
        "milestones": collections.Counter([30, 60]),
        "metric": None,
        "bytes": b"ab",
        "big": 2**70,
        "size": torch.Size([1, 2]),
        "device": torch.device("cpu"),
    }
    file = pth(tmp_path, checkpoint)
    found = read_weights(file)
    assert (found.found_under, found.others) == ("state_dict", ("state_dict_ema",))
    assert same(found.state, model.state_dict())
    ema = read_weights(file, collection="state_dict_ema")
    assert (ema.found_under, ema.others) == ("state_dict_ema", ("state_dict",))
    assert ema.state["0.weight"].abs().sum() == 0
    refused(file, r"no weights under 'ema'; choose one of 'state_dict', 'state_dict_ema'\.", collection="ema")


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["model"], "model"),
        (["model", "state_dict"], "state_dict"),
        (["model_ema", "model"], "model"),
        (["ema.model", "net.module"], "net.module"),
        (["ema", "other"], "other"),
        (["ema"], "ema"),
        (["teacher", "weights"], "weights"),
        (["checkpoint.model"], "checkpoint.model"),
        (["result.checkpoint.model_state_dict", "result.x"], "result.checkpoint.model_state_dict"),
        (["checkpoint.state_dict", "state_dict"], "state_dict"),
    ],
)
def test_the_likeliest_collection_is_taken(tmp_path: Path, paths: list[str], expected: str) -> None:
    checkpoint: dict[str, Any] = {"epoch": 1}
    for path in paths:
        *parents, last = path.split(".")
        place = checkpoint
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = weights()
    found = read_weights(pth(tmp_path, checkpoint))
    assert found.found_under == expected
    assert set(found.others) == set(paths) - {expected}


def test_one_dict_in_two_places(tmp_path: Path) -> None:
    state = weights()
    found = read_weights(pth(tmp_path, {"a": {"b": state}, "model": state, "state_dict": state}))
    assert (found.found_under, found.others) == ("state_dict", ("model", "a.b"))


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "module._orig_mod.", "model.module.model."])
def test_prefixes_of_wrappers(tmp_path: Path, prefix: str) -> None:
    state = {prefix + key: value for key, value in weights().items()}
    assert same(read_weights(pth(tmp_path, state)).state, weights())
    save_file(state, tmp_path / "a.safetensors")
    assert set(read_weights(tmp_path / "a.safetensors").state) == set(weights())


def test_a_prefix_that_not_all_have_is_a_name(tmp_path: Path) -> None:
    state = {"module.a": torch.ones(1), "b": torch.ones(1)}
    assert list(read_weights(pth(tmp_path, state)).state) == ["module.a", "b"]
    state = {"blocks._orig_mod.a": torch.ones(1), "b": torch.ones(1)}
    assert list(read_weights(pth(tmp_path, state)).state) == ["blocks.a", "b"]
    assert list(read_weights(pth(tmp_path, {"module.": torch.ones(1)})).state) == ["module."]


def test_names_that_collide(tmp_path: Path) -> None:
    state = {"a": torch.ones(1), "_orig_mod.a": torch.ones(1)}
    refused(pth(tmp_path, state), "'a' and '_orig_mod.a' are the same weight, 'a'")


def test_parameters_views_and_ties(tmp_path: Path) -> None:
    base = torch.arange(12.0)
    parameter, marked = nn.Parameter(torch.ones(2)), torch.ones(2)
    parameter.note, marked.note = 1, 2  # type: ignore[attr-defined]
    state = {
        "parameter": nn.Parameter(torch.ones(3)),
        "with attribute": parameter,
        "tensor with attribute": marked,
        "transposed": base.view(3, 4).t(),
        "part": base[5:7],
        "channels last": torch.arange(16.0).view(1, 4, 2, 2).to(memory_format=torch.channels_last),
        "tied": base,
        "empty": torch.empty(0, 3),
        "unsigned": torch.tensor([1, 65535], dtype=torch.uint16),
    }
    file = pth(tmp_path, state)
    found, expected = read_weights(file).state, torch.load(file, weights_only=True)
    assert same(found, expected)
    assert not any(tensor.requires_grad or type(tensor) is not torch.Tensor for tensor in found.values())


def test_the_file_never_changes(tmp_path: Path) -> None:
    file = pth(tmp_path, weights())
    before = file.read_bytes()
    read_weights(file).state["conv.weight"].fill_(3)
    assert file.read_bytes() == before


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_no_memory_is_claimed(tmp_path: Path) -> None:
    """The tensors are views of the mapped file."""

    def private_bytes() -> int:
        return int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")

    file = pth(tmp_path, {"state_dict": {"a": torch.zeros(20_000_000)}})
    before = private_bytes()
    state = read_weights(file).state
    # What is mapped privately counts once; a copy would count it twice.
    assert private_bytes() - before < 1.2 * file.stat().st_size
    assert state["a"].numel() == 20_000_000


# --- Files that are something else


def test_no_file(tmp_path: Path) -> None:
    refused(tmp_path / "a.pth", "Cannot read weights from .*a.pth: No such file or directory; give a file")
    refused(tmp_path, "it is no file; give the checkpoint itself")
    (tmp_path / "a.pth").touch()
    refused(tmp_path / "a.pth", "it is empty")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "it is no file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    pth(tmp_path, weights()).chmod(0)
    refused(tmp_path / "a.pth", "Permission denied")


def test_no_permission_as_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    file = pth(tmp_path, weights())
    monkeypatch.setattr(Path, "open", deny)
    refused(file, "Permission denied; give a file that can be read")


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("weights"), io.BytesIO())
    return buffer.getvalue()


def old_format() -> bytes:
    buffer = io.BytesIO()
    torch.save(weights(), buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>404</html>", "neither a checkpoint of PyTorch nor safetensors"),
        (b"\0" * 100, "neither a checkpoint of PyTorch nor safetensors"),
        (b"P", "neither a checkpoint of PyTorch nor safetensors"),
        (pickle.dumps({"a": 1}), "is a pickle or of PyTorch before 1.6; load it with PyTorch .* save its state dict"),
        (old_format(), "is a pickle or of PyTorch before 1.6"),
        (tar(), "is a tar archive"),
        (b"\x1f\x8b\x08" + bytes(50), "compressed with gzip"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "pointer of Git LFS"),
        (b"PK\x03\x04", "ends too early"),
        (b"PK\x05\x06" + bytes(18), "neither"),
    ],
)
def test_other_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    refused(tmp_path / "a.pth", message)


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("part", [0.01, 0.3, 0.7, 0.9, 0.999])
def test_a_truncated_archive_is_refused(tmp_path: Path, name: str, part: float) -> None:
    (save_file if name == "a.safetensors" else torch.save)(weights(), tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(part * len(content))])
    refused(tmp_path / name, "Cannot read weights from")


# --- Pickles


class Call:
    """Something whose pickle calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.what = (function, arguments)

    def __reduce__(self) -> Any:
        return self.what


def archive(tmp_path: Path, content: bytes, records: dict[str, bytes] | None = None, **options: Any) -> Path:
    """A checkpoint with this pickle, and one record of six numbers."""
    with zipfile.ZipFile(tmp_path / "a.pth", "w", **options) as file:
        file.writestr("a/data.pkl", content)
        for name, data in ({"a/data/0": struct.pack("<6f", *range(6))} | (records or {})).items():
            file.writestr(name, data)
    return tmp_path / "a.pth"


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("place", ["top", "beside", "inside"])
def test_a_hostile_pickle_is_named_and_not_run(tmp_path: Path, place: str, protocol: int) -> None:
    call = Call(os.system, f"touch {tmp_path}/harm")
    checkpoint = {"top": call, "beside": {"state_dict": {}, "x": [call]}, "inside": {"state_dict": {"a": call}}}[place]
    content = pickle.dumps(checkpoint, protocol)
    refused(archive(tmp_path, content), f"'{os.system.__module__}.system'" if protocol > 1 else "pickle uses|names")
    assert not (tmp_path / "harm").exists()
    pickle.loads(pickle.dumps(call))  # noqa: S301 - the attack works elsewhere
    assert (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\x80\x02cposix\nsystem\nX\x01\0\0\0a\x85R.", "posix.system"),
        (b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x01a\x85R.", "posix.system"),
        (b"\x80\x02(X\x01\0\0\0aiposix\nsystem\n.", "posix.system"),
        (b"\x80\x02cbuiltins\neval\n.", "builtins.eval"),
        (b"\x80\x02ctorch\nload\n.", "torch.load"),
        (b"\x80\x02ctorch.hub\nload\n.", "torch.hub.load"),
        (b"\x80\x02ctorch._utils\n_import_dotted_name\n.", "torch._utils._import_dotted_name"),
        (b"\x80\x02ccollections\nOrderedDict.__init__.__globals__\n.", "collections.OrderedDict.__init__"),
        (b"\x80\x04\x8c\x02\xc3\xa4\x8c\x02\xc3\xb6\x93.", "ä.ö"),
        (b"\x80\x02ca\x1b[31m\nb\n.", r"a\\x1b\[31m.b"),
    ],
)
def test_names_that_are_not_allowed(tmp_path: Path, content: bytes, name: str) -> None:
    refused(archive(tmp_path, content), f"it names '{name}.*', which no state dict needs, and nothing of it was run")


def test_a_whole_model(tmp_path: Path) -> None:
    refused(pth(tmp_path, nn.Linear(2, 2)), r"'torch.nn.modules.linear.Linear'.*save model.state_dict\(\)")


def tensor(size: tuple[int, ...], stride: tuple[int, ...], *, offset: int = 0, numel: int = 6, key: str = "0") -> bytes:
    """The pickle of a dict of one tensor."""

    def integers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(pickle.dumps(value, 2)[2:-1] for value in values) + b"t"

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu")
    storage += pickle.dumps(numel, 2)[2:-1] + b"tQ"
    view = storage + pickle.dumps(offset, 2)[2:-1] + integers(size) + integers(stride)
    return (
        b"\x80\x02}"
        + text("a")
        + b"ctorch._utils\n_rebuild_tensor_v2\n("
        + view
        + b"\x89ccollections\nOrderedDict\n)RtRs."
    )


def test_what_a_tensor_is_in_a_pickle(tmp_path: Path) -> None:
    state = read_weights(archive(tmp_path, tensor((2, 3), (3, 1)))).state
    assert state["a"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tensor((7,), (1,)), "'a': it claims 7 numbers, but its storage has 6"),
        (tensor((2, 3), (4, 1)), "'a': it claims 6 numbers, but its storage has 6"),
        (tensor((6,), (1,), offset=1), "'a': it claims 6 numbers"),
        (tensor((10**6, 10**6), (0, 0)), "'a': it claims 1000000000000 numbers, but its storage has 6"),
        (tensor((7,), (0,)), "'a': it claims 7 numbers"),
        (tensor((2**62, 2**62), (0, 0)), "'a': it claims"),
        (tensor((0, 2**62, 2**62), (1, 1, 1)), "a size or stride that no weight has"),
        (tensor((1,), (2**63,)), "a size or stride that no weight has"),
        (tensor((250_000_000_000,), (1,), numel=250_000_000_000), "claims 1000000000000 bytes, .* record has 24"),
        (tensor((7,), (1,), numel=7), "claims 28 bytes, but its record has 24"),
        (tensor((5,), (1,), numel=5), "claims 20 bytes, but its record has 24"),
        (tensor((6,), (1,), key="1"), "'a': it claims 24 bytes, but its record is missing"),
        (tensor((6,), (1,), key="../data.pkl"), "record is missing"),
        (tensor((-1,), (1,)), "pickle is damaged"),
        (tensor((6,), (-1,)), "pickle is damaged"),
        (tensor((6,), (1,), offset=-1), "pickle is damaged"),
        (tensor((6,), (1,), numel=-6), "pickle is damaged"),
        (tensor((1,) * 65, (1,) * 65), "pickle is damaged"),
        (tensor((6,), ()), "pickle is damaged"),
    ],
)
def test_tensors_that_claim_too_much(tmp_path: Path, content: bytes, message: str) -> None:
    refused(archive(tmp_path, content), message)


def test_many_tensors_of_the_same_numbers(tmp_path: Path) -> None:
    big = torch.zeros(1000)
    assert len(read_weights(pth(tmp_path, {"a": big, "b": big})).state) == 2
    refused(pth(tmp_path, {str(index): big for index in range(200)}), "tensors claim 800000 bytes, but it has")


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.ones(2, dtype=torch.complex64), "'w': it is of type torch.ComplexFloatStorage, which is not supported"),
        (torch.ones(2).to(torch.float8_e5m2), "'w': it is of type torch.float8_e5m2, which is not supported"),
        (torch.eye(2).to_sparse(), "'w' is no plain tensor but torch._utils._rebuild_sparse_tensor"),
        (torch.empty(2, device="meta"), "'w' is no plain tensor but torch._utils._rebuild_meta_tensor"),
        (torch.ones(2, dtype=torch.complex64).conj().imag, "no plain tensor but a negated or conjugated view"),
        (3, "'w' is no plain tensor but int; save model.state_dict"),
        (None, "'w' is no plain tensor but NoneType"),
        (np.float64(1), "'w' is no plain tensor but numpy"),
    ],
)
def test_values_that_are_no_weights(tmp_path: Path, value: Any, message: str, protocol: int) -> None:
    state = {"v": torch.ones(1), "u": torch.ones(1), "w": value}
    refused(pth(tmp_path, {"state_dict": state}, pickle_protocol=protocol), message)


@pytest.mark.filterwarnings("ignore:.*quantize")
def test_quantized_tensors(tmp_path: Path) -> None:
    state = {"w": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}
    refused(pth(tmp_path, state), "'w' is no plain tensor but torch._utils._rebuild_qtensor")


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        ({}, "holds no weights"),
        ([torch.ones(1)], "holds no weights"),
        (torch.ones(1), "holds no weights"),
        ({"epoch": 1, "optimizer": {"a": torch.ones(1)}}, "holds no weights"),
        ({"a": {"b": {"c": {"d": weights()}}}}, "holds no weights"),
        ({1: torch.ones(1)}, "a tensor is named '1', which is no text"),
        ({"": torch.ones(1)}, "a name must have 1 to 500 printable characters"),
        ({"a" * 501: torch.ones(1)}, "a name must have 1 to 500 printable characters"),
        ({"a\nb": torch.ones(1)}, r"named 'a\\nb'; a name must have"),
        ({"\x1b[2J": torch.ones(1)}, r"named '\\x1b\[2J'; a name must have"),
        ({(1, 2): torch.ones(1)}, "key of type tuple"),
    ],
)
def test_checkpoints_without_weights(tmp_path: Path, checkpoint: Any, message: str) -> None:
    refused(pth(tmp_path, checkpoint), message)


def test_metadata_of_a_state_dict_is_no_weight(tmp_path: Path) -> None:
    file = pth(tmp_path, {"a": torch.ones(1), "_metadata": {"version": 1}})
    assert list(read_weights(file).state) == ["a"]


def test_too_many_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TENSORS", 5)
    refused(pth(tmp_path, weights()), "it has 6 tensors, more than 5")
    save_file(weights(), tmp_path / "a.safetensors")
    refused(tmp_path / "a.safetensors", "it has 6 tensors, more than 5")


PROGRAM = b"\x80\x02"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "pickle is damaged"),
        (b".", "pickle is damaged"),
        (PROGRAM, "pickle is damaged"),
        (PROGRAM + b"}", "pickle is damaged"),
        (PROGRAM + b"\xff.", "pickle is damaged"),
        (PROGRAM + b"t.", "pickle is damaged"),
        (PROGRAM + b"h\x07.", "pickle is damaged"),
        (PROGRAM + b"K\x01K\x02R.", "pickle is damaged"),
        (PROGRAM + b"K\x01Q.", "pickle is damaged"),
        (PROGRAM + b"cargparse\nNamespace\nK\x01b.", "pickle is damaged"),
        (PROGRAM + b"ctorch._utils\n_rebuild_tensor_v2\n)R.", "pickle is damaged"),
        (PROGRAM + b"X\xff\xff\xff\xffa.", "pickle is damaged"),
        (PROGRAM + b"X\x01\0\0\0\xff.", "pickle is damaged"),
        (PROGRAM + b"c\xd0\xbf\n\xd1\x80\n.", "pickle is damaged"),
        (PROGRAM + b"\x8e" + b"\xff" * 7 + b"\x0fa.", "pickle is damaged"),
        (PROGRAM + b"\x96" + b"\xff" * 4 + b"\0\0\0\0a.", "pickle is damaged"),
        (PROGRAM + b"\x82\x01.", "pickle uses EXT1, which PyTorch does not write"),
        (PROGRAM + b"}X\x01\0\0\0aK\x01sX\x01\0\0\0aK\x02s.", "has the key 'a' twice"),
        # A PUT far away, for which other readers reserve the room.
        (PROGRAM + b"}r\xff\xff\xff\xff.", "holds no weights"),
        # Memory that PyTorch's weights-only loader claims.
        (PROGRAM + b"cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.", "holds no weights"),
        (PROGRAM + b"ctorch\nTensor\nJ\xff\xff\xff\x7f\x85R.", "holds no weights"),
        (
            PROGRAM + b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nX\x0b\0\0\0V2000000000\x85R\x85R.",
            "holds no weights",
        ),
        # As deep as it is long, cyclic, and a key whose hash takes ages.
        (PROGRAM + b"]" * 100_000 + b"a" * 99_999 + b".", "holds no weights"),
        (PROGRAM + b"K\x01" + b"\x85" * 100_000 + b".", "holds no weights"),
        (PROGRAM + b"}q\0X\x01\0\0\0ah\0s.", "holds no weights"),
        (PROGRAM + b"]q\0h\0a.", "holds no weights"),
        (PROGRAM + b"}K\x01\x85q\0" + b"h\0\x86q\0" * 60 + b"K\x01s.", "key of type tuple"),
    ],
)
def test_pickles_that_make_no_sense(tmp_path: Path, content: bytes, message: str) -> None:
    refused(archive(tmp_path, content), message)


def test_dicts_that_hold_each_other_a_million_times(tmp_path: Path) -> None:
    inner: Any = weights()
    for _ in range(5):
        inner = {f"{index}": inner for index in range(300)}
    inner["state_dict"] = weights()
    assert read_weights(pth(tmp_path, inner)).found_under == "state_dict"


def test_an_endless_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primesvt.models.checkpoints.pickle_safety.MAX_OPERATIONS", 1000)
    refused(archive(tmp_path, PROGRAM + b"}0" * 1000 + b"}."), "pickle uses POP")
    refused(archive(tmp_path, PROGRAM + b"}" * 1001 + b"."), "more than 1000 operations")
    monkeypatch.setattr(module, "MAX_HEADER", 1000)
    refused(archive(tmp_path, PROGRAM + b"}" * 1001 + b"."), "its pickle has 1004 bytes, more than 1000")


# --- Archives


PLAIN = tensor((6,), (1,))


def test_compressed_records(tmp_path: Path) -> None:
    bomb = {"a/bomb": bytes(10_000_000)}
    refused(archive(tmp_path, PLAIN, bomb, compression=zipfile.ZIP_DEFLATED), "compressed or encrypted")


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ({"a/constants.pkl": b""}, "it is TorchScript, which is code"),
        ({"a/code/__torch__.py": b""}, "it is TorchScript, which is code"),
        ({"a/../../evil": b""}, "leads out of the archive"),
        ({"/etc/passwd": b""}, "leads out of the archive"),
        ({"a\\b": b""}, "leads out of the archive"),
        ({"a/DATA.PKL": b""}, "same name"),
        ({"b/data.pkl": b""}, "it has 2 data.pkl, expected one"),
        ({"a/byteorder": b"big"}, "its byte order is not that of this machine"),
    ],
)
def test_records_that_do_not_belong(tmp_path: Path, records: dict[str, bytes], message: str) -> None:
    refused(archive(tmp_path, PLAIN, records), message)


def test_a_real_script_module(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("README", "hello")
    refused(tmp_path / "a.zip", "it has 0 data.pkl")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_records_of_one_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(archive(tmp_path, PLAIN), "a") as file:
        file.writestr("a/data.pkl", PLAIN)
    refused(tmp_path / "a.pth", "two records of its archive have the same name")


def patch(file: Path, offset: int, data: bytes) -> Path:
    content = bytearray(file.read_bytes())
    offset %= len(content)
    content[offset : offset + len(data)] = data
    file.write_bytes(content)
    return file


def test_sizes_that_lie(tmp_path: Path) -> None:
    content = archive(tmp_path, PLAIN).read_bytes()
    second = content.rindex(b"PK\x01\x02")
    # Sizes are at bytes 20 and 24 of a directory entry, the place of the record at 42.
    patch(tmp_path / "a.pth", second + 20, struct.pack("<2I", 2**30, 2**30))
    refused(tmp_path / "a.pth", "'a/data/0' claims more bytes than there are")
    patch(archive(tmp_path, PLAIN), second + 20, struct.pack("<2I", 24, 25))
    refused(tmp_path / "a.pth", "compressed or encrypted")
    patch(archive(tmp_path, PLAIN), second + 42, struct.pack("<I", 0))
    refused(tmp_path / "a.pth", "claims more bytes than there are")
    patch(archive(tmp_path, PLAIN), second + 42, struct.pack("<I", 10))
    refused(tmp_path / "a.pth", "claims more bytes|not where the zip directory says")
    patch(archive(tmp_path, PLAIN), second + 8, b"\x01")
    refused(tmp_path / "a.pth", "compressed or encrypted")
    patch(archive(tmp_path, PLAIN), second, b"nope")
    refused(tmp_path / "a.pth", "its zip directory is damaged")


def test_an_absurd_number_of_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patch(archive(tmp_path, PLAIN), -10, struct.pack("<I", 2**31))
    refused(tmp_path / "a.pth", "its zip directory claims 2147483648 bytes")
    # The same in the form for large archives, which PyTorch always writes.
    patch(pth(tmp_path, weights()), -98 + 40, struct.pack("<Q", 2**60))
    refused(tmp_path / "a.pth", "its zip directory claims 1152921504606846976 bytes")
    monkeypatch.setattr("primesvt.models.checkpoints.torch_archive.MAX_MEMBERS", 5)
    refused(pth(tmp_path, weights()), "its zip directory claims .* too many for a checkpoint")


def test_damaged_numbers_are_noticed(tmp_path: Path) -> None:
    content = archive(tmp_path, PLAIN).read_bytes()
    patch(tmp_path / "a.pth", content.index(struct.pack("<6f", *range(6))) + 5, b"\x7f")
    refused(tmp_path / "a.pth", "'a': its record 'data/0' is damaged: the checksum differs")
    patch(archive(tmp_path, PLAIN), content.index(b"FloatStorage"), b"f")
    refused(tmp_path / "a.pth", "its record 'data.pkl' is damaged: the checksum differs")


# --- safetensors


def safetensors(tmp_path: Path, header: Any, data: bytes = bytes(8), length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return tmp_path / "a.safetensors"


def entry(dtype: str = "F32", shape: Any = (2,), start: Any = 0, end: Any = 8) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


BAD_HEADERS = [
    (b"{}", "holds no tensors"),
    (b'{"a":', "its header is damaged"),
    (b"{" * 3000, "its header is damaged"),
    (b'{"a":' * 100_000, "its header is damaged"),
    (b"{\xff}", "its header is damaged"),
    (b'{"a":' + b"9" * 5000 + b"}", "its header is damaged"),
    ({"a": 1}, "its header is damaged"),
    ({"a": {"dtype": "F32"}}, "its header is damaged"),
    ({"__metadata__": {"a": 1}, "a": entry()}, "its header is damaged"),
    ({"a": entry(end=4)}, "its header is damaged"),
    ({"a": entry(end=10**12)}, "its header is damaged"),
    ({"a": entry(shape=[250_000_000_000], end=10**12)}, "its header is damaged"),
    ({"a": entry(start=-8, end=0)}, "its header is damaged"),
    ({"a": entry(start=8, end=0)}, "its header is damaged"),
    ({"a": entry(shape=[2**40, 2**40])}, "its header is damaged"),
    ({"a": entry(shape=[-2])}, "its header is damaged"),
    ({"a": entry(shape=[1])}, "its header is damaged"),
    ({"a": entry(), "b": entry()}, "its header is damaged"),
    ({"a": entry(), "b": entry(start=4, end=12)}, "its header is damaged"),
    ({"a": entry(shape=[1], end=4)}, "its header is damaged"),
    ({"a": entry(shape=[0, 2**62], end=0), "b": entry()}, "'a' has a size that no weight has"),
    (b'{"a":%s,"a":%s}' % ((json.dumps(entry()).encode(),) * 2), "its header is damaged .'a' is there twice"),
    ({"a": entry("C64", [1])}, "'a' is of type torch.complex64, which is not supported"),
    ({"a": entry("F8_E4M3", [8])}, "'a' is of type torch.float8_e4m3fn, which is not supported"),
    ({"a": entry("NOPE", [8])}, "its header is damaged"),
    ({"": entry()}, "a name must have 1 to 500 printable characters"),
    ({"a" * 501: entry()}, "a name must have"),
    ({"a\ud800": entry()}, "a name must have"),
    ({"_orig_mod.a": entry(), "a": entry(start=8, end=16)}, "its header is damaged"),
]


@pytest.mark.parametrize(("header", "message"), BAD_HEADERS)
def test_headers_that_lie(tmp_path: Path, header: Any, message: str) -> None:
    refused(safetensors(tmp_path, header), message)


@pytest.mark.parametrize("length", [2**64 - 1, 2**63, 10**12, 200_000_000, 100])
def test_a_header_of_absurd_length(tmp_path: Path, length: int) -> None:
    refused(safetensors(tmp_path, {"a": entry()}, length=length), f"its header claims {length} bytes")


def test_bytes_after_the_tensors(tmp_path: Path) -> None:
    assert list(read_weights(safetensors(tmp_path, {"a": entry()})).state) == ["a"]
    refused(safetensors(tmp_path, {"a": entry()}, bytes(9)), "its header is damaged .*not fully covered")
    refused(safetensors(tmp_path, {"a": entry()}, bytes(7)), "its header is damaged")


# --- Values


def test_values() -> None:
    check_values(weights())
    check_values({"empty": torch.empty(0), "counter": torch.tensor(-3), "bf": torch.ones(2, dtype=torch.bfloat16)})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_not_finite(value: float, dtype: torch.dtype) -> None:
    state = weights() | {"head.bias": torch.tensor([[1.0, value], [2.0, 0.0]], dtype=dtype).t()}
    with pytest.raises(PrimeSVTError, match=r"head.bias holds NaN or infinity; pass --allow-nonfinite to go on\."):
        check_values(state)
    check_values(state, allow_nonfinite=True)


@pytest.mark.parametrize("allow", [False, True])
@pytest.mark.parametrize("name", ["bn.running_var", "running_var"])
def test_negative_variances(allow: bool, name: str) -> None:
    with pytest.raises(PrimeSVTError, match=f"{name} holds a negative variance"):
        check_values({name: torch.tensor([1.0, -1e-30])}, allow_nonfinite=allow)
    with pytest.raises(PrimeSVTError, match="negative variance"):
        check_values({name: torch.tensor([float("nan"), -1.0])}, allow_nonfinite=True)
    check_values({name: torch.zeros(2), "a.not_running_var": -torch.ones(1)}, allow_nonfinite=allow)


# --- Anything


def harmless(file: Path) -> None:
    """Either weights or one line that says why not."""
    start = time.monotonic()
    try:
        found = read_weights(file)
    except PrimeSVTError as error:
        assert "\n" not in str(error)  # noqa: PT017
        assert len(str(error)) < 900  # noqa: PT017
    else:
        assert isinstance(found, WeightsFile)
        for tensor in found.state.values():
            tensor.clone()
    assert time.monotonic() - start < 5


def saved(checkpoint: Any, protocol: int = 2) -> bytes:
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer, pickle_protocol=protocol)
    return buffer.getvalue()


SMALL = {"state_dict": weights(), "args": argparse.Namespace(a=1), "best": np.float64(1)}
FILES = [saved(SMALL), saved(weights(), 4), save(weights())]
PICKLES = [zipfile.ZipFile(io.BytesIO(content)).read("archive/data.pkl") for content in FILES[:2]]
edits = st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["set", "cut", "insert", "copy"]), st.binary(max_size=9)))
fuzz = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def edited(content: bytes, changes: list[tuple[float, str, bytes]]) -> bytes:
    for where, kind, data in changes:
        place = int(where * len(content))
        if kind == "set":
            content = content[:place] + data + content[place + len(data) :]
        elif kind == "cut":
            content = content[:place] + content[place + len(data) :]
        elif kind == "insert":
            content = content[:place] + data + content[place:]
        else:
            content = content[:place] + content[place // 2 : place // 2 + 40] + content[place:]
    return content


@fuzz
@given(source=st.sampled_from(FILES), changes=edits)
def test_any_damage_is_harmless_or_named(tmp_path: Path, source: bytes, changes: Any) -> None:
    (tmp_path / "a.pth").write_bytes(edited(source, changes))
    harmless(tmp_path / "a.pth")


@fuzz
@given(source=st.sampled_from(FILES), part=st.floats(0, 1), other=st.sampled_from(FILES), rest=st.floats(0, 1))
def test_parts_of_two_files(tmp_path: Path, source: bytes, part: float, other: bytes, rest: float) -> None:
    (tmp_path / "a.pth").write_bytes(source[: int(part * len(source))] + other[int(rest * len(other)) :])
    harmless(tmp_path / "a.pth")


@fuzz
@given(content=st.sampled_from(PICKLES), changes=edits)
def test_any_pickle_in_a_sound_archive(tmp_path: Path, content: bytes, changes: Any) -> None:
    """Checksums would notice the damage before the pickle is read."""
    harmless(archive(tmp_path, edited(content, changes)))


NUMBERS = st.one_of(st.integers(-2, 8), st.sampled_from([2**31, 2**62, 2**63, 2**64, -(2**63)]))


@fuzz
@given(shape=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=5), offset=NUMBERS, numel=st.one_of(st.just(6), NUMBERS))
def test_any_shape(tmp_path: Path, shape: list[tuple[int, int]], offset: int, numel: int) -> None:
    size, stride = tuple(s for s, _ in shape), tuple(s for _, s in shape)
    harmless(archive(tmp_path, tensor(size, stride, offset=offset, numel=numel)))


JSON = st.recursive(
    st.one_of(st.none(), NUMBERS, st.text(max_size=3), st.sampled_from(["F32", "I64", "F4", "BOOL"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)


@fuzz
@given(
    header=st.dictionaries(
        st.text(max_size=3),
        st.one_of(JSON, st.builds(entry, st.sampled_from(["F32", "F64", "F4", "U8"]), JSON, NUMBERS, NUMBERS)),
        max_size=3,
    ),
    data=st.binary(max_size=20),
)
def test_any_header(tmp_path: Path, header: dict[str, Any], data: bytes) -> None:
    harmless(safetensors(tmp_path, header, data))


dtypes = st.sampled_from([torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8])


@settings(fuzz, max_examples=60)
@given(
    shapes=st.lists(st.tuples(st.lists(st.integers(0, 4), max_size=4), dtypes, st.booleans()), min_size=1, max_size=5),
    protocol=st.integers(2, 5),
)
def test_values_are_those_of_pytorch(tmp_path: Path, shapes: Any, protocol: int) -> None:
    state = {}
    for index, (shape, dtype, turned) in enumerate(shapes):
        values = (torch.rand(shape) * 100).to(dtype)
        state[f"w{index}"] = values.permute(tuple(reversed(range(len(shape))))) if turned else values
    file = pth(tmp_path, state, pickle_protocol=protocol)
    assert same(read_weights(file).state, state)
