"""How long the command line takes to start, beside Python itself and ``import torch``, in one run.

Every command is a process of its own, and they take turns: what else runs on the machine meets all of them alike. Times
are medians of wall clock and of the processor's time (user and system, of the process and its children). The first
round is not counted: it fills the caches of files and compiles kernels. ``import torch`` is a floor for every command
that needs a model; the goals are for machines on which it takes a second at most, so they are said as what is added to
it, too.

    python benchmarks/startup.py [--rounds N] [--quick] [--json FILE] [--keep]
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

from kept import add_options, machine, settle

ROUNDS = 5
_PRIMESVT = ("-c", "import sys; from primesvt.studies.main import main; sys.exit(main())")
# What is run by this Python, with the goal in seconds, and whether it needs PyTorch.
COMMANDS: dict[str, tuple[tuple[str, ...], float | None, bool]] = {
    "python -c pass": (("-c", "pass"), None, False),
    'python -c "import torch"': (("-c", "import torch"), None, False),
    "primesvt --help": ((*_PRIMESVT, "--help"), 0.3, False),
    "primesvt layers demo": ((*_PRIMESVT, "layers", "demo"), 1.5, True),
    "primesvt evaluate demo --limit 100": ((*_PRIMESVT, "evaluate", "demo", "--limit", "100"), 3.0, True),
}
_TORCH = 'python -c "import torch"'


def seconds(words: tuple[str, ...]) -> tuple[float, float]:
    """Wall clock and processor's time of a process."""
    before, begun = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, capture_output=True)  # noqa: S603
    wall, after = time.perf_counter() - begun, os.times()
    return wall, after.children_user + after.children_system - before.children_user - before.children_system


def measured(rounds: int) -> dict[str, dict[str, float]]:
    """Median wall clock and processor's time of every command, in seconds."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(rounds + 1):
        for name, (words, _, _) in COMMANDS.items():
            times[name].append(seconds(words))
    return {
        name: dict(zip(("wall", "processor"), map(statistics.median, zip(*found[1:], strict=True)), strict=True))
        for name, found in times.items()
    }


def text(found: dict[str, dict[str, float]]) -> str:
    """A line for each command."""
    lines = [f"{'':36}{'wall, s':>9}{'CPU, s':>9}{'beside torch':>14}{'goal, s':>9}"]
    for name, (_, goal, needs_torch) in COMMANDS.items():
        beside = f"{found[name]['wall'] - found[_TORCH]['wall']:+.2f}" if needs_torch else ""
        wanted = "" if goal is None else f"{goal:g} {'kept' if found[name]['wall'] <= goal else 'missed'}"
        lines.append(f"{name:36}{found[name]['wall']:9.2f}{found[name]['processor']:9.2f}{beside:>14}  {wanted}")
    return "\n".join(lines)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds that count (default: %(default)s)")
    add_options(parser, quick="one round")
    args = parser.parse_args()
    found = measured(1 if args.quick else args.rounds)
    print(text(found))
    ratios = {f"torch_by_{name}": found[_TORCH]["wall"] / found[name]["wall"] for name in COMMANDS}
    settle(args, "startup", ratios, {"machine": machine(), "rounds": args.rounds, "seconds": found})


if __name__ == "__main__":
    main()
