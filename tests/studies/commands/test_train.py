"""Trainings from the command line that are interrupted: nothing is lost, and the end is the same."""

import json
import re
import shutil
from pathlib import Path

import pytest

from primesvt.models import fingerprint, load_model, predict
from primesvt.studies.cli import main
from primesvt.studies.commands import finetune
from primesvt.studies.running import train_run

EPOCHS = 3


def training(data_file: Path) -> tuple[str, ...]:
    options = "--family spikformer --embed-dim 16 --depth 1 --heads 2 --time-steps 2 --batch-size 32"
    return ("train", "--data", str(data_file), "--epochs", str(EPOCHS), *options.split())


@pytest.fixture
def command(data_file: Path) -> tuple[str, ...]:
    return training(data_file)


def interrupt(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Ctrl-C after the training of an epoch, before its checkpoint."""
    epochs = []

    def measured(*arguments, **named):
        epochs.append(1)
        if len(epochs) == epoch:
            raise KeyboardInterrupt
        return predict(*arguments, **named)

    monkeypatch.setattr(train_run, "predict", measured)


@pytest.fixture(scope="module")
def whole(data_file: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Fingerprint of what the command makes without an interruption."""
    out = tmp_path_factory.mktemp("whole") / "model"
    assert main([*training(data_file), "-o", str(out)]) == 0
    return fingerprint(load_model(out))


@pytest.mark.parametrize(("left", "over"), [(None, False), (None, True), ("checkpoint.pt.part", False)])
def test_the_same_command_goes_on(primesvt, command, model_dir, tmp_path, monkeypatch, whole, over, left) -> None:
    out = tmp_path / "out"
    options = ("--overwrite",) if over else ()
    if over:
        shutil.copytree(model_dir, out)
    with monkeypatch.context() as patch:
        interrupt(patch, 3)
        ran = primesvt(*command, "-o", out, *options)
    assert ran.code == 130
    assert "The epochs before are kept" in ran.err
    if left:
        (out / left).write_bytes(b"half")
    ran = primesvt(*command, "-o", out, *options)
    assert ran.code == 0
    assert re.search(r"Going on from \S*checkpoint\.pt, after epoch 2", ran.err)
    assert sorted(file.name for file in out.iterdir()) == [
        "config.json",
        "model.safetensors",
        "options.toml",
        "training.json",
    ]
    assert fingerprint(load_model(out)) == whole


def test_bad_input_costs_no_checkpoint(primesvt, command, tmp_path, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        interrupt(patch, 2)
        primesvt(*command, "-o", tmp_path / "out")
    ran = primesvt(*command, "-o", tmp_path / "out", "--overwrite", "--data", tmp_path / "typo.npz")
    assert ran.code == 2
    assert (tmp_path / "out" / "checkpoint.pt").exists()
    # Another training is refused, and replaces the interrupted one where that is asked for.
    ran = primesvt(*command, "-o", tmp_path / "out", "--seed", "7")
    assert ran.code == 2
    assert "another seed" in ran.err
    assert primesvt(*command, "-o", tmp_path / "out", "--seed", "7", "--overwrite").code == 0


def test_another_teacher_is_another_training(primesvt, model_dir, data_file, tmp_path, monkeypatch) -> None:
    command = ("finetune", model_dir, "--data", data_file, "--epochs", "2", "-o", tmp_path / "out", "--teacher")
    with monkeypatch.context() as patch:
        interrupt(patch, 2)
        assert primesvt(*command, model_dir).code == 130
    (tmp_path / "plan.json").write_text('{"ratios": {"blocks.0.hidden": 0.5}}')
    primesvt("prune", model_dir, "--plan", tmp_path / "plan.json", "-o", tmp_path / "other")
    ran = primesvt(*command, tmp_path / "other")
    assert ran.code == 2
    assert "another teacher" in ran.err
    assert primesvt(*command, model_dir).code == 0


def test_fine_tuning_mirrors_as_the_training_did(primesvt, model_dir, data_file, tmp_path, monkeypatch) -> None:
    recipes = []
    monkeypatch.setattr(finetune, "fine_tune", lambda job, *_: recipes.append(job.recipe) or 1 / 0)
    mirrored = shutil.copytree(model_dir, tmp_path / "mirrored")
    log = json.loads((mirrored / "training.json").read_text())
    (mirrored / "training.json").write_text(json.dumps({**log, "recipe": {**log["recipe"], "flip": True}}))
    bare = shutil.copytree(model_dir, tmp_path / "bare")
    (bare / "training.json").unlink()
    for model, options in (
        (model_dir, ()),
        (mirrored, ()),
        (bare, ()),
        (bare, ("--teacher", mirrored)),
        (mirrored, ("--no-flip",)),
        (bare, ("--flip",)),
    ):
        with pytest.raises(ZeroDivisionError):
            primesvt("finetune", model, "--data", data_file, "-o", tmp_path / "out", *options)
    assert [recipe.flip for recipe in recipes] == [False, True, False, True, False, True]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a place where nobody can write")
def test_a_place_that_cannot_be_written_is_noticed_before_the_work(primesvt, command) -> None:
    ran = primesvt(*command, "-o", "/proc/self/out")
    assert ran.code == 2
    assert "Cannot write to /proc/self/out" in ran.err
    assert "epoch" not in ran.err
