"""What studies and trials say of themselves."""

import shlex

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from primesvt.search import Constraints
from primesvt.search.samplers import PrioritizedOptions
from primesvt.studies.cli import make_parser
from primesvt.studies.commands.search_options import settings_of
from primesvt.studies.dashboard.inspected import Inspected
from primesvt.studies.dashboard.notes import study_note, trial_note
from primesvt.studies.running.settings import StudySettings

from .studies import LIMITS, TRIALS, study


def inspected(**settings: object) -> Inspected:
    found = Inspected.of(study(InMemoryStorage(), **settings))
    assert found is not None
    return found


def test_a_study_says_its_result_its_limits_and_how_to_go_on() -> None:
    note = study_note(inspected(), "sqlite:///s.db")
    assert note.startswith("**So far trial 3 saves 70.00% of the bytes and loses 2.00 points on 200 selection images")
    assert "| limits | at most 3 points of accuracy lost, at least 25.00% saved |" in note
    assert "| unpruned model | 1,000 bytes, 90.00% of 200 selection images |" in note
    assert "| trials | 5 measured, 2 keep the limits; 1 stopped early |" in note
    assert "primesvt prune MODEL --storage sqlite:///s.db --study mine --trial 3 -o smaller" in note


def test_nothing_found_is_said_first() -> None:
    none = Inspected.of(study(InMemoryStorage(), trials=[TRIALS[0], TRIALS[4]]))
    assert none is not None
    note = study_note(none, "s.db")
    assert note.startswith("**No plan keeps the limits so far.** The nearest, trial 1 saves 90.00%")
    assert "it misses by 1.00 points of accuracy" in note
    empty = Inspected.of(study(InMemoryStorage(), trials=[]))
    assert empty is not None
    assert study_note(empty, "s.db").startswith("Nothing was measured yet.")


@pytest.mark.parametrize(
    "settings",
    [
        StudySettings(sampler="tpe", constraints=LIMITS, images=200, seed=4),
        StudySettings(sampler="tpe", space="ratios", start="uniform"),
        StudySettings(sampler="tpe", space="budget"),
        StudySettings(
            options=PrioritizedOptions(rates=(0.2, 0.5), slack=1.5), embedding=True, layers=("stem", "head"),
            constraints=Constraints(max_drop=2.5, margin=0.5, limits={"state-bytes": 5000}), risk=0.0,
        ),
    ],
)  # fmt: skip
def test_the_command_to_go_on_means_the_same_settings(settings: StudySettings) -> None:
    own = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
    note = study_note(inspected(**own), "sqlite:///s.db")
    command = note.split("```\n")[1].replace("\\\n", "")
    args = make_parser().parse_args(shlex.split(command)[1:])
    assert settings_of(args, args.sampler, args.seed).as_begun(None) == settings.as_begun(None)
    assert (args.study, args.storage) == ("mine", "sqlite:///s.db")


def test_trials_say_what_was_tried_saved_lost_and_kept() -> None:
    rejected, probe, kept, reused, near = map(trial_note, inspected().trials)
    assert rejected == (
        "**Limits missed by 47.00 points of accuracy.** Removes 80% of stem, 35% of head. Accuracy 40.00%. That saves "
        "80.00% of the bytes and loses 50.00 points on 64 images, an estimate, as measuring stopped there: the "
        "plan misses the limit."
    )
    assert probe.startswith("**Limits missed by 15.00 points of memory.** It probes stem. Removes 10% of stem.")
    assert kept.startswith("**Limits kept.** Removes 60% of stem, 35% of head.")
    assert reused.endswith("Taken from trial 2 of other, where it was measured.")
    assert near.startswith("**Limits missed by 1.00 points of accuracy.**")
    assert trial_note(optuna.create_trial(state=TrialState.RUNNING)) == ""
