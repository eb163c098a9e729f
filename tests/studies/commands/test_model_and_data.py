"""The model and the data that options name."""

import argparse

import numpy as np
import pytest

from primesvt.models import PrimeSVTError, predict
from primesvt.studies.commands import model_and_data
from primesvt.studies.commands.arguments import add_model

from ...search.models import tiny_model


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(exit_on_error=False)
    add_model(made)
    model_and_data.add_data(made)
    model_and_data.add_train_data(made)
    return made


def test_both_are_opened(parser, model_dir, data_file) -> None:
    args = parser.parse_args([str(model_dir), "--data", str(data_file)])
    model, data = model_and_data.open_model_and_data(args)
    assert len(predict(model, data.selection.first(3)).labels) == 3
    assert model_and_data.with_train_data(args, data, model) is data


def test_the_options_cut_the_data(parser, model_dir, data_file) -> None:
    def parts(*more: str) -> tuple[int, int]:
        args = parser.parse_args([str(model_dir), "--data", str(data_file), *more])
        data = model_and_data.open_model_and_data(args)[1]
        return len(data.selection), len(data.test)

    plain, (selection, test) = parts(), parts("--selection-from-test", "0.5")
    assert selection + test == plain[1]
    with pytest.raises(argparse.ArgumentError, match="not allowed with"):
        parts("--selection", str(data_file), "--selection-from-test", "0.5")


def test_other_images_are_learnt(parser, model_dir, data_file, tmp_path) -> None:
    with np.load(data_file) as arrays:
        np.savez(
            tmp_path / "few.npz", **{name: a[::2] if name.startswith("train") else a for name, a in arrays.items()}
        )
    args = parser.parse_args([str(model_dir), "--data", str(data_file), "--train-data", str(tmp_path / "few.npz")])
    model, data = model_and_data.open_model_and_data(args)
    learnt = model_and_data.with_train_data(args, data, model)
    assert len(learnt.fit) < len(data.fit)
    assert learnt.selection is data.selection


def test_data_without_the_set_that_is_needed_is_refused(parser, model_dir, data_file, tmp_path) -> None:
    with np.load(data_file) as arrays:
        np.savez(tmp_path / "test.npz", **{name: a for name, a in arrays.items() if name.startswith("test")})
    args = parser.parse_args([str(model_dir), "--data", str(tmp_path / "test.npz")])
    model, data = model_and_data.open_model_and_data(args, "test")
    assert len(data.test) > 0
    with pytest.raises(PrimeSVTError, match="selection set is empty"):
        model_and_data.open_data_for(args, model, "selection")


def test_data_that_is_open_is_taken(parser, data_file) -> None:
    args = parser.parse_args(["any", "--data", str(data_file)])
    given = model_and_data.open_data_of(args, None)
    assert model_and_data.open_data_for(args, tiny_model(), "selection", given) is given
