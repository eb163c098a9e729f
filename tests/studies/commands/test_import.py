"""``primesvt import``: a checkpoint becomes a model, or one clear line says why not, and nothing is left behind."""

import argparse
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from primesvt.models import Accuracy, Resizing, load_model
from primesvt.studies.cli import main
from primesvt.studies.commands import import_
from primesvt.studies.running.first_look import FirstLook

OFFICIAL = Path(__file__).parents[2] / "models" / "checkpoints" / "official"
SIZE = ("--heads", "4", "--time-steps", "4", "--image-size", "32")


def official(name: str) -> dict[str, torch.Tensor]:
    with safe_open(OFFICIAL / f"{name}.safetensors", "pt") as file:
        return {key[6:]: file.get_tensor(key) for key in file.keys() if key.startswith("state.")}  # noqa: SIM118


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return official("spikformer_cifar")


@pytest.fixture
def checkpoint(state: dict[str, torch.Tensor], tmp_path: Path) -> Path:
    """As the official training script saves it."""
    args = argparse.Namespace(model="spikformer", lr=5e-4)
    content = {"epoch": 7, "arch": "spikformer", "state_dict": state, "args": args, "metric": 95.5, "version": 2}
    torch.save(content, tmp_path / "model_best.pth.tar")
    return tmp_path / "model_best.pth.tar"


def test_a_checkpoint_becomes_a_model(primesvt, checkpoint: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"class {i}" for i in range(10)))
    ran = primesvt(
        *("import", checkpoint, "-o", tmp_path / "out", *SIZE, "--class-names", names, "--json"),
        *("--mean", "0.49,0.48,0.45", "--std", "0.25,0.24,0.26"),
    )
    assert ran.code == 0
    result = ran.json
    assert result["family"] == "spikformer"
    assert result["source"] == "ZK-Zhou/spikformer, cifar10/model.py"
    assert result["weights"] == "state_dict"
    assert set(result["unused_keys"]) == {key for key in official("spikformer_cifar") if ".norm" in key}
    assert all("LayerNorm" in reason for reason in result["unused_reasons"].values())
    assert {
        "pooling",
        "tau",
        "v_threshold",
        "attention_threshold",
        "spike_pooling",
        "crop_fraction",
        "interpolation",
    } == set(result["guessed"])
    assert result["config"]["widths"]["blocks.1.hidden"] == 256
    model = load_model(tmp_path / "out")
    assert model.config.classes[3] == "class 3"
    assert model.config.mean == (0.49, 0.48, 0.45)
    assert result["parameters"] == sum(p.numel() for p in model.parameters())
    assert result["bytes"] == sum(t.numel() * t.element_size() for t in model.state_dict().values())


def test_what_was_guessed_and_dropped_is_printed(primesvt, checkpoint: Path, tmp_path: Path) -> None:
    ran = primesvt("import", checkpoint, "-o", tmp_path / "out", *SIZE)
    assert ran.code == 0
    assert "not used: block.0.norm1." in ran.out
    assert "and 4 more: a LayerNorm that the official forward pass never calls" in ran.out
    assert "pooling = 0011" in ran.out
    assert "taken from state_dict" in ran.out


@pytest.fixture
def images_file(tmp_path: Path) -> Path:
    """Noise, by turns of ten classes."""
    images = np.random.default_rng(0).integers(0, 256, (100, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "data.npz", test_images=images, test_labels=np.arange(100) % 10)
    return tmp_path / "data.npz"


def test_the_next_command_is_told(primesvt, checkpoint: Path, tmp_path: Path) -> None:
    ran = primesvt("import", checkpoint, "-o", tmp_path / "a model", *SIZE)
    assert ran.out.splitlines()[-1] == f"check with: primesvt evaluate '{tmp_path / 'a model'}' --data PATH"


def test_a_model_that_tells_no_more_than_chance_is_warned_of(primesvt, checkpoint, images_file, tmp_path) -> None:
    said = ("--pooling", "1111", "--data", images_file)
    ran = primesvt("import", checkpoint, "-o", tmp_path / "out", *SIZE, *said, "--json")
    assert ran.code == 0
    assert ran.json["check"]["better"] is False
    assert ran.json["check"]["chance"] == pytest.approx(0.1)
    assert ran.json["check"]["images"] == 100
    warning = next(line for line in ran.err.splitlines() if line.startswith("warning: that is no better than chance"))
    guessed, said = warning.split("guessed:")[1].split("said:")
    assert all(name in guessed for name in ("mean 0.0,0.0,0.0", "std 1.0,1.0,1.0", "tau 2.0", "order of the classes"))
    assert "pooling 1111" in said
    assert "heads 4" in said


def test_a_model_that_tells_more_is_not(primesvt, checkpoint, images_file, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(import_, "first_look", lambda _, images: FirstLook(images, Accuracy(right=30, images=100)))
    ran = primesvt("import", checkpoint, "-o", tmp_path / "out", *SIZE, "--data", images_file)
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "accuracy 30.00% on 100 test images (95 % interval 21.89% to 39.58%)"
    assert "warning" not in ran.err


def test_data_that_do_not_fit_are_noticed_before_anything_is_written(
    primesvt, checkpoint, images_file, tmp_path
) -> None:
    size = ("--heads", "4", "--time-steps", "4", "--image-size", "28")
    ran = primesvt("import", checkpoint, "-o", tmp_path / "out", *size, "--data", images_file)
    assert ran.code == 2
    assert "the model reads 28x28 pixels" in ran.err
    assert not (tmp_path / "out").exists()


def test_the_preprocessing_is_written(primesvt, checkpoint: Path, tmp_path: Path) -> None:
    said = ("--crop-fraction", "0.9", "--interpolation", "bilinear")
    assert primesvt("import", checkpoint, "-o", tmp_path / "out", *SIZE, *said).code == 0
    assert load_model(tmp_path / "out").config.resizing == Resizing(0.9, "bilinear")
    assert "crop-fraction must be between 0.1 and 1" in primesvt(
        *("import", checkpoint, "-o", tmp_path / "b", *SIZE, "--crop-fraction", "2")
    ).err  # fmt: skip


def test_an_imported_model_goes_all_the_way(primesvt, checkpoint: Path, tmp_path: Path) -> None:
    assert primesvt("import", checkpoint, "-o", tmp_path / "model", *SIZE).code == 0
    assert "blocks.1.query_key" in primesvt("layers", tmp_path / "model").out
    (tmp_path / "plan.json").write_text('{"ratios": {"blocks.0.hidden": 0.5, "blocks.1.hidden": 0.5}}')
    ran = primesvt("prune", tmp_path / "model", "--plan", tmp_path / "plan.json", "-o", tmp_path / "small")
    assert ran.code == 0
    # Pruned alike in all MLPs, it is a model that the official code can build; and comes back as it went.
    for directory in ("model", "small"):
        ran = primesvt("export", tmp_path / directory, "--to", "state-dict", "-o", tmp_path / f"{directory}.pth")
        assert ran.code == 0, ran.err
        ran = primesvt("import", tmp_path / f"{directory}.pth", "-o", tmp_path / f"{directory}-again", *SIZE)
        assert ran.code == 0, ran.err
        one, other = (load_model(tmp_path / name).state_dict() for name in (directory, f"{directory}-again"))
        assert all(torch.equal(one[key], other[key]) for key in one)
    (tmp_path / "plan.json").write_text('{"ratios": {"blocks.0.query_key": 0.5}}')
    primesvt("prune", tmp_path / "model", "--plan", tmp_path / "plan.json", "-o", tmp_path / "odd")
    ran = primesvt("export", tmp_path / "odd", "--to", "state-dict", "-o", tmp_path / "odd.pth")
    assert ran.code == 2
    assert "can build no model whose blocks.0.query_key has 32 channels; an unpruned one of this size has 64" in ran.err
    assert not (tmp_path / "odd.pth").exists()


def test_a_moving_average_can_be_chosen(primesvt, state, tmp_path: Path) -> None:
    average = {key: tensor + 1 if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    torch.save({"state_dict": state, "state_dict_ema": average}, tmp_path / "file.pth")
    ran = primesvt("import", tmp_path / "file.pth", "-o", tmp_path / "plain", *SIZE)
    assert "taken from state_dict (also there: state_dict_ema)" in ran.out
    assert (
        primesvt("import", tmp_path / "file.pth", "-o", tmp_path / "ema", *SIZE, "--weights", "state_dict_ema").code
        == 0
    )
    plain, ema = (load_model(tmp_path / name).head.bias for name in ("plain", "ema"))
    assert torch.equal(plain + 1, ema)
    ran = primesvt("import", tmp_path / "file.pth", "-o", tmp_path / "no", *SIZE, "--weights", "teacher")
    assert ran.code == 2
    assert "'state_dict', 'state_dict_ema'" in ran.err


def test_weights_that_are_not_finite_are_named_and_may_be_taken(primesvt, state, tmp_path: Path) -> None:
    broken = {**state, "block.1.attn.q_linear.weight": state["block.1.attn.q_linear.weight"].clone()}
    broken["block.1.attn.q_linear.weight"][3, 4] = float("nan")
    save_file(broken, tmp_path / "nan.safetensors")
    command = ("import", tmp_path / "nan.safetensors", "-o", tmp_path / "out", *SIZE)
    ran = primesvt(*command)
    assert ran.code == 2
    assert "block.1.attn.q_linear.weight holds NaN or infinity; pass --allow-nonfinite" in ran.err
    assert not (tmp_path / "out").exists()
    assert primesvt(*command, "--allow-nonfinite").code == 0
    assert load_model(tmp_path / "out").blocks[1].query.conv.weight.isnan().any()
    assert primesvt("layers", tmp_path / "out").code == 0


class Payload:
    """A pickle that runs a command when it is loaded."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (f"touch {self.file}",)


def _zip(file: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _safetensors(file: Path, header: dict[str, Any], data: bytes) -> None:
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + data)


def hostile(tmp_path: Path, state: dict[str, torch.Tensor]) -> dict[str, Path]:
    """Files of every bad kind, by what is wrong with them."""
    files = {name: tmp_path / f"{name}.pth" for name in ("callable", "module", "plain", "none", "empty", "bomb")}
    torch.save({"state_dict": Payload(tmp_path / "touched")}, files["callable"])
    torch.save(torch.nn.Linear(2, 2), files["module"])
    files["plain"].write_bytes(pickle.dumps({"a": Payload(tmp_path / "touched")}))
    files["none"].write_bytes(b"<html>not found</html>" * 50)
    files["empty"].write_bytes(b"")
    _zip(files["bomb"], {"a/data.pkl": b"\0" * 10**7}, zipfile.ZIP_DEFLATED)
    torch.save(state, tmp_path / "whole.pth")
    whole = (tmp_path / "whole.pth").read_bytes()
    for share in (0.1, 0.5, 0.99):
        files[f"truncated {share}"] = tmp_path / f"truncated{share}.pth"
        files[f"truncated {share}"].write_bytes(whole[: int(len(whole) * share)])
    tensors = {
        "past the end": {"a": {"dtype": "F32", "shape": [1000], "data_offsets": [0, 4000]}},
        "absurd": {"a": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}},
        "negative": {"a": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}},
        "another shape": {"a": {"dtype": "F32", "shape": [5], "data_offsets": [0, 16]}},
    }
    for name, header in tensors.items():
        files[name] = tmp_path / f"{name}.safetensors"
        _safetensors(files[name], header, b"\0" * 16)
    files["header"] = tmp_path / "header.safetensors"
    files["header"].write_bytes(struct.pack("<Q", 2**60) + b"{}")
    files["variance"] = tmp_path / "variance.safetensors"
    save_file({**state, "block.0.mlp.fc1_bn.running_var": -torch.ones(256)}, files["variance"])
    files["dtype"] = tmp_path / "dtype.safetensors"
    save_file({**state, "head.weight": torch.zeros(10, 64, dtype=torch.int32)}, files["dtype"])
    files["missing"] = tmp_path / "no such file.pth"
    files["directory"] = tmp_path
    return files


def test_hostile_files_are_refused_with_one_line(primesvt, state, tmp_path: Path) -> None:
    for name, file in hostile(tmp_path, state).items():
        before = set(tmp_path.iterdir())
        ran = primesvt("import", file, "-o", tmp_path / "out", *SIZE)
        assert ran.code == 2, name
        assert ran.out == "", name
        assert ran.err.startswith("primesvt: "), name
        assert ran.err.count("\n") == 1, f"{name}: {ran.err}"
        assert "Traceback" not in ran.err, name
        assert set(tmp_path.iterdir()) == before, f"{name} left something behind"
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--heads", "0"), "heads must be between 1 and 16384, got 0"),
        (("--heads", "4,4"), "A spikformer has one number of heads, got 4,4"),
        (("--heads", "5"), "must be a multiple of its 5 heads"),
        (("--image-size", "big"), "expected a size"),
        (("--pooling", "12"), "pooling must be four digits"),
        (("--family", "vgg"), "Unknown family 'vgg'; known are"),
        (("--family", "qkformer"), "These weights are not of a qkformer"),
        (("--name", "spikformer-4-384"), "These weights are no spikformer-4-384"),
        (
            ("--name", "sdt-8-384", "--family", "spikformer"),
            "sdt-8-384 is a spike-driven-transformer, not a spikformer",
        ),
        (("--mean", "0.5"), "mean must be 3 finite numbers"),
        (("--std", "0,0,0"), "std must be positive"),
        (("--tau", "1"), "tau must be above 1"),
        (("--attention", "token"), "A spikformer has no attention; leave it out"),
        (("--class-names", "/no/such/file"), "Cannot read the class names /no/such/file"),
        (("--weights", "ema"), "no weights under 'ema'"),
    ],
)
def test_bad_options_are_refused_with_one_line(primesvt, checkpoint, tmp_path, options, message) -> None:
    ran = primesvt("import", checkpoint, "-o", tmp_path / "out", *SIZE, *options)
    assert ran.code == 2
    assert message in ran.err
    assert not (tmp_path / "out").exists()


def test_class_names_are_checked(primesvt, checkpoint: Path, tmp_path: Path) -> None:
    for content, message in (
        ("a\nb\n", "10 classes apart, got 2 class names"),
        ('["a", 3]', "must be a JSON list of strings"),
        ('["a", ', "are no JSON list"),
        ("\n".join("a" * 10), "classes must be at least two different names"),
    ):
        (tmp_path / "names").write_text(content)
        ran = primesvt("import", checkpoint, "-o", tmp_path / "out", *SIZE, "--class-names", tmp_path / "names")
        assert ran.code == 2
        assert message in ran.err
    (tmp_path / "names").write_bytes(b"\xff\xfe\x00")
    assert primesvt("import", checkpoint, "-o", tmp_path / "out", *SIZE, "--class-names", tmp_path / "names").code == 2


def test_a_directory_that_is_not_empty_is_refused_before_anything_is_read(primesvt, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    ran = primesvt("import", tmp_path / "no such file", "-o", tmp_path / "out")
    assert ran.code == 2
    assert "out is not empty" in ran.err
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """A small checkpoint in both formats."""
    folder = tmp_path_factory.mktemp("valid")
    small = {
        key: tensor[:4, :4] if tensor.ndim > 1 else tensor[:4]
        for key, tensor in official("sdt_cifar").items()
        if tensor.ndim
    }
    torch.save({"state_dict": small}, folder / "a.pth")
    save_file({key: tensor.contiguous() for key, tensor in small.items()}, folder / "a.safetensors")
    whole = official("sdt_cifar")
    save_file(whole, folder / "whole.safetensors")
    return [(folder / name).read_bytes() for name in ("a.pth", "a.safetensors", "whole.safetensors")]


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_mutated_files_end_well(valid: list[bytes], tmp_path: Path, capsys, data: st.DataObject) -> None:
    """Bytes changed, cut and moved: a model or one line, never a traceback, never half a directory."""
    content = bytearray(data.draw(st.sampled_from(valid)))
    # Most of a file is numbers; what steers the reader lies at its ends.
    ends = st.integers(0, min(4000, len(content) - 1))
    position = ends.map(lambda i: data.draw(st.sampled_from([i, len(content) - 1 - i])))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(position)] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    file, out = tmp_path / "mutated", tmp_path / "out"
    file.write_bytes(bytes(content))
    code = main(["import", str(file), "-o", str(out), "--time-steps", "1", "--image-size", "8", "--pooling", "0000"])
    err = capsys.readouterr().err
    assert code in (0, 2)
    if code == 0:
        load_model(out)
        for part in out.iterdir():
            part.unlink()
        out.rmdir()
    else:
        assert err.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["mutated"]
