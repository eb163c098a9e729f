"""Prune the embedded demo model under the paper's limits, compare two samplers, fine-tune a little: a few minutes."""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from primesvt.models import DataSet, load_model, model_bytes, open_data
from primesvt.pruning import prune
from primesvt.search import Constraints
from primesvt.search.samplers import PRIORITIZED, PrioritizedOptions

from ..reporting.comparison import Comparison, ReportedPlan
from ..reporting.measurement import Measurement, TestSet
from ..reporting.provenance import Provenance
from ..reporting.result_directory import FINETUNED, REPORT, measured, open_test_set, prepare, storage_in, write
from ..reporting.tables import table
from ..reporting.verdict import words
from ..running.progress import say
from ..running.settings import StudySettings
from ..running.several import Arm, run_studies
from ..running.storage import open_storage
from ..running.train_run import TrainJob, check_trainable, run_training
from .arguments import add_json, print_result
from .finetune import GENTLE

# Chosen so that the whole demo takes a few minutes on two cores; a study of one's own has no reason to be so thrifty.
SEARCH_SAMPLER = "tpe"
IMAGES = 1_000
RATES = (0.15, 0.3)
SEARCH_TRIALS = 30
MARGIN = 1.5
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
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    started = time.monotonic()
    prepare(args.output)
    storage = open_storage(storage_in(args.output))
    model, data = load_model("demo"), open_data(None)
    common = StudySettings(constraints=Constraints(margin=MARGIN), images=IMAGES, seed=args.seed)
    arms = [
        Arm(PRIORITIZED, replace(common, options=PrioritizedOptions(rates=RATES))),
        Arm(SEARCH_SAMPLER, replace(common, sampler=SEARCH_SAMPLER, options=None), SEARCH_TRIALS),
    ]
    say(f"Demo model: {model_bytes(model):,} bytes. Searching on {IMAGES:,} selection images of {data.name}.")
    runs = run_studies(storage, model, data, arms, seeds=1)
    test = open_test_set(model, data)
    comparison = measured(runs, test, data, front=2)
    provenance = Provenance.of(
        runs, command=args.command_line, model="demo", data=None, storage=storage_in(args.output)
    )
    write(args.output, comparison, test.pruner, runs, provenance)
    plan = comparison.samplers[PRIORITIZED][0].best
    tuned = None if plan is None else _finetune(args.output / FINETUNED, test, data, plan, args.seed)
    seconds = time.monotonic() - started
    print_result(args, _json(comparison, plan, tuned, seconds), _text(args.output, comparison, plan, tuned, seconds))


def _finetune(directory: Path, test: TestSet, data: DataSet, plan: ReportedPlan, seed: int) -> Measurement:
    pruned = prune(test.model, plan.plan)
    check_trainable(directory, overwrite=True)
    recipe = replace(GENTLE, epochs=EPOCHS, seed=seed)
    job = TrainJob(directory=directory, recipe=recipe, title="fine-tune", overwrite=True)
    run_training(job, pruned, data, test.model)
    return test.compare(pruned)


def _json(
    comparison: Comparison, plan: ReportedPlan | None, tuned: Measurement | None, seconds: float
) -> dict[str, Any]:
    return {
        "bytes_before": comparison.bytes,
        "bytes_after": None if plan is None else plan.selection.bytes,
        "memory_saving": None if plan is None else plan.selection.memory_saving,
        "unpruned": comparison.test_baseline.to_json(),
        "pruned": None if plan is None else plan.test.to_json(),
        "finetuned": None if tuned is None else tuned.to_json(),
        "seconds": seconds,
    }


def _text(
    directory: Path, comparison: Comparison, plan: ReportedPlan | None, tuned: Measurement | None, seconds: float
) -> str:
    rows = [_row("unpruned", comparison.bytes, comparison, comparison.test_baseline)]
    if plan is not None:
        rows.append(_row(f"{PRIORITIZED}, without fine-tuning", plan.selection.bytes, comparison, plan.test))
    if plan is not None and tuned is not None:
        rows.append(_row(f"{PRIORITIZED}, with fine-tuning", plan.selection.bytes, comparison, tuned))
    images = comparison.test_baseline.images
    header = ["model", "bytes", "saved", f"accuracy on {images:,} test images", "95 % interval", "points lost"]
    return "\n".join(
        [
            table(header, rows),
            "",
            *(f"- {sentence}" for sentence in words(comparison)),
            "",
            f"{seconds:.0f} seconds; report: {directory / REPORT}",
        ]
    )


def _row(name: str, size: int, comparison: Comparison, test: Measurement) -> list[str]:
    low, high = test.interval
    return [
        name,
        f"{size:,}",
        f"{1 - size / comparison.bytes:.2%}",
        f"{test.accuracy:.2%}",
        f"{low:.2%} to {high:.2%}",
        f"{test.drop:.2f}",
    ]
