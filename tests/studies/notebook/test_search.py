"""A study, its tables and figures from Python."""

import pytest
from optuna.storages import InMemoryStorage

import primesvt
from primesvt.models import fingerprint, load_model, model_bytes
from primesvt.search import accuracy_of

from ...conftest import noisy_data
from ...search.models import tiny_model

SMALL = {"max_drop": 60, "min_saving": 0.1, "step": 0.25, "max_ratio": 0.75}


def test_a_search_in_memory_returns_tables_figures_and_the_model(capsys) -> None:
    model, data, storage = tiny_model(), noisy_data(), InMemoryStorage()
    found = primesvt.search(model, data, storage=storage, sampler="random", trials=6, quiet=True, **SMALL)
    assert capsys.readouterr() == ("", "")
    assert len(found.trials) == 6 == found.to_json()["trials"]
    assert set(found.figures) >= {"front", "layers"}
    best = found.run.best
    assert best is not None
    assert dict(found.plan.ratios) == dict(found.run.plan(best).ratios)
    row = found.trials.loc[best.number]
    assert model_bytes(found.pruned()) == row.bytes == model_bytes(found.pruned(best.number)) < model_bytes(model)
    told = primesvt.evaluate(found.pruned(), data, split="selection", quiet=True)
    assert told.accuracy == pytest.approx(accuracy_of(best)) == row.accuracy
    # The same storage goes on.
    assert len(primesvt.search(model, data, storage=storage, sampler="random", trials=8, **SMALL).trials) == 8
    assert "at most 8 trials" in capsys.readouterr().err


def test_a_file_of_options_names_model_data_and_storage(model_dir, data_file, tmp_path) -> None:
    lines = {"model": model_dir, "data": data_file, "storage": f"sqlite:///{tmp_path}/s.db", "sampler": "random"}
    text = "".join(f'{name} = "{value}"\n' for name, value in lines.items())
    (tmp_path / "o.toml").write_text(f"{text}[search]\ntrials = 1\nimages = 10\n")
    found = primesvt.search(config=tmp_path / "o.toml", quiet=True)
    assert fingerprint(found.subject.model) == fingerprint(load_model(model_dir))
    assert (tmp_path / "s.db").exists()
    assert len(primesvt.search(config=tmp_path / "o.toml", trials=2, quiet=True).trials) == 2
    # What the call says wins.
    assert len(primesvt.search(config=tmp_path / "o.toml", storage=InMemoryStorage(), quiet=True).trials) == 1


def test_no_plan_within_the_limits_is_said() -> None:
    found = primesvt.search(
        tiny_model(), noisy_data(), sampler="random", trials=1, limits={"state-bytes": 1}, redraws=0, quiet=True
    )  # fmt: skip
    assert found.plan is None
    with pytest.raises(primesvt.PrimeSVTError, match="No trial keeps the limits; loosen one, give more trials"):
        found.pruned()
    with pytest.raises(primesvt.PrimeSVTError, match="has no finished trial 9"):
        found.pruned(9)


def test_robustness_is_a_table_of_layers_and_ratios() -> None:
    probed = primesvt.robustness(tiny_model(), noisy_data(), rates=[0.25, 0.5], images=20, quiet=True)
    assert list(probed.trials.columns) == [0.25, 0.5]
    assert list(probed.trials.index) == list(probed.robustness.layers)
    assert probed.images == 20
    assert list(probed.figures) == ["robustness"]


def test_models_and_data_have_paths_too(model_dir, data_file) -> None:
    told = primesvt.evaluate(model_dir, data_file, images=30, quiet=True)
    assert len(told.predictions.labels) == 30
    with pytest.raises(primesvt.PrimeSVTError, match="No data at nowhere"):
        primesvt.evaluate(model_dir, "nowhere")
