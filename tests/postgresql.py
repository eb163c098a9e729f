"""A real PostgreSQL, for tests of what only a server does: started in a temporary folder, on a port that is free."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def missing() -> str | None:
    """Why there can be no server here; None where there can."""
    if programs() is None:
        return "PostgreSQL's server is not installed (Debian's package postgresql)"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return 'psycopg is not installed (python -m pip install "primesvt[postgresql]")'
    return None


def programs() -> Path | None:
    """The folder of PostgreSQL's programs: Debian keeps them beside the path."""
    on_path = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    folders += [Path(on_path).parent] if on_path else []
    needed = ("initdb", "pg_ctl", "createdb")
    return next((folder for folder in folders if all((folder / name).exists() for name in needed)), None)


def owner() -> str:
    """Who runs it where we are root, as whom it refuses to run."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@dataclass
class PostgreSQL:
    """A server.

    Args:
        folder: Holds its data, and is its working directory.
        port: Where it listens, on this machine only.
    """

    folder: Path
    port: int

    @classmethod
    def made(cls) -> "PostgreSQL":
        """A new server, not yet started."""
        server = cls(Path(tempfile.mkdtemp(prefix="primesvt-postgresql-")), free_port())
        if os.geteuid() == 0:
            shutil.chown(server.folder, owner())
        server._run("initdb", "-D", "data", "-U", "me", "--auth=trust", "--no-sync", "--no-locale", "-E", "UTF8")
        return server

    def url(self, database: str) -> str:
        """URL of a database as a storage."""
        return f"postgresql+psycopg://me@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it; returns when it answers."""
        # Nothing of it need survive the machine.
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c fsync=off -c full_page_writes=off"
        self._run("pg_ctl", "start", "-D", "data", "-w", "-s", "-l", "log", "-o", options)

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; ``immediate`` leaves its clients as a crash does."""
        self._run("pg_ctl", "stop", "-D", "data", "-w", "-s", "-m", mode)

    def remove(self) -> None:
        """Stop it for good."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_database(self) -> str:
        """URL of a database that is empty."""
        import psycopg

        name = f"d{time.monotonic_ns()}"
        with psycopg.connect(f"postgresql://me@127.0.0.1:{self.port}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} STRATEGY file_copy")  # type: ignore[call-overload]
        return self.url(name)

    def _run(self, program: str, *arguments: str) -> None:
        folder = programs()
        assert folder is not None
        extra: dict[str, Any] = {"user": owner(), "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run(
            [str(folder / program), *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "out").open("ab"),
            stderr=subprocess.STDOUT,
            check=False,
            **extra,
        )
        assert done.returncode == 0, (self.folder / "out").read_text()
