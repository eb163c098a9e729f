"""Studies as the runner leaves them, written down by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from primesvt.search import BASELINE, DIRECTIONS, OBJECTIVES, Constraints, Evaluation
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.study_run import SETTINGS

LIMITS = Constraints(max_drop=3, min_saving=0.25)
UNPRUNED = Evaluation(right=180, images=200, bytes=1000, memory_saving=0.0, seconds=1.0)

# Saving, points lost, and further attributes.
Told = tuple[float, float, Mapping[str, Any]]
TRIALS: Sequence[Told] = (
    (0.8, 50.0, {"decided_early": "exact", "images": 64}),
    (0.1, 0.5, {"phase": "robustness", "layer": "stem"}),
    (0.6, 2.0, {}),
    (0.7, 2.0, {"reused": "trial 2 of other"}),
    (0.9, 4.0, {}),
)


def study(storage: BaseStorage, name: str = "mine", trials: Sequence[Told] = TRIALS, **settings: Any) -> optuna.Study:
    """A study with these trials."""
    made = optuna.create_study(study_name=name, storage=storage, directions=list(DIRECTIONS))
    made.set_metric_names(list(OBJECTIVES))
    known = StudySettings(**{"sampler": "tpe", "constraints": LIMITS, "images": 200, **settings})
    made.set_user_attr(SETTINGS, {**known.to_json(), "model": "cafe", "data": "babe"})
    made.set_user_attr(BASELINE, UNPRUNED.to_json())
    made.set_user_attr("baseline_right", "QUJD")
    for saving, lost, attrs in trials:
        ratios = {"stem": saving, "head": 0.0 if "layer" in attrs else 0.35}
        made.add_trial(
            optuna.create_trial(
                state=TrialState.COMPLETE,
                params=ratios,
                distributions={layer: optuna.distributions.FloatDistribution(0, 0.95) for layer in ratios},
                values=[saving, 0.9 - lost / 100],
                user_attrs={"accuracy_drop": lost, "images": 200, "key": "abc", "evaluation": {}, **attrs},
                constraints=dict(LIMITS.values(drop=lost, saving=saving)),
            )
        )
    return made
