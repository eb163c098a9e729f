"""Where a report comes from: version, command, dates, seeds and settings, so that it can be made again."""

import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from primesvt.models import DEFAULT_TEST_FRACTION
from primesvt.pruning import needs_calibration

from ..running.storage_url import without_password
from ..running.study_run import StudyRun
from ..versions import package_version
from .comparison import Comparison, ReportedPlan

_PACKAGES = ("optuna", "torch", "numpy")
# Of a study, and not of the search: they are named elsewhere, or hashes.
_OWN = ("sampler", "seed")


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a report comes from.

    Args:
        versions: Of PrimeSVT, Python and what the numbers depend on, by name.
        command: The command line, without passwords.
        written: When the report was written, in UTC, ISO 8601.
        began: When the first trial began, by the clock of the machine that ran it, ISO 8601; empty where unknown.
        ended: When the last trial ended.
        model: The model as the command names it.
        data: The data as the command names it; None for the embedded sample.
        storage: URL of the storage, without a password.
        seeds: Seed of every study, by its name.
        settings: Settings of every study, by its name.
        test_fraction: Share of every class that is the test set, where the data has no parts.
    """

    versions: Mapping[str, str]
    command: str
    written: str
    began: str
    ended: str
    model: str
    data: str | None
    storage: str
    seeds: Mapping[str, int]
    settings: Mapping[str, Mapping[str, Any]]
    test_fraction: float = DEFAULT_TEST_FRACTION

    @classmethod
    def of(
        cls,
        runs: Sequence[StudyRun],
        *,
        command: Sequence[str],
        model: str,
        data: str | None,
        storage: str,
        test_fraction: float = DEFAULT_TEST_FRACTION,
    ) -> Self:
        """Of studies that a command has run.

        Args:
            runs: The studies.
            command: Words of the command line.
            model: The model as the command names it.
            data: The data as the command names it; None for the embedded sample.
            storage: URL of the storage.
            test_fraction: Share of every class that is the test set, where the data has no parts.
        """
        began = [trial.datetime_start for run in runs for trial in run.finished if trial.datetime_start]
        ended = [trial.datetime_complete for run in runs for trial in run.finished if trial.datetime_complete]
        settings = {run.study.study_name: run.settings.to_json() for run in runs}
        return cls(
            versions=_versions(),
            command=shlex.join(without_password(word) if "://" in word else word for word in command),
            written=datetime.now(UTC).isoformat(timespec="seconds"),
            began=min(began).isoformat(timespec="seconds") if began else "",
            ended=max(ended).isoformat(timespec="seconds") if ended else "",
            model=model,
            data=data,
            test_fraction=test_fraction,
            storage=without_password(storage),
            seeds={run.study.study_name: run.settings.seed for run in runs},
            settings={
                name: {key: value for key, value in own.items() if key not in _OWN} for name, own in settings.items()
            },
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "versions": dict(self.versions),
            "command": self.command,
            "written": self.written,
            "first_trial_began": self.began,
            "last_trial_ended": self.ended,
            "model": self.model,
            "data": self.data,
            "storage": self.storage,
            "seeds": dict(self.seeds),
            "settings": {name: dict(own) for name, own in self.settings.items()},
        }

    def rows(self, comparison: Comparison) -> list[tuple[str, str]]:
        """What and its value, for a person; a setting in which samplers differ has the value of each."""
        seeds = {
            sampler: ", ".join(str(study.seed) for study in studies) for sampler, studies in comparison.samplers.items()
        }
        return [
            ("command", self.command),
            ("report written", self.written),
            ("trials", f"from {self.began} to {self.ended} (clock of the machine that ran them)"),
            ("versions", ", ".join(f"{name} {number}" for name, number in self.versions.items())),
            ("storage", self.storage),
            ("seeds", _each(seeds)),
            *((name.replace("_", "-"), _each(values)) for name, values in self._settings(comparison).items()),
        ]

    def prune_command(self, plan: ReportedPlan) -> str:
        """The command that makes a plan's model."""
        words = ["primesvt", "prune", self.model, "--storage", self.storage, "--study", plan.study]
        words += ["--trial", str(plan.trial), *self._calibration(plan), "-o", f"smaller-{plan.selection.bytes}"]
        return shlex.join(words)

    def _calibration(self, plan: ReportedPlan) -> list[str]:
        """Options that name the data whose calibration images a plan's criterion or repair looks at."""
        if not needs_calibration(plan.plan.criterion, plan.plan.repair):
            return []
        data = [] if self.data is None else ["--data", self.data]
        if self.test_fraction != DEFAULT_TEST_FRACTION:
            data += ["--test-fraction", f"{self.test_fraction:g}"]
        return data

    def _settings(self, comparison: Comparison) -> dict[str, dict[str, str]]:
        """Every setting with its value for each sampler that has it."""
        table: dict[str, dict[str, str]] = {}
        for sampler, studies in comparison.samplers.items():
            for name, value in self.settings.get(studies[0].name, {}).items():
                if isinstance(value, Mapping):
                    for limit, most in value.items():
                        table.setdefault(limit, {})[sampler] = _text(most)
                else:
                    table.setdefault(name, {})[sampler] = _text(value)
        return table


def _versions() -> dict[str, str]:
    return {
        "primesvt": package_version("primesvt"),
        "Python": platform.python_version(),
        **{name: package_version(name) for name in _PACKAGES},
    }


def _each(values: Mapping[str, str]) -> str:
    """One value where all agree."""
    if len({*values.values()}) == 1:
        return next(iter(values.values()))
    return "; ".join(f"{name}: {value}" for name, value in values.items())


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {most:g}" for name, most in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "all" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
