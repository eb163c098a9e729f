"""One thing for all versions that lack the same branches."""

from primesvt.models.engine.once_per_branches import OncePerBranches
from primesvt.pruning import PruningPlan, branches, prune

from ...search.models import tiny_model


def test_it_is_made_once_for_the_same_branches() -> None:
    model, made = tiny_model(), []
    once = OncePerBranches(lambda version: made.append(version) or len(made))
    gone = prune(model, PruningPlan(dict.fromkeys(next(iter(branches(model).values())), 1.0)))
    assert [once.of(each) for each in (model, prune(model, PruningPlan()), gone, model, gone)] == [1, 1, 2, 1, 2]
