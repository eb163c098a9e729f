"""Search for a plan that keeps the limits, with one sampler; run again to go on."""

import argparse

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from primesvt.search import accuracy_of, decided_early, evaluation_of, saving_of
from primesvt.search.samplers import PRIORITIZED

from ..reporting.tables import table
from ..reporting.verdict import other_limits
from ..running.budget import Budget, Pace
from ..running.progress import bar, say, tell_of_table, warn
from ..running.runner import RunOptions, run_study
from ..running.storage import open_storage, storage_errors
from ..running.storage_url import without_password
from ..running.study_run import OPTIONS, StudyRun
from ..running.subject import Subject
from ..running.unseen import look_before
from .arguments import add_json, add_model, add_storage, print_result
from .arms import arm_name
from .backend import add_backend, add_cache, backend_of
from .model_and_data import add_data, open_model_and_data
from .search_options import add_search, sampler_name, samplers_text, settings_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    add_data(parser)
    parser.add_argument(
        "--sampler",
        type=sampler_name,
        default=PRIORITIZED.name,
        help=f"{samplers_text()} (default: %(default)s)",
    )
    parser.add_argument(
        "--trials",
        metavar="N",
        type=int,
        help="trials in all (default: as many as the sampler needs; one that ends by itself may take fewer)",
    )
    parser.add_argument(
        "--study", metavar="NAME", help="name of the study (default: SAMPLER-seedK, with +SPACE and +START)"
    )
    parser.add_argument("--seed", metavar="K", type=int, default=0, help="of the random draws (default: %(default)s)")
    add_storage(parser)
    add_search(parser)
    add_backend(parser, "measured and repaired")
    add_cache(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    # What is wrong is said before anything is read.
    settings_of(args, args.sampler, args.seed)
    backend_of(args)
    subject = Subject(*open_model_and_data(args))
    result = searched(args, subject, open_storage(args.storage))
    print_result(args, result.to_json(), _text(result, args))
    if result.interrupted:
        raise KeyboardInterrupt


def searched(args: argparse.Namespace, subject: Subject, storage: BaseStorage) -> StudyRun:
    """Run the study that the options ask for.

    Args:
        args: The options.
        subject: The unpruned model and the data set.
        storage: Keeps the trials.

    Raises:
        PrimeSVTError: The settings make no sense, or the study cannot run.
    """
    settings = settings_of(args, args.sampler, args.seed)
    name = args.study or f"{arm_name(settings)}-seed{args.seed}"
    budget = Budget.of(name, settings, args.trials, subject)
    say(budget.text)
    if (warning := look_before(storage, [name], subject, backend_of(args))) is not None:
        warn(warning)
    pace = Pace([budget])
    with bar(name) as progress:
        options = RunOptions(
            trials=args.trials,
            cache=args.cache,
            device=args.device,
            on_table=tell_of_table,
            on_status=progress.pacing(pace, 0),
        )
        result = run_study(name, storage, subject, settings, options)
    with storage_errors(f"study {name!r}"):
        result.study.set_user_attr(OPTIONS, args.options_text)
    if result.interrupted:
        say(f"Stopped after {len(result.finished)} trials, all kept. Run the same command again to go on.")
    return result


def _text(result: StudyRun, args: argparse.Namespace) -> str:
    limits, best = result.settings.constraints, result.best
    early = sum(map(bool, map(decided_early, result.finished)))
    head = (
        f"study {result.study.study_name}: {len(result.finished)} trials, {len(result.feasible)} keep the limits "
        f"(at most {limits.max_drop:g} points{f' less a margin of {limits.margin:g}' if limits.margin else ''}, "
        f"at least {limits.min_saving:.2%} saved{other_limits(limits)})"
        f"{f', {early} were rejected early' if early else ''}\n"
    )
    if best is None:
        nearest = result.nearest
        if nearest is None:
            return head + "no trial was finished"
        return head + (
            f"No plan keeps the limits. The nearest, trial {nearest.number}, saves {saving_of(nearest):.2%} and loses "
            f"{nearest.user_attrs['accuracy_drop']:.2f} points{_stopped(nearest)}. Loosen a limit, or give more trials."
        )
    low, high = best.user_attrs["interval"]
    found, taken = evaluation_of(best).measures, result.settings.all_measures
    measured = [
        (m.label, f"{m.text(found[m.name])} (unpruned {m.text(result.baseline.measures[m.name])})") for m in taken
    ]
    rows = [[layer, f"{ratio:.2f}"] for layer, ratio in result.plan(best).ratios.items()]
    return head + (
        f"best: trial {best.number} saves {saving_of(best):.2%}, accuracy {accuracy_of(best):.2%} "
        f"(95 % interval {low:.2%} to {high:.2%}) on {best.user_attrs['images']:,} selection images, "
        f"{best.user_attrs['accuracy_drop']:.2f} points below the unpruned model's {result.baseline.accuracy:.2%}\n"
        + "".join(f"{label}: {text}\n" for label, text in measured)
        + table(["layer", "ratio"], rows)
        + f"\nprune with: primesvt prune {args.model} --storage {without_password(args.storage)} "
        f"--study {result.study.study_name} --trial {best.number} -o DIR"
    )


def _stopped(trial: FrozenTrial) -> str:
    """Says so where the points lost are an estimate."""
    images = trial.user_attrs["images"]
    return f" by an estimate, as measuring it stopped early, after {images:,} images" if decided_early(trial) else ""
