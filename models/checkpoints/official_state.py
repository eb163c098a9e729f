"""From a model to a state dict of the code that its family comes from, where that code can build such a model.

Other code knows unpruned models only: its widths follow from a few numbers. So the widths must be those of an unpruned
model of some size; a model whose MLPs were all pruned alike is one, too, with a smaller ratio.
"""

import dataclasses

import torch
from torch import nn

from ..errors import PrimeSVTError
from ..families.config import ModelConfig
from ..families.layout import Checkpoint, Layout, renamed
from ..families.registry import config_of

# What a code base does with several images or time steps, not with one: it keeps no weights from fitting.
_NOT_IN_WEIGHTS = {"attention", "batch_coupling", "spiking_head", "time_steps"}


def to_layout(model: nn.Module, layout: Layout) -> dict[str, torch.Tensor]:
    """The model's weights under the names of other code, all of which it expects; nothing is shared.

    Args:
        model: Any model of PrimeSVT.
        layout: One of its family's.

    Raises:
        PrimeSVTError: That code cannot build a model of these widths, or of this variant.
    """
    config = config_of(model)
    _check_uniform(config, layout)
    state = renamed(model.state_dict(), layout)
    if layout.fill:
        dtype = state["head.weight"].dtype
        state = {**{key: tensor.to(dtype) for key, tensor in layout.fill(config).items()}, **state}
    said = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    fields, _ = layout.structure(Checkpoint(state, layout, said))
    # A number of heads that is a mere rule is an argument of that code; what it tells or fixes is not.
    rules = {key: value for key, value in layout.rules.items() if key != "heads"}
    fixed = (rules, layout.told(state), layout.ignored, fields)
    for key, value in (pair for part in fixed for pair in part.items()):
        own = said[key] if isinstance(said[key], tuple) or not isinstance(value, tuple) else (said[key],)
        expected = value * len(own) if isinstance(value, tuple) and len(value) == 1 < len(own) else value
        if own != expected and key not in _NOT_IN_WEIGHTS:
            raise PrimeSVTError(f"{layout.source} has {key} {expected}, this model has {own}.")
    return state


def official_state(model: nn.Module) -> tuple[dict[str, torch.Tensor], str]:
    """The model's weights under the names of the first code that can build it, and that code's name.

    Raises:
        PrimeSVTError: No code can; the message says why for each.
    """
    problems = []
    for layout in config_of(model).layouts:
        try:
            return to_layout(model, layout), layout.source
        except PrimeSVTError as error:
            problems.append(str(error))
    raise PrimeSVTError(
        f"No other code can build this model: {' '.join(problems) or 'its family has no layouts.'} "
        "Export it to onnx or pt2, or load its directory with primesvt.models.load_model."
    )


def _check_uniform(config: ModelConfig, layout: Layout) -> None:
    common = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if field.name not in ("widths", *config.derived)
    }
    unpruned = type(config).uniform(**{**common, **config.sizes()})
    for name, width in unpruned.widths.items():
        if config.widths.get(name) != width:
            raise PrimeSVTError(
                f"{layout.source} can build no model whose {name} has {config.widths.get(name, 'no')} channels; "
                f"an unpruned one of this size has {width}."
            )
