"""How long a model takes on this machine, once exported: what a device with ONNX Runtime feels."""

import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from primesvt.models import config_of, export_onnx

from .exported import run_onnx

_WARM_UP = 5


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Time of one inference in ONNX Runtime on the CPU.

    Args:
        milliseconds: Median of one batch, from images in memory to logits.
        batch: Images in it.
        threads: Threads that the runtime had.
        repetitions: How often it was measured, after a few times that do not count.
    """

    milliseconds: float
    batch: int
    threads: int
    repetitions: int

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def measure_latency(model: nn.Module, *, batch: int = 1, threads: int = 1, repetitions: int = 50) -> Latency:
    """Export a model for one size of batch, and time it on images of noise: dense kernels take as long for any image.

    Raises:
        PrimeSVTError: The model cannot be exported, or ONNX Runtime is missing.
    """
    config = config_of(model)
    images = torch.randn(batch, config.in_channels, *config.image_size, generator=torch.Generator().manual_seed(0))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.onnx")
        export_onnx(model, file, batch=batch)
        runner = run_onnx(file, threads=threads)
    times = []
    for repetition in range(-_WARM_UP, repetitions):
        started = time.perf_counter()
        runner(images)
        if repetition >= 0:
            times.append(time.perf_counter() - started)
    median = 1_000 * statistics.median(times)
    return Latency(milliseconds=median, batch=batch, threads=threads, repetitions=repetitions)
