"""A trial's place in its study: its number, not counting trials that failed.

A trial that failed, or whose process was killed, gives its place back. So a study that was interrupted goes on with the
places, and all that follows from them, of one that was not. No two trials hold the same place that are finished or run,
also where several workers take theirs at the same moment.
"""

from itertools import count, islice

import optuna
from optuna.trial import FrozenTrial, TrialState

from .finished import FinishedTrials
from .optuna_private import write_system_attr
from .workers import is_running

# As studies of earlier versions have it.
_PLACE = "ReseededSampler:place"


def place_of(trial: FrozenTrial) -> int:
    """A trial's place; its number where the sampler gives no places."""
    return int(trial.system_attrs.get(_PLACE, trial.number))


class Places:
    """The places of a study.

    What it remembers is only what finished trials say: any number of them, in any processes, give the same places.

    Args:
        study: The study.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._finished = FinishedTrials(study, self._see)
        # Of finished trials, by their numbers.
        self._kept: dict[int, int] = {}
        self._pruned: set[int] = set()

    def take(self, trial: FrozenTrial) -> int:
        """Give a trial that begins the first place that is free."""
        after = 0
        while True:
            taken = {place for number, place in self._taken().items() if number != trial.number}
            place = next(islice((place for place in count() if place not in taken), after, None))
            write_system_attr(self._study, trial, _PLACE, place)
            # A storage has no locks, but of two who write before they look, one at least sees the other.
            held = self._taken().items()
            rivals = [number for number, theirs in held if theirs == place and number != trial.number]
            if not rivals:
                return place
            after = sum(number < trial.number for number in rivals)

    def has_room(self, trials: float) -> bool:
        """Whether a study that shall have so many trials lacks one, beside those that are finished or run."""
        taken = self._taken().values()
        # Trials that are pruned hold a place and count for nothing.
        trials += len(self._pruned)
        return sum(place < trials for place in taken) < trials

    def is_surplus(self, trial: optuna.Trial, trials: float) -> bool:
        """Whether a trial that has begun would be one too many: others began at the same moment, with all places."""
        place = self._taken().get(trial.number, 0)
        return place >= trials + len(self._pruned)

    def _taken(self) -> dict[int, int]:
        """Places of the trials that hold one, by their numbers."""
        unfinished = self._finished.update()
        running = {t.number: place_of(t) for t in unfinished if _PLACE in t.system_attrs and is_running(t)}
        return self._kept | running

    def _see(self, trial: FrozenTrial) -> None:
        if trial.state == TrialState.PRUNED:
            self._pruned.add(trial.number)
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) and _PLACE in trial.system_attrs:
            self._kept[trial.number] = place_of(trial)
