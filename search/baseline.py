"""The unpruned model on the images of a study, image by image: measured once in a storage, and kept in every study."""

from dataclasses import replace

import optuna

from primesvt.pruning import PruningPlan

from .attributes import BASELINE, BASELINE_KEY, BASELINE_RIGHT
from .evaluation import Counted
from .evaluator import Evaluator
from .reuse import KnownEvaluations, pack


def baseline_of(study: optuna.Study, evaluator: Evaluator, known: KnownEvaluations) -> Counted:
    """What the unpruned model answers; measured where the storage does not hold it, and written into the study.

    Args:
        study: Where it is kept.
        evaluator: Measures it.
        known: What the storage already holds.
    """
    key = evaluator.key(PruningPlan())
    found, right = known.find(key), known.unpruned(key, len(evaluator.images))
    if found is None or right is None:
        measured = evaluator.baseline()
        # A study of an earlier version, which lacks the images, keeps the number that its trials were compared with.
        baseline = measured if found is None else replace(measured, evaluation=found.evaluation)
    else:
        baseline = Counted(found.evaluation, right)
    baseline = replace(baseline, evaluation=evaluator.completed(baseline.evaluation, PruningPlan()))
    study.set_user_attr(BASELINE_KEY, key)
    study.set_user_attr(BASELINE, baseline.evaluation.to_json())
    study.set_user_attr(BASELINE_RIGHT, pack(baseline.right))
    return baseline
