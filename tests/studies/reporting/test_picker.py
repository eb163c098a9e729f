"""From a size in bytes to a plan and its command."""

import json
import re
from dataclasses import replace

from primesvt.studies.reporting.picker import picker

from .comparisons import BYTES, comparison, plan, study
from .figures.comparisons import front
from .test_provenance import provenance


def test_every_trade_off_can_be_picked_with_its_command() -> None:
    compared = comparison(
        [front(study("a", 0, plan("", 0.6, 2.5)), plan("", 0.3, 1.0)), study("b", 0, plan("", 0.2, 2))]
    )
    text = picker(compared, provenance())
    (data,) = re.findall(r'<script type="application/json" id="plans">(.*?)</script>', text)
    plans = json.loads(data)
    assert [plan["bytes"] for plan in plans] == [40_000, 70_000]
    assert plans[0]["command"] == (
        "primesvt prune 'my model' --storage sqlite:///s.db --study a-seed0 --trial 7 -o smaller-40000"
    )
    assert f'min="40000" max="{BYTES}" value="40000"' in text
    assert text.count("<tr") == 3  # a header and the two on the front
    assert "limits kept: yes" in plans[0]["text"]


def test_data_cannot_end_the_script() -> None:
    compared = comparison([study("</script>", 0, plan("", 0.6, 2.5))])
    assert picker(compared, provenance()).count("</script>") == 2


def test_without_a_plan_there_is_nothing_to_pick() -> None:
    assert picker(comparison([replace(study("a", 0, plan("", 0.6, 2.5)), front=())]), None) == ""


def test_without_provenance_there_is_no_command() -> None:
    assert "primesvt prune" not in picker(comparison([study("a", 0, plan("", 0.6, 2.5))]), None)
