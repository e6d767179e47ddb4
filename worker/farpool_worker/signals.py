"""SIGTERM and SIGINT: the first asks to drain, the second to hand back at once."""

import os
import signal
from types import FrameType

from farpool_worker.wakeup import Wakeup


class StopRequests:
    """Counts requests to stop and ends the main loop's wait.  Works as PID 1: handlers are set explicitly."""

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, wakeup: Wakeup) -> None:
        self.count = 0
        self.name = ""
        self._wakeup = wakeup

    def install(self) -> None:
        """Set the handlers.  Main thread only."""
        for number in self.SIGNALS:
            signal.signal(number, self._handle)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if os.getpid() == 1:
            signal.signal(signal.SIGCHLD, lambda *_: None)  # so that orphans of tasks end the loop's wait
        signal.set_wakeup_fd(self._wakeup.writer, warn_on_full_buffer=False)

    def _handle(self, number: int, _: FrameType | None) -> None:
        self.count, self.name = self.count + 1, signal.Signals(number).name
