"""SIGTERM and SIGINT: the first asks to drain, the second to hand back at once."""

import os
import signal
from types import FrameType
from typing import Any

from farpool_worker.wakeup import Wakeup


class StopRequests:
    """Counts requests to stop and ends the main loop's wait.  Works as PID 1: handlers are set explicitly."""

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, wakeup: Wakeup) -> None:
        self.count = 0
        self.name = ""
        self._wakeup = wakeup
        self._before: dict[int, Any] = {}
        self._wakeup_before = -1

    def install(self) -> None:
        """Set the handlers.  Main thread only."""
        for number in self.SIGNALS:
            self._set(number, self._handle)
        self._set(signal.SIGHUP, signal.SIG_IGN)
        if os.getpid() == 1:
            self._set(signal.SIGCHLD, lambda *_: None)  # so that orphans of tasks end the loop's wait
        self._wakeup_before = signal.set_wakeup_fd(self._wakeup.writer, warn_on_full_buffer=False)

    def remove(self) -> None:
        """Put back what was there: somebody else's program may run on."""
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        if self._before:
            signal.set_wakeup_fd(self._wakeup_before)
        self._before.clear()

    def _set(self, number: int, handler: Any) -> None:
        self._before[number] = signal.signal(number, handler)

    def _handle(self, number: int, _: FrameType | None) -> None:
        self.count, self.name = self.count + 1, signal.Signals(number).name
