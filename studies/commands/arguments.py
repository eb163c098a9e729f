"""Options that several commands share, each declared once."""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from ..running.console import out
from ..running.curves import MISSING, has_tensorboard
from ..running.storage_url import DEFAULT_STORAGE

MIB, _MOST_MIB = 2**20, 2**30
Parser = argparse.ArgumentParser


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


def add_model(parser: argparse.ArgumentParser) -> None:
    """MODEL."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a model directory, 'demo' for the embedded model, or hf://OWNER/NAME[@REVISION] of the hub",
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


def add_images(parser: Parser, what: str) -> None:
    """--images, which was called --limit."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--images", metavar="N", type=positive, help=what)
    either.add_argument("--limit", dest="images", type=positive, default=argparse.SUPPRESS, help=argparse.SUPPRESS)


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


def cache_size(text: str) -> int:
    """Bytes from a number of MiB."""
    try:
        size = float(text)
    except ValueError:
        size = -1.0
    if not 0 <= size <= _MOST_MIB:
        raise argparse.ArgumentTypeError(f"expected a number of MiB, from 0 to {_MOST_MIB:,}, got {text!r}")
    return int(size * MIB)


def print_result(args: argparse.Namespace, result: dict[str, Any], text: str) -> None:
    """The result as JSON where it was asked for, otherwise as text."""
    out(json.dumps(result) if args.json else text)
