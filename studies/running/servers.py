"""Storages on servers: databases, Redis, and Optuna's gRPC proxy, and how each says that it is not there.

Without a limit, a server that does not answer would be waited for without end when a storage is opened. Once it is open
it is waited for (:mod:`primesvt.studies.running.patient_storage`).
"""

import socket
import warnings
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, GrpcStorageProxy, JournalStorage
from optuna.storages.journal import JournalRedisBackend
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

TIMEOUT_SECONDS = 10
GRPC = "grpc"
# Optuna's own default.
GRPC_PORT = 13_000
# So gRPC begins what went wrong in the proxy.
_IN_PROXY = "Exception calling application: "

# Every driver of a database has a name of its own for it.
_TIMEOUTS: Mapping[str, str] = {
    "psycopg2": "connect_timeout",
    "psycopg": "connect_timeout",
    "mysqldb": "connect_timeout",
    "pymysql": "connect_timeout",
    "mysqlconnector": "connection_timeout",
    "pg8000": "timeout",
}


@dataclass(frozen=True)
class Server:
    """A storage on a server.

    Args:
        storage: Optuna's storage.
        lost: Of an error, what the driver says of a server that is not there; None where it means something else.
        renew: Makes the storage ready to be asked again, where it is not there by itself.
    """

    storage: BaseStorage
    lost: Callable[[BaseException], str | None]
    renew: Callable[[Any], BaseStorage] = lambda storage: storage


def timeouts(driver: str) -> dict[str, Any]:
    """What a driver of a database is told, so that it does not wait for a connection without end."""
    return {_TIMEOUTS[driver]: TIMEOUT_SECONDS} if driver in _TIMEOUTS else {}


def database_lost(error: BaseException) -> str | None:
    """What the driver of a database says of a server that is not there."""
    for each in _chain(error):
        if isinstance(each, OperationalError | InterfaceError) or (
            isinstance(each, DBAPIError) and each.connection_invalidated
        ):
            return str(each.orig or each)
    return None


def redis_server(url: str) -> Server:
    """A journal in Redis.

    Raises:
        ImportError: The driver is missing.
        Exception: It does not answer, or the URL makes no sense.
    """
    storage = JournalStorage(JournalRedisBackend(url))
    from redis.exceptions import ConnectionError as Lost
    from redis.exceptions import TimeoutError as Late

    def lost(error: BaseException) -> str | None:
        return next((str(each) for each in _chain(error) if isinstance(each, Lost | Late)), None)

    return Server(storage, lost)


def import_grpc() -> Any:
    """The module of gRPC.

    Raises:
        ImportError: It is missing, or protobuf is.
    """
    import google.protobuf  # noqa: F401
    import grpc

    return grpc


def grpc_server(url: str) -> Server:
    """Optuna's gRPC proxy of a database.

    Raises:
        ImportError: The module is missing.
        ValueError: The URL makes no sense.
        OSError: No proxy answers.
    """
    parts = urlsplit(url)
    if not parts.hostname or parts.path not in ("", "/") or parts.query or "@" in parts.netloc:
        raise ValueError("a proxy is named by its host and its port alone, grpc://host:port")
    host, port = parts.hostname, parts.port or GRPC_PORT
    grpc = import_grpc()
    # Says at once what gRPC would try for as long as it may: that nobody listens, or that there is no such host.
    socket.create_connection((host, port), timeout=TIMEOUT_SECONDS).close()
    with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
        proxy = GrpcStorageProxy(host=f"[{host}]" if ":" in host else host, port=port)
    try:
        proxy.wait_server_ready(timeout=TIMEOUT_SECONDS)
        proxy.get_all_studies()
    except (ConnectionError, grpc.RpcError) as error:
        proxy.close()
        reason = error.details() if isinstance(error, grpc.RpcError) else "what listens there is no proxy of Optuna"
        raise OSError(reason) from error

    def lost(error: BaseException) -> str | None:
        # The proxy answers with an unknown error where its own database is not there.
        if isinstance(error, ValueError) and "closed channel" in str(error):  # another thread renews it
            return str(error)
        codes = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED)
        failed = (each for each in _chain(error) if isinstance(each, grpc.RpcError) and each.code() in codes)
        return next((str(each.details()).removeprefix(_IN_PROXY) for each in failed), None)

    return Server(proxy, lost, _renewed)


def _renewed(proxy: GrpcStorageProxy) -> GrpcStorageProxy:
    """The same proxy on a channel of its own: an old one asks ever more rarely whether the server is back."""
    new = copy(proxy)
    proxy.close()
    return new


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that led to it: Optuna hides what a driver said."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
