"""Prune the embedded demo model under the paper's limits: its policy as it is, with repair, and our own sampler."""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from primesvt.models import DEMO, load_model, model_bytes, open_data
from primesvt.search.samplers import PRIORITIZED, SENSITIVITY

from ..reporting.comparison import Comparison
from ..reporting.finetuned import PlanTuning, tuned_table
from ..reporting.provenance import Provenance
from ..reporting.result_directory import (
    REPORT,
    compared,
    finetuned_in,
    open_test_set,
    prepare,
    save_options,
    storage_in,
    write,
)
from ..reporting.terminal import device_parts
from ..reporting.verdict import words
from ..running.arm import Arm, studies_of
from ..running.finetuning import GENTLE
from ..running.progress import say
from ..running.settings import StudySettings
from ..running.several import run_studies
from ..running.side_by_side import Processes, fitting
from ..running.storage import open_storage
from ..running.subject import Subject
from ..running.train_run import was_mirrored
from .arguments import add_json, print_result
from .backend import add_processes
from .repair import RECOMMENDED

# Of what a user's own comparison looks at, the demo takes a quarter of the selection images, a quarter of the
# calibration images and one seed, to take minutes; how it searches is the default.
IMAGES = 1_000
CALIBRATION = 128
FRONT = 3
EPOCHS = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=Path,
        default=Path("demo-result"),
        help="directory for report, models and studies (default: %(default)s); an earlier demo there goes on",
    )
    parser.add_argument("--seed", metavar="K", type=int, default=0, help="of the random draws (default: %(default)s)")
    add_processes(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    started = time.monotonic()
    prepare(args.output, args.options_text)
    storage = open_storage(storage_in(args.output))
    subject = _subject()
    model, data = subject.model, subject.data
    common = StudySettings(images=IMAGES, calibration=CALIBRATION, seed=args.seed)
    policy = replace(common, options=common.kind.at_its_best(common.options))
    arms = [
        Arm(PRIORITIZED.name, policy),
        Arm(f"{PRIORITIZED.name}-repaired", replace(policy, repair=RECOMMENDED)),
        Arm(
            f"{SENSITIVITY.name}-repaired", replace(common, sampler=SENSITIVITY.name, options=None, repair=RECOMMENDED)
        ),
    ]
    say(f"Demo model: {model_bytes(model):,} bytes. Searching on {IMAGES:,} selection images of {data.name}.")
    studies = studies_of(arms, seeds=1)
    processes = Processes(args.processes or fitting(len(studies)), _subject, storage_in(args.output))
    runs = run_studies(storage, subject, studies, processes=processes)
    save_options(args.output, args.options_text)
    test = open_test_set(model, data)
    comparison = compared(runs, test, data, front=FRONT, latency=True)
    provenance = Provenance.of(runs, command=args.command_line, model=DEMO, data=None, storage=storage_in(args.output))
    write(args.output, comparison, test.pruner, runs, provenance)
    recipe = replace(GENTLE, epochs=EPOCHS, seed=args.seed, flip=was_mirrored(DEMO))
    comparison = PlanTuning(finetuned_in(args.output), recipe, data).tuned(comparison, test)
    write(args.output, comparison, test.pruner, runs, provenance)
    seconds = time.monotonic() - started
    print_result(args, _json(comparison, seconds), _text(args.output, comparison, seconds))


def _subject() -> Subject:
    return Subject(load_model(DEMO), open_data(None))


def _json(comparison: Comparison, seconds: float) -> dict[str, Any]:
    plans = [
        {
            "study": study.name,
            "pruned": None if study.best is None else study.best.to_json(),
            "finetuned": comparison.finetuned[study.name].to_json() if study.name in comparison.finetuned else None,
        }
        for study in comparison.studies
    ]
    return {
        "bytes_before": comparison.bytes,
        "unpruned": comparison.test_baseline.to_json(),
        "plans": plans,
        "seconds": seconds,
    }


def _text(directory: Path, comparison: Comparison, seconds: float) -> str:
    said = "\n".join(f"- {sentence}" for sentence in words(comparison))
    told = f"{seconds:.0f} seconds; report: {directory / REPORT}"
    return "\n\n".join([tuned_table(comparison), *device_parts(comparison), said, told])
