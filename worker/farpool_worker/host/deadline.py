"""Until when this daemon may run tasks: the moment before which nobody else takes them over.

The last accepted heartbeat gives it, counted from when it was sent.  It lies in shared memory, because a daemon
that is stopped, or stuck in a call to the server, cannot act on it: the template process kills the children then.
"""

import mmap
import os
import time
from contextlib import suppress
from pathlib import Path

VARIABLE = "FARPOOL_DEADLINE"
"""In the environment of the template: where the memory is found, and which clock counts."""

KILLED_SECONDS = 2.0
"""For so long after children were killed here, a death by SIGKILL is ours (guess; the news takes milliseconds)."""

BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps, as the server's clock does."""

HANDOVER_SECONDS = 0.2
"""So long the template leaves it to the daemon, which spares what only waits to tell its result (guess)."""

_CELLS = 2
_UNTIL, _KILLED_AT = range(_CELLS)


def clock_of(url: str) -> int:
    """The clock that counts for this server: one on this machine sleeps with it, others go on."""
    return time.CLOCK_MONOTONIC if url.startswith("unix:") else BOOTTIME


class Deadline:
    """Written by the daemon's lease thread, read by its main loop and by the template."""

    def __init__(self, fd: int, clock: int) -> None:
        self._fd, self._clock = fd, clock
        self._memory = mmap.mmap(fd, _CELLS * 8)
        self._cells = memoryview(self._memory).cast("d")

    @classmethod
    def created(cls, clock: int = BOOTTIME) -> "Deadline":
        """A new one, without a time yet."""
        fd = os.memfd_create("farpool-deadline")
        os.ftruncate(fd, _CELLS * 8)
        return cls(fd, clock)

    @classmethod
    def inherited(cls, description: str | None) -> "Deadline | None":
        """The daemon's, in its template; None where there is none, or it is not to be had."""
        path, _, clock = (description or "").rpartition(":")
        with suppress(OSError, ValueError):
            found = cls(os.open(path, os.O_RDWR | os.O_CLOEXEC), int(clock))
            found.close()  # the memory stays
            return found
        return None

    @property
    def description(self) -> str:
        """What the template needs in order to find it."""
        return f"{Path('/proc', str(os.getpid()), 'fd', str(self._fd))}:{self._clock}"

    def now(self) -> float:
        """Seconds on the clock that counts."""
        return time.clock_gettime(self._clock)

    def extend(self, sent_at: float, seconds: float) -> None:
        """A heartbeat that was sent then has been accepted."""
        self._cells[_UNTIL] = sent_at + seconds

    def left(self) -> float | None:
        """Seconds until tasks may no longer run, less than 0 after that; None before the first heartbeat."""
        until = self._cells[_UNTIL]
        return until - self.now() if until else None

    @property
    def has_passed(self) -> bool:
        """Whether others may be about to take over what we hold."""
        left = self.left()
        return left is not None and left <= 0

    def note_kill(self) -> None:
        """Children were killed because it has passed."""
        self._cells[_KILLED_AT] = self.now()

    @property
    def is_seen_to(self) -> bool:
        """Whether children were killed since it passed."""
        return self._cells[_KILLED_AT] >= self._cells[_UNTIL]

    @property
    def has_killed(self) -> bool:
        """Whether children were killed for it a moment ago."""
        return 0 < self._cells[_KILLED_AT] > self.now() - KILLED_SECONDS

    def forget(self) -> None:
        """Let go of the memory, too: for a child of the template, whose tasks must not reach it."""
        self._cells.release()
        self._memory.close()

    def close(self) -> None:
        """Let go of the descriptor; the memory stays readable."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
