"""What a study's settings ask for of a model: its layers, the plans to choose from, what its sampler is made for."""

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from torch import nn

from primesvt.models import PrimeSVTError, config_of, model_bytes, streams
from primesvt.pruning import (
    Pruner,
    PruningPlan,
    branches,
    choose_layers,
    largest_saving,
    matching_layers,
    measure_named,
    prunable_layers,
)
from primesvt.pruning.measures.size import SIZE
from primesvt.search import BudgetSpace, Constraints, SearchSpace
from primesvt.search.samplers import BUDGET_SPACE, Problem

from .settings import StudySettings, Tables


def grid_of(settings: StudySettings, model: nn.Module) -> SearchSpace:
    """The plans that there are to choose from for a model, the largest layer first, as ratios.

    Raises:
        PrimeSVTError: A layer does not exist, or none is left.
    """
    return SearchSpace(
        layers=layers_of(settings, model),
        step=settings.step,
        max_ratio=settings.max_ratio,
        criterion=settings.criterion,
        repair=settings.repair,
        multiple=settings.multiple,
        branches=_branches_of(settings, model),
    )


def _branches_of(settings: StudySettings, model: nn.Module) -> Mapping[str, tuple[str, ...]]:
    """The branches that may be removed: all of their layers may be pruned."""
    chosen = set(layers_of(settings, model))
    return {name: own for name, own in branches(model).items() if settings.depth and chosen.issuperset(own)}


def layers_of(settings: StudySettings, model: nn.Module) -> tuple[str, ...]:
    """Names of the layers that may be pruned, the largest first.

    Raises:
        PrimeSVTError: A layer does not exist, or none is left.
    """
    embedding = settings.embedding or bool(matching_layers(model, settings.layers) & streams(model))
    names = (layer.name for layer in prunable_layers(model, embedding=embedding))
    return choose_layers(model, names, settings.layers, settings.exclude_layers)


def problem_of(settings: StudySettings, pruner: Pruner, tables: Tables = MappingProxyType({})) -> Problem:
    """What the sampler is made for.

    Args:
        settings: Of the study.
        pruner: Of the unpruned model.
        tables: Those that the study keeps; limits that need one which is not there are not looked at beforehand.

    Raises:
        PrimeSVTError: A layer does not exist.
    """
    layers = prunable_layers(pruner.model, embedding=True)
    counter, space = pruner.counter(settings.criterion, settings.multiple), grid_of(settings, pruner.model)
    constraints = _aims(settings.constraints, pruner.model)
    if settings.chosen_space == BUDGET_SPACE:
        space = BudgetSpace(**vars(space), cost=counter, least=constraints.min_saving)
    return Problem(
        space=space,
        constraints=constraints,
        saving=pruner.saving,
        kinds={layer.name: layer.kind for layer in layers},
        counter=counter,
        scores=lambda layer: pruner.scores(settings.criterion, layer),
        keeps=lambda plan: _keeps(settings, pruner, plan, tables),
    )


def _aims(constraints: Constraints, model: nn.Module) -> Constraints:
    """The limits with one of bytes, where there is any, as a memory saving: that is what samplers aim at."""
    saving = 1 - constraints.limits.get(SIZE.name, math.inf) / model_bytes(model)
    return replace(constraints, min_saving=max(constraints.min_saving, saving))


def _keeps(settings: StudySettings, pruner: Pruner, plan: PruningPlan, tables: Tables) -> bool:
    """Whether a plan's model, as cut, keeps the limits of measures that look at no image; bytes count faster."""
    limits = {measure_named(name): most for name, most in settings.constraints.limits.items()}
    limits = {
        measure.knowing(tables.get(measure.name, {})): most
        for measure, most in limits.items()
        if not measure.needs_images and (not measure.needs_table or measure.name in tables)
    }
    if not limits:
        return True
    model = pruner.version(replace(plan, repair=())).model
    return all(measure.of(model) <= most for measure, most in limits.items())


def check_reachable(settings: StudySettings, model: nn.Module, space: SearchSpace) -> None:
    """Refuse a memory target, or a limit of bytes, that no plan of the space meets.

    Raises:
        PrimeSVTError: Saying what is reachable.
    """
    most = settings.kind.largest_ratio(space, settings.options)
    gone = [layer for own in space.branches.values() for layer in own]
    reachable = largest_saving(model, space.layers, most, settings.multiple, gone)
    if settings.multiple > 1 and reachable <= 0:
        widest = max(config_of(model).widths[layer] for layer in space.layers)
        raise PrimeSVTError(
            f"multiple {settings.multiple} lets no layer lose a channel: the widest has {widest}, in all of its heads. "
            "Give a smaller one."
        )
    asked = _aims(settings.constraints, model).min_saving
    if reachable < asked:
        floor = math.floor(reachable * 1e4) / 1e4  # what is said to be reachable must be
        more = "" if streams(model) & set(space.layers) else ", or add --embedding"
        raise PrimeSVTError(
            f"{_said(settings.constraints, asked)} cannot be reached: with every layer pruned by {most:g} this model "
            f"saves {floor:.4f} of its bytes. Ask for at most that{more}."
        )


def _said(constraints: Constraints, asked: float) -> str:
    """What of the limits asks for a memory saving."""
    if asked == constraints.min_saving:
        return f"min-saving {asked:g}"
    return f"A size of at most {constraints.limits[SIZE.name]:,.0f} bytes, a saving of {asked:.4f},"
