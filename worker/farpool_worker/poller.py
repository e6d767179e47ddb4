"""What the main loop waits on, kept from turn to turn: most turns wait on the same as the one before."""

import math
import select
from collections.abc import Sequence
from typing import Any


class Poller:
    """As `multiprocessing.connection.wait`, which makes a selector anew for every call."""

    def __init__(self) -> None:
        self._known: list[Any] = []
        self._by_fd: dict[int, Any] = {}
        self._poll = select.poll()

    def wait(self, waitables: Sequence[Any], seconds: float | None) -> list[Any]:
        """Those that are ready, waiting for the first of them up to `seconds` (None: for ever)."""
        fds = [waitable if isinstance(waitable, int) else waitable.fileno() for waitable in waitables]
        if fds != list(self._by_fd) or waitables != self._known:
            self._register(waitables, fds)
        # Rounded up: else the last part of a millisecond would be spent on turns that wait for nothing.
        ready = self._poll.poll(None if seconds is None else math.ceil(seconds * 1000))
        return [self._by_fd[fd] for fd, _ in ready]

    def _register(self, waitables: Sequence[Any], fds: Sequence[int]) -> None:
        self._known, self._by_fd = list(waitables), dict(zip(fds, waitables, strict=True))
        self._poll = select.poll()
        for fd in fds:
            self._poll.register(fd, select.POLLIN)
