"""Model directories: whole or not at all, nothing unpickled, and every damage named in one error."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from primesvt.models import (
    PrimeSVTError,
    build,
    check_free,
    config_of,
    fingerprint,
    load_model,
    model_bytes,
    model_directory,
    parameter_count,
    save_model,
    write_directory,
)
from primesvt.pruning import PruningPlan, prune

from ..conftest import small_config


@pytest.fixture
def saved(make_model, family: str, tmp_path: Path) -> Path:
    """A saved model, pruned so that it stores indices."""
    layers = ("stem.3", "position", "blocks.0.output")
    save_model(prune(make_model(family), PruningPlan(dict.fromkeys(layers, 0.5))), tmp_path / "model")
    return tmp_path / "model"


def change_config(directory: Path, **changes: object) -> None:
    file = directory / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def change_weights(directory: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = {name: tensor.clone() for name, tensor in load_file(directory / "model.safetensors").items()}
    change(tensors)
    save_file(tensors, directory / "model.safetensors")


def listing(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_round_trip(make_model, family: str, tmp_path: Path) -> None:
    model = make_model(family)
    save_model(model, tmp_path / "new" / "model")
    again = load_model(str(tmp_path / "new" / "model"))
    assert listing(tmp_path / "new" / "model") == ["config.json", "model.safetensors"]
    assert listing(tmp_path / "new") == ["model"]
    assert config_of(again) == config_of(model)
    assert fingerprint(again) == fingerprint(model)
    assert not again.training
    images = torch.randn(3, 1, 8, 8)
    assert torch.equal(again(images), model(images))
    assert all(p.requires_grad for p in again.parameters())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_dtypes_round_trip(make_model, tmp_path: Path, dtype: torch.dtype) -> None:
    model = make_model().to(dtype)
    save_model(model, tmp_path / "model")
    assert fingerprint(load_model(tmp_path / "model")) == fingerprint(model)


def test_both_files_are_readable_by_the_same_people(saved: Path) -> None:
    assert (saved / "config.json").stat().st_mode == (saved / "model.safetensors").stat().st_mode


def test_bytes_and_parameters(make_model, saved: Path) -> None:
    model = load_model(saved)
    tensors = load_file(saved / "model.safetensors")
    assert model_bytes(model) == sum(t.numel() * t.element_size() for t in tensors.values())
    statistics = ("running_mean", "running_var", "num_batches_tracked", "channels")
    assert parameter_count(model) == sum(t.numel() for n, t in tensors.items() if not n.endswith(statistics))


def test_the_fingerprint_sees_weights_and_configuration(make_model) -> None:
    model = make_model()
    before = fingerprint(model)
    model.head.bias.data[0] += 1e-6
    assert fingerprint(model) != before
    config = small_config("spikformer")
    one, other = build(config), build(type(config).from_json(config.to_json() | {"tau": 3.0}))
    other.load_state_dict(one.state_dict())
    assert fingerprint(one) != fingerprint(other)


# What may be wrong with a directory: the change, and what the error must say.
CONFIG_DAMAGE = [
    ({"format": 3}, "has format 3, this version reads 1 and 2; update PrimeSVT"),
    ({"format": 2}, "weights must be 'int8', got 'None'"),
    ({"format": "1"}, "no configuration of PrimeSVT: its format is '1'"),
    ({"format": None}, "no configuration of PrimeSVT"),
    ({"family": "vgg"}, r"config\.json: Unknown family 'vgg'; known are"),
    ({"family": ["spikformer"]}, r"config\.json: Unknown family"),
    ({"depth": "2"}, r"config\.json: Field depth"),
    ({"tau": float("nan")}, r"config\.json: tau must be above 1"),
    ({"more": 1}, r"config\.json: Unknown fields of a .*: more"),
    ({"widths": None}, r"config\.json: Field widths"),
    ({"depth": 3}, r"widths must name every layer.*blocks\.2"),
    ({"classes": ["a", "b"]}, r"head\.weight has shape \(3, 16\), but config\.json says \(2, 16\)"),
    ({"in_channels": 2, "mean": [0, 0], "std": [1, 1]}, r"stem\.0\.conv\.weight has shape"),
]


@pytest.mark.parametrize(("changes", "message"), CONFIG_DAMAGE)
def test_a_damaged_configuration_is_named(saved: Path, changes: dict[str, object], message: str) -> None:
    change_config(saved, **changes)
    with pytest.raises(PrimeSVTError, match=message):
        load_model(saved)


def test_absurd_widths_claim_no_memory(saved: Path) -> None:
    widths = json.loads((saved / "config.json").read_text())["widths"]
    change_config(saved, widths=dict.fromkeys(widths, 16_384))
    with pytest.raises(PrimeSVTError, match=r"missing or unknown|has shape"):
        load_model(saved)
    change_config(saved, widths={**widths, "stem.0": 10**12})
    with pytest.raises(PrimeSVTError, match=r"width of stem\.0 must be between 1 and 16384"):
        load_model(saved)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no JSON"),
        (b"{", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "holds no JSON object"),
        (b'"model"', "holds no JSON object"),
        (b"null", "holds no JSON object"),
    ],
)
def test_a_configuration_that_is_no_object(saved: Path, content: bytes, message: str) -> None:
    (saved / "config.json").write_bytes(content)
    with pytest.raises(PrimeSVTError, match=message):
        load_model(saved)


def test_missing_files_are_named(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(PrimeSVTError, match=r"A model is named by its directory, 'demo' or hf://OWNER/NAME; got 3"):
        load_model(3)  # type: ignore[arg-type]
    with pytest.raises(PrimeSVTError, match=r"No model in .*nowhere: No such file .* is a directory with config\.json"):
        load_model(tmp_path / "nowhere")
    (saved / "model.safetensors").unlink()
    with pytest.raises(PrimeSVTError, match=r"Cannot read the weights .*model\.safetensors"):
        load_model(saved)
    (saved / "model.safetensors").mkdir()
    with pytest.raises(PrimeSVTError, match="Cannot read the weights"):
        load_model(saved)
    (saved / "config.json").unlink()
    with pytest.raises(PrimeSVTError, match="No model in"):
        load_model(saved)


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 100, 3000, -1])
def test_truncated_weights(saved: Path, keep: int) -> None:
    content = (saved / "model.safetensors").read_bytes()
    (saved / "model.safetensors").write_bytes(content[:keep])
    with pytest.raises(PrimeSVTError, match="Cannot read the weights"):
        load_model(saved)


def poke(name: str, value: float) -> Callable[[dict[str, torch.Tensor]], object]:
    return lambda tensors: tensors[name].view(-1)[-1:].fill_(value)


def put(name: str, make: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[dict[str, torch.Tensor]], object]:
    return lambda tensors: tensors.__setitem__(name, make(tensors[name]))


INDEX = "blocks.0.output_index.channels"
WEIGHT_DAMAGE = [
    (poke("head.weight", float("nan")), r"head\.weight holds NaN or infinity"),
    (poke("stem.0.bn.running_var", float("inf")), r"stem\.0\.bn\.running_var holds NaN or infinity"),
    (lambda tensors: tensors.pop("head.bias"), r"missing or unknown tensors head\.bias"),
    (lambda tensors: tensors.update(extra=torch.zeros(1)), "missing or unknown tensors extra"),
    (lambda tensors: tensors.pop(INDEX), r"missing or unknown tensors blocks\.0\.output_index"),
    (put("head.bias", lambda t: t[:2].clone()), r"head\.bias has shape \(2,\), but config\.json says \(3,\)"),
    (put("head.weight", lambda t: t.t().contiguous()), r"head\.weight has shape"),
    (put("head.weight", lambda t: t.int()), r"head\.weight is torch\.int32, expected one of torch\.float32"),
    (put("head.bias", lambda t: t.double()), r"head\.bias is torch\.float64, expected torch\.float32"),
    (put(INDEX, lambda t: t.long()), r"output_index\.channels is torch\.int64, expected torch\.int16"),
    (poke(INDEX, 16), r"output_index\.channels must be different channels of 0 to 15, ascending"),
    (poke(INDEX, -1), r"output_index\.channels must be different channels"),
    (put(INDEX, lambda t: t.flip(0)), r"output_index\.channels must be different channels"),
    (put(INDEX, lambda t: t.clamp(max=int(t[-2]))), r"output_index\.channels must be different channels"),
    (put("stem.0.bn.num_batches_tracked", lambda t: t.float()), r"num_batches_tracked is torch\.float32"),
]


@pytest.mark.parametrize(("change", "message"), WEIGHT_DAMAGE)
def test_damaged_weights_are_named(saved: Path, change: Callable, message: str) -> None:
    change_weights(saved, change)
    with pytest.raises(PrimeSVTError, match=message):
        load_model(saved)


class Bomb:
    """Leaves a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple:
        return Path.touch, (self.file,)


def test_nothing_is_unpickled(saved: Path, tmp_path: Path) -> None:
    for name in ("model.safetensors", "config.json"):
        damaged = tmp_path / f"pickled-{name}"
        shutil.copytree(saved, damaged)
        for write in (lambda file: file.write_bytes(pickle.dumps(Bomb(tmp_path / "ran"))), _torch_save):
            write(damaged / name)
            with pytest.raises(PrimeSVTError):
                load_model(damaged)
    assert not (tmp_path / "ran").exists()


def _torch_save(file: Path) -> None:
    torch.save({"bomb": Bomb(file.parent.parent / "ran")}, file)


def test_what_is_there_is_not_overwritten_unasked(make_model, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    save_model(make_model(), tmp_path / "model")
    with pytest.raises(PrimeSVTError, match=r"model is not empty; choose another directory, or pass --overwrite"):
        save_model(make_model(seed=1), tmp_path / "model")
    save_model(make_model(seed=1), tmp_path / "model", overwrite=True)
    assert fingerprint(load_model(tmp_path / "model")) == fingerprint(make_model(seed=1))
    assert listing(tmp_path) == ["model"]
    (tmp_path / "file").touch()
    for overwrite in (False, True):
        with pytest.raises(PrimeSVTError, match="exists and is no directory"):
            check_free(tmp_path / "file", overwrite=overwrite)
    with pytest.raises(PrimeSVTError, match="Cannot write to"):
        save_model(make_model(), tmp_path / "file" / "model")


def full_disk(*_args: object, **_options: object) -> None:
    raise OSError(28, "No space left on device")


def full_disk_in_rust(*_args: object, **_options: object) -> None:
    raise SafetensorError("I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize(
    ("target", "failure"),
    [
        ((model_directory, "save_file"), full_disk),
        ((model_directory, "save_file"), full_disk_in_rust),
        ((Path, "write_text"), full_disk),
        ((Path, "rename"), full_disk),
        ((Path, "mkdir"), full_disk),
    ],
)
@pytest.mark.parametrize("there", [False, True])
def test_a_full_disk_leaves_what_was_there(make_model, tmp_path: Path, monkeypatch, target, failure, there) -> None:
    directory = tmp_path / "model"
    if there:
        save_model(make_model(), directory)
    with monkeypatch.context() as patch:
        patch.setattr(*target, failure)
        with pytest.raises(PrimeSVTError, match=r"Cannot write .*No space left on device"):
            save_model(make_model(seed=1), directory, overwrite=True)
    assert listing(tmp_path) == (["model"] if there else [])
    if there:
        assert fingerprint(load_model(directory)) == fingerprint(make_model())


def test_the_old_directory_comes_back_when_the_new_cannot_take_its_place(make_model, tmp_path, monkeypatch) -> None:
    directory = tmp_path / "model"
    save_model(make_model(), directory)
    rename = Path.rename

    def fail_for_the_new(self: Path, target: Path) -> Path:
        if Path(target).name == "model" and not self.name.endswith(".old"):
            full_disk()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_new)
    with pytest.raises(PrimeSVTError, match="What was there before is untouched"):
        save_model(make_model(seed=1), directory, overwrite=True)
    assert listing(tmp_path) == ["model"]
    assert fingerprint(load_model(directory)) == fingerprint(make_model())


def test_an_interruption_leaves_what_was_there(make_model, tmp_path: Path) -> None:
    directory = tmp_path / "model"
    save_model(make_model(), directory)

    def interrupted() -> None:
        with write_directory(directory, overwrite=True) as new:
            (new / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert listing(tmp_path) == ["model"]
    assert listing(directory) == ["config.json", "model.safetensors"]


def test_a_link_to_a_directory_stays_a_link(make_model, tmp_path: Path) -> None:
    save_model(make_model(), tmp_path / "model")
    (tmp_path / "link").symlink_to(tmp_path / "model")
    save_model(make_model(seed=1), tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert fingerprint(load_model(tmp_path / "model")) == fingerprint(make_model(seed=1))


def test_a_negative_variance_is_refused(make_model, tmp_path) -> None:
    model = make_model()
    model.stem[1].bn.running_var[0] = -1
    save_model(model, tmp_path / "m", allow_nonfinite=True)
    with pytest.raises(PrimeSVTError, match=r"stem\.1\.bn\.running_var holds a negative variance"):
        load_model(tmp_path / "m")


def test_weights_that_are_not_finite_are_loaded_only_where_that_was_said(make_model, tmp_path) -> None:
    model = make_model()
    model.head.bias.data[0] = float("inf")
    save_model(model, tmp_path / "said", allow_nonfinite=True)
    assert load_model(tmp_path / "said").head.bias[0] == float("inf")
    save_model(model, tmp_path / "unsaid")
    with pytest.raises(PrimeSVTError, match=r"head\.bias holds NaN or infinity"):
        load_model(tmp_path / "unsaid")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_what_is_no_file_is_not_waited_for(make_model, tmp_path, name: str) -> None:
    save_model(make_model(), tmp_path / "m")
    (tmp_path / "m" / name).unlink()
    os.mkfifo(tmp_path / "m" / name)
    with pytest.raises(PrimeSVTError, match="it is no file"):
        load_model(tmp_path / "m")


def test_a_configuration_of_absurd_size_is_not_read(make_model, tmp_path) -> None:
    save_model(make_model(), tmp_path / "m")
    with (tmp_path / "m" / "config.json").open("r+") as file:
        file.truncate(2**33)
    with pytest.raises(PrimeSVTError, match="larger than 16777216 bytes"):
        load_model(tmp_path / "m")
