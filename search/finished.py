"""Finished trials of a study, each looked at once: they never change, and a study may have thousands of them.

A worker asks before every trial which places are taken, which plans are known, and how many keep the limits. To read
that from all trials each time would let its work grow with the square of a study's trials.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import optuna
from optuna.trial import FrozenTrial

Said = TypeVar("Said")


class FinishedTrials:
    """Tells of every finished trial of a study, whoever ran it, once.

    Args:
        study: The study.
        tell: Called with every trial, before it counts as told: of threads that ask at the same moment one may be told
            what another is being told, and none misses it.
    """

    def __init__(self, study: optuna.Study, tell: Callable[[FrozenTrial], None]) -> None:
        self._study, self._tell = study, tell
        # Trials from the first on that are all told, and the numbers of those that are told among later ones.
        self._passed = 0
        self._told: set[int] = set()

    def update(self) -> list[FrozenTrial]:
        """Tell of those that finished since, by their numbers; the trials that are not finished."""
        passed, unfinished = self._passed, list[FrozenTrial]()
        for trial in self._study.get_trials(deepcopy=False)[passed:]:
            if not trial.state.is_finished():
                unfinished.append(trial)
                continue
            if trial.number not in self._told:
                self._tell(trial)
                self._told.add(trial.number)
            passed += not unfinished
        self._passed = passed
        return unfinished


class SaidByTrials(Generic[Said]):
    """What trials say, which of a finished one is worked out once: for who is given trials, and not their study.

    Args:
        read: What a trial says.
    """

    def __init__(self, read: Callable[[FrozenTrial], Said]) -> None:
        self._read = read
        self._known: dict[int, tuple[FrozenTrial, Said]] = {}

    def of(self, trial: FrozenTrial) -> Said:
        """What this trial says; storages give the same object for a finished one, and another study another."""
        known = self._known.get(trial.number)
        if known is not None and known[0] is trial:
            return known[1]
        finished = trial.state.is_finished()
        said = self._read(trial)
        if finished:
            self._known[trial.number] = trial, said
        return said
