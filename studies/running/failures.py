"""What a person is told of an error, wherever it was raised: a line, and no traceback."""

from primesvt.models.errors import PrimeSVTError


def explained(error: Exception) -> str | None:
    """What is wrong, in a line; None where nobody expected such an error, and a traceback says more."""
    if isinstance(error, PrimeSVTError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    # Imported once something was raised that nobody expected.
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    if isinstance(error, StorageInternalError | SQLAlchemyError):
        return f"the storage failed: {str(error).splitlines()[0]}"
    return None
