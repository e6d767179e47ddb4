"""What waits to be sent: sources of tasks, and the ids of tasks to cancel."""

import math
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from farpool.options import CallOptions
from farpool.shipping.shipment import Shipment, Source

MOST_TASKS = 256
"""Tasks collected at once, so that one round neither takes long nor makes a large command."""


class Outbox:
    """Any thread adds and wakes; only the holder of the sender's lock collects."""

    def __init__(self) -> None:
        self.cancellations: deque[str] = deque()
        self._sources: tuple[Source, ...] = ()  # replaced, never changed, so that any thread may read it
        self._changing = threading.Lock()
        # A SimpleQueue may be put to while the garbage collector runs, which ends forgotten executors.
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._is_rung = False

    def add(self, source: Source, *, rings: bool = True) -> None:
        """Take tasks from this source from now on.  Not `rings`: the caller sends, or wakes who does."""
        with self._changing:
            self._sources = (*self._sources, source)
        if rings:
            self.wake()

    def wake(self) -> None:
        """There may be something to send."""
        if not self._is_rung:
            self._is_rung = True
            self._bell.put(None)

    def cancel(self, task_id: str) -> None:
        """Have this task cancelled on the server."""
        self.cancellations.append(task_id)
        self.wake()

    def wait(self, now: float, due_at: float = math.inf) -> None:
        """Sleep until somebody calls `wake`, or until `due_at`, or until a source that held calls back is due."""
        due_at = min([due_at, *(source.due_at for source in self._sources if source.has_waiting())])
        with suppress(Empty):
            self._bell.get(timeout=None if due_at == math.inf else max(0.0, due_at - now))
        # Before anything is collected: whatever is added from here on rings again.
        self._is_rung = False

    @property
    def sources(self) -> tuple[Source, ...]:
        """Those that may have something to send."""
        return self._sources

    def has_waiting(self) -> bool:
        """True while there are calls that were not taken."""
        return any(source.has_waiting() for source in self._sources)

    def collect(
        self, now: float, most: int = MOST_TASKS, is_held: Callable[[CallOptions], bool] = lambda _: False
    ) -> list[Shipment]:
        """Up to `most` tasks worth sending now, the one with the oldest call first; none of those that `is_held`."""
        found: list[Shipment] = []
        sources = [source for source in self._sources if source.has_waiting() and not _waits(source, is_held)]
        while sources and len(found) < most:
            source = min(sources, key=_oldest)
            shipment = source.take(now)
            if shipment is not None:
                found.append(shipment)
            else:  # the rest of it is held back
                sources.remove(source)
        self._remove_ended()
        return found

    def _remove_ended(self) -> None:
        if any(source.is_over() for source in self._sources):
            with self._changing:
                self._sources = tuple(source for source in self._sources if not source.is_over())

    def cancel_all(self) -> None:
        """Cancel every call that was not taken."""
        for source in self._sources:
            source.cancel()
        self.wake()

    def fail_all(self, error: BaseException) -> None:
        """Have every call that was not taken fail."""
        for source in self._sources:
            source.fail(error)
        self.wake()


def _waits(source: Source, is_held: Callable[[CallOptions], bool]) -> bool:
    if not is_held(source.route.options):
        return False
    source.due_at = math.inf  # when its queue is asked again is not for it to say
    return True


def _oldest(source: Source) -> float:
    return source.oldest
