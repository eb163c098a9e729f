"""List the prunable layers of a model, the largest first: the order in which the policy prunes."""

import argparse
from typing import Any

from torch import nn

from primesvt.models import config_of, load_model, model_bytes, parameter_count
from primesvt.pruning import branches, inference_state, measures, measures_at_once, prunable_layers

from ..reporting.tables import table
from .arguments import add_json, add_model, print_result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument("--embedding", action="store_true", help="list the embedding width, too")
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    model = load_model(args.model)
    told = layers_of(model, embedding=args.embedding)
    state = inference_state(model)
    rows = [
        [each["name"], each["kind"], f"{each['channels']}", f"{each['parameters']:,}", f"{each['share']:.2%}"]
        for each in told["layers"]
    ]
    text = (
        f"{config_of(model).family}, {parameter_count(model):,} parameters, {told['bytes']:,} bytes\n"
        f"at inference, per image: {state.neurons:,} neurons, {state.membrane_bytes:,} bytes of membrane potentials, "
        f"{state.spike_bytes:,} bytes of spikes per time step\n"
        f"measures: {', '.join(f'{name} {measures()[name].text(value)}' for name, value in told['measures'].items())}\n"
        + table(["layer", "kind", "channels", "parameters", "share"], rows)
    )
    whole = [f"{name}: {', '.join(own)}" for name, own in branches(model).items()]
    told_of = "branches that a plan may remove, by the ratio 1 for all of their layers:"
    print_result(args, told, "\n".join([text, *([told_of] if whole else []), *whole]))


def layers_of(model: nn.Module, *, embedding: bool = False) -> dict[str, Any]:
    """What there is to prune in a model, as plain data.

    Args:
        model: Any model of PrimeSVT.
        embedding: With the embedding width.
    """
    return {
        "bytes": model_bytes(model),
        # Those that look at images, or take long, are shown by `primesvt measure`.
        "measures": {
            name: measure.of(model) for name, measure in measures_at_once().items() if not measure.needs_images
        },
        "layers": [
            {
                "name": layer.name,
                "kind": layer.kind,
                "channels": layer.channels,
                "parameters": layer.parameters,
                "share": layer.share,
                "branch": layer.branch,
            }
            for layer in prunable_layers(model, embedding=embedding)
        ],
    }
