"""A storage on a server that may stop for a while: every call waits for it to come back, and is done once.

A connection can break after the server has done what it was asked, and before it says so. So a call that is made again
must not do anything twice: a new trial carries a token by which it is found again, a trial whose end was told already
is left as it is, and all else that a storage does may be done twice.
"""

import threading
import time
import uuid
from collections.abc import Sequence
from copy import deepcopy

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from primesvt.search import is_mine

from .console import duration, say
from .delegating_storage import Call, DelegatingStorage, Result
from .servers import Server

# As long as a server takes to be moved or brought up to date; jobs on a cluster last longer than that.
PATIENCE_SECONDS = 600.0
TOKEN = "primesvt:token"  # noqa: S105 - no secret
_PAUSES = (0.1, 0.5, 1.0, 2.0)


class PatientStorage(DelegatingStorage):
    """Does what another storage does, and waits where its server does not answer.

    That it waits is said once an outage, whichever of the threads finds it first, and so is that it goes on.

    Args:
        server: The storage on the server.
        name: What a person knows it by.
        patience: Seconds after which the error is raised all the same.
    """

    def __init__(self, server: Server, name: str, patience: float = PATIENCE_SECONDS) -> None:
        super().__init__(server.storage)
        self._server, self._name, self._patience = server, name, patience
        self._lock = threading.Lock()
        self._outage: float | None = None

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """As Optuna's, with a token in the trial's system attributes; the worker's own where this is its proxy."""
        trial = deepcopy(template_trial) or optuna.create_trial(state=TrialState.RUNNING)
        token = trial.system_attrs.get(TOKEN, uuid.uuid4().hex)
        trial.system_attrs = {**trial.system_attrs, TOKEN: token}

        def again() -> int:
            for made in self.inner.get_all_trials(study_id, deepcopy=False):
                if made.system_attrs.get(TOKEN) == token:
                    return self.inner.get_trial_id_from_study_id_trial_number(study_id, made.number)
            return self.inner.create_new_trial(study_id, trial)

        return self.patiently(lambda: self.inner.create_new_trial(study_id, trial), again)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """As Optuna's; what the server has done already is well."""

        def again() -> bool:
            try:
                done = self.inner.set_trial_state_values(trial_id, state, values)
            except UpdateFinishedTrialError:
                told = self.inner.get_trial(trial_id)
                if told.state != state or (values is not None and told.values != list(values)):
                    raise
                return True
            # A trial that was waiting and runs since is nobody else's where we have signed it.
            return done or (state == TrialState.RUNNING and is_mine(self.inner.get_trial(trial_id)))

        return self.patiently(lambda: self.inner.set_trial_state_values(trial_id, state, values), again)

    def asked(self, call: Call[Result]) -> Result:
        """What a call returns, as soon as the server answers."""
        return self.patiently(call)

    def patiently(self, call: Call[Result], again: Call[Result] | None = None) -> Result:
        """What a call returns, as soon as the server answers.

        Args:
            call: Asks the server.
            again: Asks it again, where it may have done already what it was asked; the same call where it is None.

        Raises:
            StorageInternalError: The server did not answer for too long.
        """
        try:
            return call()
        except Exception as error:
            reason = self._server.lost(error)
            if reason is None:
                raise
            # A connection that an earlier, short stop has broken: nothing to speak of.
            return self._wait(again or call, reason)

    def _wait(self, call: Call[Result], reason: str) -> Result:
        began = time.monotonic()
        tries = 0
        while True:
            self._sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
            tries += 1
            try:
                result = call()
            except Exception as error:
                still = self._server.lost(error)
                if still is None:
                    raise
                reason = still
                if time.monotonic() - began >= self._patience:
                    raise StorageInternalError(reason) from error
                self._renew(began, reason)
            else:
                self._tell_end()
                return result

    def _sleep(self, seconds: float) -> None:
        try:
            time.sleep(seconds)
        except KeyboardInterrupt:
            # Who has had enough of waiting does not wait for the trial's end to be written either.
            self._patience = 0.0
            raise

    def _renew(self, began: float, reason: str) -> None:
        with self._lock:
            self.inner = self._server.renew(self.inner)
            if self._outage is None:
                self._outage = began
                say(f"{self._name} does not answer: {reason}. Waiting for it, up to {duration(self._patience)}.")

    def _tell_end(self) -> None:
        with self._lock:
            if self._outage is not None:
                say(f"{self._name} answers again, after {duration(time.monotonic() - self._outage)}.")
                self._outage = None
