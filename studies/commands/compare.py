"""Compare samplers on one model: run their studies, measure their fronts on the test set, and write a report."""

import argparse
from dataclasses import replace
from pathlib import Path

from primesvt.models import DEMO, PrimeSVTError
from primesvt.search.samplers import PRIORITIZED, SAMPLERS

from ..exit_codes import LIMIT_MISSED, NONE_FOUND
from ..reporting.chosen import best_of_samplers, limits_kept
from ..reporting.comparison import Comparison
from ..reporting.evidence import sampler_table
from ..reporting.provenance import Provenance
from ..reporting.result_directory import MODEL, REPORT, compared, open_test_set, prepare, storage_in, write
from ..reporting.summary import summary
from ..reporting.tables import table
from ..reporting.verdict import Outcome, verdict, words
from ..running.runner import finished_run
from ..running.settings import StudySettings
from ..running.several import Arm, run_studies
from ..running.storage import open_storage
from .arguments import (
    add_cache,
    add_data,
    add_json,
    add_model,
    add_output,
    add_search,
    names,
    open_model_and_data,
    positive,
    print_result,
    samplers_text,
    settings_of,
)

_CODES = {Outcome.KEPT: 0, Outcome.MISSED: LIMIT_MISSED, Outcome.NONE_FOUND: NONE_FOUND}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    add_data(parser)
    _add_studies(parser)
    parser.add_argument(
        "--front",
        metavar="N",
        type=positive,
        default=8,
        help="plans of each study that are measured on the test set, at most (default: %(default)s)",
    )
    add_output(
        parser, "report.html, summary.json, trials.csv and the winner's model; an earlier comparison there goes on"
    )
    add_search(parser)
    add_cache(parser)
    add_json(parser)


def _add_studies(parser: argparse.ArgumentParser) -> None:
    """Which studies there shall be, and where they are."""
    parser.add_argument(
        "--samplers",
        metavar="A,B,...",
        type=names,
        default=tuple(SAMPLERS),
        help=f"samplers to run: {samplers_text()} (default: all of PrimeSVT's own)",
    )
    parser.add_argument(
        "--seeds",
        metavar="N",
        type=positive,
        default=3,
        help="studies of each sampler, from --seed on (default: %(default)s); one that draws nothing runs once",
    )
    parser.add_argument("--seed", metavar="K", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument(
        "--trials",
        metavar="N",
        type=int,
        help="trials of each study in all (default: as many as the sampler needs)",
    )
    parser.add_argument(
        "--stop-at-target",
        action="store_true",
        help="let prioritized stop where the memory target is met, as in the paper (default: it goes on to the limit "
        "of accuracy, as a front needs the points beyond)",
    )
    parser.add_argument(
        "--studies",
        metavar="A,B,...",
        type=names,
        default=(),
        help="take these studies of --storage, with the limits they have, instead of running any",
    )
    parser.add_argument(
        "--prefix",
        metavar="TEXT",
        default="",
        help="begin the studies' names with this, where several comparisons share a storage (default: none)",
    )
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="Optuna storage that keeps the trials (default: a file in the output directory)",
    )


def _arm(args: argparse.Namespace, sampler: str) -> Arm:
    settings = settings_of(args, sampler, args.seed)
    if not args.stop_at_target:
        settings = replace(settings, options=settings.kind.at_its_best(settings.options))
    return Arm(sampler, settings, args.trials)


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code, which says whether the limits are kept on the test set."""
    if args.studies and settings_of(args, PRIORITIZED, args.seed) != StudySettings():
        raise PrimeSVTError("--studies takes studies with the limits and settings they have; leave those options out.")
    place = Path(args.model).resolve()
    if args.model != DEMO and args.output.resolve() in (place, *place.parents):
        raise PrimeSVTError(f"{args.model} lies in {args.output}, where it would be replaced; choose another -o.")
    model, data = open_model_and_data(args)
    prepare(args.output)
    url = args.storage or storage_in(args.output)
    storage = open_storage(url, create=not args.studies)
    if args.studies:
        runs = [finished_run(name, storage, model, data) for name in dict.fromkeys(args.studies)]
    else:
        runs = run_studies(
            storage,
            model,
            data,
            [_arm(args, name) for name in dict.fromkeys(args.samplers)],
            seeds=args.seeds,
            prefix=args.prefix,
            cache=args.cache,
        )
    test = open_test_set(model, data, runs[0].settings.calibration)
    comparison = compared(runs, test, data, front=args.front)
    provenance = Provenance.of(
        runs,
        command=args.command_line,
        model=args.model,
        data=args.data,
        storage=url,
        test_fraction=args.test_fraction,
    )
    write(args.output, comparison, test.pruner, runs, provenance)
    text = comparison_text(comparison) + f"\nreport: {args.output / REPORT}"
    if comparison.winner is not None:
        text += f"\nmodel of the chosen plan: {args.output / MODEL}"
    print_result(args, summary(comparison, provenance), text)
    return _CODES[verdict(comparison).outcome]


def comparison_text(comparison: Comparison) -> str:
    """What came out, the samplers and their plans for the terminal."""
    said = words(comparison)
    first = len(verdict(comparison).sentences)
    unpruned = comparison.test_baseline
    rows = [["unpruned", "", f"{comparison.bytes:,}", "", f"{unpruned.accuracy:.2%}", "", ""]]
    for sampler, plan in best_of_samplers(comparison).items():
        if plan is not None:
            low, high = plan.test.drop_interval
            rows.append(
                [
                    sampler,
                    limits_kept(comparison, plan),
                    f"{plan.selection.bytes:,}",
                    f"{plan.selection.memory_saving:.2%}",
                    f"{plan.test.accuracy:.2%}",
                    f"{plan.test.drop:.2f}",
                    f"[{low:.2f}, {high:.2f}]",
                ]
            )
    header = ["plan of", "limits kept", "bytes", "saved", "test accuracy", "points lost", "95 % interval"]
    parts = ["\n".join(said[:first]), table(*sampler_table(comparison)), table(header, rows)]
    rest = "\n".join(f"- {sentence}" for sentence in said[first:])
    return "\n\n".join([*parts, rest] if rest else parts) + "\n"
