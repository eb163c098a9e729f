"""How people write a value: as a number, alone or with a unit such as ``ms`` or ``MiB``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from primesvt.models import PrimeSVTError


@dataclass(frozen=True)
class Units:
    """Units that may be written behind a number.

    Args:
        scales: So many are meant by one of each, by how it is written; case does not matter.
        example: What a value may look like, for errors.
    """

    scales: Mapping[str, float] = field(hash=False)
    example: str

    def read(self, text: str) -> float:
        """A number above 0, with or without a unit, such as ``3.5`` or ``3.5 ms``.

        Raises:
            PrimeSVTError: It is none, or the unit is none of these.
        """
        # An exponent goes before a unit that begins with an E.
        found = re.fullmatch(r"\+?([0-9.]+(?:e[+-]?[0-9]+)?)\s*(.*)", _plain(text))
        scales = {"": 1.0, **{_plain(unit): scale for unit, scale in self.scales.items()}}
        try:
            value = float(found[1]) * scales[found[2]] if found else 0.0
        except (KeyError, ValueError):
            value = 0.0
        if not 0 < value < float("inf"):
            known = ", ".join(unit for unit in self.scales if unit)
            raise PrimeSVTError(f"expected a number above 0, such as {self.example}, got {text!r}; units are {known}")
        return value


def _plain(text: str) -> str:
    # The sign for "micro" has two codes: of its own, and as the Greek letter, which lower() leaves.
    return text.strip().lower().replace("\u03bc", "\u00b5")


_PREFIXES = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
# Of counts, and of bytes: thousands or 1,024s, with or without a B.
COUNTS = Units({f"{prefix}{b}": scale for prefix, scale in _PREFIXES.items() for b in ("", "B")}, "1500000 or 1.5M")
