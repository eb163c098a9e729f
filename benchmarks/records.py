"""What a benchmark has measured, kept in a file: an interrupted one goes on where it was. Shared by the benchmarks."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kept import machine


@dataclass(frozen=True)
class Records:
    """What was measured, in a file.

    Args:
        file: Where, or None.
        known: Every figure by its question.
    """

    file: Path | None
    known: dict[str, Any]

    @classmethod
    def of(cls, file: Path | None) -> "Records":
        """Those of a file, if it is there."""
        return cls(file, json.loads(file.read_text())["records"] if file is not None and file.exists() else {})

    def get(self, question: dict[str, Any], answer: Any) -> Any:
        """The answer that is known, or else a new one, which is kept."""
        key = json.dumps(question, sort_keys=True)
        if key not in self.known:
            started = time.process_time()
            self.known[key] = answer()
            print(f"{key[:160]} ... {time.process_time() - started:.1f} s", file=sys.stderr, flush=True)
            if self.file is not None:
                self.file.write_text(json.dumps({"records": self.known, "machine": machine()}, indent=1) + "\n")
        return self.known[key]
