"""What a person is told of an error."""

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from primesvt.models import PrimeSVTError
from primesvt.studies.running.failures import explained


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PrimeSVTError("Give a plan."), "Give a plan."),
        (OSError(28, "No space left on device", "x.db"), "No space left on device: x.db"),
        (OSError("odd"), "odd"),
        (StorageInternalError("locked\nfor long"), "the storage failed: locked"),
        (OperationalError("select", {}, ValueError("gone")), "the storage failed: (builtins.ValueError) gone"),
        (ValueError("a bug"), None),
    ],
)
def test_errors_in_a_line(error: Exception, text: str | None) -> None:
    assert explained(error) == text
