"""What ends a process of ours, beside Ctrl-C: signals, understood the same way."""

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any


def stop_by(*signals: int) -> None:
    """Have signals end this process as Ctrl-C does, once: what is done in the end must not be interrupted, too.

    Args:
        signals: Their numbers, of which those stay ignored that whoever started this process has it ignore; the last is
            sent again where Python drops what it raised.
    """
    heard = [number for number in signals if signal.getsignal(number) != signal.SIG_IGN]

    def arm() -> None:
        for number in heard:
            signal.signal(number, interrupted)

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        leave_alone(*heard)
        raise KeyboardInterrupt

    def dropped(told: Any) -> None:
        # What is raised while an object is destroyed, Python drops; an interruption comes again, a moment later.
        if not issubclass(told.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(told)
            return
        arm()
        threading.Timer(0.05, os.kill, (os.getpid(), signals[-1])).start()

    sys.unraisablehook = dropped
    arm()


def leave_alone(*signals: int) -> None:
    """Have signals do nothing from now on."""
    for number in signals:
        # Not SIG_IGN: Python complains of one that is on its way by then.
        signal.signal(number, _nothing)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    pass
