"""The commands as other programs call them: the JSON that is promised, and what bad input says."""

import json
import os
import re
import signal
import sys
import time
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import optuna
import pytest
from safetensors.numpy import load_file

from primesvt.studies import cli
from primesvt.studies.cli import NAMES
from primesvt.studies.main import main as process
from primesvt.studies.running.storage import open_storage

SEARCH = ("--max-drop", "30", "--min-saving", "0.2", "--step", "0.1", "--max-ratio", "0.9", "--rates", "0.5,0.9")


def test_every_command_explains_itself(primesvt) -> None:
    for name in NAMES:
        ran = primesvt(name, "--help")
        assert ran.code == 0
        assert len(ran.out) > 300, name
    assert primesvt("--help").code == 0


def test_layers(primesvt, model_dir) -> None:
    result = primesvt("layers", model_dir, "--json").json
    stored = load_file(model_dir / "model.safetensors")
    assert result["bytes"] == sum(tensor.nbytes for tensor in stored.values())
    sizes = [layer["parameters"] for layer in result["layers"]]
    assert sizes == sorted(sizes, reverse=True)
    assert set(result["layers"][0]) == {"name", "kind", "channels", "parameters", "share", "branch"}
    assert "blocks.0.hidden" in primesvt("layers", model_dir).out


def test_evaluate(primesvt, model_dir, data_file) -> None:
    result = primesvt("evaluate", model_dir, "--data", data_file, "--json").json
    assert set(result) == {"accuracy", "images", "interval", "images_per_second", "engine", "left_to_pytorch"}
    assert result["engine"] == "PrimeSVT"
    assert result["images"] == 120
    assert result["interval"][0] < result["accuracy"] <= result["interval"][1]
    assert result["accuracy"] > 0.6
    some = primesvt("evaluate", model_dir, "--data", data_file, "--split", "selection", "--images", "10", "--json").json
    assert some["images"] == 10


def test_evaluate_in_bfloat16_tells_what_it_costs(primesvt, model_dir, data_file) -> None:
    command = ("evaluate", model_dir, "--data", data_file)
    exact = primesvt(*command, "--json").json
    result = primesvt(*command, "--precision", "bfloat16", "--json").json
    compared = result["against_float32"]
    assert result["precision"] == "bfloat16"
    # The float32 that it is compared with is the folded model's, whose rounding may differ in a spike.
    assert compared["accuracy"] == pytest.approx(exact["accuracy"], abs=0.02)
    assert compared["drop"] == pytest.approx(100 * (compared["accuracy"] - result["accuracy"]))
    assert compared["lost"] + compared["gained"] <= compared["changed"] <= result["images"]
    assert compared["drop_interval"][0] <= compared["drop"] <= compared["drop_interval"][1]
    text = primesvt(*command, "--precision", "bfloat16").out
    assert re.search(r"bfloat16, compared with float32 on the same images: \d+ of 120 classes change", text)
    same = primesvt(*command, "--device", "cpu", "--precision", "float32", "--json").json
    assert same["accuracy"] == exact["accuracy"]


def test_evaluate_by_pytorch(primesvt, model_dir, data_file) -> None:
    command = ("evaluate", model_dir, "--data", data_file, "--json")
    engine, torch = primesvt(*command).json, primesvt(*command, "--engine", "torch").json
    assert (engine["engine"], torch["engine"]) == ("PrimeSVT", "PyTorch")
    assert engine["left_to_pytorch"] == torch["left_to_pytorch"] == []
    assert torch["accuracy"] == pytest.approx(engine["accuracy"], abs=0.02)
    beside = primesvt(*command[:-1], "--engine", "torch", "--against", model_dir).out
    assert "asked by PyTorch's own kernels, as it is asked on cpu in float32" in beside


def test_evaluate_against_the_original(primesvt, model_dir, data_file, tmp_path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"criterion": "l2", "ratios": {"blocks.0.hidden": 0.5, "position": 0.25}}))
    pruned = primesvt("prune", model_dir, "--plan", plan, "-o", tmp_path / "pruned", "--json").json
    command = ("evaluate", tmp_path / "pruned", "--data", data_file, "--against", model_dir)
    result = primesvt(*command, "--json").json
    told, unpruned = result["against"], primesvt("evaluate", model_dir, "--data", data_file, "--json").json
    assert told["accuracy"] == unpruned["accuracy"]
    assert told["drop"] == pytest.approx(100 * (told["accuracy"] - result["accuracy"]))
    assert told["drop"] == pytest.approx(100 * (told["lost"] - told["gained"]) / 120)
    assert told["drop_interval"][0] <= told["drop"] <= told["drop_interval"][1]
    assert told["bytes"] == [pruned["bytes_after"], pruned["bytes_before"]]
    assert told["memory_saving"] == pytest.approx(pruned["memory_saving"])
    assert min(told["ms_per_image"]) > 0
    assert 1 - told["agreement"] >= (told["lost"] + told["gained"]) / 120 - 1e-9
    text = primesvt(*command).out
    assert re.search(r"points lost \(95 % interval .* paired\).*the same class on [\d.]+% of the images", text)
    same = primesvt("evaluate", model_dir, "--data", data_file, "--against", model_dir, "--json").json["against"]
    assert (same["agreement"], same["drop"], same["memory_saving"]) == (1, 0, 0)
    other = primesvt("evaluate", model_dir, "--data", data_file, "--against", "demo")
    assert (other.code, "the one it is compared with reads 28x28 pixels" in other.err) == (2, True)


def test_prune_by_a_plan(primesvt, model_dir, tmp_path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"criterion": "l2", "ratios": {"blocks.0.hidden": 0.5, "position": 0.25}}))
    result = primesvt("prune", model_dir, "--plan", plan, "-o", tmp_path / "pruned", "--json").json
    stored = load_file(tmp_path / "pruned" / "model.safetensors")
    assert result["bytes_after"] == sum(tensor.nbytes for tensor in stored.values())
    assert result["bytes_before"] == primesvt("layers", model_dir, "--json").json["bytes"]
    assert result["memory_saving"] == pytest.approx(1 - result["bytes_after"] / result["bytes_before"])
    again = primesvt("prune", model_dir, "--plan", plan, "-o", tmp_path / "pruned")
    assert again.code == 2
    assert "not empty" in again.err


@pytest.mark.parametrize("sampler", ["prioritized", "uniform", "global", "random", "tpe", "nsga2", "gp"])
def test_search_goes_on_to_n_trials_in_all(primesvt, model_dir, data_file, tmp_path, sampler) -> None:
    where = ("--storage", f"sqlite:///{tmp_path}/s.db", "--study", "mine", "--sampler", sampler, "--seed", "1")
    first = ("--probe-first",) if sampler == "prioritized" else ()  # else its pass is over at once
    layers = ("--layers", "blocks.0.hidden,position,stem.3")
    command = ("search", model_dir, "--data", data_file, *where, *SEARCH, *layers, *first)
    assert primesvt(*command, "--trials", "3", "--json").json["trials"] == 3
    result = primesvt(*command, "--trials", "6", "--json").json
    assert set(result) == {"study", "sampler", "trials", "feasible", "decided_early", "best"}
    assert (result["study"], result["sampler"], result["trials"]) == ("mine", sampler, 6)
    text = primesvt(*command, "--trials", "6")
    assert text.code == 0
    assert "6 trials" in text.out


def test_the_prioritized_search_ends_by_itself_and_its_plan_prunes(primesvt, model_dir, data_file, tmp_path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    ran = primesvt(
        "search", model_dir, "--data", data_file, "--storage", url, "--study", "p", *SEARCH, "--trials", "500", "--json"
    )
    result = ran.json
    best = result["best"]
    held = optuna.load_study(study_name="p", storage=url).user_attrs["options"]
    assert tomllib.loads(held)["search"]["trials"] == 500
    assert result["trials"] < 500
    assert set(best) == {"trial", "memory_saving", "accuracy", "accuracy_drop", "measures", "ratios"}
    assert best["memory_saving"] >= 0.2
    assert best["accuracy_drop"] <= 30
    pruned = primesvt(
        "prune", model_dir, "--storage", url, "--study", "p", "--trial", best["trial"], "-o", tmp_path / "m", "--json"
    ).json
    assert pruned["memory_saving"] == pytest.approx(best["memory_saving"])
    measured = primesvt("evaluate", tmp_path / "m", "--data", data_file, "--split", "selection", "--json").json
    assert measured["accuracy"] == pytest.approx(best["accuracy"])


def test_what_was_rejected_early_is_told(primesvt, model_dir, data_file, tmp_path) -> None:
    """Of 80 images, 64 are a batch: a plan that gets a third of them right is rejected after it."""
    command = (
        "search", model_dir, "--data", data_file, "--storage", f"sqlite:///{tmp_path}/s.db", "--sampler", "random",
        "--trials", "4", "--max-drop", "0", "--min-saving", "0.7", "--risk", "0.5",
    )  # fmt: skip
    result = primesvt(*command, "--json").json
    assert result["decided_early"] == 4
    assert result["best"] is None
    text = primesvt(*command).out
    assert "4 trials, 0 keep the limits (at most 0 points, at least 70.00% saved), 4 were rejected early" in text
    assert "points by an estimate, as measuring it stopped early, after 64 images. Loosen a limit" in text
    ran = primesvt(*command[:-1], "0.4")
    assert ran.code == 2
    assert "another risk (0.5, now 0.4)" in ran.err


def test_robustness(primesvt, model_dir, data_file, tmp_path) -> None:
    page = tmp_path / "robustness.html"
    command = ("robustness", model_dir, "--data", data_file, "--rates", "0.5,0.9", "--images", "20")
    result = primesvt(*command, "--html", page, "--json").json
    names = [layer["name"] for layer in primesvt("layers", model_dir, "--json").json["layers"]]
    assert list(result["layers"]) == names
    assert all(set(row) == {"0.5", "0.9"} for row in result["layers"].values())
    assert "estimated" not in result
    assert "Plotly.newPlot" in page.read_text()
    assert "0.9" in primesvt(*command).out


def test_finetune_with_and_without_a_teacher(primesvt, model_dir, data_file, tmp_path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"ratios": {"blocks.0.hidden": 0.8, "position": 0.5}}))
    primesvt("prune", model_dir, "--plan", plan, "-o", tmp_path / "pruned")
    for name, teacher in (("plain", ()), ("taught", ("--teacher", model_dir))):
        result = primesvt(
            "finetune",
            tmp_path / "pruned",
            "--data",
            data_file,
            "--epochs",
            "2",
            *teacher,
            "-o",
            tmp_path / name,
            "--json",
        ).json
        assert set(result) == {"accuracy_before", "accuracy_after", "epochs", "seconds"}
        assert result["epochs"] == 2
        after = primesvt("evaluate", tmp_path / name, "--data", data_file, "--split", "selection", "--json").json
        assert after["accuracy"] == pytest.approx(result["accuracy_after"])
        assert (tmp_path / name / "plan.json").read_bytes() == (tmp_path / "pruned" / "plan.json").read_bytes()


BAD = {
    "no model": (("layers", "{tmp}/nothing"), r"No model in"),
    "no data": (("evaluate", "{model}", "--data", "{tmp}/nothing"), "does not exist"),
    "wrong image size": (("evaluate", "{model}"), "28x28 pixels"),
    "unknown layer": (("prune", "{model}", "--plan", "{tmp}/unknown.json", "-o", "{tmp}/out"), "Unknown layer 'nope'"),
    "ratio of 1": (("prune", "{model}", "--plan", "{tmp}/one.json", "-o", "{tmp}/out"), "cannot lose all of its chan"),
    "no JSON": (("prune", "{model}", "--plan", "{tmp}/text.json", "-o", "{tmp}/out"), "no JSON"),
    "no plan said": (("prune", "{model}", "-o", "{tmp}/out"), "Say which plan"),
    "unreachable": (
        ("search", "{model}", "--data", "{data}", "--min-saving", "0.99", "--storage", "{db}"), "saves 0",
    ),
    "drop": (("search", "{model}", "--data", "{data}", "--max-drop", "-1", "--storage", "{db}"), "between 0 and 100"),
    "trials": (("search", "{model}", "--data", "{data}", "--trials", "0", "--storage", "{db}"), "at least 1"),
    "seed": (("search", "{model}", "--data", "{data}", "--seed", "-1", "--storage", "{db}"), "at least 0"),
    "risk": (("search", "{model}", "--data", "{data}", "--risk", "1", "--storage", "{db}"), "0 and below 1; got 1.0"),
    "risk of a comparison": (
        ("compare", "{model}", "--data", "{data}", "--risk", "nan", "-o", "{tmp}/out"), "a probability.*got nan",
    ),
    "storage": (("search", "{model}", "--data", "{data}", "--storage", "sqlite:////no/where/s.db"), "does not answer"),
    "storage url": (("search", "{model}", "--data", "{data}", "--storage", "nonsense://x"), "Unknown kind of storage"),
    "no such study": (
        ("prune", "{model}", "--storage", "{empty}", "--study", "x", "--trial", "1", "-o", "{tmp}/out"), "No study 'x'",
    ),
    "no such storage": (
        ("prune", "{model}", "--storage", "{db}", "--study", "x", "--trial", "1", "-o", "{tmp}/out"), "no such file",
    ),
    "home": (
        ("prune", "{model}", "--plan", "{tmp}/good.json", "--overwrite", "-o", "{tmp}"), "no model that could be",
    ),
    "twice": (("prune", "{model}", "--plan", "{tmp}/twice.json", "-o", "{tmp}/out"), "'position' is there twice"),
    "no place": (
        ("robustness", "{model}", "--data", "{data}", "--html", "{tmp}/no/r.html"), "r.html: No such file or directory",
    ),
    "size of arrays": (
        ("train", "-o", "{tmp}/out", "--data", "{data}", "--family", "spikformer", "--image-size", "9"), "8x8 with 1",
    ),
    "width of init": (
        ("train", "-o", "{tmp}/out", "--data", "{data}", "--init", "{model}", "--embed-dim", "8"), "is that of --init",
    ),
    "sampler": (
        ("compare", "{model}", "--data", "{data}", "--samplers", "best", "-o", "{tmp}/out"), "Unknown sampler 'best'",
    ),
    "rates": (("robustness", "{model}", "--data", "{data}", "--rates", "0.5,2"), "above 0 and below 1"),
    "family": (("train", "-o", "{tmp}/out", "--data", "{data}"), "Say what to train"),
    "embed dim": (
        ("train", "-o", "{tmp}/out", "--data", "{data}", "--family", "spikformer", "--embed-dim", "20"),
        "multiple of 8",
    ),
    "epochs": (
        ("train", "-o", "{tmp}/out", "--data", "{data}", "--family", "spikformer", "--epochs", "0"), "epochs must be",
    ),
    "no device": (("evaluate", "{model}", "--data", "{data}", "--device", "cuda:99"), "Cannot use cuda:99: "),
    "no device to train on": (
        ("train", "-o", "{tmp}/out", "--data", "{data}", "--family", "spikformer", "--device", "cuda:99"), "Cannot use",
    ),
    "no device to fine-tune on": (
        ("finetune", "{model}", "--data", "{data}", "-o", "{tmp}/out", "--device", "cuda:99"), "Cannot use cuda:99",
    ),
    "no device to search on": (
        ("search", "{model}", "--data", "{data}", "--device", "cuda:99"), "Cannot use cuda:99: ",
    ),
    "no device to compare on": (
        ("compare", "{model}", "--data", "{data}", "-o", "{tmp}/out", "--device", "cuda:99"), "Cannot use cuda:99: ",
    ),
    "no device to probe on": (
        ("robustness", "{model}", "--data", "{data}", "--device", "cuda:99"), "Cannot use cuda:99: ",
    ),
    "no device to repair on": (
        ("prune", "{model}", "--data", "{data}", "--plan", "{tmp}/good.json", "--repair", "norm", "--device", "cuda:99",
         "-o", "{tmp}/out"), "Cannot use cuda:99: ",
    ),
    "foreign directory": (
        ("compare", "{model}", "--data", "{data}", "-o", "{tmp}"), "is not empty, and not the result of a comparison",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line(primesvt, model_dir, data_file, tmp_path: Path, case: str) -> None:
    arguments, message = BAD[case]
    (tmp_path / "unknown.json").write_text('{"ratios": {"nope": 0.5}}')
    (tmp_path / "one.json").write_text('{"ratios": {"position": 1}}')
    (tmp_path / "text.json").write_text("half a pl")
    (tmp_path / "good.json").write_text('{"ratios": {"position": 0.5}}')
    (tmp_path / "twice.json").write_text('{"ratios": {"position": 0.5, "position": 0.1}}')
    places = {
        "tmp": tmp_path,
        "model": model_dir,
        "data": data_file,
        "db": f"sqlite:///{tmp_path}/bad.db",
        "empty": f"sqlite:///{tmp_path}/empty.db",
    }
    if "{empty}" in arguments:
        open_storage(places["empty"])
    ran = primesvt(*(argument.format(**places) for argument in arguments))
    assert ran.code == 2
    assert ran.out == ""
    lines = [line for line in ran.err.splitlines() if line.startswith("primesvt:")]
    assert len(lines) == 1
    assert "Traceback" not in ran.err
    assert re.search(message, lines[0]), lines[0]
    assert not (tmp_path / "out" / "config.json").exists()


def test_wrong_options_exit_with_2_too(primesvt) -> None:
    assert primesvt("layers").code == 2
    assert primesvt("evaluate", "demo", "--split", "fit").code == 2
    assert primesvt("evaluate", "demo", "--device", "tpu").code == 2
    assert primesvt("evaluate", "demo", "--precision", "float16").code == 2
    assert primesvt("search", "demo", "--sampler", "best").code == 2
    assert primesvt("compare", "demo", "--front", "0", "-o", "out").code == 2
    assert primesvt("dashboard", "--port", "99999").code == 2
    assert primesvt("train", "--family", "spikformer", "--heads", "0", "-o", "out").code == 2


def test_a_damaged_model_is_named(primesvt, model_dir, tmp_path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((model_dir / name).read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    ran = primesvt("layers", tmp_path)
    assert ran.code == 2
    assert "model.safetensors" in ran.err


def test_channels_that_do_not_fit_are_refused(primesvt, model_dir, tmp_path) -> None:
    colours = np.zeros((30, 8, 8, 3), np.uint8)
    labels = np.arange(30) % 3
    np.savez(tmp_path / "c.npz", train_images=colours, train_labels=labels, test_images=colours, test_labels=labels)
    ran = primesvt("evaluate", model_dir, "--data", tmp_path / "c.npz")
    assert ran.code == 2
    assert "8x8 pixels with 3 channels" in ran.err


def test_who_reads_may_go(primesvt, model_dir, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `| head -1` does: nothing is said, and nothing is left that the interpreter would complain about."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        monkeypatch.setattr("sys.stdout", closed)
        assert cli.main(["layers", str(model_dir)]) == 1
        closed.flush()


def test_a_warning_of_ours_is_a_line_and_another_is_left_as_it_is(primesvt, model_dir, monkeypatch) -> None:
    def warns(_args) -> None:
        warnings.warn_explicit("of ours", UserWarning, str(Path(cli.__file__).parent / "running" / "x.py"), 7)
        warnings.warn_explicit("of others", UserWarning, "/elsewhere/y.py", 7)

    monkeypatch.setattr("primesvt.studies.commands.layers.run", warns)
    with pytest.warns(UserWarning, match="of others") as others:
        assert primesvt("layers", model_dir).err == "primesvt: of ours\n"
    assert [str(other.message) for other in others] == ["of others"]


def test_sigterm_ends_a_command_as_ctrl_c_does(capsys: pytest.CaptureFixture[str]) -> None:
    def run() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)  # until it arrives
        return 0

    assert interrupted(run)
    assert capsys.readouterr().err == "primesvt: interrupted\n"


def interrupted(run: Callable[[], int]) -> bool:
    """Whether a process ends as an interrupted one, where its command does so."""
    handler, hook = signal.getsignal(signal.SIGTERM), sys.unraisablehook
    try:
        with mock.patch("primesvt.studies.cli.main", run):
            return process() == 130
    finally:
        signal.signal(signal.SIGTERM, handler)
        sys.unraisablehook = hook


def test_sigterm_is_not_lost_while_an_object_is_destroyed() -> None:
    class Destroyed:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    def run() -> int:
        Destroyed()
        time.sleep(5)
        return 0

    assert interrupted(run)
