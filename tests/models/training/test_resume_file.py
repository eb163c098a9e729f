"""A training that was killed goes on exactly; what is no state of it is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from primesvt.models import DataSet, PrimeSVTError, ResumeFile, TrainOptions, build, fingerprint, train

from ...conftest import noisy_data, replace, small_config
from .trainings import RECIPE, KilledError, fresh, kill_at


@pytest.mark.parametrize("kills", [[(1, 1)], [(0, 2)], [(1, 3), (2, 2)], [(2, 3)]])
def test_a_killed_training_goes_on_as_if_nothing_had_been(
    family: str, data: DataSet, tmp_path: Path, kills: list[tuple[int, int]]
) -> None:
    whole = fresh(family)
    expected = train(whole, data.fit, RECIPE)
    file = tmp_path / "new" / "resume.pt"
    for kill in kills:
        with pytest.raises(KilledError):
            train(
                fresh(family), data.fit, RECIPE, options=TrainOptions(resume=ResumeFile(file), on_step=kill_at(*kill))
            )
    resumed = fresh(family)
    torch.manual_seed(99)
    log = train(resumed, data.fit, RECIPE, options=TrainOptions(resume=ResumeFile(file)))
    assert fingerprint(resumed) == fingerprint(whole)
    assert [(e["epoch"], e["loss"], e["fit_accuracy"]) for e in log] == [
        (e["epoch"], e["loss"], e["fit_accuracy"]) for e in expected
    ]
    assert not resumed.training


def test_a_finished_training_is_not_done_again(data: DataSet, tmp_path: Path) -> None:
    file = tmp_path / "resume.pt"
    model, again = fresh(), fresh()
    log = train(model, data.fit, RECIPE, options=TrainOptions(resume=ResumeFile(file)))
    over = TrainOptions(resume=ResumeFile(file), on_step=lambda _: pytest.fail("trained"))
    assert train(again, data.fit, RECIPE, options=over) == log
    assert fingerprint(again) == fingerprint(model)


@pytest.fixture
def interrupted(data: DataSet, tmp_path: Path) -> Path:
    file = tmp_path / "resume.pt"
    with pytest.raises(KilledError):
        train(fresh(), data.fit, RECIPE, options=TrainOptions(resume=ResumeFile(file), on_step=kill_at(1, 1)))
    return file


def test_a_resume_file_of_another_run_is_refused(data: DataSet, interrupted: Path) -> None:
    content = interrupted.read_bytes()
    other_tau = build(replace(small_config("spikformer"), tau=3.0))
    other_tau.load_state_dict(fresh().state_dict())
    cases = [
        (fresh(), data.fit, replace(RECIPE, epochs=5, seed=4), "another epochs, seed; pass the same options to go on"),
        (fresh(seed=1), data.fit, RECIPE, "another initial model"),
        (other_tau, data.fit, RECIPE, "another initial model"),
        (fresh("spike-driven-transformer"), data.fit, RECIPE, "another initial model"),
        (fresh(), noisy_data(seed=1).fit, RECIPE, "another data;"),
    ]
    for model, images, recipe, message in cases:
        before = fingerprint(model)
        with pytest.raises(PrimeSVTError, match=message):
            train(model, images, recipe, options=TrainOptions(resume=ResumeFile(interrupted)))
        assert fingerprint(model) == before
    assert interrupted.read_bytes() == content


class Bomb:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple:
        return Path.touch, (self.file,)


def test_a_damaged_resume_file_is_refused(data: DataSet, interrupted: Path) -> None:
    content = interrupted.read_bytes()
    state = torch.load(interrupted, weights_only=True)
    damages: list[object] = [b"", b"no resume file", content[:100], content[: len(content) // 2], [1], {"model": {}}]
    damages += [{**state, "log": 5}, {**state, "run": 5}, {**state, "model": {}}, {**state, "optimizer": {}}]
    damages += [Bomb(interrupted.with_name("ran"))]
    for damage in damages:
        if isinstance(damage, bytes):
            interrupted.write_bytes(damage)
        else:
            torch.save(damage, interrupted)
        with pytest.raises(PrimeSVTError, match=r"Cannot go on from .*resume\.pt: it is damaged.*Delete it to start"):
            train(fresh(), data.fit, RECIPE, options=TrainOptions(resume=ResumeFile(interrupted)))
    assert not interrupted.with_name("ran").exists()


def test_a_full_disk_leaves_the_last_resume_file(data: DataSet, interrupted: Path, monkeypatch) -> None:
    content = interrupted.read_bytes()

    def half(file: Path, _content: object) -> None:
        with file.open("wb") as stream:
            stream.write(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", half)
        with pytest.raises(
            PrimeSVTError, match=r"Cannot write the resume file .*resume\.pt: No space left on device\."
        ):
            train(fresh(), data.fit, RECIPE, options=TrainOptions(resume=ResumeFile(interrupted)))
        with pytest.raises(PrimeSVTError, match="Cannot write the resume file"):
            train(
                fresh(),
                data.fit,
                replace(RECIPE, epochs=1),
                options=TrainOptions(resume=ResumeFile(interrupted / "below" / "c.pt")),
            )
    assert interrupted.read_bytes() == content
    assert [file.name for file in interrupted.parent.iterdir()] == ["resume.pt"]


@pytest.mark.parametrize("other", [b"damaged", replace(RECIPE, learning_rate=1e-4)])
def test_another_resume_file_is_discarded_where_that_is_wanted(data: DataSet, interrupted: Path, other: Any) -> None:
    recipe, resumed = RECIPE, []
    if isinstance(other, bytes):
        interrupted.write_bytes(other)
    else:
        recipe = other
    discarding, anew = fresh(), fresh()
    file = ResumeFile(interrupted, discard=True, on_resume=resumed.append)
    train(discarding, data.fit, recipe, options=TrainOptions(resume=file))
    train(anew, data.fit, recipe)
    assert fingerprint(discarding) == fingerprint(anew)
    assert resumed == []


def test_a_resume_file_that_fits_is_not_discarded(data: DataSet, interrupted: Path) -> None:
    resumed: list[int] = []
    file = ResumeFile(interrupted, discard=True, on_resume=resumed.append)
    train(fresh(), data.fit, RECIPE, options=TrainOptions(resume=file))
    assert resumed == [1]


def test_a_resume_file_goes_on_on_any_device(data: DataSet, tmp_path: Path, monkeypatch) -> None:
    file, at_home = tmp_path / "c.pt", torch.Tensor.cpu
    fetched: list[torch.Size] = []
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: (fetched.append(tensor.shape), at_home(tensor))[1])
    model = fresh()
    train(model, data.fit, replace(RECIPE, epochs=1), options=TrainOptions(resume=ResumeFile(file)))
    weights = [tensor.shape for tensor in model.state_dict().values()]
    moments = [p.shape for p in model.parameters()] * 2
    # The fingerprint of the model that is trained fetches the weights once, too.
    for shape in (*weights, *weights, *moments):
        fetched.remove(shape)
