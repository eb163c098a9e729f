"""Options that several commands share."""

import argparse

import pytest

from primesvt.studies.commands import arguments

READERS = (
    (arguments.positive, "3", 3),
    (arguments.names, "a, b,,", ("a", "b")),
    (arguments.device, "cuda:1", "cuda:1"),
    (arguments.device, "auto", "auto"),
    (arguments.cache_size, "0", 0),
    (arguments.cache_size, "1.5", 3 * 2**19),
)
REFUSED = (
    (arguments.positive, "0", "expected a whole number of at least 1, got '0'"),
    (arguments.positive, "-1", "at least 1"),
    (arguments.positive, "1.0", "a whole number"),
    (arguments.device, "tpu", "expected cpu, cuda, cuda:N or auto, got 'tpu'"),
    (arguments.device, "cuda:", "got 'cuda:'"),
    (arguments.cache_size, "-1", "expected a number of MiB, from 0 to 1,073,741,824, got '-1'"),
    (arguments.cache_size, "nan", "got 'nan'"),
    (arguments.cache_size, "all", "got 'all'"),
)


@pytest.mark.parametrize(("read", "text", "value"), READERS)
def test_text_is_read(read, text, value) -> None:
    assert read(text) == value


@pytest.mark.parametrize(("read", "text", "message"), REFUSED)
def test_text_that_means_nothing_is_refused(read, text, message) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        read(text)


def test_a_result_is_printed_as_it_was_asked_for(capsys) -> None:
    for json, text in ((False, "three\n"), (True, '{"count": 3}\n')):
        arguments.print_result(argparse.Namespace(json=json), {"count": 3}, "three")
        assert capsys.readouterr().out == text
