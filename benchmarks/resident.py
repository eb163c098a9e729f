"""How much memory this process holds, as Linux tells it."""

from pathlib import Path


def resident(what: str) -> int:
    """``VmRSS``, what is held now, or ``VmHWM``, the most that was held; in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def forget_peak() -> None:
    """From now on the most that was held is counted anew."""
    Path("/proc/self/clear_refs").write_text("5")
