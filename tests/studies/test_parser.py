"""The command line as it is read: what was meant, older names, doubts, and options in a file."""

import argparse
import tomllib
from pathlib import Path

import pytest

from primesvt.studies.cli import make_parser
from primesvt.studies.doubts import doubts

PARSER = make_parser()


def parsed(*words: object) -> argparse.Namespace:
    return PARSER.parse_args([str(word) for word in words])


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    with pytest.raises(SystemExit) as stop:
        parsed(*words)
    assert stop.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "guess"),
    [
        (("compar", "demo"), "compare"),
        (("search", "demo", "--samplr", "tpe"), "--sampler"),
        (("search", "demo", "--max-dorp=2"), "--max-drop"),
        (("search", "demo", "--sampler", "prioritised"), "prioritized"),
        (("search", "demo", "--space", "budgets"), "budget"),
        (("search", "demo", "--limit", "state-byte=3"), "state-bytes"),
        (("search", "demo", "--repair", "least-square"), "least-squares"),
        (("export", "demo", "-o", "x", "--to", "onxx"), "onnx"),
    ],
)
def test_what_was_meant(capsys, words, guess) -> None:
    said = refused(capsys, *words)
    assert f"did you mean {guess}?" in said
    assert said.count("\n") == 1


def test_nothing_is_guessed_where_nothing_is_near(capsys) -> None:
    assert "did you mean" not in refused(capsys, "search", "demo", "--xyz")
    assert "unrecognized arguments: more; see" in refused(capsys, "search", "demo", "more")


def test_a_number_of_images_has_one_name_and_an_older_one_that_no_help_shows(capsys) -> None:
    for command in (("evaluate", "demo"), ("export", "demo", "--to", "onnx", "-o", "x")):
        assert parsed(*command, "--images", "7").images == parsed(*command, "--limit", "7").images == 7
        assert parsed(*command).images is None
        with pytest.raises(SystemExit):
            parsed(command[0], "--help")
        assert "--limit" not in capsys.readouterr().out
        assert "at least 1, got '0'" in refused(capsys, *command, "--images", "0")


@pytest.mark.parametrize(("value", "said"), [("0.03", 1), ("0.1", 0), ("3", 0), ("0", 0)])
def test_points_that_look_like_a_fraction(value, said) -> None:
    for flag in ("--max-drop", "--margin"):
        lines = list(doubts(parsed("compare", "demo", "-o", "x", flag, value)))
        assert len(lines) == said
        assert all("0.03 means 0.03 of 100 points. For 3 points give 3." in line and flag in line for line in lines)
    assert not list(doubts(parsed("layers", "demo")))


def test_pixels_of_another_scale_are_doubted() -> None:
    said = list(doubts(parsed("import", "f.pth", "-o", "x", "--mean", "127.5,51,0", "--std", "0.5,1,0.2")))
    assert said == ["--mean is of images in [0, 1]: of pixels from 0 to 255 give 0.5,0.2,0 instead."]
    assert not list(doubts(parsed("train", "-o", "x", "--mean", "0.5", "--std", "1")))


def test_a_message_ends_once(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "search", "demo", "--limit", "foo=3")
    assert "Unknown measure 'foo'; known are parameters, " in said
    assert ".;" not in said
    assert "--exclude-layers: expected names separated by commas, got ''; see" in refused(
        capsys, "search", "demo", "--exclude-layers", ""
    )


@pytest.fixture
def config(tmp_path: Path):
    def write(text: str) -> Path:
        file = tmp_path / "study.toml"
        file.write_text(text)
        return file

    return write


def test_options_in_a_file(config) -> None:
    file = config(
        """
        model = "demo"
        data = "my data"
        [search]
        sampler = "tpe"
        max_drop = 2.5
        rates = [0.1, 0.5]
        limit = ["parameters=7", "state-bytes=5"]
        embedding = true
        exhaust = false
        [evaluate]
        images = 3
        """
    )
    args = parsed("search", "--config", file)
    assert (args.model, args.data, args.sampler, args.max_drop) == ("demo", "my data", "tpe", 2.5)
    assert args.rates == (0.1, 0.5)
    assert args.limits == [("parameters", 7.0), ("state-bytes", 5.0)]
    assert args.embedding is True
    assert "exhaust" not in args
    evaluated = parsed("evaluate", f"--config={file}")
    assert (evaluated.model, evaluated.images) == ("demo", 3)


def test_the_command_line_wins(config) -> None:
    file = config('model = "demo"\n[search]\nmax-drop = 2\nseed = 4\n')
    args = parsed("search", "--max-drop", "1", "other", "--config", file)
    assert (args.model, args.max_drop, args.seed) == ("other", 1.0, 4)
    # A table wins over what stands above all tables.
    assert parsed("search", "--config", config('model = "a"\n[search]\nmodel = "b"\n')).model == "b"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max-dorp = 2", "primesvt search has no option 'max-dorp'; did you mean max-drop?"),
        ("config = 'x'", "has no option 'config'"),
        ("[serch]\nseed = 1", "there is no command 'serch'; did you mean search?"),
        ("seed = 'x'", "argument --seed: invalid int value: 'x'"),
        ("space = 'budgets'", "did you mean budget?"),
        ("embedding = 1", "embedding is true or false, got 1"),
        ("seed = true", "seed is a text, a number or a list of these, got True"),
        ("seed = 2026-01-01", "seed is a text, a number"),
        ("seed = ", "it is no TOML"),
    ],
)
def test_a_file_with_a_mistake(capsys, config, text, message) -> None:
    said = refused(capsys, "search", "demo", "--config", config(text))
    assert message in said
    assert said.count("\n") == 1


def test_a_file_that_is_not_there(capsys) -> None:
    said = refused(capsys, "search", "demo", "--config", "nowhere.toml")
    assert "argument --config: Cannot read the options nowhere.toml: No such file" in said


@pytest.mark.parametrize(
    "words",
    [
        ("search", "demo"),
        ("search", "--seed=3", "my-model", "--max-d", "2.50", "--embedding", "--layers", "a,b"),
        ("compare", "demo", "-oout", "--limit", "parameters=7", "--limit", "state-bytes=5", "--prefix", 'a "b" \\'),
        ("train", "-o", "x", "--pooling", "0011", "--no-flip", "--name", "qkformer-4-384", "--mean=0.5,0.5"),
    ],
)
def test_what_was_said_can_be_said_again_by_a_file(config, words) -> None:
    args = parsed(*words)
    file = config(args.options_text)
    again = parsed(words[0], "--config", file)
    differing = {key for key, value in vars(again).items() if value != vars(args)[key]}
    assert differing <= {"options_file", "options_text"}
    assert tomllib.loads(again.options_text) == tomllib.loads(args.options_text)


def test_numbers_stand_as_numbers_and_no_password_stands_there() -> None:
    text = parsed(
        "search", "demo", "--seed", "3", "--max-drop", "2.5", "--storage", "postgresql://me:secret@host/db"
    ).options_text
    assert "secret" not in text
    assert tomllib.loads(text)["search"]["max-drop"] == 2.5
    assert tomllib.loads(text)["search"]["seed"] == 3
