"""Options that several commands share, each declared once."""

import argparse
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from primesvt.models import (
    DEFAULT_TEST_FRACTION,
    Backend,
    DataSet,
    PrimeSVTError,
    Role,
    config_of,
    frame_of,
    load_model,
    open_data,
    with_selection,
    with_selection_from_test,
)
from primesvt.models.options import options
from primesvt.pruning import MEASURES, measure_named, measures
from primesvt.search import DEFAULT_CACHE, Constraints
from primesvt.search.samplers import SAMPLERS, sampler_kind, samplers

from ..running.curves import MISSING, has_tensorboard
from ..running.progress import out, say
from ..running.settings import StudySettings
from ..running.storage import DEFAULT_STORAGE
from .options import add_options, options_of
from .quantities import add_quantities, objectives_of

_MIB, _MOST_MIB = 2**20, 2**30
# What a default of None or nothing means.
UNSET = {"images": "all", "layers": "all", "repair": "none"}
Parser = argparse.ArgumentParser
_T = TypeVar("_T")
# What add_backend declares is no part of what is searched.
_SEARCHED = tuple(each.name for each in options(StudySettings) if each.name != "precision")


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Comma-separated names."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def device(text: str) -> str:
    """A device by name; whether there is one is seen when the command runs."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", text):
        raise argparse.ArgumentTypeError(f"expected cpu, cuda, cuda:N or auto, got {text!r}")
    return text


def add_model(parser: Parser) -> None:
    """MODEL."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a model directory, 'demo' for the embedded model, or hf://OWNER/NAME[@REVISION] of the hub",
    )


def add_data(parser: Parser) -> None:
    """--data, and how it is cut."""
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="your data: an .npz file, IDX files, or a folder per class of images or event frames, alone or below "
        "train/ and test/ or val/; default: the embedded sample of Fashion-MNIST",
    )
    parser.add_argument(
        "--test-fraction",
        metavar="SHARE",
        type=float,
        help="share of every class that is the test set, by a fixed rule, where the data has no parts "
        f"(default: {DEFAULT_TEST_FRACTION:g})",
    )
    selection = parser.add_mutually_exclusive_group()
    selection.add_argument(
        "--selection",
        metavar="PATH",
        help="images on which plans are selected, such as a folder of classes (default: the data's validation part, or "
        "else a third of its training images, 4,000 or a fifteenth of many)",
    )
    selection.add_argument(
        "--selection-from-test",
        metavar="SHARE",
        type=float,
        help="select on this share of the test set, and report on the rest: for a model that was trained on all "
        "training images",
    )


def add_train_data(parser: Any) -> None:
    """--train-data."""
    parser.add_argument(
        "--train-data",
        metavar="PATH",
        help="learn the fit images of this data set, such as the full one of an embedded sample (default: --data's)",
    )


def add_device(parser: Any) -> None:
    """--device."""
    parser.add_argument(
        "--device",
        metavar="NAME",
        type=device,
        default="cpu",
        help="where to compute: cpu, cuda (the first one), cuda:N, or auto, that is cuda where there is one "
        "(default: %(default)s)",
    )


def add_backend(parser: Any, what: str) -> None:
    """--device and --precision, for what PrimeSVT's engine does where neither is said."""
    parser.add_argument(
        "--device",
        metavar="NAME",
        type=device,
        help=f"where plans are {what}: cuda (the first one), cuda:N, auto, that is cuda where there is one, or cpu, "
        "that is PyTorch on the CPU, slower, with the same results (default: the engine of the CPU)",
    )
    add_options(parser, StudySettings, only=("precision",))


def backend_of(args: argparse.Namespace) -> Backend:
    """Where the options want models to be asked.

    Raises:
        PrimeSVTError: There is no such device.
    """
    # Alone: what else is wrong with the options is said by who reads them.
    return Backend.named(args.device, vars(args).get("precision", StudySettings.precision))


def add_images(parser: Parser, what: str) -> None:
    """--images, which was called --limit."""
    parser.add_argument("--images", metavar="N", type=positive, help=what)
    parser.add_argument("--limit", dest="images", type=positive, default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def add_tensorboard(parser: Any) -> None:
    """--tensorboard."""
    parser.add_argument(
        "--tensorboard",
        metavar="DIR",
        type=curves_directory,
        help="write the curves of the epochs there, as TensorBoard shows them: losses, accuracies, learning rate; a "
        "training that goes on continues them (needs primesvt[tensorboard])",
    )


def curves_directory(text: str) -> Path:
    """A directory for curves, where what writes them is installed."""
    if not has_tensorboard():
        raise argparse.ArgumentTypeError(MISSING)
    return Path(text)


def add_json(parser: Parser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def add_output(parser: Parser, what: str) -> None:
    """-o DIR."""
    parser.add_argument("-o", "--output", metavar="DIR", required=True, type=Path, help=f"directory for {what}")


def add_overwrite(parser: Parser) -> None:
    """--overwrite."""
    parser.add_argument("--overwrite", action="store_true", help="replace what is in the output directory")


def add_storage(parser: Parser, default: str | None = DEFAULT_STORAGE, note: str = "") -> None:
    """--storage."""
    parser.add_argument(
        "--storage",
        metavar="URL",
        default=default,
        help="Optuna storage that keeps the trials, such as sqlite:///study.db, postgresql://user@host/name or "
        "grpc://host:port "
        f"({note or f'default: {default}'})",
    )


def port(text: str) -> int:
    """A port of TCP, as an option's type."""
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"expected a port, 1 to 65535, got {text!r}")
    return int(text)


def add_search(parser: Parser) -> None:
    """Everything that defines a search, except the sampler and its seed."""
    group = parser.add_argument_group("limits")
    add_options(group, Constraints)
    group.add_argument(
        "--limit",
        metavar="MEASURE=MOST",
        dest="limits",
        action="append",
        type=_limit,
        default=[],
        help="the most that a measure may be; may be given several times "
        f"(known: {', '.join(_installed(measures, MEASURES))}; primesvt measure MODEL shows them)",
    )
    searched = parser.add_argument_group("what is searched")
    add_options(searched, StudySettings, only=_SEARCHED, unset=UNSET)
    add_quantities(searched, group)
    declared: set[str] = set()
    for kind in _installed(samplers, SAMPLERS).values():
        # An option that several samplers have is declared with the first of them.
        own = [each.name for each in options(kind.options) if each.name not in declared]
        if own:
            add_options(parser.add_argument_group(f"the sampler {kind.name}"), kind.options, only=own)
        declared.update(own)


def _installed(every: Callable[[], Mapping[str, _T]], own: Mapping[str, _T]) -> Mapping[str, _T]:
    """PrimeSVT's own and other packages'; where one of those is broken, whoever asks for it is told so, no others."""
    try:
        return every()
    except PrimeSVTError:
        return own


def samplers_text() -> str:
    """Every installed sampler with what it is, for a help."""
    return "; ".join(f"{kind.name}: {kind.summary}" for kind in _installed(samplers, SAMPLERS).values()).replace(
        "%", "%%"
    )


def _limit(text: str) -> tuple[str, float]:
    """A measure and its largest value."""
    name, equals, most = text.partition("=")
    try:
        return measure_named(name).name, float(most)
    except (PrimeSVTError, ValueError) as error:
        unknown = isinstance(error, PrimeSVTError) and equals
        wanted = str(error) if unknown else f"expected MEASURE=MOST, such as state-bytes=500000, got {text!r}"
        raise argparse.ArgumentTypeError(wanted) from None


def add_cache(parser: Any) -> None:
    """--cache."""
    parser.add_argument(
        "--cache",
        metavar="MIB",
        type=cache_size,
        default=DEFAULT_CACHE,
        help="memory for activations that plans have in common, so that none is computed twice; 0 for none, and every "
        f"plan is asked from the images on (default: {DEFAULT_CACHE // _MIB})",
    )


def cache_size(text: str) -> int:
    """Bytes from a number of MiB."""
    try:
        size = float(text)
    except ValueError:
        size = -1.0
    if not 0 <= size <= _MOST_MIB:
        raise argparse.ArgumentTypeError(f"expected a number of MiB, from 0 to {_MOST_MIB:,}, got {text!r}")
    return int(size * _MIB)


def settings_of(args: argparse.Namespace, sampler: str, seed: int) -> StudySettings:
    """The search that the options ask for.

    Raises:
        PrimeSVTError: A value is not allowed.
    """
    constraints = options_of(args, Constraints, {"limits": dict(args.limits)})
    own = options_of(args, sampler_kind(sampler).options)
    told = {"sampler": sampler, "options": own, "seed": seed, "constraints": constraints}
    return replace(options_of(args, StudySettings, told), objectives=objectives_of(args))


def sampler_name(text: str) -> str:
    """A known sampler."""
    try:
        return sampler_kind(text).name
    except PrimeSVTError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None


def open_model_and_data(args: argparse.Namespace, role: Role = "selection") -> tuple[nn.Module, DataSet]:
    """The model and the data that the options name.

    Args:
        args: The options.
        role: The set that the command cannot do without.

    Raises:
        PrimeSVTError: One of them cannot be read, or they do not fit.
    """
    model = load_model(args.model)
    return model, open_data_for(args, model, role)


def open_data_for(args: argparse.Namespace, model: nn.Module, role: Role, given: DataSet | None = None) -> DataSet:
    """The data that the options name, for a model; how it was understood is said where that is not plain.

    Args:
        args: The options.
        model: It reads the images.
        role: The set that the command cannot do without.
        given: Data that is open already, instead of that of --data.

    Raises:
        PrimeSVTError: The data cannot be read, or does not fit the model.
    """
    config = config_of(model)
    data = open_data_of(args, frame_of(config), given)
    images = data.role(role)
    images.check(config)
    steps = images.source.steps
    if steps is not None and steps != config.time_steps:
        say(f"The event sequences have {steps} frames, the model was made for {config.time_steps}: it reads them all.")
    return data


def open_data_of(args: argparse.Namespace, frame: tuple[int, int, int] | None, given: DataSet | None = None) -> DataSet:
    """The data that the options name, cut as they say.

    Args:
        args: The options.
        frame: As for :func:`~primesvt.models.open_data`.
        given: Data that is open already, instead of that of --data.

    Raises:
        PrimeSVTError: It cannot be read.
    """
    data = given or open_data(args.data, frame, test_fraction=args.test_fraction)
    for note in data.notes:
        say(note)
    if args.selection is not None:
        return with_selection(data, args.selection, frame)
    if args.selection_from_test is not None:
        return with_selection_from_test(data, args.selection_from_test)
    return data


def with_train_data(args: argparse.Namespace, data: DataSet, model: nn.Module) -> DataSet:
    """A data set with the fit images that --train-data names; as it is where it names none.

    Raises:
        PrimeSVTError: They cannot be read.
    """
    if args.train_data is None:
        return data
    return replace(data, fit=open_data(args.train_data, frame_of(config_of(model))).fit)


def print_result(args: argparse.Namespace, result: dict[str, Any], text: str) -> None:
    """The result as JSON where it was asked for, otherwise as text."""
    out(json.dumps(result) if args.json else text)
