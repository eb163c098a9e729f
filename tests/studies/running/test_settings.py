"""What a study is, and that it stays so."""

import json
import math
import re
from dataclasses import fields, replace
from typing import Any

import pytest

from primesvt.models import DataSet, PrimeSVTError
from primesvt.search import Constraints
from primesvt.search.samplers import DrawOptions, NoOptions, PrioritizedOptions
from primesvt.search.samplers.kind import RESERVED
from primesvt.search.samplers.nsga2 import NSGA2Options
from primesvt.search.samplers.tpe import TPEOptions
from primesvt.studies.running.identity import check_identity, study_identity
from primesvt.studies.running.settings import StudySettings

from ...conftest import noisy_data
from ...search.models import tiny_model


def test_the_defaults_are_the_papers() -> None:
    settings = StudySettings()
    assert settings.sampler == "prioritized"
    assert settings.criterion == "l2"
    assert settings.options.rates == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    assert (settings.options.slack, settings.options.exhaust) == (0.0, False)
    assert (settings.embedding, settings.layers, settings.repair) == (False, (), ())
    assert settings.risk == 1e-4


def test_the_selection_is_the_first_images(data: DataSet) -> None:
    assert len(StudySettings(images=7).selection(data)) == 7
    assert len(StudySettings().selection(data)) == len(data.selection)
    assert StudySettings(images=7).selection(data).role == "selection"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"sampler": "bohb"}, "Unknown sampler 'bohb'; known are prioritized"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"criterion": "l3"}, "l3"),
        ({"options": NoOptions()}, "options of prioritized are PrioritizedOptions, got NoOptions"),
        ({"measures": ("joy",)}, "Unknown measure 'joy'; known are parameters"),
        ({"objectives": ("joy",)}, "Unknown measure 'joy'"),
        ({"constraints": Constraints(limits={"joy": 1})}, "Unknown measure 'joy'"),
        ({"risk": 1.0}, r"risk is a probability, at least 0 and below 1; got 1\.0"),
        ({"risk": -0.1}, "risk"),
        ({"space": "weights"}, "space must be budget or ratios, got 'weights'"),
        ({"start": "cold"}, "start must be none or uniform or probes or policy, got 'cold'"),
        ({"space": "budget"}, "prioritized chooses ratios itself: it cannot search --space budget"),
        ({"start": "uniform"}, "prioritized has a course of its own and learns from no --start uniform"),
        ({"sampler": "tpe", "space": "budget", "start": "probes"}, "--start probes needs --space ratios"),
        ({"risk": math.nan}, "risk"),
    ],
)
def test_nonsense_is_refused(values: dict[str, Any], text: str) -> None:
    with pytest.raises(PrimeSVTError, match=text):
        StudySettings(**values)


def test_settings_are_data(data: DataSet) -> None:
    settings = StudySettings(
        seed=3,
        constraints=Constraints(margin=1, limits={"state-bytes": 1e6}),
        options=PrioritizedOptions(rates=(0.5,), slack=0.5),
        layers=("stem.3",),
        exclude_layers=("stem.0",),
        multiple=8,
        repair=("norm",),
        objectives=("parameters",),
        images=5,
    )
    identity = json.loads(json.dumps(study_identity(settings, tiny_model(), settings.selection(data))))
    assert StudySettings.from_json(identity) == settings.as_begun(None)
    check_identity("s", identity, study_identity(settings, tiny_model(), settings.selection(data)))


BASE: dict[str, Any] = {"sampler": "random", "constraints": Constraints(max_drop=3, min_saving=0.1)}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"seed": 1}, "another seed (0, now 1)"),
        ({"sampler": "tpe"}, "another sampler ('random', now 'tpe')"),
        ({"criterion": "l1"}, "another criterion ('l2', now 'l1')"),
        ({"multiple": 8}, "another multiple (1, now 8)"),
        ({"exclude_layers": ("stem.0",)}, "another exclude-layers ([], now ['stem.0'])"),
        ({"constraints": Constraints(max_drop=5, min_saving=0.1)}, "another max-drop (3, now 5)"),
        ({"constraints": Constraints(max_drop=3, min_saving=0.2)}, "another min-saving (0.1, now 0.2)"),
        ({"constraints": Constraints(max_drop=3, min_saving=0.1, margin=1)}, "another margin (0.0, now 1)"),
        ({"images": 5}, "another images (None, now 5)"),
        ({"max_ratio": 0.9}, "another max-ratio (0.95, now 0.9)"),
        ({"layers": ("stem.3",)}, "another layers ([], now ['stem.3'])"),
        ({"risk": 0.0}, "another risk (0.0001, now 0.0)"),
        ({"seed": 2, "repair": ("norm",)}, "another seed (0, now 2), repair ([], now ['norm'])"),
        ({"constraints": Constraints(max_drop=3, min_saving=0.1, limits={"parameters": 9})}, "another limits ({}, now"),
    ],
)
def test_going_on_with_other_settings_is_refused_naming_what_differs(
    data: DataSet, change: dict[str, Any], text: str
) -> None:
    before, after = StudySettings(**BASE), StudySettings(**{**BASE, **change})
    stored = json.loads(json.dumps(study_identity(before, tiny_model(), data.selection)))
    with pytest.raises(PrimeSVTError, match=re.escape(text)):
        check_identity("s", stored, study_identity(after, tiny_model(), after.selection(data)))


@pytest.mark.parametrize("risk", [0.0, 0.01])
def test_a_study_of_an_earlier_version_goes_on_with_any_risk(data: DataSet, risk: float) -> None:
    wanted = study_identity(StudySettings(**BASE, risk=risk), tiny_model(), data.selection)
    stored = {name: value for name, value in wanted.items() if name != "risk"}
    check_identity("s", stored, wanted)
    # As it was run, it rejected nothing by chance.
    assert StudySettings.from_json(stored) == StudySettings(**BASE, risk=0.0).as_begun(None)
    with pytest.raises(PrimeSVTError, match="another seed"):
        check_identity("s", {**stored, "seed": 1}, wanted)


@pytest.mark.parametrize(
    ("sampler", "options", "leeway"),
    [
        ("prioritized", PrioritizedOptions(slack=2.0), 2.0),
        ("prioritized", PrioritizedOptions(slack=-2.0), 0.0),
        ("prioritized", PrioritizedOptions(), 0.0),
        ("tpe", TPEOptions(), 0.0),
    ],
)
def test_only_the_policy_looks_beyond_the_limit(sampler: str, options: Any, leeway: float) -> None:
    assert StudySettings(sampler=sampler, options=options).kind.leeway(options) == leeway


def test_going_on_with_other_options_of_the_sampler_is_refused(data: DataSet) -> None:
    before, after = (StudySettings(options=PrioritizedOptions(exhaust=exhaust)) for exhaust in (False, True))
    stored = json.loads(json.dumps(study_identity(before, tiny_model(), data.selection)))
    with pytest.raises(PrimeSVTError, match=re.escape("another exhaust (False, now True)")):
        check_identity("s", stored, study_identity(after, tiny_model(), data.selection))


def test_a_study_of_the_first_version_goes_on(data: DataSet) -> None:
    """As version 0.1 wrote it: the policy's options in every study, and nothing of repair, measures or objectives."""
    begun = StudySettings(**BASE, options=DrawOptions(redraws=0), space="ratios", start="none")
    wanted = study_identity(begun, tiny_model(), data.selection)
    stored = {
        "sampler": "random", "seed": 0, "constraints": {"max_drop": 3, "min_saving": 0.1, "margin": 0.0},
        "criterion": "l2", "images": None, "step": 0.05, "max_ratio": 0.95, "rates": [0.1, 0.5], "slack": 0.0,
        "exhaust": False, "embedding": False, "layers": [], "risk": 0.0001,
        "model": wanted["model"], "data": wanted["data"],
    }  # fmt: skip
    assert StudySettings(**BASE).as_begun(stored) == begun
    check_identity("s", stored, wanted)
    assert StudySettings.from_json(stored) == begun
    policy = {**stored, "sampler": "prioritized"}
    assert StudySettings.from_json(policy).options == PrioritizedOptions(rates=(0.1, 0.5), probe_first=True)
    repaired = study_identity(replace(begun, repair=("norm",)), tiny_model(), data.selection)
    with pytest.raises(PrimeSVTError, match=re.escape("another repair ([], now ['norm'])")):
        check_identity("s", stored, repaired)


def test_another_model_or_data_set_is_refused(data: DataSet) -> None:
    settings = StudySettings()
    stored = study_identity(settings, tiny_model(), data.selection)
    with pytest.raises(PrimeSVTError, match=r"another model\. Give the same options"):
        check_identity("s", stored, study_identity(settings, tiny_model(seed=1), data.selection))
    with pytest.raises(PrimeSVTError, match=r"another data\. Give the same options"):
        check_identity("s", stored, study_identity(settings, tiny_model(), noisy_data(seed=1).selection))


def test_a_study_of_somebody_else_is_refused(data: DataSet) -> None:
    with pytest.raises(PrimeSVTError, match="'s' exists, but was not made by PrimeSVT"):
        check_identity("s", None, study_identity(StudySettings(), tiny_model(), data.selection))


def test_no_sampler_may_have_an_option_of_the_settings_name() -> None:
    assert {f.name for f in fields(StudySettings)} | {f.name for f in fields(Constraints)} <= RESERVED


@pytest.mark.parametrize(("trials", "population"), [(1, 8), (40, 8), (100, 16), (200, 34), (300, 50), (9999, 50)])
def test_the_population_follows_the_trials_that_a_study_begins_with(
    data: DataSet, trials: int, population: int
) -> None:
    begun = StudySettings(sampler="nsga2").as_begun(None).for_trials(trials)
    assert begun.options.population == population
    stored = json.loads(json.dumps(study_identity(begun, tiny_model(), data.selection)))
    resumed = StudySettings(sampler="nsga2").as_begun(stored).for_trials(10 * trials)
    assert resumed == begun, "more trials later change no generation"
    said = StudySettings(sampler="nsga2", options=NSGA2Options(population=30)).as_begun(stored).for_trials(trials)
    with pytest.raises(PrimeSVTError, match=re.escape(f"another population ({population}, now 30)")):
        check_identity("s", stored, study_identity(said, tiny_model(), data.selection))


def test_earlier_studies_of_nsga2_keep_optunas_population() -> None:
    begun = StudySettings(sampler="nsga2").as_begun({"sampler": "nsga2"}).for_trials(40)
    assert begun.options == NSGA2Options(redraws=0, population=50)


@pytest.mark.parametrize(("name", "value", "earlier"), [("space", "budget", "ratios"), ("start", "uniform", "none")])
def test_space_and_start_are_a_studys_own(data: DataSet, name: str, value: str, earlier: str) -> None:
    stored = study_identity(StudySettings(sampler="tpe", **{name: value}).as_begun(None), tiny_model(), data.selection)
    assert stored[name] == value
    assert getattr(StudySettings(sampler="tpe").as_begun(stored), name) == value, "as it began"
    old = {key: held for key, held in stored.items() if key != name}
    assert getattr(StudySettings(sampler="tpe").as_begun(old), name) == earlier, "as version 0.1 did"
    other = study_identity(StudySettings(sampler="tpe", **{name: value}).as_begun(old), tiny_model(), data.selection)
    with pytest.raises(PrimeSVTError, match=re.escape(f"another {name} ({earlier!r}, now {value!r})")):
        check_identity("s", old, other)
