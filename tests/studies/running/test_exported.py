"""Comparing an exported file with its model, and the command that writes and compares one."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from primesvt.models import PrimeSVTError, load_model, open_data, predict, save_model
from primesvt.models.export import export_onnx, export_pt2
from primesvt.pruning import PruningPlan, prune
from primesvt.studies.commands.export import TARGETS
from primesvt.studies.running.exported import Runner, Verification, latencies, run_onnx, run_pt2, verify

from ...conftest import noisy_data

# Narrows writers of every kind, and what is read by one layer only.
DEMO_PLAN = PruningPlan(
    {"stem.3": 0.125, "position": 0.25, "blocks.0.projection": 0.25, "blocks.0.hidden": 0.5, "blocks.1.output": 0.25}
)
FIELDS = {
    "images",
    "agreement",
    "logit_difference",
    "accuracy_model",
    "accuracy_file",
    "latency_model",
    "latency_file",
    "latency_batch",
    "threads",
}


@pytest.fixture(scope="module")
def pt2_file(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained model, for seven images at a time."""
    file = tmp_path_factory.mktemp("pt2") / "model.pt2"
    export_pt2(load_model(model_dir), file, batch=7)
    return file


def test_verify_compares_classes_logits_accuracy_and_latency(model_dir, pt2_file) -> None:
    model, images, seen = load_model(model_dir), noisy_data(360).test, []
    found = verify(model, run_pt2(pt2_file), images, repetitions=2, on_batch=seen.append)
    assert (found.images, sum(seen)) == (120, 120)
    # PyTorch runs the same operations; only the last part is filled up, which rounds some products differently.
    assert found.agreement == 1.0
    assert found.logit_difference < 1e-5
    assert found.accuracy_model == found.accuracy_file == predict(model, images).accuracy
    assert min(found.latency_model, found.latency_file) > 0
    assert (found.latency_batch, found.threads) == (7, torch.get_num_threads())
    assert set(found.to_json()) == FIELDS
    found.check()


def test_a_file_of_another_model_is_found_out(model_dir, pt2_file) -> None:
    other = load_model(model_dir)
    with torch.no_grad():
        other.head.weight.neg_()
    found = verify(other, run_pt2(pt2_file), noisy_data(360).test, repetitions=1)
    assert found.agreement < 0.5
    assert found.logit_difference > 0.1
    with pytest.raises(PrimeSVTError, match=r"differs from the model: the same class on .* of 120 images only"):
        found.check()


def test_99_percent_of_the_classes_are_enough() -> None:
    def found(agreement: float) -> Verification:
        numbers = dict.fromkeys(FIELDS - {"agreement"}, 1)
        return Verification(agreement=agreement, **numbers)

    found(0.99).check()
    with pytest.raises(PrimeSVTError):
        found(0.9899).check()


@pytest.mark.parametrize("count", [1, 7, 10])
def test_a_fixed_batch_is_filled_up(count: int) -> None:
    sizes = []

    def answer(images: torch.Tensor) -> torch.Tensor:
        sizes.append(len(images))
        return images.flatten(1)

    images = torch.rand(count, 1, 2, 2)
    assert torch.equal(Runner(answer, 7)(images), images.flatten(1))
    assert set(sizes) == {7}
    assert torch.equal(Runner(answer, None)(images), images.flatten(1))


def test_latencies_are_per_image_and_in_turn() -> None:
    asked = []
    first, second = latencies(
        (lambda x: asked.append("a") or x, lambda x: asked.append("b") or x), torch.zeros(4, 1, 2, 2), repetitions=5
    )
    assert "".join(asked) == "ab" * 8
    assert 0 < first < 1
    assert 0 < second < 1


@pytest.mark.parametrize("run", [run_onnx, run_pt2])
@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_files_that_cannot_be_run(run, content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PrimeSVTError, match=r"cannot (run|read)"):
        run(file)


@pytest.fixture(scope="module")
def pruned_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pruned") / "demo"
    save_model(prune(load_model("demo"), DEMO_PLAN), directory)
    return directory


def test_the_pruned_demo_model_in_onnxruntime(primesvt, pruned_demo, tmp_path) -> None:
    file = tmp_path / "demo.onnx"
    command = ("export", pruned_demo, "--to", "onnx", "-o", file, "--batch", "50")
    ran = primesvt(*command, "--verify", "--images", "300", "--json")
    assert ran.code == 0
    result = ran.json
    assert set(result) == {"file", "format", "opset", "bytes", "inputs", "outputs", "verify"}
    assert (result["file"], result["format"], result["opset"]) == (str(file), "onnx", 18)
    assert result["bytes"] == file.stat().st_size
    assert result["inputs"] == {"images": [50, 1, 28, 28]}
    assert result["outputs"] == {"logits": [50, 10]}
    found = result["verify"]
    assert set(found) == FIELDS
    assert found["images"] == 300
    assert found["agreement"] >= 0.99
    measured = primesvt("evaluate", pruned_demo, "--images", "300", "--json").json["accuracy"]
    assert found["accuracy_model"] == pytest.approx(measured)
    assert found["accuracy_file"] == pytest.approx(measured, abs=0.01)
    # What the exporters say about themselves is for nobody who runs the command.
    assert all(line.startswith(("tracing ", "verify: ")) for line in ran.err.splitlines())
    assert [f.name for f in tmp_path.iterdir()] == ["demo.onnx"]


@pytest.mark.slow
def test_the_pruned_demo_model_on_all_test_images(pruned_demo, tmp_path) -> None:
    model = load_model(pruned_demo)
    export_onnx(model, tmp_path / "demo.onnx")
    found = verify(model, run_onnx(tmp_path / "demo.onnx"), open_data(None, (1, 28, 28)).test)
    assert found.images == 10_000
    assert found.agreement > 0.999
    assert found.accuracy_file == pytest.approx(found.accuracy_model, abs=0.001)


def test_the_command_prints_what_it_wrote_and_found(primesvt, model_dir, data_file, tmp_path) -> None:
    file = tmp_path / "model.pt2"
    command = ("export", model_dir, "--to", "pt2", "-o", file, "--batch-size", "1")
    ran = primesvt(*command, "--verify", "--data", data_file, "--images", "20")
    assert ran.code == 0
    assert "pt2, " in ran.out
    assert "input images [1, 1, 8, 8], output logits [1, 3]" in ran.out
    assert "accuracy on 20 images" in ran.out
    assert "same class on 100.00% of the images, logits at most " in ran.out
    again = primesvt(*command)
    assert again.code == 2
    assert "exists; choose another file, or pass --overwrite" in again.err
    replaced = primesvt(*command, "--overwrite", "--json")
    assert replaced.code == 0
    assert replaced.json["verify"] is None
    assert replaced.err == "tracing the model for pt2; a large one takes minutes\n"


def test_a_file_that_differs_is_not_written(primesvt, model_dir, data_file, tmp_path, monkeypatch) -> None:
    def wrong(_file: Path, _model: nn.Module) -> Runner:
        return Runner(lambda images: torch.eye(3)[torch.zeros(len(images), dtype=torch.int64)], None)

    target = TARGETS["pt2"]
    monkeypatch.setitem(TARGETS, "pt2", type(target)(target.export, wrong, False))
    ran = primesvt("export", model_dir, "--to", "pt2", "-o", tmp_path / "m.pt2", "--verify", "--data", data_file)
    assert ran.code == 2
    assert "differs from the model" in ran.err
    assert not list(tmp_path.iterdir())


BAD = {
    "no model": (("export", "{tmp}/nothing", "--to", "pt2", "-o", "{tmp}/f"), "No model in"),
    "directory": (("export", "{model}", "--to", "pt2", "-o", "{tmp}"), "Is a directory"),
    "nowhere": (("export", "{model}", "--to", "pt2", "-o", "{tmp}/no/where"), "Cannot write"),
    "batch": (("export", "{model}", "--to", "pt2", "-o", "{tmp}/f", "--batch-size", "0"), "at least 1, got '0'"),
    "batch text": (
        ("export", "{model}", "--to", "pt2", "-o", "{tmp}/f", "--batch-size", "all"), "at least 1, got 'all'"
    ),
    "huge batch": (("export", "{model}", "--to", "pt2", "-o", "{tmp}/f", "--batch-size", "999999999"), "at most 2 GiB"),
    "target": (("export", "{model}", "--to", "tflite", "-o", "{tmp}/f"), "invalid choice"),
    "size": (("export", "{model}", "--to", "pt2", "-o", "{tmp}/f", "--verify"), "28x28 pixels"),
    "other size": (
        ("export", "demo", "--to", "pt2", "-o", "{tmp}/f", "--verify", "--data", "{data}"), "the model reads 28x28"
    ),
    "limit": (
        ("export", "demo", "--to", "pt2", "-o", "{tmp}/f", "--verify", "--images", "0"), "at least 1, got '0'"
    ),
    "data alone": (("export", "demo", "--to", "pt2", "-o", "{tmp}/f", "--data", "{data}"), "pass --verify, too"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_2(primesvt, model_dir, data_file, tmp_path, case) -> None:
    arguments, message = BAD[case]
    places = {"tmp": tmp_path, "model": model_dir, "data": data_file}
    ran = primesvt(*(argument.format(**places) for argument in arguments))
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert not list(tmp_path.iterdir())


def test_what_must_be_installed_is_said(primesvt, model_dir, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    ran = primesvt("export", model_dir, "--to", "onnx", "-o", tmp_path / "m.onnx")
    assert ran.code == 2
    assert "onnxruntime is needed for that: pip install onnx onnxscript onnxruntime" in ran.err
