"""The studies of a comparison, one after the other."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from optuna.storages import InMemoryStorage

from primesvt.pruning import Measure
from primesvt.search.samplers import PrioritizedOptions
from primesvt.studies.running import several
from primesvt.studies.running.arm import Arm, studies_of
from primesvt.studies.running.runner import RunOptions
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.several import run_studies
from primesvt.studies.running.side_by_side import Processes
from primesvt.studies.running.subject import Subject

from ...conftest import noisy_data
from ...search.models import tiny_model
from .test_runner import LAYERS, LIMITS

COMMON = {"layers": LAYERS, "constraints": LIMITS, "step": 0.25, "max_ratio": 0.75, "seed": 5}
FIXED = Arm("mine", StudySettings(**COMMON, options=PrioritizedOptions(rates=(0.25, 0.5))))
TOLD = Measure(
    name="joy",
    label="joy",
    unit="",
    table=lambda _model, _tell: {"points": [40, 2.5]},
    told_by=lambda table: lambda _model: sum(table["points"]),
)
DRAWN = Arm("random", StudySettings(**COMMON, sampler="random"), trials=2)


def test_every_arm_runs_with_every_seed_and_one_that_draws_nothing_runs_once() -> None:
    storage = InMemoryStorage()
    runs = run_studies(storage, Subject(tiny_model(), noisy_data()), studies_of([FIXED, DRAWN], seeds=2, prefix="x-"))
    assert [run.study.study_name for run in runs] == ["x-mine-seed5", "x-random-seed5", "x-random-seed6"]
    assert [run.settings.seed for run in runs] == [5, 5, 6]
    assert [len(run.finished) for run in runs[1:]] == [2, 2]
    assert runs[0].over


def test_what_it_will_cost_is_said_before(capsys: pytest.CaptureFixture[str]) -> None:
    studies = studies_of([replace(FIXED, trials=1), DRAWN], seeds=2)
    run_studies(InMemoryStorage(), Subject(tiny_model(), noisy_data()), studies)
    text = capsys.readouterr().err
    said, rest = text.split("3 studies: at most 5 trials")
    assert "mine-seed5: at most 1 trial of" in said
    assert "--trials 1 may cut it short" in said
    assert "study 3 of 3, random-seed6: 2 of 2" in rest
    assert "all done in at most" in rest


def test_the_unpruned_model_is_asked_once_for_all_studies_of_the_same_images() -> None:
    seen: list[int] = []
    subject, storage = Subject(tiny_model(), noisy_data()), InMemoryStorage()
    whole = len(subject.data.selection)
    halved = replace(DRAWN, name="half", settings=replace(DRAWN.settings, images=whole // 2))
    runs = run_studies(storage, subject, studies_of([DRAWN, halved], seeds=2), RunOptions(on_batch=seen.append))
    asked = sum(t.user_attrs["images"] for run in runs for t in run.finished if "reused" not in t.user_attrs)
    assert sum(seen) == asked + whole + whole // 2
    # Each alone finds the same.
    for arm, run in zip(studies_of([DRAWN, halved], seeds=2), runs, strict=True):
        (alone,) = run_studies(InMemoryStorage(), subject, [arm])
        assert [t.values for t in alone.finished] == [t.values for t in run.finished]


def test_studies_with_a_table_share_it_and_what_measures_them(add_measure: Callable[[Measure], None]) -> None:
    """Such as with predicted latency: what measures by equal tables is equal."""
    add_measure(TOLD)
    seen: list[int] = []
    subject, storage = Subject(tiny_model(), noisy_data()), InMemoryStorage()
    limited = replace(DRAWN, settings=replace(DRAWN.settings, measures=(TOLD.name,)))
    runs = run_studies(storage, subject, studies_of([limited], seeds=3), RunOptions(on_batch=seen.append))
    asked = sum(t.user_attrs["images"] for run in runs for t in run.finished if "reused" not in t.user_attrs)
    assert sum(seen) == asked + len(subject.data.selection)
    assert {t.user_attrs["joy"] for run in runs for t in run.finished} == {42.5}


def test_a_study_alone_shares_nothing_and_two_devices_do_not_share() -> None:
    subject, settings = Subject(tiny_model(), noisy_data()), DRAWN.settings
    alone, together = RunOptions(), RunOptions(evaluators=[])
    assert alone.evaluator(subject, settings, {}) is not alone.evaluator(subject, settings, {})
    first = together.evaluator(subject, settings, {})
    assert together.evaluator(subject, replace(settings, seed=9), {}) is first
    assert not first.measures_as(replace(first, backend=replace(first.backend, device=torch.device("cuda:1"))))


def test_processes_begin_only_what_is_left_and_last_what_begins_with_the_plan_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage, subject = InMemoryStorage(), Subject(tiny_model(), noisy_data())
    studies = studies_of(
        [
            replace(DRAWN, name="follows", settings=replace(DRAWN.settings, start="policy", space="ratios"), trials=9),
            FIXED,
            DRAWN,
        ],
        seeds=1,
    )
    waves: list[list[str]] = []

    def runs(_processes, wave, options, on_status, on_end) -> None:
        waves.append([each.name for each in wave.values()])
        for number, each in wave.items():
            own = replace(options, trials=each.trials, on_status=lambda status, at=number: on_status(at, status))
            several.run_study(each.name, storage, subject, each.settings, own)
            on_end(number)

    monkeypatch.setattr(several, "run_side_by_side", runs)
    processes = Processes(2, lambda: subject, "")
    run_studies(storage, subject, studies[2:], processes=processes)
    assert waves == []  # one study needs no process of its own
    run_studies(storage, subject, studies, processes=processes)
    assert waves == [["mine-seed5"], ["follows-seed5"]]
    run_studies(storage, subject, studies, processes=processes)
    assert len(waves) == 2
