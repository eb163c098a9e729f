"""A comparison for the terminal."""

from primesvt.studies.reporting.terminal import comparison_text, device_parts

from .comparisons import comparison, plan, study


def test_it_says_what_came_out_before_the_tables() -> None:
    found = comparison([study("random", 0, plan("random-seed0", 0.4, 1.0))])
    text = comparison_text(found)
    parts = text.rstrip("\n").split("\n\n")
    assert parts[0].startswith("Trial 7 of random-seed0 saves most within the limits: 40.00%")
    header, _, unpruned, best = parts[2].splitlines()
    assert header.split("  ")[0] == "plan of"
    assert unpruned.startswith("unpruned")
    assert f"{found.bytes:,}" in unpruned
    assert "40.00%" in best
    assert text.endswith("\n")
    assert device_parts(found) == []
