"""Where on this machine is kept what can be computed again, for every process of the user."""

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """``primesvt`` and a name below ``XDG_CACHE_HOME``, or below ``.cache`` of the home directory; it is not made.

    Args:
        name: Of what is kept.

    Raises:
        OSError: There is no such place.
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "primesvt" / name
    except RuntimeError:
        raise OSError("there is no home directory") from None
