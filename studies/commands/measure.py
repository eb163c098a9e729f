"""Measure what a device feels of a model: bytes, operations, spikes, energy, memory at work and, if asked for, latency.

Every quantity is defined in docs/measures.md, and those that other packages add are shown, too. Operations are counted
on real images, per layer and time step.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from primesvt.models import DataSet, Work, config_of, count_work, model_bytes, parameter_count
from primesvt.models.options import check_options, option
from primesvt.pruning import Measure, OperationEnergy, inference_state, measures_at_once

from ..reporting.device import IMAGES
from ..reporting.tables import table
from ..running.latency import Latency, measure_latencies
from ..running.progress import bar
from .arguments import add_json, add_model, print_result
from .model_and_data import add_data, open_model_and_data
from .options import add_options, options_of


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """What is measured, and how.

    Raises:
        PrimeSVTError: A value makes no sense.
    """

    split: Literal["selection", "test"] = option(
        "selection", help="which images: those a search looks at, or the unseen ones"
    )
    images: int = option(IMAGES, help="count the spikes of the first N images", metavar="N", least=1)
    latency: bool = option(False, help="export the model to ONNX, and time it in ONNX Runtime; takes half a minute")
    batch: int = option(1, help="images at a time when latency is measured", metavar="N", least=1, most=4096)
    threads: int = option(1, help="threads of ONNX Runtime when latency is measured", metavar="N", least=1, most=1024)

    def __post_init__(self) -> None:
        check_options(self)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    add_data(parser)
    add_options(parser, MeasureOptions)
    add_options(parser.add_argument_group("energy of an operation"), OperationEnergy)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    result, text = measured_as(args, *open_model_and_data(args, options_of(args, MeasureOptions).split))
    print_result(args, result, text)


def measured_as(args: argparse.Namespace, model: nn.Module, data: DataSet) -> tuple[dict[str, Any], str]:
    """What the options ask for, as plain data, and in words.

    Args:
        args: The options.
        model: Any model of PrimeSVT.
        data: Its data set.

    Raises:
        PrimeSVTError: The images do not fit the model, its spikes cannot be counted, or it cannot be exported.
    """
    options, energy = options_of(args, MeasureOptions), options_of(args, OperationEnergy)
    taken = {**measures_at_once(), energy.measure.name: energy.measure}
    images = data.role(options.split).first(options.images)
    with bar("measure") as progress:
        predictions, work = count_work(model, images, on_batch=progress.counting(len(images)))
    values = {name: measure.value(model, work) for name, measure in taken.items()}
    latency = None
    if options.latency:
        (latency,) = measure_latencies([model], batch=options.batch, threads=options.threads)
    result = {"images": work.images, "data": data.name, "split": options.split, "accuracy": predictions.accuracy}
    result |= _numbers(model, work, energy)
    result |= {"measures": values, "latency": None if latency is None else latency.to_json()}
    source = f"{work.images:,} {options.split} images of {data.name}"
    texts = {name: measure.noted(values[name], model, work) for name, measure in taken.items()}
    lines = [config_of(model).family, *_lines(taken, texts, images=False)]
    lines += [f"per image, the mean of {source}:", *_lines(taken, texts, images=True), *_further(work, latency)]
    return result, "\n".join([*lines, _layers(work)])


def _numbers(model: nn.Module, work: Work, energy: OperationEnergy) -> dict[str, Any]:
    """What is known beside the measures, and those that were here before there were measures, by their first names."""
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


def _lines(taken: Mapping[str, Measure], texts: Mapping[str, str], *, images: bool) -> list[str]:
    """A line for every measure that looks at images, or for every one that does not."""
    return [_line(each.label, texts[name]) for name, each in taken.items() if each.needs_images == images]


def _line(label: str, text: str) -> str:
    return f"  {label:<20}  {text}"


def _further(work: Work, latency: Latency | None) -> list[str]:
    """Lines of what is no measure."""
    lines = [_line("spikes read", f"{work.rate or 0:.4f} per neuron and time step")]
    if latency is not None:
        lines.append(
            _line(
                "latency",
                f"{latency.milliseconds:.3f} ms for a batch of {latency.batch} in ONNX Runtime, "
                f"{latency.threads} thread(s), median of {latency.repetitions}",
            )
        )
    if work.unknown:
        lines.append(f"not counted, as nothing is known of them: {', '.join(work.unknown)}")
    return lines


def _layers(work: Work) -> str:
    """A table of the layers."""
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
    return table(["layer", "MACs", "rate", *heads], rows)
