"""List the prunable layers of a model, the largest first: the order in which the policy prunes."""

import argparse

from primesvt.models import config_of, load_model, model_bytes, parameter_count
from primesvt.pruning import inference_state, measures, measures_at_once, prunable_layers

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
    config, size = config_of(model), model_bytes(model)
    layers = prunable_layers(model, embedding=args.embedding)
    # Those that look at images, or take long, are shown by `primesvt measure`.
    numbers = {name: measure.of(model) for name, measure in measures_at_once().items() if not measure.needs_images}
    result = {
        "bytes": size,
        "measures": numbers,
        "layers": [
            {
                "name": layer.name,
                "kind": layer.kind,
                "channels": layer.channels,
                "parameters": layer.parameters,
                "share": layer.share,
            }
            for layer in layers
        ],
    }
    state = inference_state(model)
    rows = [
        [layer.name, layer.kind, f"{layer.channels}", f"{layer.parameters:,}", f"{layer.share:.2%}"] for layer in layers
    ]
    text = (
        f"{config.family}, {parameter_count(model):,} parameters, {size:,} bytes\n"
        f"at inference, per image: {state.neurons:,} neurons, {state.membrane_bytes:,} bytes of membrane potentials, "
        f"{state.spike_bytes:,} bytes of spikes per time step\n"
        f"measures: {', '.join(f'{name} {measures()[name].text(value)}' for name, value in numbers.items())}\n"
        + table(["layer", "kind", "channels", "parameters", "share"], rows)
    )
    print_result(args, result, text)
