"""Prune the embedded demo model under the paper's limits: its policy as it is, with repair, and our own sampler."""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from primesvt.models import DataSet, load_model, model_bytes, open_data, predict
from primesvt.search.samplers import PRIORITIZED

from ..reporting.comparison import Comparison, ReportedPlan, StudyResult
from ..reporting.device import DeviceCost
from ..reporting.measurement import Measurement, TestSet
from ..reporting.provenance import Provenance
from ..reporting.result_directory import FINETUNED, REPORT, compared, open_test_set, prepare, storage_in, write
from ..reporting.tables import table
from ..reporting.verdict import words
from ..running.finetuning import GENTLE
from ..running.progress import say
from ..running.settings import StudySettings
from ..running.several import Arm, run_studies, studies_of
from ..running.storage import open_storage
from ..running.subject import Subject
from ..running.train_run import TrainJob, check_trainable, run_training, was_mirrored
from .arguments import add_json, print_result

# Of what a user's own comparison looks at, the demo takes a quarter of the selection images, a quarter of the
# calibration images and one seed, to take minutes; how it searches is the default.
IMAGES = 1_000
CALIBRATION = 128
FRONT = 6
EPOCHS = 1
REPAIR = ("least-squares",)
SENSITIVITY = "sensitivity"


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
    prepare(args.output, args.options_text)
    storage = open_storage(storage_in(args.output))
    model, data = load_model("demo"), open_data(None)
    common = StudySettings(images=IMAGES, calibration=CALIBRATION, seed=args.seed)
    policy = replace(common, options=common.kind.at_its_best(common.options))
    arms = [
        Arm(PRIORITIZED, policy),
        Arm(f"{PRIORITIZED}-repaired", replace(policy, repair=REPAIR)),
        Arm(f"{SENSITIVITY}-repaired", replace(common, sampler=SENSITIVITY, options=None, repair=REPAIR)),
    ]
    say(f"Demo model: {model_bytes(model):,} bytes. Searching on {IMAGES:,} selection images of {data.name}.")
    runs = run_studies(storage, Subject(model, data), studies_of(arms, seeds=1))
    test = open_test_set(model, data)
    comparison = compared(runs, test, data, front=FRONT)
    provenance = Provenance.of(
        runs, command=args.command_line, model="demo", data=None, storage=storage_in(args.output)
    )
    write(args.output, comparison, test.pruner, runs, provenance)
    rows = [_finetuned(args.output / FINETUNED, study, test, data, args.seed) for study in comparison.studies]
    seconds = time.monotonic() - started
    print_result(args, _json(comparison, rows, seconds), _text(args.output, comparison, rows, seconds))


@dataclass(frozen=True)
class Row:
    """A study's best plan, and the same fine-tuned.

    Args:
        study: The study.
        plan: Its best plan within the limits, or None.
        tuned: What that does on the test set after fine-tuning.
        energy: Microjoules of an image's operations, of the plan and of the fine-tuned model.
    """

    study: StudyResult
    plan: ReportedPlan | None
    tuned: Measurement | None
    energy: tuple[float, float] = (0.0, 0.0)

    @property
    def name(self) -> str:
        """The sampler, and whether its plans are repaired."""
        return self.study.sampler

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "study": self.study.name,
            "pruned": None if self.plan is None else self.plan.to_json(),
            "finetuned": None if self.tuned is None else self.tuned.to_json(),
            "energy_uj": list(self.energy) if self.plan is not None else None,
        }


def _finetuned(directory: Path, study: StudyResult, test: TestSet, data: DataSet, seed: int) -> Row:
    """Fine-tune a study's best plan by the defaults of ``primesvt finetune``, with the unpruned model as teacher."""
    if study.best is None:
        return Row(study, None, None)
    pruned = test.pruner.prune(study.best.plan)
    before = DeviceCost.of(pruned, test.images).energy
    place = directory / study.name
    check_trainable(place, overwrite=True)
    job = TrainJob(
        directory=place,
        recipe=replace(GENTLE, epochs=EPOCHS, seed=seed, flip=was_mirrored("demo")),
        title=f"fine-tune {study.name}",
        overwrite=True,
        start=predict(pruned, data.selection).accuracy,
    )
    run_training(job, pruned, data, test.model)
    return Row(study, study.best, test.compare(pruned), (before, DeviceCost.of(pruned, test.images).energy))


def _json(comparison: Comparison, rows: Sequence[Row], seconds: float) -> dict[str, Any]:
    return {
        "bytes_before": comparison.bytes,
        "unpruned": comparison.test_baseline.to_json(),
        "plans": [row.to_json() for row in rows],
        "seconds": seconds,
    }


def _text(directory: Path, comparison: Comparison, rows: Sequence[Row], seconds: float) -> str:
    energy = None if comparison.device is None else comparison.device[0].energy
    cells = [_cells("unpruned", comparison.bytes, energy, comparison, comparison.test_baseline)]
    for row in rows:
        if row.plan is None:
            cells.append([row.name, "", "no plan within the limits", "", "", "", ""])
            continue
        cells.append(_cells(row.name, row.plan.selection.bytes, row.energy[0], comparison, row.plan.test))
        if row.tuned is not None:
            size = row.plan.selection.bytes
            cells.append(_cells("  the same, fine-tuned", size, row.energy[1], comparison, row.tuned))
    images = comparison.test_baseline.images
    header = [
        "model",
        "bytes",
        "saved",
        "energy (µJ)",
        f"accuracy on {images:,} test images",
        "95 % interval",
        "points lost",
    ]
    return "\n".join(
        [
            table(header, cells),
            "",
            *(f"- {sentence}" for sentence in words(comparison)),
            "",
            f"{seconds:.0f} seconds; report: {directory / REPORT}",
        ]
    )


def _cells(name: str, size: int, energy: float | None, comparison: Comparison, test: Measurement) -> list[str]:
    low, high = test.interval
    return [
        name,
        f"{size:,}",
        f"{1 - size / comparison.bytes:.2%}",
        "" if energy is None else f"{energy:.3f}",
        f"{test.accuracy:.2%}",
        f"{low:.2%} to {high:.2%}",
        f"{test.drop:.2f}",
    ]
