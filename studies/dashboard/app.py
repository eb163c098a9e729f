"""optuna-dashboard with what PrimeSVT has to say of its studies.

A study's note and figures are written into the storage when the dashboard starts, and again when a browser asks for the
study and something was measured since: the moments at which somebody looks. After every trial they would cost a dozen
transactions that slow a search down, and a search needs no dashboard.

The rest is said beside what the storage holds, in the dashboard's answers, and never written:

* trials' notes, which would be three transactions each;
* the constraints, as the list that optuna-dashboard reads. Optuna 5 keeps them by name, takes such a list for further
  constraints, and allows no change of a finished trial: written down with each trial, every sampler would count a miss
  twice, and a study that goes on would not go on as it would have;
* attributes for machines are left out: settings, keys and packed answers stay where studies of every version have them,
  as resuming reads them.

Only public interfaces of optuna-dashboard are used: its functions, its WSGI application and the JSON that this answers.
"""

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial
from sqlalchemy.exc import SQLAlchemyError

from primesvt.search import BASELINE, BASELINE_KEY, BASELINE_RIGHT, EVALUATION, KEY

from ..reporting.on_test_set import TEST
from ..running.storage_url import without_password
from ..running.study_run import SETTINGS
from .inspected import Inspected
from .notes import limits_text, trial_note
from .saved import save

_STUDY = re.compile(r"/api/studies/(\d+)/?")
_AFTER = re.compile(r"(?:after=(\d+))?")
_STUDIES = re.compile(r"/api/studies/?")
_MACHINE = frozenset({SETTINGS, BASELINE, BASELINE_KEY, BASELINE_RIGHT, TEST, KEY, EVALUATION})

Environment = dict[str, Any]
Answer = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environment, StartResponse], Iterable[bytes]]


@dataclass(frozen=True)
class Dashboard:
    """A WSGI application.

    Args:
        storage: The studies.
        url: URL of the storage.
        inner: optuna-dashboard's application on that storage.
    """

    storage: BaseStorage
    url: str
    inner: Application
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environment: Environment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        path = environment.get("PATH_INFO", "")
        study = _STUDY.fullmatch(path)
        if environment.get("REQUEST_METHOD") != "GET" or not (study or _STUDIES.fullmatch(path)):
            return self.inner(environment, start_response)
        if study is None:
            return self._answer(environment, start_response, _all_studies)
        inspected = self._inspect(int(study[1]))
        after = _AFTER.fullmatch(environment.get("QUERY_STRING", ""))
        if inspected is None or after is None:
            return self.inner(environment, start_response)
        # All trials, also where a browser knows the first already: the best may be among these.
        everything = {**environment, "QUERY_STRING": ""}
        first = int(after[1] or 0)
        return self._answer(everything, start_response, lambda answer: _explained(answer, inspected, first))

    def save_all(self) -> None:
        """Write notes and figures of all studies, where they are not what they were."""
        for name in optuna.get_all_study_names(self.storage):
            self._save(optuna.load_study(study_name=name, storage=self.storage))

    def _save(self, study: optuna.Study) -> None:
        # A storage that cannot be written can be looked at all the same.
        with self._lock, suppress(SQLAlchemyError, StorageInternalError):
            save(study, without_password(self.url))

    def _inspect(self, number: int) -> Inspected | None:
        with suppress(KeyError):
            study = optuna.load_study(study_name=self.storage.get_study_name_from_id(number), storage=self.storage)
            self._save(study)
            return Inspected.of(study)
        return None

    def _answer(
        self, environment: Environment, start_response: StartResponse, edit: Callable[[Answer], Answer]
    ) -> Iterable[bytes]:
        said: list[Any] = []

        def keep(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            said[:] = [status, headers]

        body = b"".join(self.inner(environment, keep))
        status, headers = said
        if status.startswith("200"):
            body = json.dumps(edit(json.loads(body))).encode()
            headers = [*(pair for pair in headers if pair[0].lower() != "content-length")]
            headers.append(("Content-Length", str(len(body))))
        start_response(status, headers)
        return [body]


def _all_studies(answer: Answer) -> Answer:
    """The list of studies; other people's may have attributes of the same names."""
    for told in answer["study_summaries"]:
        if {attr["key"] for attr in told["user_attrs"]} >= {SETTINGS, BASELINE}:
            _hide(told)
    return answer


def _explained(answer: Answer, inspected: Inspected, first: int) -> Answer:
    """An answer about one study of PrimeSVT, with its trials from the first on that the browser does not know."""
    for told in (answer, *answer["trials"]):
        _hide(told)
    answer["union_user_attrs"] = [each for each in answer["union_user_attrs"] if each["key"] not in _MACHINE]
    answer["user_attrs"] += _for_people(inspected)
    by_number = {trial.number: trial for trial in inspected.trials}
    for told in answer["trials"]:
        if told["number"] in by_number:
            _tell(told, by_number[told["number"]])
    # Optuna's own front knows limits; the dashboard's is one of all trials.
    best = {trial.number for trial in inspected.study.best_trials}
    answer["best_trials"] = [told for told in answer["trials"] if told["number"] in best]
    answer["trials"] = answer["trials"][first:]
    return answer


def _for_people(inspected: Inspected) -> list[Mapping[str, str]]:
    settings = inspected.settings
    return [
        {"key": "limits", "value": limits_text(settings.constraints)},
        {"key": "sampler", "value": f"{settings.sampler}, seed {settings.seed}"},
    ]


def _hide(told: Answer) -> None:
    """Leave out what is for machines."""
    told["user_attrs"] = [attr for attr in told["user_attrs"] if attr["key"] not in _MACHINE]


def _tell(told: Answer, trial: FrozenTrial) -> None:
    """Constraints as a list, and a note where nobody has written one."""
    told["constraints"] = list(trial.constraints.values())
    note = told.get("note") or {"version": 0, "body": ""}
    if not note["body"]:
        told["note"] = {**note, "body": trial_note(trial)}
