"""Compare samplers on one model: run their studies, measure their fronts on the test set, and write a report."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from optuna.storages import BaseStorage

from primesvt.models import (
    DEFAULT_TEST_FRACTION,
    DEMO,
    Backend,
    DataSet,
    PrimeSVTError,
    Recipe,
    config_of,
)
from primesvt.search.samplers import PRIORITIZED, SAMPLERS

from ..exit_codes import LIMIT_MISSED, NONE_FOUND
from ..reporting.comparison import Comparison
from ..reporting.finetuned import PlanTuning
from ..reporting.on_test_set import TestSet
from ..reporting.provenance import Provenance
from ..reporting.result_directory import (
    MODEL,
    REPORT,
    compared,
    finetuned_in,
    open_test_set,
    prepare,
    save_options,
    storage_in,
    take_finetuned,
    write,
)
from ..reporting.summary import summary
from ..reporting.terminal import comparison_text
from ..reporting.verdict import Conclusion, verdict
from ..running.arm import Arm, studies_of
from ..running.finetuning import GENTLE
from ..running.progress import tell_of_table, warn
from ..running.runner import RunOptions
from ..running.settings import StudySettings
from ..running.several import run_studies
from ..running.side_by_side import Processes, fitting
from ..running.storage import open_storage
from ..running.study_run import StudyRun, finished_run
from ..running.subject import Subject
from ..running.train_run import check_apart, was_mirrored
from ..running.unseen import look_before
from .arguments import add_json, add_model, add_output, add_tensorboard, names, positive, print_result
from .arms import arms, at_its_best
from .backend import add_backend, add_cache, add_processes, backend_of
from .model_and_data import add_data, add_train_data, open_model_and_data, with_train_data
from .options import add_options, options_of
from .search_options import add_search, samplers_text, settings_of

# Of the recipe; the rest is as `primesvt finetune` has it.
_RECIPE = ("batch_size", "learning_rate", "shift", "distillation", "frozen_statistics")
_CODES = {Conclusion.KEPT: 0, Conclusion.MISSED: LIMIT_MISSED, Conclusion.NONE_FOUND: NONE_FOUND}


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
    parser.add_argument(
        "--latency",
        action="store_true",
        help="export the chosen plan's model and the unpruned one, and time both in ONNX Runtime; takes a minute",
    )
    add_output(
        parser,
        "report.html, summary.json, trials.csv, options.toml and the winner's model; an earlier one there goes on",
    )
    add_search(parser)
    _add_finetuning(parser)
    add_backend(parser, "measured and repaired, and fine-tuned")
    add_cache(parser)
    add_processes(parser)
    add_json(parser)


def _add_studies(parser: argparse.ArgumentParser) -> None:
    """Which studies there shall be."""
    parser.add_argument(
        "--samplers",
        metavar="A,B,...",
        type=names,
        default=tuple(SAMPLERS),
        help=f"samplers to run: {samplers_text()} (default: all of PrimeSVT's own); SAMPLER+SPACE+START is one with a "
        "--space and a --start of its own, as tpe+budget+uniform",
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
    _add_place(parser)


def _add_finetuning(parser: argparse.ArgumentParser) -> None:
    """Whether plans are fine-tuned in the end, and how."""
    group = parser.add_argument_group("fine-tuning")
    group.add_argument(
        "--finetune",
        metavar="EPOCHS",
        type=positive,
        help="fine-tune every sampler's best plan in the end, with the unpruned model as teacher, and measure it on "
        "the test set (default: not)",
    )
    add_train_data(group)
    add_tensorboard(group)
    add_options(group, Recipe, only=_RECIPE, defaults=vars(GENTLE), prefix="finetune")


def _add_place(parser: argparse.ArgumentParser) -> None:
    """Where the studies are kept, and by which names."""
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


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit code, which says whether the limits are kept on the test set."""
    _check(args)
    place = Path(args.model).resolve()
    if args.model != DEMO and args.output.resolve() in (place, *place.parents):
        raise PrimeSVTError(f"{args.model} lies in {args.output}, where it would be replaced; choose another -o.")
    backend_of(args)
    subject = _subject(args)
    prepare(args.output, args.options_text)
    url = args.storage or storage_in(args.output)
    processes = partial(_processes, args, url)
    result = compared_as(args, subject, open_storage(url, create=not args.studies), url, processes)
    result = written(args, subject.data, result, args.output)
    comparison, provenance = result.comparison, result.provenance
    text = comparison_text(comparison) + f"\nreport: {args.output / REPORT}"
    if comparison.winner is not None:
        text += f"\nmodel of the chosen plan: {args.output / MODEL}"
    if args.finetune is not None and not comparison.finetuned:
        text += "\nNothing was fine-tuned: no sampler found a plan that keeps the limits."
    if comparison.winner is not None and comparison.finetuned:
        text += f"\nthe same, fine-tuned: {finetuned_in(args.output) / comparison.winner.study}"
    print_result(args, summary(comparison, provenance), text)
    return _CODES[verdict(comparison).conclusion]


@dataclass(frozen=True)
class Result:
    """What a comparison leaves.

    Args:
        comparison: What was measured.
        runs: The studies that were compared.
        test: The test set, with the way from plans to models.
        provenance: Where it comes from.
    """

    comparison: Comparison
    runs: Sequence[StudyRun]
    test: TestSet
    provenance: Provenance


def _subject(args: argparse.Namespace) -> Subject:
    """The model and the data set that the options name."""
    return Subject(*open_model_and_data(args))


def _processes(args: argparse.Namespace, url: str, studies: Sequence[Arm]) -> Processes:
    """Who runs studies."""
    timed = any(each.settings.needs_tables for each in studies)
    suited = 1 if timed or args.device not in (None, "cpu") else fitting(len(studies))
    return Processes(args.processes or suited, partial(_subject, args), url)


def compared_as(
    args: argparse.Namespace,
    subject: Subject,
    storage: BaseStorage,
    url: str,
    processes: Callable[[Sequence[Arm]], Processes | None] = lambda _: None,
) -> Result:
    """Run the studies that the options ask for, and compare them.

    Args:
        args: The options.
        subject: The unpruned model and the data set.
        storage: Keeps the trials.
        url: Of the storage, for the record.
        processes: Who runs studies side by side; None runs them here.

    Raises:
        PrimeSVTError: The options make no sense, a study cannot run, or the studies cannot be compared.
        KeyboardInterrupt: The user stopped it; all finished trials stay in the storage.
    """
    _check(args)
    if args.finetune is not None and args.train_data is None:
        subject.data.fit.check(config_of(subject.model))
    runs = _runs(args, storage, subject, processes)
    test = open_test_set(subject.model, subject.data, backend_of(args))
    comparison = compared(runs, test, subject.data, front=args.front, latency=args.latency)
    provenance = Provenance.of(
        runs,
        command=args.command_line,
        # One that was given as an object has no name.
        model=args.model or "MODEL",
        data=args.data,
        storage=url,
        test_fraction=args.test_fraction or DEFAULT_TEST_FRACTION,
    )
    return Result(comparison, runs, test, provenance)


def written(args: argparse.Namespace, data: DataSet, result: Result, directory: Path) -> Result:
    """Write a comparison, fine-tune its plans where that is asked for, and write what that adds.

    Args:
        args: The options.
        data: The data set.
        result: What was compared.
        directory: A directory that is prepared.

    Raises:
        PrimeSVTError: The directory cannot be written, or the training cannot go on.
        KeyboardInterrupt: The user stopped it; the comparison is there, and the training goes on.
    """
    save_options(directory, args.options_text)
    write(directory, result.comparison, result.test.pruner, result.runs, result.provenance)
    if args.finetune is None:
        take_finetuned(directory, None)
        return result
    given = {**vars(GENTLE), "epochs": args.finetune, "seed": args.seed, "flip": was_mirrored(args.model)}
    learnt = with_train_data(args, data, result.test.model)
    recipe = options_of(args, Recipe, given, prefix="finetune")
    tuning = PlanTuning(finetuned_in(directory), recipe, learnt, args.tensorboard)
    result = replace(result, comparison=tuning.tuned(result.comparison, result.test))
    write(directory, result.comparison, result.test.pruner, result.runs, result.provenance)
    return result


def _check(args: argparse.Namespace) -> None:
    """Refuse limits or settings beside studies that have theirs, and curves of nothing or that would be lost."""
    if args.tensorboard is not None and args.finetune is None:
        raise PrimeSVTError("--tensorboard draws the curves of fine-tuning; give --finetune EPOCHS, too.")
    if args.output is not None:
        check_apart(args.tensorboard, finetuned_in(args.output))
    settings = settings_of(args, PRIORITIZED.name, args.seed).on(Backend())
    said = "space" in args or "start" in args or settings != StudySettings()
    if settings.needs_tables and (args.processes or 1) > 1:
        raise PrimeSVTError(
            f"--processes {args.processes} would spoil the timings that these studies begin with: leave it out, and "
            "they run one after the other."
        )
    if args.studies and said:
        raise PrimeSVTError("--studies takes studies with the limits and settings they have; leave those options out.")


def _runs(
    args: argparse.Namespace,
    storage: BaseStorage,
    subject: Subject,
    processes: Callable[[Sequence[Arm]], Processes | None],
) -> list[StudyRun]:
    """The studies that are there already, or those that shall be."""
    if args.studies:
        return [finished_run(name, storage, subject, backend_of(args)) for name in dict.fromkeys(args.studies)]
    studies = studies_of(arms(args), args.seeds, args.prefix)
    warning = look_before(storage, [study.name for study in studies], subject, backend_of(args))
    if warning is not None:
        warn(warning)
    if not args.stop_at_target:
        studies = [at_its_best(study, storage) for study in studies]
    options = RunOptions(cache=args.cache, device=args.device, on_table=tell_of_table)
    return run_studies(storage, subject, studies, options, processes(studies))
