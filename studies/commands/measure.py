"""Measure what a device feels of a model: bytes, operations, spikes, energy, memory at work and, if asked for, latency.

Every quantity is defined in docs/measures.md. Operations are counted on real images, per layer and time step.
"""

import argparse
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from primesvt.models import ImageSet, Predictions, Work, config_of, count_work, model_bytes, parameter_count
from primesvt.models.options import check_options, option
from primesvt.pruning import OperationEnergy, inference_state

from ..reporting.tables import table
from ..running.latency import Latency, measure_latencies
from ..running.progress import bar
from .arguments import add_data, add_json, add_model, open_model_and_data, print_result
from .options import add_options, options_of


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is measured, and how.

    Raises:
        PrimeSVTError: A value makes no sense.
    """

    split: Literal["selection", "test"] = option(
        "selection", help="which images: those a search looks at, or the unseen ones"
    )
    images: int = option(256, help="count the spikes of the first N images", metavar="N", least=1)
    latency: bool = option(False, help="export the model to ONNX, and time it in ONNX Runtime; takes half a minute")
    batch: int = option(1, help="images at a time when latency is measured", metavar="N", least=1, most=4096)
    threads: int = option(1, help="threads of ONNX Runtime when latency is measured", metavar="N", least=1, most=1024)

    def __post_init__(self) -> None:
        check_options(self)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    add_data(parser)
    add_options(parser, Asked)
    add_options(parser.add_argument_group("energy of an operation"), OperationEnergy)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    asked, energy = options_of(args, Asked), options_of(args, OperationEnergy)
    model, data = open_model_and_data(args, asked.split)
    predictions, work = _count(model, data.role(asked.split).first(asked.images))
    latency = None
    if asked.latency:
        (latency,) = measure_latencies([model], batch=asked.batch, threads=asked.threads)
    source = f"{work.images:,} {asked.split} images of {data.name}"
    result = {"images": work.images, "data": data.name, "split": asked.split, "accuracy": predictions.accuracy}
    result |= _numbers(model, work, energy) | {"latency": None if latency is None else latency.to_json()}
    print_result(args, result, _text(result, source, work, energy, latency))


def _count(model: nn.Module, images: ImageSet) -> tuple[Predictions, Work]:
    seen = 0
    with bar("measure") as progress:

        def count(answered: int) -> None:
            nonlocal seen
            seen += answered
            progress.update(seen, len(images))

        return count_work(model, images, on_batch=count)


def _numbers(model: nn.Module, work: Work, energy: OperationEnergy) -> dict[str, Any]:
    state = inference_state(model)
    return {
        "family": config_of(model).family,
        "parameters": parameter_count(model),
        "bytes": model_bytes(model),
        "macs": work.macs,
        "synops": work.synops,
        "synops_by_step": list(work.synops_by_step),
        "energy_uj": energy.of(work),
        "mac_pj": energy.mac_pj,
        "ac_pj": energy.ac_pj,
        "firing_rate": work.rate,
        "neurons": state.neurons,
        "membrane_bytes": state.membrane_bytes,
        "spike_bytes": state.spike_bytes,
        "layers": [{"layer": layer.layer, **layer.to_json()} for layer in work.layers],
        "unknown": list(work.unknown),
    }


def _text(result: dict[str, Any], source: str, work: Work, energy: OperationEnergy, latency: Latency | None) -> str:
    steps = ", ".join(f"{step:,.0f}" for step in work.synops_by_step)
    lines = [
        f"{result['family']}, {result['parameters']:,} parameters, {result['bytes']:,} bytes",
        f"per image, the mean of {source}:",
        f"  synaptic operations   {work.synops:,.0f} (by time step {steps})",
        f"  multiply-accumulates  {work.macs:,.0f}",
        f"  energy                {energy.of(work):,.3f} µJ ({energy.mac_pj:g} pJ a multiply-accumulate, "
        f"{energy.ac_pj:g} pJ an addition)",
        f"  spikes read           {work.rate or 0:.4f} per neuron and time step",
        f"  memory at work        {result['membrane_bytes']:,} bytes of membrane potentials, "
        f"{result['spike_bytes']:,} bytes of spikes",
    ]
    if latency is not None:
        lines.append(
            f"  latency               {latency.milliseconds:.3f} ms for a batch of {latency.batch} in ONNX Runtime, "
            f"{latency.threads} thread(s), median of {latency.repetitions}"
        )
    if work.unknown:
        lines.append(f"not counted, as nothing is known of them: {', '.join(work.unknown)}")
    rows = [
        [
            layer.layer,
            f"{layer.macs:,.0f}",
            "" if layer.rate is None else f"{layer.rate:.4f}",
            *(f"{step:,.0f}" for step in (layer.synops or ())),
            *([""] * (len(work.synops_by_step) - len(layer.synops))),
        ]
        for layer in work.layers
    ]
    heads = [f"synops t={t}" for t in range(len(work.synops_by_step))]
    return "\n".join([*lines, table(["layer", "MACs", "rate", *heads], rows)])
