"""The same plan is not evaluated twice in a storage."""

from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState

from .evaluator import Evaluation

KEY = "key"
EVALUATION = "evaluation"
BASELINE = "baseline"
BASELINE_KEY = "baseline_key"


@dataclass(frozen=True)
class Known:
    """An evaluation found in the storage, and where.

    Args:
        evaluation: What was measured.
        study: Name of the study it was measured in.
        trial: Number of the trial, None for the study's baseline.
    """

    evaluation: Evaluation
    study: str
    trial: int | None


class KnownEvaluations:
    """Everything that the studies of a storage have measured, by the key of the plan.

    Other studies are read once, when this is made; the study that runs is read again for every question, so that
    workers on one study profit from each other.

    Args:
        study: The study that runs.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._elsewhere: dict[str, Known] = {}
        storage = study._storage  # Optuna has no public way from a study to its storage.
        for summary in optuna.get_all_study_summaries(storage, include_best_trial=False):
            if summary.study_name != study.study_name:
                other = optuna.load_study(study_name=summary.study_name, storage=storage)
                self._elsewhere |= _evaluations(other)

    def find(self, key: str) -> Known | None:
        """The evaluation of the plan with this key, if there is one."""
        return _evaluations(self._study).get(key) or self._elsewhere.get(key)


def _evaluations(study: optuna.Study) -> dict[str, Known]:
    found = {}
    attrs = study.user_attrs
    if BASELINE in attrs:
        found[attrs[BASELINE_KEY]] = Known(Evaluation.from_json(attrs[BASELINE]), study.study_name, None)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        if EVALUATION in trial.user_attrs:
            found[trial.user_attrs[KEY]] = Known(evaluation_of(trial), study.study_name, trial.number)
    return found


def evaluation_of(trial: FrozenTrial) -> Evaluation:
    """The evaluation that a finished trial recorded."""
    return Evaluation.from_json(trial.user_attrs[EVALUATION])
