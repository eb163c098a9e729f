"""What settings ask for of a model: layers, plans, what a sampler is told, and what is reachable."""

import math
import re
from dataclasses import replace

import pytest

from primesvt.models import PrimeSVTError, model_bytes, parameter_count
from primesvt.pruning import Pruner, PruningPlan, branches, memory_saving, prunable_layers
from primesvt.search import Constraints
from primesvt.search.samplers import PrioritizedOptions
from primesvt.studies.running.problem import check_reachable, grid_of, problem_of
from primesvt.studies.running.settings import StudySettings

from ...search.models import tiny_model


def test_the_space_has_the_layers_largest_first(family: str) -> None:
    model = tiny_model(family)
    names = tuple(layer.name for layer in prunable_layers(model))
    assert grid_of(StudySettings(), model).layers == names
    assert grid_of(StudySettings(layers=(names[3], names[1])), model).layers == (names[1], names[3])
    assert "embedding" not in names
    assert "embedding" in grid_of(StudySettings(embedding=True), model).layers
    assert grid_of(StudySettings(layers=("embedding",)), model).layers == ("embedding",)
    options = PrioritizedOptions(rates=(0.5, 0.1, 0.5), slack=1.5, exhaust=True)
    policy = options.policy(grid_of(StudySettings(), model))
    assert (policy.layers, policy.rates, policy.slack, policy.exhaust) == (names, (0.1, 0.5), 1.5, True)


def test_whole_branches_are_for_samplers_that_can_and_for_layers_that_may(family: str) -> None:
    model = tiny_model(family)
    whole = branches(model)
    assert grid_of(StudySettings(), model).branches == {}
    space = grid_of(StudySettings(sampler="sensitivity", depth=True, exclude_layers=("blocks.0.output",)), model)
    assert dict(space.branches) == {"blocks.0.mixer": whole["blocks.0.mixer"]}
    assert space.distributions["blocks.0.projection"].high == 1
    assert space.distributions["blocks.0.hidden"].high == 0.95
    assert max(space.levels) == 0.95
    for sampler in ("prioritized", "tpe", "uniform"):
        with pytest.raises(
            PrimeSVTError, match=f"{sampler} removes no whole branches: leave --depth out, .*sensitivity"
        ):
            StudySettings(sampler=sampler, depth=True)
    with pytest.raises(PrimeSVTError, match=r"is no multiple of the step 0\.03: give --step 0\.05"):
        grid_of(StudySettings(sampler="sensitivity", depth=True, step=0.03), model)
    # A study of an earlier version removed none.
    old = StudySettings(sampler="sensitivity").to_json()
    del old["depth"]
    assert not StudySettings.from_json(old).depth


def test_a_sampler_is_told_which_plans_keep_the_limits_of_measures() -> None:
    model = tiny_model()
    half = parameter_count(model) / 2
    problem = problem_of(StudySettings(constraints=Constraints(limits={"parameters": half})), Pruner(model))
    everything = PruningPlan(dict.fromkeys(problem.space.layers, 0.9), repair=("least-squares",))
    assert [problem.keeps(plan) for plan in (PruningPlan(), everything)] == [False, True]
    assert problem_of(StudySettings(), Pruner(model)).keeps(PruningPlan())


@pytest.mark.parametrize("sampler", ["sensitivity", "random"])
def test_a_limit_of_bytes_is_a_memory_target(sampler: str) -> None:
    model = tiny_model()
    half = model_bytes(model) // 2

    def settings(most: float, min_saving: float) -> StudySettings:
        return StudySettings(sampler=sampler, constraints=Constraints(min_saving=min_saving, limits={"size": most}))

    problem = problem_of(settings(half, 0.1), Pruner(model))
    assert math.floor(problem.cost.bytes({}) * (1 - problem.constraints.min_saving) + 1e-6) == half
    assert not problem.meets({})
    assert getattr(problem.space, "least", problem.constraints.min_saving) == problem.constraints.min_saving
    assert problem_of(settings(half, 0.7), Pruner(model)).constraints.min_saving == 0.7
    check_reachable(settings(half, 0.1), model, grid_of(settings(half, 0.1), model))
    with pytest.raises(PrimeSVTError, match=r"A size of at most 100 bytes, a saving of 0\.\d{4}, cannot be reached"):
        check_reachable(settings(100, 0.1), model, grid_of(settings(100, 0.1), model))


def test_layers_may_be_left_out(family: str) -> None:
    model = tiny_model(family)
    grid = grid_of(StudySettings(exclude_layers=("stem.*", "position"), embedding=True), model)
    assert "embedding" in grid.layers
    assert {layer.split(".")[0] for layer in grid.layers} == {"blocks", "embedding"}
    assert "embedding" not in grid_of(StudySettings(exclude_layers=("embedding",), embedding=True), model).layers
    with pytest.raises(PrimeSVTError, match="No layer is left to prune: exclude-layers"):
        grid_of(StudySettings(exclude_layers=("*",)), model)


@pytest.mark.parametrize("sampler", ["sensitivity", "tpe"])
def test_the_bytes_that_a_sampler_counts_are_those_of_multiples(sampler: str) -> None:
    model = tiny_model()
    pruner = Pruner(model)
    problem = problem_of(StudySettings(sampler=sampler, multiple=4, embedding=True), pruner)
    for ratio in (0.3, 0.55, 0.95):
        ratios = dict.fromkeys(problem.space.layers, ratio)
        plan = problem.space.plan(ratios)
        assert plan.multiple == 4
        assert problem.cost.bytes(ratios) == pruner.bytes(plan)
        assert problem.cost.bytes(ratios) > pruner.bytes(replace(plan, multiple=1))
        assert pruner.key(plan, "") != pruner.key(replace(plan, multiple=1), "")


def test_what_is_reachable_in_multiples_is_less() -> None:
    model = tiny_model()
    most = memory_saving(model, PruningPlan(dict.fromkeys(grid_of(StudySettings(), model).layers, 0.9), multiple=4))
    limits = Constraints(min_saving=most + 0.01)
    check_reachable(StudySettings(constraints=limits), model, grid_of(StudySettings(), model))
    huge = StudySettings(constraints=limits, multiple=1000)
    with pytest.raises(PrimeSVTError, match="multiple 1000 lets no layer lose a channel: the widest has 16, in all"):
        check_reachable(huge, model, grid_of(huge, model))
    coarse = StudySettings(constraints=limits, multiple=4)
    with pytest.raises(PrimeSVTError, match="cannot be reached"):
        check_reachable(coarse, model, grid_of(coarse, model))


def test_unknown_layers_are_named() -> None:
    with pytest.raises(PrimeSVTError, match=r"blocks\.7\.hidden"):
        grid_of(StudySettings(layers=("blocks.7.hidden",)), tiny_model())


@pytest.mark.parametrize("sampler", ["prioritized", "random"])
@pytest.mark.parametrize("layers", [(), ("blocks.0.hidden", "stem.3")])
def test_what_is_said_to_be_reachable_is_and_more_is_not(sampler: str, layers: tuple[str, ...]) -> None:
    model = tiny_model()

    def check(min_saving: float) -> None:
        settings = StudySettings(sampler=sampler, layers=layers, constraints=Constraints(min_saving=min_saving))
        check_reachable(settings, model, grid_of(settings, model))

    with pytest.raises(PrimeSVTError, match=r"min-saving 0\.99 cannot be reached.*or add --embedding") as caught:
        check(0.99)
    said = re.search(r"saves (0\.\d{4}) of its bytes", str(caught.value))
    assert said is not None
    check(float(said[1]))
    with pytest.raises(PrimeSVTError):
        check(float(said[1]) + 0.0001)
    # The prioritized sampler never goes beyond its largest rate; the others go to max-ratio.
    space = grid_of(StudySettings(layers=layers), model)
    most = dict.fromkeys(space.layers, 0.9 if sampler == "prioritized" else 0.95)
    assert float(said[1]) == pytest.approx(memory_saving(model, PruningPlan(most)), abs=1e-4)
