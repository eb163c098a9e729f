"""A comparison, its tables and figures from Python."""

import json

import pytest

import primesvt
from primesvt.models import model_bytes

from ...conftest import noisy_data
from ...search.models import tiny_model

SMALL = {
    "samplers": ["uniform", "random"], "seeds": 1, "trials": 4, "max_drop": 60, "min_saving": 0.1, "step": 0.25,
    "max_ratio": 0.75, "front": 2, "quiet": True,
}  # fmt: skip


def test_a_comparison_in_memory_and_on_disk(tmp_path) -> None:
    model, data = tiny_model(), noisy_data()
    compared = primesvt.compare(model, data, **SMALL)
    assert list(compared.plans.sampler.str.split().str[0]) == ["uniform", "random"]
    assert set(compared.figures) >= {"fronts-test", "fronts-selection", "effort", "layers"}
    assert len(compared.trials) == sum(study["trials"] for study in compared.to_json()["studies"])
    winner = compared.comparison.winner
    assert winner is not None
    assert model_bytes(compared.pruned()) == winner.selection.bytes
    assert "<html" in compared.report
    compared.save(tmp_path / "out")
    written = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert written["winner"]["ratios"] == dict(compared.plan.ratios)
    assert written["provenance"]["command"].startswith("primesvt compare")
    # Again by its file of options, which may name the place.
    options = tmp_path / "out" / "options.toml"
    options.write_text(options.read_text() + f'output = "{tmp_path / "again"}"\n')
    primesvt.compare(model, data, config=options, quiet=True)
    again = json.loads((tmp_path / "again" / "summary.json").read_text())
    assert again["winner"]["ratios"] == written["winner"]["ratios"]


def test_finetuning_needs_a_place() -> None:
    with pytest.raises(primesvt.PrimeSVTError, match="finetune needs output=DIRECTORY"):
        primesvt.compare(tiny_model(), noisy_data(), finetune=1, quiet=True)


def test_no_plan_within_the_limits_is_said() -> None:
    none = {**SMALL, "limits": {"state-bytes": 1}, "redraws": 0, "trials": 1}
    with pytest.raises(primesvt.PrimeSVTError, match="No study found a plan that keeps the limits"):
        primesvt.compare(tiny_model(), noisy_data(), **none).pruned()
