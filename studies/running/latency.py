"""How long a model takes on this machine, once exported: what a device with ONNX Runtime feels."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from primesvt.models import config_of, export_onnx

from .exported import latencies, run_onnx

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


def measure_latencies(
    models: Sequence[nn.Module], *, batch: int = 1, threads: int = 1, repetitions: int = 50
) -> list[Latency]:
    """Export models for one size of batch, and time them on images of noise, for which dense kernels take as long.

    They are asked in turn, so that whatever else the machine does slows all of them; before a run that counts comes one
    that does not, which has the weights in the processor's caches, as where a model runs alone.

    Args:
        models: Models of PrimeSVT, which read images of one size.
        batch: Images at a time.
        threads: Threads of ONNX Runtime.
        repetitions: How often each is asked.

    Raises:
        PrimeSVTError: A model cannot be exported, or ONNX Runtime is missing.
    """
    config = config_of(models[0])
    images = torch.randn(batch, config.in_channels, *config.image_size, generator=torch.Generator().manual_seed(0))
    with tempfile.TemporaryDirectory() as folder:
        runners = []
        for number, model in enumerate(models):
            file = Path(folder, f"{number}.onnx")
            export_onnx(model, file, batch=batch)
            runners.append(run_onnx(file, threads=threads))
    per_image = latencies(runners, images, repetitions, warm_up=_WARM_UP, unhurried=True)
    return [Latency(milliseconds=batch * ms, batch=batch, threads=threads, repetitions=repetitions) for ms in per_image]
