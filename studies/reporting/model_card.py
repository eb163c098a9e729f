"""The page of a model on the hub, from its directory: what it is, how it was pruned, and how to load it.

Nothing is read but the model's configuration, its plan and what its training measured: no path of the user's machine
gets onto a public page.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from primesvt.models import HubName, config_of, model_bytes, parameter_count
from primesvt.pruning import PruningPlan, prunable_layers

# What the hub sorts models by.
_HEAD = """\
---
library_name: primesvt
pipeline_tag: image-classification
tags:
- primesvt
- spiking-neural-network
- vision-transformer
- structured-pruning
---
"""


def model_card(
    name: HubName, model: nn.Module, plan: PruningPlan | None = None, selection: Mapping[str, Any] | None = None
) -> str:
    """The page, in Markdown.

    Args:
        name: Of the model on the hub.
        model: The model.
        plan: By which it was pruned, where that is known.
        selection: Accuracy and number of images that its training measured in the end, where that is known.
    """
    config = config_of(model)
    parts = [
        _HEAD,
        f"# {name.repository.partition('/')[2]}\n",
        f"A {config.family} of PrimeSVT: a spiking vision transformer, dense, of the widths in `config.json`.\n",
        _markdown(["", ""], _facts(model, selection)),
        "## How to load\n",
        f'```python\nimport primesvt\n\nmodel = primesvt.load_model("{name}")\n```\n',
        f"```console\n$ primesvt evaluate {name} --data PATH\n```\n",
        "PrimeSVT needs its extra `hub` for that. Nothing in the files is ever executed.\n",
        *_pruning(model, plan),
    ]
    return "\n".join(parts)


def _facts(model: nn.Module, selection: Mapping[str, Any] | None) -> list[list[str]]:
    config = config_of(model)
    height, width = config.image_size
    facts = [
        ["family", config.family],
        ["bytes", f"{model_bytes(model):,}"],
        ["parameters", f"{parameter_count(model):,}"],
        ["time steps", f"{config.time_steps}"],
        ["images", f"{height}x{width}, {config.in_channels} channel(s)"],
        ["mean, std", f"{_numbers(config.mean)}; {_numbers(config.std)}"],
        ["classes", f"{len(config.classes):,}"],
    ]
    if selection is not None:
        facts.append(["selection accuracy", f"{selection['accuracy']:.2%} of {selection['images']:,} images"])
    return facts


def _pruning(model: nn.Module, plan: PruningPlan | None) -> list[str]:
    """How it was pruned, or else how wide its layers are."""
    layers = sorted(prunable_layers(model), key=lambda layer: layer.name)
    if plan is None:
        rows = [[layer.name, layer.kind, f"{layer.channels}"] for layer in layers]
        return ["## Layers\n", _markdown(["layer", "kind", "channels"], rows)]
    repaired = f", repaired by {', '.join(plan.repair)}" if plan.repair else ", not repaired"
    multiple = f"; layers that lost channels keep a multiple of {plan.multiple}" if plan.multiple > 1 else ""
    ratios = plan.ratios
    rows = [[each.name, each.kind, f"{each.channels}", f"{ratios.get(each.name, 0):.0%}"] for each in layers]
    return [
        "## How it was pruned\n",
        f"Whole channels were removed, those with the smallest scores by the criterion `{plan.criterion}`{repaired}"
        f"{multiple}. Removed is the plan's ratio, which is rounded down to channels.\n",
        _markdown(["layer", "kind", "channels left", "removed"], rows),
    ]


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
