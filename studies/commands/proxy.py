"""Stand between a database and many workers: Optuna's gRPC proxy, which they name as --storage grpc://HOST:PORT."""

import argparse
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import optuna
from optuna.storages import BaseStorage, run_grpc_proxy_server

from primesvt.models import PrimeSVTError

from ..exit_codes import INTERRUPTED
from ..running.progress import say
from ..running.servers import GRPC_PORT
from ..running.storage import is_database, open_storage, require_grpc
from ..running.storage_url import without_password
from .arguments import add_storage, port


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_storage(parser)
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 lets everybody in who reaches this machine (default: %(default)s)",
    )
    parser.add_argument("--port", type=port, default=GRPC_PORT, help="port to listen on (default: %(default)s)")


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    require_grpc()
    if not is_database(args.storage):
        raise PrimeSVTError(
            f"A proxy stands before a database, not before {without_password(args.storage)}: workers share a journal "
            "or Redis without one."
        )
    # Workers do the waiting, and say so.
    storage = open_storage(args.storage, patience=0.0)
    _check_free(args.host, args.port)
    _know_all_trials(storage)
    optuna.logging.set_verbosity(logging.ERROR)
    # What goes wrong is told to the worker that asked.
    logging.getLogger("grpc._server").setLevel(logging.CRITICAL)
    with _ending_at_once():
        say(f"Proxy of {without_password(args.storage)}: grpc://{args.host}:{args.port} (Ctrl-C ends it)")
        run_grpc_proxy_server(storage, host=args.host, port=args.port)


@contextmanager
def _ending_at_once() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the process: otherwise gRPC would wait for workers, and they for it.

    Nothing needs to be put in order: the database keeps what it has been told, and workers ask again.
    """
    asked = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, _end) for number in asked}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(_number: int, _frame: FrameType | None) -> None:
    os.write(2, b"primesvt: interrupted\n")
    os._exit(INTERRUPTED)


def _check_free(host: str, number: int) -> None:
    """Refuse a port that is taken: gRPC would share it, and half of all calls would go elsewhere."""
    try:
        with socket.create_server((host, number)):
            pass
    except OSError as error:
        reason = error.strerror if error.errno is None else os.strerror(error.errno)
        raise PrimeSVTError(f"Nothing can listen on {host}:{number}: {reason}.") from error


def _know_all_trials(storage: BaseStorage) -> None:
    """Optuna's cache refuses parameters of trials that it has not read, such as those begun before a proxy's stop."""
    for name in optuna.get_all_study_names(storage):
        optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False)
