"""The same code on another processor: a process of its own, whose libraries are held to that one's instructions."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Of 2008: no AVX, and no fused multiply-add, which is a function of the C library there.
OLD = {
    "NUMBA_CPU_NAME": "nehalem",
    "NUMBA_CPU_FEATURES": "",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
}


def said_on_an_old_processor(code: str) -> list[str]:
    """The words that some code prints there."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | OLD, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.split()
