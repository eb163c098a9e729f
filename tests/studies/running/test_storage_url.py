"""URLs of storages, as they may be shown."""

import pytest

from primesvt.studies.running.storage_url import DEFAULT_STORAGE, without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql://me:secret@host/db", "mysql://me:***@host/db"),
        ("postgresql://me:se@cr/et@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgresql://host/db?user=me&password=secret&ssl=1", "postgresql://host/db?user=me&password=***&ssl=1"),
        ("redis://:secret@host:6379", "redis://:***@host:6379"),
        ("mysql://me@host/db", "mysql://me@host/db"),
        (DEFAULT_STORAGE, DEFAULT_STORAGE),
    ],
)
def test_passwords_are_hidden(url: str, shown: str) -> None:
    assert without_password(url) == shown
