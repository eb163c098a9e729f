"""Watch studies in the browser: optuna-dashboard on a storage, with notes and figures of PrimeSVT's studies."""

import argparse
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from primesvt.models import PrimeSVTError

from ..running.progress import say
from ..running.storage import open_storage
from ..running.storage_url import without_password
from .arguments import add_storage, port


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_storage(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port, default=8080, help="port to listen on (default: %(default)s)")


class _Server(ThreadingMixIn, WSGIServer):
    """Answers several requests of a browser at a time."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    """Prints nothing for every request."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


def run(args: argparse.Namespace) -> None:
    """Run the command."""
    try:
        from optuna_dashboard import wsgi
    except ImportError as error:
        raise PrimeSVTError("optuna-dashboard is not installed: pip install 'primesvt[dashboard]'") from error
    # It needs the extra, too.
    from ..dashboard.app import Dashboard

    storage = open_storage(args.storage, create=False)
    app = Dashboard(storage, args.storage, wsgi(storage))
    with make_server(args.host, args.port, app, server_class=_Server, handler_class=_Quiet) as server:
        app.save_all()
        say(f"Dashboard of {without_password(args.storage)}: http://{args.host}:{args.port}/ (Ctrl-C ends it)")
        server.serve_forever()
