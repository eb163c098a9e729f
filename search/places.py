"""A trial's place in its study: its number, not counting trials that failed.

A trial that failed, or whose process was killed, gives its place back. So a study that was interrupted goes on with the
places, and all that follows from them, of one that was not. No two trials hold the same place that are finished or run,
also where several workers take theirs at the same moment.
"""

from itertools import count, islice

import optuna
from optuna.trial import FrozenTrial, TrialState

from .optuna_private import write_system_attr
from .workers import is_running

# As studies of earlier versions have it.
_PLACE = "ReseededSampler:place"


def take_place(study: optuna.Study, trial: FrozenTrial) -> int:
    """Give a trial that begins the first place that is free."""
    after = 0
    while True:
        taken = _taken(study, trial).values()
        place = next(islice((place for place in count() if place not in taken), after, None))
        write_system_attr(study, trial, _PLACE, place)
        # A storage has no locks, but of two who write before they look, one at least sees the other.
        rivals = [number for number, theirs in _taken(study, trial).items() if theirs == place]
        if not rivals:
            return place
        after = sum(number < trial.number for number in rivals)


def place_of(trial: FrozenTrial) -> int:
    """A trial's place; its number where the sampler gives no places."""
    return int(trial.system_attrs.get(_PLACE, trial.number))


def has_room(study: optuna.Study, trials: int) -> bool:
    """Whether a study that shall have so many trials lacks one, beside those that are finished or run."""
    taken = _taken(study)
    return sum(place < trials + _pruned(study) for place in taken.values()) < trials + _pruned(study)


def is_surplus(study: optuna.Study, trial: optuna.Trial, trials: int) -> bool:
    """Whether a trial that has begun would be one too many: others began at the same moment, and hold all places."""
    place = next((p for number, p in _taken(study).items() if number == trial.number), 0)
    return place >= trials + _pruned(study)


def _pruned(study: optuna.Study) -> int:
    """Trials that hold a place and count for nothing."""
    return len(study.get_trials(deepcopy=False, states=(TrialState.PRUNED,)))


def _taken(study: optuna.Study, trial: FrozenTrial | None = None) -> dict[int, int]:
    """Places of the other trials that hold one, by their numbers."""
    return {
        t.number: int(t.system_attrs[_PLACE])
        for t in study.get_trials(deepcopy=False)
        if (trial is None or t.number != trial.number)
        and _PLACE in t.system_attrs
        and (t.state in (TrialState.COMPLETE, TrialState.PRUNED) or is_running(t))
    }
