"""Numbers of a model from Python."""

import json

import primesvt

from ...conftest import noisy_data
from ...search.models import tiny_model


def test_the_numbers_are_the_commands(request, model_dir, data_file) -> None:
    command = request.getfixturevalue("primesvt")
    told = primesvt.measure(model_dir, data_file, images=5, quiet=True)
    printed = command("measure", model_dir, "--data", data_file, "--images", "5", "--json").json
    assert json.loads(json.dumps(told.to_json())) == printed
    assert told.measures["synops"] == printed["synops"]
    assert list(told.frame.index) == [each["layer"] for each in printed["layers"]]


def test_a_result_is_shown_in_words() -> None:
    told = primesvt.measure(tiny_model(), noisy_data(), images=3, quiet=True)
    assert repr(told) == told.text
    assert "synaptic operations" in told.text
