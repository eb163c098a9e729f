"""Workers that are killed at random moments: whether a study ends as one that nobody disturbed.

On every storage and with every sampler, workers run studies of a tiny model one after the other, and are killed with
SIGKILL at a moment drawn at random, until so many were; then every study is run to its end. A study has to have the
trials of an undisturbed one in their order, with their values: none lost, none twice, none that runs for ever. Workers
are forked from a process that has imported all, so that they begin at once.

    python benchmarks/kills.py [--kills N] [--samplers A,B] [--json FILE] [STORAGE ...]

STORAGE is a URL or a file, such as `postgresql+psycopg://me@host/kills` or the `grpc://host:port` of a proxy; studies
get names of their own, and stay there. Without one: an SQLite file and a journal in a temporary folder.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# The layer that survives a fork, as there is one thread only; read when numba is imported.
os.environ["NUMBA_THREADING_LAYER"] = "workqueue"

import numpy as np
import optuna
import torch
from kept import machine
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from primesvt.models import SpikeDrivenTransformerConfig, open_data, predict
from primesvt.pruning.family_contract import calibrated
from primesvt.search import Constraints
from primesvt.search.places import place_of
from primesvt.search.samplers import PRIORITIZED, SENSITIVITY, PrioritizedOptions
from primesvt.studies.running.runner import RunOptions, run_study
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.storage import open_storage
from primesvt.studies.running.storage_url import without_password
from primesvt.studies.running.subject import Subject

SAMPLERS = (PRIORITIZED.name, "tpe", SENSITIVITY.name)
TRIALS, IMAGES = 16, 60
# A worker is killed after up to this share of the time that a whole study takes.
SHARE = 0.5

Trials = list[tuple[dict[str, float], list[float]]]


@dataclass
class Tally:
    """What became of the studies of one storage and one sampler."""

    storage: str
    sampler: str
    kills: int = 0
    studies: int = 0
    trials: int = 0
    lost: int = 0
    twice: int = 0
    other: int = 0
    running: int = 0
    failed_workers: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing was lost, done twice, different or left."""
        return not (self.lost or self.twice or self.other or self.running or self.failed_workers)


def subject() -> Subject:
    """A tiny model with lively neurons, and images of which it tells all: it loses something by pruning."""
    data = open_data(None)
    config = SpikeDrivenTransformerConfig.uniform(
        embed_dim=8,
        depth=1,
        heads=2,
        pooling="1101",
        in_channels=1,
        image_size=(28, 28),
        classes=data.classes,
        time_steps=1,
        mean=(0.2883,),
        std=(0.3541,),
    )
    model, images = calibrated(config).float(), data.selection
    with torch.no_grad():
        model.get_parameter("head.bias").sub_(model(images.read(config, images.indices[:IMAGES])[0]).mean(0))
    labels = images.labels.copy()
    labels[images.indices] = predict(model, images).classes
    return Subject(model, replace(data, selection=replace(images, labels=labels)))


def settings_of(sampler: str) -> StudySettings:
    """The same search with every sampler."""
    return StudySettings(
        sampler=sampler,
        constraints=Constraints(max_drop=8, min_saving=0.2),
        images=IMAGES,
        options=PrioritizedOptions(rates=(0.3, 0.6, 0.8), exhaust=True) if sampler == PRIORITIZED.name else None,
    )


def run(url: str | None, name: str, sampler: str, about: Subject) -> optuna.Study:
    """Run a study until it has its trials."""
    storage = InMemoryStorage() if url is None else open_storage(url)
    return run_study(name, storage, about, settings_of(sampler), RunOptions(trials=TRIALS)).study


def finished(study: optuna.Study) -> Trials:
    """Plans and values of the finished trials, by their places."""
    trials = study.get_trials(states=(TrialState.COMPLETE,))
    return [(dict(t.params), list(t.values)) for t in sorted(trials, key=place_of)]


def worker(url: str, name: str, sampler: str, about: Subject) -> int:
    """The number of a new process that runs the study."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            run(url, name, sampler, about)
            code = 0
        finally:
            os._exit(code)
    return pid


def ends_within(pid: int, seconds: float) -> int | None:
    """The exit status of a process; None where it still runs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.002)
    return None


def disturbed(url: str, sampler: str, kills: int, about: Subject, rng: np.random.Generator) -> Tally:
    """Run studies, and kill their workers."""
    began = time.monotonic()
    whole = finished(run(None, "whole", sampler, about))
    longest = SHARE * (time.monotonic() - began)
    tally = Tally(without_password(url), sampler)
    while tally.kills < kills:
        name = f"{sampler}-{time.time_ns()}"
        over = False
        while not over and tally.kills < kills:
            pid = worker(url, name, sampler, about)
            status = ends_within(pid, rng.uniform(0, longest))
            if status is None:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                tally.kills += 1
            else:
                over = True
                tally.failed_workers += status != 0
        tally.failed_workers += os.waitpid(worker(url, name, sampler, about), 0)[1] != 0
        judge(tally, in_child(url, name), whole)
    return tally


def in_child(url: str, name: str) -> dict[str, Any]:
    """The study's trials, read by another process: what connects to a server must not be forked."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            study = optuna.load_study(study_name=name, storage=open_storage(url))
            running = len(study.get_trials(states=(TrialState.RUNNING, TrialState.WAITING)))
            with os.fdopen(write, "w") as pipe:
                json.dump({"trials": finished(study), "running": running}, pipe)
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    found: dict[str, Any] = json.loads(text)
    return found


def judge(tally: Tally, found: dict[str, Any], whole: Trials) -> None:
    """Count what differs from the undisturbed study."""
    trials = [(dict(params), list(values)) for params, values in found["trials"]]
    tally.studies += 1
    tally.trials += len(trials)
    tally.lost += max(0, len(whole) - len(trials))
    tally.twice += max(0, len(trials) - len(whole))
    tally.other += sum(one != other for one, other in zip(trials, whole, strict=False))
    tally.running += found["running"]


def main() -> int:
    """Kill, print a table, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("storages", metavar="STORAGE", nargs="*", help="default: an SQLite file and a journal")
    parser.add_argument("--kills", metavar="N", type=int, default=100, help="in all (default: %(default)s)")
    parser.add_argument("--samplers", metavar="A,B", default=",".join(SAMPLERS), help="default: %(default)s")
    parser.add_argument("--seed", metavar="K", type=int, default=0, help="of the moments (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="where to write the figures")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    about, rng = subject(), np.random.default_rng(args.seed)
    samplers = args.samplers.split(",")
    run(None, "warm", samplers[0], about)
    tallies = list[Tally]()
    with tempfile.TemporaryDirectory() as folder:
        storages = args.storages or [f"sqlite:///{folder}/kills.db", f"{folder}/kills.log"]
        each = -(-args.kills // (len(storages) * len(samplers)))
        for url in storages:
            for sampler in samplers:
                tallies.append(disturbed(url, sampler, each, about, rng))
                print(tallies[-1], flush=True)
    kills, studies, trials = (sum(getattr(t, name) for t in tallies) for name in ("kills", "studies", "trials"))
    print(f"{kills} kills in {studies} studies of {trials} trials; all sound: {all(t.sound for t in tallies)}")
    if args.json:
        rows = [{**vars(t), "sound": t.sound} for t in tallies]
        args.json.write_text(json.dumps({"rows": rows, "machine": machine()}, indent=1) + "\n")
    return 0 if all(t.sound for t in tallies) else 1


if __name__ == "__main__":
    sys.exit(main())
