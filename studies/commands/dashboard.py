"""Watch studies in the browser: starts optuna-dashboard on a storage."""

import argparse

from primesvt.models import PrimeSVTError

from ..running.progress import say
from ..running.storage import open_storage, without_password
from .arguments import add_storage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_storage(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8080, help="port to listen on (default: %(default)s)")


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"expected a port, 1 to 65535, got {text!r}")
    return int(text)


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    try:
        from optuna_dashboard import run_server
    except ImportError as error:
        raise PrimeSVTError("optuna-dashboard is not installed: pip install 'primesvt[dashboard]'") from error
    storage = open_storage(args.storage, create=False)
    say(f"Dashboard of {without_password(args.storage)}: http://{args.host}:{args.port}/ (Ctrl-C ends it)")
    run_server(storage, host=args.host, port=args.port)
