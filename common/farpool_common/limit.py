"""The soft time limit of a call: an exception in it, by an alarm of the operating system."""

import re
import signal
import threading
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Any

from farpool_common.errors import TaskTimeoutError

SHORTEST_ALARM, LONGEST_ALARM = 0.001, 86_400.0
"""Below a microsecond the alarm would be switched off instead of set; a limit of 30,000 years is more than the
system takes, so a long one is set again each day."""


def overrun(ran: float, limit: float) -> str:
    """What is said of a call that was stopped."""
    return f"stopped after {ran:.1f} s (limit {limit:g} s)"


OVERRUN = re.compile(r"stopped after [\d.]+ s \(limit \S+ s\)")
"""The text of `overrun`, and nothing else."""


def late(ran: float, limit: float) -> TaskTimeoutError:
    """What a call meets that runs too long."""
    return TaskTimeoutError(overrun(ran, limit))


class SoftLimit:
    """Within `with SoftLimit(function, seconds) as limited`, calls of `limited` may take so long.

    The alarm is set once and again only when it rings, so that a short call costs two looks at the clock
    and no system call.  A task that uses SIGALRM itself takes the limit out of force until the next `with`.
    """

    def __init__(
        self, function: Callable[..., Any], seconds: float | None, error: Callable[[float, float], Exception] = late
    ) -> None:
        """`error` makes the exception from the seconds that the call ran and its limit."""
        self._function, self._seconds, self._error = function, seconds or 0.0, error
        # Only the main thread may have a handler; elsewhere there is no soft limit.
        self._works = bool(seconds) and threading.current_thread() is threading.main_thread()
        self._started = 0.0  # when the running call began, 0.0 between calls
        self._is_set = False
        self._before: Any = None

    def __enter__(self) -> Callable[..., Any]:
        if not self._works:
            return self._function
        self._before = signal.signal(signal.SIGALRM, self._ring)
        return self._call

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        if self._works:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, self._before or signal.SIG_DFL)

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        # First the time, then the alarm: one that rings in between must find a call to look after.
        self._started = monotonic()
        try:
            if not self._is_set:
                self._set(self._seconds)
            return self._function(*args, **kwargs)
        finally:
            self._started = 0.0

    def _set(self, seconds: float) -> None:
        self._is_set = True
        signal.setitimer(signal.ITIMER_REAL, min(max(seconds, SHORTEST_ALARM), LONGEST_ALARM))

    def _ring(self, *_: object) -> None:
        self._is_set = False
        if not self._started:
            return  # between calls; the next one sets it again
        ran = monotonic() - self._started
        if ran < self._seconds:
            self._set(self._seconds - ran)
        else:
            raise self._error(ran, self._seconds)
