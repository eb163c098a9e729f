"""The commands of docs/cluster.md, typed into a shell: a PostgreSQL, a proxy, two workers, and a job of SLURM's."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .postgresql import free_port, missing, owner, programs
from .test_docs import Page

PAGE = Page("cluster.md")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the commands are typed; PostgreSQL's own user may enter it, where we are root."""
    folder = Path(tempfile.mkdtemp(prefix="primesvt-cluster-"))
    if os.geteuid() == 0:
        shutil.chown(folder, owner())
    yield folder
    # Where the commands came to no end, the server still runs.
    left = folder / "studies-db" / "postmaster.pid"
    if left.exists():
        os.kill(int(left.read_text().split()[0]), signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)


def commands() -> str:
    """What is typed, line by line."""
    typed = [line[2:] for block in PAGE.blocks for line in block.text.splitlines() if block.language == "console"]
    port = free_port()
    return "\n".join(typed).replace("head:13000", f"127.0.0.1:{port}").replace("13000", str(port))


def write_program(folder: Path, name: str, line: str) -> None:
    file = folder / "bin" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/bash\n{line}\n", encoding="utf-8")
    file.chmod(0o755)


def write_programs(folder: Path) -> None:
    found = programs()
    assert found is not None
    as_owner = f"setpriv --reuid={owner()} --clear-groups " if os.geteuid() == 0 else ""
    for name in ("initdb", "pg_ctl", "createdb"):
        write_program(folder, name, f'exec {as_owner}{found / name} "$@"')
    write_program(folder, "primesvt", f'exec {sys.executable} -W ignore -m primesvt.studies.main "$@"')
    write_program(folder, "srun", 'exec "$@"')
    write_program(folder, "sbatch", 'SLURM_CPUS_PER_TASK=1 bash "$1"')


def test_the_job_asks_for_what_the_page_says() -> None:
    job = PAGE.files["workers.sbatch"]
    assert "#SBATCH --signal=TERM@60" in job
    assert re.search(r"^srun primesvt search .* --storage grpc://head:13000$", job, re.M)


@pytest.mark.slow
def test_the_page_runs_from_top_to_bottom(folder: Path) -> None:
    if (reason := missing()) is not None:
        pytest.skip(reason)
    pytest.importorskip("grpc")
    script = commands()
    port = re.search(r"127\.0\.0\.1:(\d+)", script)
    assert port is not None
    job = PAGE.files["workers.sbatch"].replace("head:13000", port[0])
    (folder / "workers.sbatch").write_text(job, encoding="utf-8")
    write_programs(folder)
    done = subprocess.run(
        ["/bin/bash", "-c", f"set -em\ntrap 'kill %1' ERR\n{script}"],
        cwd=folder,
        env={**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for number in (1, 2):
        assert "study tpe-seed0: 6 trials" in (folder / f"worker-{number}.txt").read_text()
    assert "study tpe-seed0: 8 trials" in done.stdout
    assert (folder / "small" / "config.json").is_file()
