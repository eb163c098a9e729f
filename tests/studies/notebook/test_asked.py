"""What a call says by name is what the command line says."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from primesvt.models import PrimeSVTError
from primesvt.studies.cli import make_parser
from primesvt.studies.commands import compare, finetune, search, train
from primesvt.studies.notebook.asked import asked, takes_options


def test_names_are_the_options_of_the_command_line() -> None:
    said = asked(
        search,
        {"model": "m", "sampler": "tpe", "max_drop": 2, "limits": {"state-bytes": 5e5}, "layers": ["a", "b*"],
         "embedding": True, "exhaust": None, "repair": "least-squares"},
    )  # fmt: skip
    words = (
        "search m --sampler tpe --max-drop 2 --limit state-bytes=500000 --layers a,b* --embedding "
        "--repair least-squares"
    )
    # From Python, trials stay in memory where no storage is named.
    told = {**vars(make_parser().parse_args(words.split())), "storage": None}
    mine = vars(said)
    assert {name: mine[name] for name in mine if name not in ("command_line", "options_text")} == {
        name: told[name] for name in told if name not in ("run", "options_text", "print_completion")
    }
    assert said.command_line[:3] == ("primesvt", "search", "m")
    assert "max-drop = 2" in said.options_text


def test_a_value_that_is_off_and_the_flag_that_puts_it_off_are_one() -> None:
    assert asked(finetune, {"flip": False}).flip is False
    assert asked(finetune, {"no_flip": True}).flip is False
    assert asked(finetune, {"flip": True}).flip is True
    assert "flip" not in asked(finetune, {"epochs": 2})
    assert asked(train, {"flip": False}).flip is False
    assert "flip" not in asked(train, {"flip": True})


def test_nothing_has_to_be_said() -> None:
    said = asked(compare, {"output": None})
    assert (said.model, said.output, said.seeds) == (None, None, 3)
    assert asked(compare, {"output": Path("a")}).output == Path("a")


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"max_dorp": 3}, "primesvt search has no option 'max_dorp'; did you mean max_drop?"),
        ({"sampler": "prioritised"}, "did you mean prioritized?"),
        ({"max_drop": "much"}, "argument --max-drop: expected a number, got 'much'"),
        ({"embedding": 3}, "embedding is true or false, got 3"),
        ({"selection": "a", "selection_from_test": 0.5}, "not allowed with argument --selection"),
    ],
)
def test_what_is_wrong_is_said_as_on_the_command_line(said, what) -> None:
    with pytest.raises(PrimeSVTError) as error:
        asked(search, said)
    assert what in str(error.value)


def test_a_function_shows_the_options_of_its_command() -> None:
    @takes_options(search)
    def call(model: str = "demo", **options: object) -> None:
        """Do it."""

    names = inspect.signature(call).parameters
    assert next(iter(names)) == "model"
    assert {"sampler", "max_drop", "population"} < set(names)
    assert not {"json", "help", "options", "options_file"} & set(names)
    assert "max_drop: percentage points" in (call.__doc__ or "")


def test_a_file_of_options_has_tables_as_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "o.toml").write_text("[search]\nmax-drop = 2\n[compare]\nseeds = 5\n")
    assert asked(search, {"config": tmp_path / "o.toml"}).max_drop == 2
    assert asked(compare, {"config": tmp_path / "o.toml"}).seeds == 5
    (tmp_path / "o.toml").write_text("[serach]\n")
    with pytest.raises(PrimeSVTError, match=r"there is no command 'serach'; did you mean search\?"):
        asked(search, {"config": tmp_path / "o.toml"})


def test_what_a_file_does_not_say_is_as_in_the_call(tmp_path: Path) -> None:
    (tmp_path / "o.toml").write_text('model = "mine"\nmax-drop = 2\n')
    assert asked(search, {"model": None, "config": tmp_path / "o.toml"}, {"model": "demo"}).model == "mine"
    assert asked(search, {"model": "given", "config": tmp_path / "o.toml"}).model == "given"
    (tmp_path / "o.toml").write_text("max-drop = 2\n")
    said = asked(search, {"model": None, "config": tmp_path / "o.toml"}, {"model": "demo"})
    assert (said.model, said.max_drop, said.storage) == ("demo", 2, None)
    assert 'model = "demo"' in said.options_text


def test_numbers_of_numpy_are_numbers() -> None:
    said = asked(search, {"trials": np.int64(3), "max_drop": np.float32(1.5), "rates": [np.float64(0.5)]})
    assert (said.trials, said.max_drop, said.rates) == (3, 1.5, (0.5,))


def test_a_fraction_for_points_is_doubted() -> None:
    with pytest.warns(UserWarning, match="For 3 points give 3"):
        asked(search, {"max_drop": 0.03})
