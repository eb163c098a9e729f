"""The curves of a training, as TensorBoard reads them."""

from pathlib import Path

import pytest

from primesvt.models import PrimeSVTError, Recipe
from primesvt.studies.commands import arguments
from primesvt.studies.running.curves import curves
from primesvt.studies.running.train_run import TrainJob

pytest.importorskip("tensorboard")


def read(directory: Path) -> dict[str, list[tuple[int, float]]]:
    """Every curve: epochs with their values."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(directory)).Reload()
    return {
        name: [(each.step, pytest.approx(each.value)) for each in found.Scalars(name)]
        for name in found.Tags()["scalars"]
    }


def test_a_run_goes_on_in_the_same_curve(tmp_path: Path) -> None:
    """The second epoch of the first run was not kept: the training was killed before its resume file was written."""
    with curves(tmp_path) as drawn:
        drawn.tell(0, {"accuracy": 0.25})
        drawn.tell(1, {"accuracy": 0.5})
        drawn.tell(2, {"accuracy": 0.75})
    with curves(tmp_path) as drawn:
        drawn.tell(2, {"accuracy": 0.625})
        drawn.tell(3, {"accuracy": 1.0})
    assert read(tmp_path) == {"accuracy": [(0, 0.25), (1, 0.5), (2, 0.625), (3, 1.0)]}


def test_another_run_begins_anew(tmp_path: Path) -> None:
    for value in (0.25, 0.75):
        with curves(tmp_path) as drawn:
            drawn.tell(1, {"loss": value})
    assert read(tmp_path) == {"loss": [(1, 0.75)]}


def test_nothing_is_written_unasked() -> None:
    with curves(None) as drawn:
        drawn.tell(1, {"loss": 1.0})
        assert drawn._writer is None


def test_training_and_fine_tuning_draw_theirs(primesvt, model_dir, data_file, tmp_path: Path) -> None:
    small = "--family spikformer --embed-dim 16 --depth 1 --heads 2 --time-steps 2 --batch-size 32 --epochs 2"
    data = ("--data", data_file)
    ran = primesvt(
        "train", *small.split(), *data, "-o", tmp_path / "a", "--tensorboard", tmp_path / "runs" / "a", "--json"
    )
    assert ran.code == 0
    drawn = read(tmp_path / "runs" / "a")
    assert set(drawn) == {"loss/fit", "accuracy/fit", "accuracy/selection", "learning_rate"}
    assert [epoch for epoch, _ in drawn["loss/fit"]] == [1, 2]
    assert drawn["accuracy/selection"][-1] == (2, ran.json["accuracy"])
    told = primesvt(
        "finetune", model_dir, *data, "-o", tmp_path / "b", "--epochs", "1", "--tensorboard", tmp_path / "b2", "--json"
    ).json
    assert read(tmp_path / "b2")["accuracy/selection"][0] == (0, told["accuracy_before"])


def test_without_the_extra_nothing_begins(primesvt, model_dir, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(arguments, "has_tensorboard", lambda: False)
    ran = primesvt("finetune", model_dir, "-o", tmp_path / "out", "--tensorboard", tmp_path / "runs")
    assert ran.code == 2
    assert "argument --tensorboard: curves need the module tensorboard, which is not installed" in ran.err
    assert "pip install 'primesvt[tensorboard]'" in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("inside", [".", "runs/a"])
def test_curves_that_the_model_would_replace_are_refused(tmp_path: Path, inside: str) -> None:
    with pytest.raises(PrimeSVTError, match=r"which the model replaces; choose another --tensorboard"):
        TrainJob(directory=tmp_path, recipe=Recipe(), title="train", overwrite=False, tensorboard=tmp_path / inside)
