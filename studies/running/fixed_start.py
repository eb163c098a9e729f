"""The start of a study, fixed when it begins: what it is told, kept in the study, whatever its trials become later."""

from collections.abc import Mapping

import optuna

from primesvt.models import PrimeSVTError
from primesvt.pruning import Pruner
from primesvt.search import START
from primesvt.search.optuna_private import storage_of
from primesvt.search.samplers import PRIORITIZED, make_sampler
from primesvt.search.starts import start_plans

from .problem import problem_of
from .settings import StudySettings
from .study_run import SETTINGS, TABLES, StudyRun

# Where one of these differs, the policy searched for something else.
_SAME = (
    "model", "data", "constraints", "criterion", "repair", "embedding", "layers", "exclude_layers", "multiple", "step",
    "max_ratio",
)  # fmt: skip


def begin_start(run: StudyRun, pruner: Pruner, trials: int) -> None:
    """Write into a study that begins what it is told; one that has begun keeps what it was told then.

    Args:
        run: The study.
        pruner: Of its model.
        trials: How many the study shall have.

    Raises:
        PrimeSVTError: It shall be told the policy's plan, and there is none.
    """
    if START in run.study.user_attrs or run.study.get_trials(deepcopy=False):
        return
    start = run.settings.chosen_start
    plans = start_plans(start, run.problem, trials, lambda: _policys(run.study, pruner))
    if plans:
        run.study.set_user_attr(START, plans)


def _policys(study: optuna.Study, pruner: Pruner) -> Mapping[str, float]:
    """The plan with which a study of the paper's policy in the same storage ended."""
    identity, found = study.user_attrs[SETTINGS], list[Mapping[str, float]]()
    for name in optuna.get_all_study_names(storage_of(study)):
        other = optuna.load_study(study_name=name, storage=storage_of(study))
        theirs = other.user_attrs.get(SETTINGS, {})
        if theirs.get("sampler") != PRIORITIZED.name:
            continue
        settings = StudySettings.from_json(theirs)
        # With the settings that an earlier version had not.
        theirs = {**theirs, **settings.to_json()}
        if any(theirs.get(key) != identity[key] for key in _SAME):
            continue
        problem = problem_of(settings, pruner, other.user_attrs.get(TABLES, {}))
        plan = settings.kind.result(make_sampler(PRIORITIZED.name, problem, settings.options, seed=0), other)
        if plan and problem.meets(plan):
            found.append(plan)
    if found:
        return max(found, key=problem.saved)
    raise PrimeSVTError(
        "--start policy needs a study of prioritized in the same storage, of the same model, data and limits, that has "
        "come to its end with a plan; run it first (primesvt search --sampler prioritized, or name prioritized among "
        "--samplers)."
    )
