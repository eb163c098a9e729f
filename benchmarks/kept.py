"""What a benchmark writes, and whether a ratio fell since its figures were last kept. Shared by the benchmarks.

``kept/BENCHMARK.json`` holds the ratios of the last full run on every kind of machine: instruction sets, cores and
threads, and the device. A ratio compares two ways in one run, so it may be held against that of another day, but not
against that of another kind of machine.
"""

import argparse
import json
import os
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numba
import torch

FOLDER = Path(__file__).parent / "kept"
# A ratio that falls by more is reported; on a quiet machine two runs differ by a few per cent.
FALL = 0.15
_PACKAGES = ("torch", "numba", "numpy", "spikingjelly", "optuna", "onnxruntime")


def machine(device: torch.device | None = None) -> dict[str, Any]:
    """What figures are measured on: its ``kind``, and what else may explain a difference."""
    cuda = device is not None and device.type == "cuda"
    chip = torch.cuda.get_device_name(device) if cuda else torch.backends.cpu.get_cpu_capability()
    threads = torch.get_num_threads()
    return {
        "kind": f"{platform.machine()}, {chip}, {os.cpu_count()} cores, {threads} thread{'s' * (threads > 1)}",
        "numba_threads": numba.get_num_threads(),
        "load": round(os.getloadavg()[0], 2),
        "platform": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }


def add_options(parser: argparse.ArgumentParser, *, quick: str) -> None:
    """The options that all benchmarks share.

    Args:
        parser: Of the benchmark.
        quick: What ``--quick`` means there.
    """
    parser.add_argument("--quick", action="store_true", help=f"{quick}; nothing is kept")
    parser.add_argument("--json", metavar="FILE", type=Path, help="where to write the figures")
    parser.add_argument("--keep", action="store_true", help="these ratios are what later ones are held against")


def settle(args: argparse.Namespace, benchmark: str, ratios: Mapping[str, float], figures: Mapping[str, Any]) -> None:
    """Tell which ratios fell, write the figures where asked to, and keep the ratios where asked to.

    Args:
        args: With the options of :func:`add_options`.
        benchmark: Its name.
        ratios: By name; the larger, the better.
        figures: All that is written, with the :func:`machine`.

    Raises:
        SystemExit: A quick run was to be kept.
    """
    where, file = figures["machine"], FOLDER / f"{benchmark}.json"
    kept = json.loads(file.read_text()) if file.exists() else {}
    for line in fallen(ratios, kept.get(where["kind"], {}).get("ratios", {})):
        print(line)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
    if args.keep:
        if args.quick:
            raise SystemExit("The figures of --quick are too rough to be kept.")
        kept[where["kind"]] = {"ratios": dict(ratios), "machine": where}
        FOLDER.mkdir(exist_ok=True)
        file.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def fallen(ratios: Mapping[str, float], kept: Mapping[str, float]) -> Iterator[str]:
    """A line for every ratio that fell by more than :data:`FALL`, of those that are known."""
    for name, before in kept.items():
        now = ratios.get(name, before)
        if now < (1 - FALL) * before:
            yield f"{name} fell by {1 - now / before:.0%}: {now:.2f}, and it was {before:.2f} when it was kept"
