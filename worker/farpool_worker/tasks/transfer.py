"""Moves large buffers between Redis and shared memory, in a thread, so that the main loop does not wait for
them; what is quick is moved by the main loop itself, for a hand-over between threads takes longer."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never

from farpool_common.backoff import Backoff
from farpool_common.broker import STORED_SECONDS, WAITED_OUT, Payloads, StoredObjects, WorkerBroker
from farpool_common.errors import FarpoolError
from farpool_common.payload import Part
from farpool_worker.buffers.shared import SharedMemory
from farpool_worker.buffers.store import Segment
from farpool_worker.buffers.warm import IDLE_SECONDS, WarmMemory
from farpool_worker.pipe.storing import ObjectToStore
from farpool_worker.tasks.ledger import Held
from farpool_worker.tasks.outbox import Outcomes
from farpool_worker.threads import Background

CHECKED_BYTES = 64 * 1024 * 1024
"""Memory beyond this is taken only when the server has as many bytes: a record may say anything (guess)."""


@dataclass(frozen=True)
class Fetch:
    """Bring the large arguments of a task into shared memory."""

    held: Held

    @property
    def nbytes(self) -> int:
        """How much there is to move."""
        return sum(part.nbytes for part in self.held.task.parts)


@dataclass(frozen=True)
class Store:
    """Write the large values of an outcome to Redis, under a name of their own, for so many seconds."""

    outcomes: Outcomes
    owner: str
    buffers: Sequence[memoryview]
    segments: Sequence[Segment]
    seconds: int = STORED_SECONDS

    @property
    def nbytes(self) -> int:
        """How much there is to move."""
        return sum(buffer.nbytes for buffer in self.buffers)


@dataclass(frozen=True)
class StoreObject:
    """Store a result that stays on this side, before its producer is told of it."""

    outcomes: Outcomes
    to_store: ObjectToStore
    segments: Sequence[Segment]

    @property
    def nbytes(self) -> int:
        """How much there is to move."""
        return sum(segment.nbytes for segment in self.segments)


@dataclass(frozen=True)
class Fetched:
    """Large arguments have arrived, or cannot be had."""

    held: Held
    segments: Sequence[Segment]
    error: FarpoolError | None = None


@dataclass(frozen=True)
class Stored:
    """Large values are in Redis, or cannot be stored."""

    outcomes: Outcomes
    parts: Sequence[Part]
    error: FarpoolError | None = None


@dataclass(frozen=True)
class ObjectStored:
    """A result is stored and its parts may serve tasks here, or it cannot be stored."""

    outcomes: Outcomes
    id: str
    segments: Sequence[Segment]
    error: FarpoolError | None = None


Order = Fetch | Store | StoreObject
Moved = Fetched | Stored | ObjectStored


class Transfer:
    """Takes orders from the main loop, hands back what was moved, in order."""

    def __init__(
        self, payloads: Payloads, stored: StoredObjects, on_moved: Callable[[], None], shared: SharedMemory
    ) -> None:
        """`stored` is of the same connection; `shared`: the way of what need not be moved at all."""
        self._payloads, self._stored, self._on_moved, self.shared = payloads, stored, on_moved, shared
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._moved: deque[Moved] = deque()
        self._warm = WarmMemory()

    @classmethod
    def over(cls, broker: WorkerBroker, on_moved: Callable[[], None], shared: SharedMemory) -> "Transfer":
        """A transfer over the connection of a broker that nobody else uses."""
        return cls(broker.payloads, broker.objects, on_moved, shared)

    def start(self, background: Background) -> None:
        """Start the thread, and the one that looks after shared memory where there is any."""
        background.start("transfer", self.run)
        if self.shared.folder:
            background.start("trim", self.shared.run)

    def order(self, order: Order) -> Moved | None:
        """Ask for a move.  A quick one is made here, at once; else the answer comes through `moved`."""
        if self._payloads.is_quick(order.nbytes):
            with suppress(*WAITED_OUT):
                return self._move(order)
        self._orders.put(order)
        return None

    def moved(self) -> list[Moved]:
        """Everything that was moved since the last call."""
        return [self._moved.popleft() for _ in range(len(self._moved))]

    def run(self, stop: threading.Event) -> None:
        """The thread: move until `close`."""
        while (order := self._next()) is not None:
            moved = self._repeated(order, stop)
            if moved is not None:
                self._moved.append(moved)
                self._on_moved()

    def _next(self) -> Order | None:
        """The next order.  While none comes, memory that is kept for it goes back to the system."""
        while True:
            with suppress(queue.Empty):
                return self._orders.get(timeout=IDLE_SECONDS if self._warm else None)
            self._warm.trim()

    def close(self) -> None:
        """Let the thread end after what was ordered."""
        self._orders.put(None)

    def _repeated(self, order: Order, stop: threading.Event) -> Moved | None:
        backoff = Backoff()
        while not stop.is_set():
            try:
                return self._move(order)
            except WAITED_OUT:
                stop.wait(backoff.pause_seconds())
        return None

    def _move(self, order: Order) -> Moved:
        match order:
            case Fetch():
                return self._fetch(order)
            case StoreObject():
                return self._store_object(order)
            case Store():
                return self._store(order)
            case _:
                assert_never(order)

    def _store_object(self, order: StoreObject) -> ObjectStored:
        to_store = order.to_store
        stored = self._stored.described_as(to_store.id, to_store.sizes)
        try:
            self._stored.keep(stored, [segment.view for segment in order.segments], to_store.owner, to_store.seconds)
        except WAITED_OUT:
            raise
        except FarpoolError as error:
            _close(order.segments)
            return ObjectStored(order.outcomes, to_store.id, (), error)
        return ObjectStored(order.outcomes, to_store.id, order.segments)

    def _store(self, order: Store) -> Stored:
        try:
            parts = self._payloads.store(order.owner, order.buffers, order.seconds)
        except WAITED_OUT:
            raise
        except FarpoolError as error:
            _close(order.segments)
            return Stored(order.outcomes, (), error)
        _close(order.segments)
        return Stored(order.outcomes, parts)

    def _fetch(self, order: Fetch) -> Fetched:
        held, parts = order.held, order.held.task.parts
        if order.nbytes > CHECKED_BYTES:
            try:
                self._payloads.check_there(parts)
            except WAITED_OUT:
                raise
            except FarpoolError as error:
                return Fetched(held, (), error)
        try:
            segments = self._warm.allocate([part.nbytes for part in parts])
        except OSError as error:
            return Fetched(held, (), FarpoolError(f"no shared memory for the arguments: {error}"))
        try:
            for part, segment in zip(parts, segments, strict=True):
                self._payloads.fetch_into(part, segment.view)
        except WAITED_OUT:
            _close(segments)
            raise
        except FarpoolError as error:
            _close(segments)
            return Fetched(held, (), error)
        return Fetched(held, segments)


def _close(segments: Sequence[Segment]) -> None:
    for segment in segments:
        segment.close()
