"""The same plan is not evaluated twice in a storage.

Except where another study rejected it early, which says nothing under other limits, and under the same ones would
count towards the risk of two studies; and where it was measured in full there, and would be rejected early here: the
trials of a study must not depend on what others have come to meanwhile. Measuring it again takes few images.
"""

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from .attributes import BASELINE, BASELINE_KEY, BASELINE_RIGHT, EVALUATION, KEY
from .evaluation import Evaluation
from .finished import FinishedTrials
from .optuna_private import storage_of, write_system_attr
from .workers import is_running

# Of a trial whose plan others run, too: who measures it first.
TICKET = "primesvt:ticket"
_POLL_SECONDS = 0.2


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

    Other studies are read once, when this is made; of the study that runs, what finished since is read for every
    question, so that workers on one study profit from each other.

    Args:
        study: The study that runs.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._finished = FinishedTrials(study, self._see)
        self._here: dict[str, Known] = {}
        self._elsewhere: dict[str, Known] = {}
        self._unpruned: dict[str, object] = {}
        storage = storage_of(study)
        for summary in optuna.get_all_study_summaries(storage, include_best_trial=False):
            if summary.study_name != study.study_name:
                other = optuna.load_study(study_name=summary.study_name, storage=storage)
                found = _evaluations(other).items()
                self._elsewhere |= {key: known for key, known in found if not known.evaluation.decided_early}
                self._unpruned |= _unpruned(other)

    def keep_elsewhere(self, wanted: Callable[[Evaluation], bool]) -> None:
        """Of what other studies have measured, forget all but some."""
        self._elsewhere = {key: known for key, known in self._elsewhere.items() if wanted(known.evaluation)}

    def find(self, key: str) -> Known | None:
        """The evaluation of the plan with this key, if there is one."""
        return self._find(key)[0]

    def _find(self, key: str) -> tuple[Known | None, list[FrozenTrial]]:
        """The evaluation, if there is one, and the trials that were not finished at that moment."""
        unfinished = self._finished.update()
        return _baseline(self._study).get(key) or self._here.get(key) or self._elsewhere.get(key), unfinished

    def unpruned(self, key: str, images: int) -> np.ndarray | None:
        """Whether the unpruned model tells each image, bool ``[N]``; None where no study of the storage says so.

        Args:
            key: Of the unpruned model on these images.
            images: Their number N.
        """
        return _unpack((self._unpruned | _unpruned(self._study)).get(key), images)

    def wait(self, trial: optuna.Trial, key: str, *, seconds: float) -> Known | None:
        """As :meth:`find`; where another worker is just measuring that plan, wait for it.

        Of workers that begin the same plan at the same moment one measures it, by L. Lamport's bakery (*A new solution
        of Dijkstra's concurrent programming problem*, 1974), as a storage has no locks: whoever sees others draws a
        number above theirs, and waits for smaller ones, and for whoever has none. That one saw nobody and measures, or
        is about to draw.

        Args:
            trial: That asks; its key is written already.
            key: Of the plan.
            seconds: Wait no longer: a worker may live, and have stopped all the same.
        """
        ticket = 0
        end = time.monotonic() + seconds
        while True:
            # Both at one moment: whoever is no rival any more has told what it measured.
            known, unfinished = self._find(key)
            if known is not None or time.monotonic() >= end:
                return known
            rivals = [t for t in unfinished if t.number != trial.number and _runs(t, key)]
            if rivals and not ticket:
                ticket = 1 + max(_ticket(t) for t in rivals)
                write_system_attr(self._study, trial, TICKET, ticket)
            elif all((_ticket(t), t.number) > (ticket, trial.number) for t in rivals):
                return None
            else:
                time.sleep(_POLL_SECONDS)

    def _see(self, trial: FrozenTrial) -> None:
        for key, known in _measured(self._study, trial).items():
            # As if they had finished in the order of their numbers.
            before = self._here.get(key, known).trial
            if before is None or before >= trial.number:
                self._here[key] = known


def _ticket(trial: FrozenTrial) -> int:
    return int(trial.system_attrs.get(TICKET, 0))


def _runs(trial: FrozenTrial, key: str) -> bool:
    """Whether a worker is measuring the plan of this key as this trial."""
    return trial.state == TrialState.RUNNING and trial.user_attrs.get(KEY) == key and is_running(trial)


def _evaluations(study: optuna.Study) -> dict[str, Known]:
    found = _baseline(study)
    for trial in study.get_trials(deepcopy=False):
        for key, known in _measured(study, trial).items():
            found.setdefault(key, known)
    return found


def _baseline(study: optuna.Study) -> dict[str, Known]:
    attrs = study.user_attrs
    if not {BASELINE, BASELINE_KEY} <= attrs.keys():
        return {}
    return _known(study, None, attrs[BASELINE_KEY], attrs[BASELINE])


def _measured(study: optuna.Study, trial: FrozenTrial) -> dict[str, Known]:
    attrs = trial.user_attrs
    if trial.state != TrialState.COMPLETE or not {KEY, EVALUATION} <= attrs.keys():
        return {}
    return _known(study, trial.number, attrs[KEY], attrs[EVALUATION])


def _known(study: optuna.Study, trial: int | None, key: object, evaluation: object) -> dict[str, Known]:
    try:
        return {str(key): Known(Evaluation.from_json(evaluation), study.study_name, trial)}  # type: ignore[arg-type]
    except TypeError:
        return {}  # a study of somebody else, that happens to use the same names


def pack(right: np.ndarray) -> str:
    """Bits, bool ``[N]``, as text for an attribute."""
    return base64.b64encode(np.packbits(right).tobytes()).decode()


def _unpack(text: object, count: int) -> np.ndarray | None:
    try:
        packed = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return np.unpackbits(packed, count=count).astype(bool) if len(packed) == -(-count // 8) else None


def _unpruned(study: optuna.Study) -> dict[str, object]:
    attrs = study.user_attrs
    return {str(attrs[BASELINE_KEY]): attrs[BASELINE_RIGHT]} if {BASELINE_KEY, BASELINE_RIGHT} <= attrs.keys() else {}


def evaluation_of(trial: FrozenTrial) -> Evaluation:
    """The evaluation that a finished trial recorded."""
    return Evaluation.from_json(trial.user_attrs[EVALUATION])
