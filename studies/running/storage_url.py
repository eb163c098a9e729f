"""How a storage is named: by a URL."""

import re

DEFAULT_STORAGE = "sqlite:///primesvt.db"


def without_password(text: str) -> str:
    """Hide passwords in URLs, however broken: ``user:password@`` and ``?password=...``."""
    text = re.sub(r"://([^:/?#@\s]*):\S*@", r"://\1:***@", text)
    return re.sub(r"(?i)(pass(?:word|wd)?=)[^&\s]+", r"\1***", text)
