"""The thread that brings stored objects to this host, and sees which of them the server no longer has."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from farpool_common.backoff import Backoff
from farpool_common.broker import WAITED_OUT, StoredObjects
from farpool_common.errors import FarpoolError, ServerError
from farpool_worker.buffers.host_objects import Hold, HostObjects, sealed
from farpool_worker.buffers.store import Segment
from farpool_worker.tasks.ledger import Held


@dataclass(frozen=True)
class FetchedObjects:
    """A task's objects are here, or cannot be had."""

    held: Held
    hold: Hold | None
    error: FarpoolError | None = None


class ObjectFetcher:
    """Takes tasks from the main loop and hands them back, in order."""

    def __init__(
        self, stored: StoredObjects, objects: HostObjects, sweep_seconds: float, on_fetched: Callable[[], None]
    ) -> None:
        self._stored, self.objects, self._sweep_seconds = stored, objects, sweep_seconds
        self._on_fetched = on_fetched
        self._orders: SimpleQueue[Held | None] = SimpleQueue()
        self._fetched: deque[FetchedObjects] = deque()

    def order(self, held: Held) -> None:
        """Ask for the objects of a task; the answer comes through `fetched`."""
        self._orders.put(held)

    def fetched(self) -> list[FetchedObjects]:
        """Everything that has come since the last call."""
        return [self._fetched.popleft() for _ in range(len(self._fetched))]

    def run(self, stop: threading.Event) -> None:
        """The thread: fetch until `close`, and sweep now and then while there is anything here."""
        sweep_at = 0.0
        while True:
            now, has_any = time.monotonic(), len(self.objects) > 0
            if has_any and now >= sweep_at:
                self._sweep()
                sweep_at = now + self._sweep_seconds
            try:
                held = self._orders.get(timeout=max(0.0, sweep_at - now) if has_any else None)
            except Empty:
                continue
            if held is None:
                return
            fetched = self._repeated(held, stop)
            if fetched is not None:
                self._fetched.append(fetched)
                self._on_fetched()

    def close(self) -> None:
        """Let the thread end after what was ordered."""
        self._orders.put(None)

    def _sweep(self) -> None:
        """Drop what the server no longer has."""
        unused = self.objects.unused()
        try:
            gone = self._stored.gone(unused)
        except ServerError:  # it stays until the next time
            return
        if gone:
            self.objects.drop(gone)
            self._on_fetched()

    def _repeated(self, held: Held, stop: threading.Event) -> FetchedObjects | None:
        backoff = Backoff()
        while not stop.is_set():
            try:
                return self._fetch(held)
            except WAITED_OUT:
                stop.wait(backoff.pause_seconds())
            except FarpoolError as error:
                return FetchedObjects(held, None, error)
        return None

    def _fetch(self, held: Held) -> FetchedObjects:
        """One after the other, each held as soon as it is here: else the next might push it out."""
        holds: list[Hold] = []
        try:
            for object_id in held.task.objects:
                hold = self.objects.hold([object_id])
                holds.append(hold or self.objects.add(object_id, self._segments(object_id)))
        except FarpoolError:
            for hold in holds:
                hold.close()
            raise
        return FetchedObjects(held, self.objects.joined(holds))

    def _segments(self, object_id: str) -> Sequence[Segment]:
        stored = self._stored.find(object_id)
        self._stored.check_there(stored)
        try:
            segments = Segment.reserve([part.nbytes for part in stored.parts])
            self._stored.read(stored, lambda number, piece, offset: segments[number].write(memoryview(piece), offset))
        except FarpoolError:  # outages are OSErrors, too
            raise
        except OSError as error:
            raise FarpoolError(f"no shared memory for a stored object of {stored.nbytes:,} bytes: {error}") from error
        return sealed(segments)
