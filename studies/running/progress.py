"""Progress of long work, on the error stream, so that results on the output stream stay clean."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from primesvt import models
from primesvt.search import saving_of

from .budget import Pace
from .console import console, duration, out, say, tell_of_kernel, warn
from .runner import Status

__all__ = ["Bar", "bar", "bars", "console", "out", "quiet", "say", "tell_of_kernel", "tell_of_table", "warn"]


class Bar:
    """One line: what, how far, how long still, and what was found so far.

    Where the error stream is no terminal, a line is printed now and then instead.
    """

    def __init__(self, progress: Progress, task: TaskID, title: str) -> None:
        self._progress, self._task, self._title = progress, task, title
        self._told = 0

    def update(self, done: float, total: float, found: str = "") -> None:
        """Show that ``done`` of ``total`` is done."""
        self._progress.update(self._task, completed=done, total=total, found=found)
        tenth = int(10 * done / total) if total else 0
        if not console.is_terminal and tenth > self._told:
            self._told = tenth
            console.print(f"{self._title}: {done:g} of {total:g} {found}".rstrip(), soft_wrap=True)

    def counting(self, total: int) -> Callable[[int], None]:
        """What is called with how many more are done, such as the images of a batch, of ``total`` in all."""
        done = 0

        def count(more: int) -> None:
            nonlocal done
            done += more
            self.update(done, total)

        return count

    def status(self, status: Status, left: float | None = None, own: float | None = None) -> None:
        """Show where a study is.

        Args:
            status: Where it is.
            left: Seconds that all studies of this command will take still, where that is known.
            own: Seconds that this study alone will take still, where that is something else.
        """
        best = f", best saves {saving_of(status.best):.2%}" if status.best else ""
        everything = "" if left is None else f"; all done in at most {duration(left)}"
        if own is not None and left is not None:
            everything = f"; this study in at most {duration(own)}, all done in at most {duration(left)}"
        self.update(status.done, status.total, f"{status.feasible} feasible{best}{everything}")

    def pacing(self, pace: Pace, study: int) -> Callable[[Status], None]:
        """What is called with where a study is, to show it with the time that is left.

        Args:
            pace: Of all studies of this command.
            study: Its place among them.
        """

        def tell(status: Status) -> None:
            pace.told(study, status)
            self.status(status, pace.left, pace.own(study))

        return tell

    def training(self, step: models.Progress, epochs: int) -> None:
        """Show where a training is."""
        found = f"epoch {step.epoch + 1}, loss {step.loss:.3f}, accuracy {step.accuracy:.2%}"
        self.update(step.epoch * step.steps + step.step, epochs * step.steps, found)


@contextmanager
def bars() -> Iterator[Callable[[str], Bar]]:
    """What begins a progress bar by its title; there may be several at a time."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[found]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=False) as progress:
        yield lambda title: Bar(progress, progress.add_task(title, total=None, found=""), title)


@contextmanager
def bar(title: str) -> Iterator[Bar]:
    """A progress bar."""
    with bars() as begin:
        yield begin(title)


@contextmanager
def quiet(wanted: bool) -> Iterator[None]:
    """Say nothing and show no progress meanwhile, where that is wanted."""
    before, console.quiet = console.quiet, console.quiet or wanted
    try:
        yield
    finally:
        console.quiet = before


def tell_of_table(measure: str, done: int, total: int) -> None:
    """That a measure's table is made, for :class:`~primesvt.studies.running.runner.RunOptions`."""
    if done == 1:
        say(f"{measure}: timing the parts of this model, once on this machine; that takes a minute or two")
    if done * 4 // total > (done - 1) * 4 // total:
        say(f"  {done:,} of {total:,} timings")
