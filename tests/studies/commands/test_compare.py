"""A comparison from the command line: the directory it writes, and what its words say."""

import json
import re
import shutil
import tomllib
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from optuna.storages import InMemoryStorage

from primesvt.models import fingerprint, load_model, model_bytes
from primesvt.pruning import load_plan
from primesvt.search import Constraints, decided_early
from primesvt.search.samplers import PrioritizedOptions
from primesvt.studies.reporting import figures, finetuned
from primesvt.studies.reporting.make_comparison import compare
from primesvt.studies.reporting.on_test_set import TestSet
from primesvt.studies.reporting.pareto import hypervolume
from primesvt.studies.reporting.report import report_page
from primesvt.studies.reporting.summary import summary
from primesvt.studies.reporting.verdict import words
from primesvt.studies.running.runner import RunOptions, run_study
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.study_run import StudyRun
from primesvt.studies.running.subject import Subject

from ...search.models import told

SMALL = ("--step", "0.1", "--max-ratio", "0.9", "--rates", "0.5,0.9", "--front", "3")


def test_plans_are_finetuned_once(primesvt, model_dir, data_file, tmp_path, monkeypatch) -> None:
    out = tmp_path / "result"
    command = (
        "compare", model_dir, "--data", data_file, "--samplers", "uniform,random", "--seeds", "1", "--trials", "4",
        "--max-drop", "60", "--min-saving", "0.2", "--multiple", "2", "--step", "0.1", "--front", "1", "-o", out,
        "--finetune", "1", "--finetune-batch-size", "16", "--tensorboard", tmp_path / "runs",
    )  # fmt: skip
    trained: list[str] = []
    stop = finetuned.fine_tune

    def interrupted(job, model, data, teacher):
        trained.append(job.directory.name)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return stop(job, model, data, teacher)

    monkeypatch.setattr(finetuned, "fine_tune", interrupted)
    assert primesvt(*command).code == 130
    assert (out / "report.html").is_file()
    result = primesvt(*command, "--json").json
    assert trained == ["uniform-seed0", "random-seed0", "random-seed0"], "what was done is not done again"
    assert set(result["finetuned"]) == set(trained)
    told = result["finetuned"][result["winner"]["study"]]
    place = out / "finetuned" / result["winner"]["study"]
    assert primesvt("evaluate", place, "--data", data_file, "--json").json["accuracy"] == told["accuracy"]
    record = json.loads((place / "training.json").read_text())
    assert load_plan(place / "plan.json").to_json() == load_plan(out / "plan.json").to_json()
    assert {curves.parent.name for curves in (tmp_path / "runs").glob("*/events*")} == set(trained)
    assert (record["recipe"]["epochs"], record["recipe"]["flip"], record["recipe"]["distillation"]) == (1, False, 1)
    assert (out / "report.html").read_text().count("the same, fine-tuned") == 2
    assert model_bytes(load_model(place)) == result["winner"]["bytes"]
    # Trained otherwise, it is another model.
    other = primesvt(*command, "--finetune-learning-rate", "0.002")
    assert len(trained) == 5
    assert other.out.count("the same, fine-tuned") == 3


def test_report_summary_and_model(primesvt, model_dir, data_file, tmp_path) -> None:
    out = tmp_path / "result"
    command = (
        "compare", model_dir, "--data", data_file, "--samplers", "prioritized,random", "--seeds", "2", "--trials", "12",
        "--max-drop", "30", "--min-saving", "0.2", "--multiple", "2", "--exclude-layers", "stem.0", *SMALL, "-o", out,
    )  # fmt: skip
    ran = primesvt(*command, "--json")
    assert ran.code == {"limits kept": 0, "limit missed on test": 3}[ran.json["outcome"]]
    summary = json.loads((out / "summary.json").read_text())
    assert summary == ran.json
    assert [s["study"] for s in summary["studies"]] == ["prioritized-seed0", "random-seed0", "random-seed1"]
    winner = summary["winner"]
    assert winner["memory_saving"] >= 0.2
    assert winner["selection"]["drop"] <= 30
    told = summary["provenance"]
    assert told["command"].startswith("primesvt compare ")
    assert told["settings"]["random-seed1"]["constraints"]["max_drop"] == 30
    assert tomllib.loads((out / "options.toml").read_text())["compare"]["min-saving"] == 0.2
    rows = (out / "trials.csv").read_text().splitlines()
    assert len(rows) == 1 + sum(study["trials"] for study in summary["studies"])
    # The winner's directory is the plan, for real.
    measured = primesvt("evaluate", out / "model", "--data", data_file, "--json").json
    assert measured["accuracy"] == pytest.approx(winner["test"]["accuracy"])
    assert primesvt("layers", out / "model", "--json").json["bytes"] == winner["bytes"]
    plan = json.loads((out / "plan.json").read_text())
    assert (plan["ratios"], plan["multiple"]) == (winner["ratios"], 2)
    assert not any(plan["ratios"].get("stem.0") for study in summary["studies"] for plan in study["front"])
    for study in summary["studies"]:
        assert len(study["front"]) <= 3
        history = study["history"]
        assert len(history["accuracy"]) == study["trials"] == len(history["seconds"])
        assert history["hypervolume_all"] == sorted(history["hypervolume_all"])
        assert study["trials"] * 64 <= history["images"][-1] <= study["trials"] * 80
        assert len(history["measured_in_full"]) == study["trials"]
        assert not any(plan["selection"]["decided_early"] for plan in study["front"])
    page = (out / "report.html").read_text()
    assert 'src="http' not in page.replace("src='", 'src="')
    assert page.count("Plotly.newPlot(") >= 5
    for sentence in summary["summary"]:
        assert sentence.split("(")[0].split("'")[0].split("&")[0][:40] in page
    assert "primesvt prune" in page
    # Run again: nothing is searched or looked at twice, and the result is the same.
    before = {s["study"]: s["trials"] for s in summary["studies"]}
    again = primesvt(*command, "--json").json
    assert {s["study"]: s["trials"] for s in again["studies"]} == before
    assert again["winner"] == winner
    # Taken as they are.
    taken = primesvt(
        "compare", model_dir, "--data", data_file, "--studies", "random-seed0,prioritized-seed0",
        "--storage", f"sqlite:///{out}/studies.db", "-o", tmp_path / "taken", "--front", "2", "--json",
    ).json  # fmt: skip
    assert [s["study"] for s in taken["studies"]] == ["random-seed0", "prioritized-seed0"]
    text = primesvt(*command)
    assert "limits kept" in text.out
    assert "report:" in text.out


def test_no_plan_within_the_limits(primesvt, model_dir, data_file, tmp_path) -> None:
    out = tmp_path / "result"
    command = (
        "compare", model_dir, "--data", data_file, "--samplers", "random", "--seeds", "1", "--trials", "3",
        "--max-drop", "0", "--min-saving", "0.8", *SMALL, "-o", out, "--json",
    )  # fmt: skip
    assert primesvt(*command).code == 4
    # What an earlier comparison of this directory chose must not pass for the winner of this one.
    (out / "model").mkdir()
    ran = primesvt(*command)
    assert ran.code == 4
    summary = ran.json
    assert summary["winner"] is None
    assert summary["nearest"]["violation"] > 0
    assert summary["summary"][0].startswith("No study found a plan that keeps the limits")
    assert not (out / "model").exists()
    page = (out / "report.html").read_text()
    assert "The plans that miss the limits least" in page


@pytest.fixture(scope="module")
def studies() -> tuple[list[StudyRun], TestSet]:
    """Of a model that stands little: many plans are rejected early."""
    subject = Subject(*told())
    settings = StudySettings(
        layers=("blocks.0.attention", "blocks.0.output", "stem.3"), step=0.25, max_ratio=0.75,
        constraints=Constraints(max_drop=12, min_saving=0.01),
    )  # fmt: skip
    storage = InMemoryStorage()
    runs = [
        run_study(
            sampler,
            storage,
            subject,
            replace(settings, sampler=sampler, options=options, space="ratios"),
            RunOptions(trials=trials),
        )
        for sampler, options, trials in (
            ("prioritized", PrioritizedOptions(rates=(0.25, 0.5, 0.75)), 100),
            ("random", None, 25),
        )
    ]
    return runs, TestSet.open(subject.model, subject.data.test)


def test_what_was_decided_early_is_never_shown_as_measured(studies: tuple[list[StudyRun], TestSet]) -> None:
    runs, test = studies
    totals = []
    comparison = compare(runs, test, "told", front=30, on_measured=lambda _done, total: totals.append(total))
    assert totals[-1] == sum(len(study.front) for study in comparison.studies)
    for run, study in zip(runs, comparison.studies, strict=True):
        early = [bool(decided_early(trial)) for trial in run.finished]
        assert any(early)
        assert study.history.whole == tuple(not e for e in early)
        assert {plan.trial for plan in study.front}.isdisjoint(t.number for t in run.finished if decided_early(t))
        assert all(plan.selection.images == 400 for plan in study.front)
        assert study.best in study.front
        # What was decided early adds nothing, neither within the limits nor to what was measured in full.
        whole = [point for point, is_whole in zip(study.history.points, study.history.whole, strict=True) if is_whole]
        assert study.history.hypervolume((0.0, 0.0), feasible_only=False)[-1] == hypervolume(whole, (0.0, 0.0))
    robustness = comparison.robustness
    assert robustness is not None
    probed = {
        (trial.user_attrs["layer"], max(trial.params.values())): trial
        for trial in runs[0].finished
        if trial.user_attrs["phase"] == "robustness"
    }
    assert robustness.estimated == {cell for cell, trial in probed.items() if decided_early(trial)} != set()
    assert all(robustness.layers[layer][rate] == trial.values[1] for (layer, rate), trial in probed.items())
    figure = figures.robustness(robustness)
    marked = [text.startswith("~") for row in figure.data[0].text for text in row]
    assert marked == [
        (layer, rate) in robustness.estimated for layer in robustness.layers for rate in (0.25, 0.5, 0.75)
    ]
    assert summary(comparison)["robustness"]["estimated"]
    assert "With ~: estimated" in report_page(comparison)
    cloud = next(t for t in figures.fronts(comparison, test=False).data if t.name == "prioritized, every trial")
    symbols = cloud.marker.symbol
    assert [symbol == "circle" for symbol in symbols] == list(comparison.studies[0].history.whole)


def test_the_nearest_plan_is_said_to_be_an_estimate_where_it_is_one(studies: tuple[list[StudyRun], TestSet]) -> None:
    runs, test = studies
    trial = next(t for t in runs[1].finished if decided_early(t))
    images = trial.user_attrs["images"]
    # A study that has nothing else.
    only = SimpleNamespace(
        **{name: getattr(runs[1], name) for name in ("study", "settings", "space", "baseline", "over", "plan")},
        finished=[trial], feasible=[], best=None, nearest=trial,
    )  # fmt: skip
    comparison = compare([cast("StudyRun", only)], test, "told")
    assert comparison.winner is None
    assert comparison.nearest is not None
    assert comparison.nearest.test.images == len(test.images)
    assert comparison.studies[0].front == ()
    text = words(comparison)[1]
    assert (
        f"points on the selection set, by an estimate: measuring stopped early, after {images} images: it misses by"
        in text
    )
    page = report_page(comparison)
    assert f"lost, stopped after {images} images)" in page
    assert summary(comparison)["nearest"]["selection"]["decided_early"] == trial.user_attrs["decided_early"]


def test_what_the_user_has_is_not_replaced(primesvt, model_dir, data_file, tmp_path) -> None:
    out = tmp_path / "mine"
    shutil.copytree(model_dir, out / "model")
    small = ("--data", data_file, "--samplers", "random", "--seeds", "1", "--trials", "1", *SMALL, "-o", out)
    ran = primesvt("compare", model_dir, *small)
    assert ran.code == 2
    assert "not empty, and not the result of a comparison (model)" in ran.err
    # Not even where a comparison was before.
    (out / ".primesvt").touch()
    ran = primesvt("compare", out / "model", *small)
    assert ran.code == 2
    assert "where it would be replaced" in ran.err
    assert sorted(file.name for file in (out / "model").iterdir()) == sorted(f.name for f in model_dir.iterdir())
    assert list(out.glob("*.db")) == []


def test_the_embedded_model_lies_nowhere(primesvt, data_file, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for out in ("demo", "."):
        ran = primesvt("compare", "demo", "--data", data_file, "-o", out)
        assert "28x28 pixels" in ran.err  # it came as far as the data, which does not fit


@pytest.mark.parametrize("left", [".model-1a2b", ".model-1a2b.old", ".summary.json.part", "plan.json.part"])
def test_a_comparison_that_was_killed_goes_on(primesvt, model_dir, data_file, tmp_path, left) -> None:
    out = tmp_path / "result"
    command = (
        "compare", model_dir, "--data", data_file, "--samplers", "random", "--seeds", "1", "--trials", "1",
        "--max-drop", "90", "--min-saving", "0", *SMALL, "-o", out,
    )  # fmt: skip
    assert primesvt(*command).code == 0
    if left.startswith(".model"):
        (out / "model").rename(out / left)
    else:
        (out / left).write_text("half")
    assert primesvt(*command).code == 0
    assert (out / "model" / "config.json").exists()


def test_studies_of_one_sampler_with_other_settings_are_told_apart(primesvt, model_dir, data_file, tmp_path) -> None:
    common = (model_dir, "--data", data_file, "--storage", f"sqlite:///{tmp_path}/s.db")
    limits = ("--max-drop", "90", "--min-saving", "0")
    few = ("--layers", "blocks.0.hidden,stem.3", "--step", "0.2", "--max-ratio", "0.8")
    for rate in ("0.2", "0.8"):
        primesvt("search", *common, *limits, *few, "--study", rate, "--rates", rate, "--exhaust")
    random = ("--study", "r", "--sampler", "random", "--trials", "2", "--rates", "0.4")
    primesvt("search", *common, *limits, *few, *random)
    result = primesvt("compare", *common, "--studies", "0.2,0.8,r", "-o", tmp_path / "out", "--json").json
    assert list(result["samplers"]) == ["prioritized (rates 0.2)", "prioritized (rates 0.8)", "random (space budget)"]
    assert "prioritized (rates 0.8)" in result["summary"][3]
    ran = primesvt("compare", *common, "--studies", "0.2,r", "--max-drop", "1", "-o", tmp_path / "out")
    assert ran.code == 2
    assert "leave those options out" in ran.err


def test_comparisons_share_a_storage(primesvt, model_dir, data_file, tmp_path) -> None:
    command = (
        "compare", model_dir, "--data", data_file, "--samplers", "random", "--seeds", "1", "--trials", "1",
        "--storage", f"sqlite:///{tmp_path}/s.db", *SMALL, "--json",
    )  # fmt: skip
    for drop in ("10", "20"):
        ran = primesvt(*command, "--max-drop", drop, "--prefix", f"{drop}-", "-o", tmp_path / drop)
        assert [study["study"] for study in ran.json["studies"]] == [f"{drop}-random-seed0"]


def test_a_study_of_another_model_is_refused(primesvt, model_dir, data_file, tmp_path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    common = ("--data", data_file, "--storage", url)
    limits = ("--max-drop", "30", "--min-saving", "0.2")
    primesvt("search", model_dir, *common, "--sampler", "random", "--study", "a", "--trials", "1", *limits)
    plan = tmp_path / "plan.json"
    plan.write_text('{"ratios": {"position": 0.5}}')
    primesvt("prune", model_dir, "--plan", plan, "-o", tmp_path / "other")
    ran = primesvt("compare", tmp_path / "other", *common, "--studies", "a", "-o", tmp_path / "out")
    assert ran.code == 2
    assert "another model" in ran.err
    ran = primesvt("prune", tmp_path / "other", *common[2:], "--study", "a", "--trial", "0", "-o", tmp_path / "small")
    assert ran.code == 2
    assert "about another model" in ran.err
    ran = primesvt("compare", model_dir, *common, "--studies", "missing", "-o", tmp_path / "out")
    assert ran.code == 2
    assert "No study 'missing'" in ran.err
    primesvt(
        "search",
        model_dir,
        *common,
        "--sampler",
        "random",
        "--study",
        "b",
        "--trials",
        "1",
        "--max-drop",
        "20",
        "--min-saving",
        "0.2",
    )
    ran = primesvt("compare", model_dir, *common, "--studies", "a,b", "-o", tmp_path / "out")
    assert ran.code == 2
    assert "cannot be compared: their constraints differ" in ran.err


def test_what_is_reported_is_repaired_with_all_calibration_images(primesvt, model_dir, data_file, tmp_path) -> None:
    """A search that repairs with two images ends with the model that `prune` makes of its plan, and measures that."""
    out = tmp_path / "result"
    ran = primesvt(
        "compare", model_dir, "--data", data_file, "--samplers", "uniform", "--trials", "3", "--max-drop", "60",
        "--min-saving", "0.2", "--repair", "least-squares", "--calibration", "2", "--front", "1", "-o", out, "--json",
    )  # fmt: skip
    primesvt("prune", model_dir, "--plan", out / "plan.json", "--data", data_file, "-o", tmp_path / "pruned")
    assert fingerprint(load_model(out / "model")) == fingerprint(load_model(tmp_path / "pruned"))
    few = ("--calibration", "2", "-o", tmp_path / "few")
    primesvt("prune", model_dir, "--plan", out / "plan.json", "--data", data_file, *few)
    assert fingerprint(load_model(tmp_path / "few")) != fingerprint(load_model(tmp_path / "pruned"))
    measured = primesvt("evaluate", tmp_path / "pruned", "--data", data_file, "--json").json
    assert measured["accuracy"] == pytest.approx(ran.json["winner"]["test"]["accuracy"])


def test_test_images_alone_are_enough(primesvt, model_dir, data_file, tmp_path) -> None:
    """ImageNet's validation set, a part of it to select on: only what looks at training images needs some."""
    with np.load(data_file) as arrays:
        np.savez(tmp_path / "test.npz", **{name: arrays[name] for name in arrays if name.startswith("test")})
    out = tmp_path / "out"
    command = (
        "compare", model_dir, "--data", tmp_path / "test.npz", "--selection-from-test", "0.5", "--samplers", "uniform",
        "--trials", "1", "--max-drop", "90", "--min-saving", "0.1", "-o", out,
    )  # fmt: skip
    lacks = "set is empty: .* has no training images"
    assert re.search(f"calibration {lacks}", primesvt(*command, "--repair", "norm").err)
    assert re.search(f"fit {lacks}", primesvt(*command, "--finetune", "1").err)
    curves = primesvt(*command, "--tensorboard", tmp_path / "runs")
    assert "--tensorboard draws the curves of fine-tuning; give --finetune EPOCHS, too" in curves.err
    inside = primesvt(*command, "--finetune", "1", "--tensorboard", out / "finetuned" / "runs")
    assert "choose another --tensorboard" in inside.err
    assert primesvt(*command).code in (0, 3)
    options = (out / "options.toml").read_text()
    assert "exclude-layers" in primesvt(*command, "--exclude-layers", "stem.*").err
    assert (out / "options.toml").read_text() == options
