"""What a study optimizes, by name; and how a trial stands to its limits."""

import optuna
import pytest
from optuna.trial import FrozenTrial, create_trial

from primesvt.pruning import measure_named
from primesvt.search import (
    Evaluation,
    Goals,
    accuracy_of,
    best_trial,
    has_goals,
    is_feasible,
    nearest_trial,
    saving_of,
    violation,
)

THREE = Goals.of([measure_named("state-bytes")])


def trial(saving: float, accuracy: float, *excess: float) -> FrozenTrial:
    made = create_trial(values=[saving, accuracy])
    for i, value in enumerate(excess):
        made.set_constraint(f"limit{i}", value)
    return made


def test_every_study_saves_memory_and_accuracy() -> None:
    assert Goals().names == ("memory_saving", "accuracy")
    assert Goals().directions == ("maximize", "maximize")


def test_a_measure_is_a_third_objective_and_less_of_it_is_better() -> None:
    assert THREE.names == (*Goals().names, "state-bytes")
    assert THREE.directions == (*Goals().directions, "minimize")
    evaluation = Evaluation(
        right=8, images=10, bytes=5, memory_saving=0.5, seconds=1.0, measures={"state-bytes": 1234.0, "other": 1.0}
    )
    assert THREE.values(evaluation) == (0.5, 0.8, 1234.0)
    finished = create_trial(values=THREE.values(evaluation))
    assert [THREE.value(finished, objective) for objective in THREE.objectives] == [0.5, 0.8, 1234.0]
    assert (saving_of(finished), accuracy_of(finished)) == (0.5, 0.8)
    assert [q.text(v) for q, v in zip(THREE.objectives, finished.values, strict=True)] == [
        "50.00%", "80.00%", "1,234 bytes",
    ]  # fmt: skip


def test_directions_of_a_study() -> None:
    two = optuna.create_study(directions=Goals().directions)
    assert has_goals(two, Goals())
    assert not has_goals(two, THREE)


def test_feasible_means_every_limit_kept() -> None:
    assert is_feasible(trial(0.5, 0.9, 0.0, -1.0))
    assert not is_feasible(trial(0.5, 0.9, 0.1, -1.0))
    assert not is_feasible(trial(0.5, 0.9)), "nothing is known of its limits"
    assert violation(trial(0.5, 0.9, 0.5, -3.0, 1.5)) == pytest.approx(2.0)


def test_the_best_and_the_nearest() -> None:
    trials = [
        trial(0.9, 0.99, 1.0), trial(0.5, 0.8, -1.0), trial(0.6, 0.7, 0.0), trial(0.6, 0.8, -1.0), trial(0.6, 0.8, -2),
    ]  # fmt: skip
    for number, each in enumerate(trials):
        each.number = number
    best = best_trial(trials)
    assert best is trials[3], "the largest saving, then the most accurate, then the first"
    assert best_trial(trials[:1]) is None
    assert nearest_trial(trials[:1]) is trials[0]
    # Of those that miss nothing, the most accurate one, then the first.
    assert nearest_trial(trials) is trials[1]
    assert nearest_trial([]) is None
