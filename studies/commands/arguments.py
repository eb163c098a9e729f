"""Options that several commands share, each declared once."""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from torch import nn

from primesvt.models import DataSet, config_of, frame_of, load_model, open_data
from primesvt.pruning import CRITERIA, DEFAULT_CRITERION, DEFAULT_RATES
from primesvt.search import DEFAULT_MEMORY, Constraints
from primesvt.search.samplers import SAMPLERS

from ..running.progress import out
from ..running.settings import DEFAULT_RISK, StudySettings
from ..running.storage import DEFAULT_STORAGE
from .options import add_options, options_of

_MIB, _MOST_MIB = 2**20, 2**30
Parser = argparse.ArgumentParser


def numbers(text: str) -> tuple[float, ...]:
    """Comma-separated numbers."""
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected numbers separated by commas, such as 0.1,0.5, got {text!r}"
        ) from None


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Comma-separated names."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def size(text: str) -> tuple[int, int]:
    """A size, ``224`` or ``HxW``."""
    parts = text.lower().split("x")
    if not 1 <= len(parts) <= 2 or not all(part.isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"expected a size such as 224 or 32x48, got {text!r}")
    return int(parts[0]), int(parts[-1])


def device(text: str) -> str:
    """A device by name; whether there is one is seen when the command runs."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", text):
        raise argparse.ArgumentTypeError(f"expected cpu, cuda, cuda:N or auto, got {text!r}")
    return text


def add_model(parser: Parser) -> None:
    """MODEL."""
    parser.add_argument("model", metavar="MODEL", help="a model directory, or 'demo' for the embedded demo model")


def add_data(parser: Parser) -> None:
    """--data."""
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="your data: an .npz file, a directory with train/ and test/ or val/ (a folder per class), or IDX files; "
        "default: the embedded sample of Fashion-MNIST",
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


def add_json(parser: Parser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def add_output(parser: Parser, what: str) -> None:
    """-o DIR."""
    parser.add_argument("-o", "--output", metavar="DIR", required=True, type=Path, help=f"directory for {what}")


def add_overwrite(parser: Parser) -> None:
    """--overwrite."""
    parser.add_argument("--overwrite", action="store_true", help="replace what is in the output directory")


def add_criterion(parser: Parser) -> None:
    """--criterion."""
    parser.add_argument(
        "--criterion",
        choices=sorted(CRITERIA),
        default=DEFAULT_CRITERION,
        help="which channels of a layer go first (default: %(default)s, the paper's: smallest L2 norm)",
    )


def add_storage(parser: Parser, default: str | None = DEFAULT_STORAGE, note: str = "") -> None:
    """--storage."""
    parser.add_argument(
        "--storage",
        metavar="URL",
        default=default,
        help="Optuna storage that keeps the trials, such as sqlite:///study.db or postgresql://user@host/name "
        f"({note or f'default: {default}'})",
    )


def add_limits(parser: Parser) -> None:
    """Constraints and everything that defines a search, except sampler and seed."""
    group = parser.add_argument_group("limits")
    add_options(group, Constraints)
    group.add_argument(
        "--risk",
        metavar="PROBABILITY",
        type=float,
        default=DEFAULT_RISK,
        help="measuring a plan stops as soon as it very surely misses --max-drop; this is the probability that a study "
        "rejects any plan wrongly (default: %(default)g; 0 stops only where the limit cannot be kept any more)",
    )
    _add_space(parser.add_argument_group("what is searched"))
    add_criterion(parser)
    _add_prioritized(parser.add_argument_group("the prioritized sampler"))


def _add_space(group: Any) -> None:
    group.add_argument(
        "--images", metavar="N", type=int, help="look at the first N selection images only (default: all)"
    )
    group.add_argument(
        "--layers", metavar="A,B,...", type=names, default=(), help="prune only these layers (default: all)"
    )
    group.add_argument("--embedding", action="store_true", help="the embedding width may be pruned, too")
    group.add_argument(
        "--step",
        metavar="RATIO",
        type=float,
        default=0.05,
        help="distance of neighbouring ratios (default: %(default)s)",
    )
    group.add_argument(
        "--max-ratio", metavar="RATIO", type=float, default=0.95, help="the largest ratio (default: %(default)s)"
    )


def _add_prioritized(group: Any) -> None:
    add_rates(group, "ratios that it tries in every layer")
    group.add_argument(
        "--slack",
        metavar="POINTS",
        type=float,
        default=0.0,
        help="a layer is a target if, alone, it misses the limit of accuracy by at most this (default: %(default)s)",
    )
    group.add_argument(
        "--exhaust", action="store_true", help="go on to the limit of accuracy after the memory target is met"
    )


def add_cache(parser: Any) -> None:
    """--cache."""
    parser.add_argument(
        "--cache",
        metavar="MIB",
        type=cache_size,
        default=DEFAULT_MEMORY,
        help="memory for activations that plans have in common, so that none is computed twice; 0 for none, and every "
        f"plan is asked from the images on (default: {DEFAULT_MEMORY // _MIB})",
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


def add_rates(parser: Any, what: str) -> None:
    """--rates."""
    default = ",".join(f"{rate:g}" for rate in DEFAULT_RATES)
    parser.add_argument(
        "--rates", metavar="A,B,...", type=numbers, default=DEFAULT_RATES, help=f"{what} (default: {default})"
    )


def settings_of(args: argparse.Namespace, sampler: str, seed: int) -> StudySettings:
    """The search that the options ask for."""
    return StudySettings(
        sampler=sampler,
        seed=seed,
        constraints=options_of(args, Constraints),
        criterion=args.criterion,
        images=args.images,
        step=args.step,
        max_ratio=args.max_ratio,
        rates=args.rates,
        slack=args.slack,
        exhaust=args.exhaust,
        embedding=args.embedding,
        layers=args.layers,
        risk=args.risk,
    )


def sampler_name(text: str) -> str:
    """A known sampler."""
    if text not in SAMPLERS:
        raise argparse.ArgumentTypeError(f"unknown sampler {text!r}; known are {', '.join(SAMPLERS)}")
    return text


def open_model_and_data(args: argparse.Namespace) -> tuple[nn.Module, DataSet]:
    """The model and the data that the options name.

    Raises:
        PrimeSVTError: One of them cannot be read, or they do not fit.
    """
    model = load_model(args.model)
    data = open_data(args.data, frame_of(config_of(model)))
    data.selection.check(config_of(model))
    return model, data


def print_result(args: argparse.Namespace, result: dict[str, Any], text: str) -> None:
    """The result as JSON where it was asked for, otherwise as text."""
    out(json.dumps(result) if args.json else text)
