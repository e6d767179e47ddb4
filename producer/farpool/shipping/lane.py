"""Submitted calls of one function that wait to be gathered into tasks."""

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from farpool.futures.future import Future, link, receive_all
from farpool.futures.origin import Origin, error_of
from farpool.shipping.pace import MOST_CALLS, TASK_SECONDS
from farpool.shipping.retrying import Call, Retries
from farpool.shipping.shipment import Route, Shipment
from farpool_common.chunk import Chunk, Outcome
from farpool_common.ids import new_id
from farpool_common.progress import TaskProgress

HOLD_SECONDS = 0.05
"""How long single calls wait for a measurement before twice as many may be on their way."""

GATHER_SECONDS = 0.001
"""While every slot has work, calls gather this long before they become a task that is not full."""

MOST_WAITING = 10_000
"""Calls of one function that wait here for room in a full queue before `submit` blocks (guess)."""


class Lane:
    """Calls of one route, in the order of their submission.

    Calls of a function that is known to be quick leave as tasks of several calls.  Calls of a slow or
    unknown one leave alone, twice as many as there are slots; the rest waits here for the first
    measurement.  So that nothing is held back for long, that bound doubles every 50 ms; slots never idle,
    since the bound is above their number from the start.
    """

    def __init__(self, route: Route) -> None:
        self.route = route
        self.in_flight: set[str] = set()
        self.due_at = math.inf
        self._calls: deque[Call] = deque()
        self._is_kept = route.options.keep is not None
        self.append: Callable[[Call], None] = self._append_alone if self._is_kept else self._calls.append
        self._is_ended = False
        self._held_at: float | None = None
        self._taken_at = 0.0
        self.is_bounded = route.options.waits_when_full
        self._taken = threading.Condition()
        self._again = None if route.options.retry is None else Retries(route.options.retry)

    def _append_alone(self, call: Call) -> None:
        """Whoever is given its id will ask for the result of this call."""
        call[1].promise_id(new_id())
        self._calls.append(call)

    def wait_for_room(self, is_over: Callable[[], bool]) -> None:
        """Return when few enough calls wait here, or when `is_over`."""
        with self._taken:
            while len(self._calls) >= MOST_WAITING and not is_over():
                self._taken.wait(0.1)

    @property
    def oldest(self) -> float:
        """The number of the call that waits for longest."""
        try:
            return self._calls[0][0]
        except IndexError:
            return math.inf

    def has_waiting(self) -> bool:
        """True while there are calls that were not taken, or wait for their next attempt."""
        return bool(self._calls) or (self._again is not None and self._again.has_waiting())

    def end(self) -> None:
        """No calls come after those that are here."""
        self._is_ended = True

    def is_over(self) -> bool:
        """False, unless it was ended: a function may always be called again."""
        return self._is_ended and self._is_empty()

    def _is_empty(self) -> bool:
        """Whether no call is here, and none can come back."""
        return not self.has_waiting() and (self._again is None or not self.in_flight)

    def take(self, now: float) -> Shipment | None:
        """The next task worth sending now; None when there is none, or none until `due_at`."""
        self.due_at = math.inf
        if self._again is not None:
            due, self.due_at = self._again.due(now)
            self._calls.extendleft(due)
        if not self._calls:
            return None
        size = 1 if self._is_kept else self.route.pace.calls_within(TASK_SECONDS, MOST_CALLS) or 1
        size = self._alone(now) if size == 1 else self._together(size, now)
        return self._shipment(size, now) if size else None

    def _alone(self, now: float) -> int:
        """1, or 0 while as many single calls are on their way as may be now."""
        bound = 2 * self.route.slots()
        if len(self.in_flight) < bound:
            self._held_at = None
            return 1
        if self._held_at is None:
            self._held_at = now
        doublings = int((now - self._held_at) / HOLD_SECONDS)
        if len(self.in_flight) < bound << min(doublings, 30):
            return 1
        self.due_at = min(self.due_at, self._held_at + (doublings + 1) * HOLD_SECONDS)
        return 0

    def _together(self, most: int, now: float) -> int:
        """A fair share for each slot that has room; a full task, or what gathered in 1 ms, when none has."""
        room = 2 * self.route.slots() - len(self.in_flight)
        if room > 0:
            return min(most, math.ceil(len(self._calls) / room))
        if len(self._calls) < most and now < self._taken_at + GATHER_SECONDS:
            self.due_at = min(self.due_at, self._taken_at + GATHER_SECONDS)
            return 0
        return most

    def _shipment(self, size: int, now: float) -> Shipment | None:
        calls = self._pop(size)
        if not calls:
            return None
        self._taken_at = now
        _, futures, rows, keywords = zip(*calls, strict=True)
        sink = Gathered(futures) if self._again is None else self._again.sink(calls)
        task_id = futures[0].id if self._is_kept else None
        shipment = Shipment(self.route, chunk_of(self.route, rows, keywords), sink, self, task_id or "")
        self.in_flight.add(shipment.id)
        return shipment

    def _pop(self, size: int) -> list[Call]:
        """Up to `size` calls that are not cancelled."""
        found: list[Call] = []
        while self._calls and len(found) < size:
            call = self._calls.popleft()
            if call[1].is_wanted():
                found.append(call)
        if self.is_bounded:
            with self._taken:
                self._taken.notify_all()
        return found

    def cancel(self) -> None:
        """Cancel all calls that wait."""
        for future in self._left():
            future.cancel()

    def fail(self, error: BaseException) -> None:
        """Have all calls that wait fail."""
        for future in self._left():
            future.receive(None, error, None)

    def disown(self, error: BaseException) -> None:
        """The same in a forked child."""
        if self._again is not None:
            self._again.forked()
        for future in self._left():
            future.disown(error)

    def _left(self) -> Iterator[Future[Any]]:
        """The futures of what waits, each taken off; the sender may take some meanwhile."""
        if self._again is not None:
            yield from self._again.given_up()
        with suppress(IndexError):
            while True:
                yield self._calls.popleft()[1]


def chunk_of(route: Route, rows: Sequence[tuple[Any, ...]], keywords: Sequence[dict[str, Any]], **others: Any) -> Chunk:
    """The chunk of these calls."""
    kwargs = {index: words for index, words in enumerate(keywords) if words}
    if len(set(map(len, rows))) == 1 and rows[0]:
        # One list per argument is quicker to encode and smaller than one per call.
        return route.chunk(columns=[list(column) for column in zip(*rows, strict=True)], kwargs=kwargs, **others)
    return route.chunk(rows=[list(row) for row in rows], kwargs=kwargs, **others)


class Gathered:
    """The futures of the calls of one task."""

    def __init__(self, futures: Sequence[Future[Any]]) -> None:
        self._futures = futures

    def link(self, shipment: Shipment) -> None:
        """Let the futures know their task."""
        link(self._futures, shipment)

    def deliver(self, outcome: Outcome, origin: Origin) -> None:
        """Settle the futures of some calls."""
        first = outcome.first
        futures = self._futures[first : first + len(outcome.values)]
        if not outcome.failures:
            receive_all(futures, outcome.values, origin)
            return
        for index, (future, value) in enumerate(zip(futures, outcome.values, strict=False), first):
            failure = outcome.failures.get(index)
            future.receive(value, error_of(failure, origin) if failure else None, origin)

    def note(self, call: int, progress: TaskProgress) -> None:
        """A call has said how far it has come."""
        if call < len(self._futures):
            self._futures[call].note(progress)

    def refuse(self, index: int, error: BaseException) -> None:
        """This call cannot be sent."""
        self._futures[index].receive(None, error, None)

    def fail(self, error: BaseException) -> None:
        """Fail every future that has no result."""
        for future in self._futures:
            future.receive(None, error, None)

    def disown(self, error: BaseException) -> None:
        """The same in a forked child."""
        for future in self._futures:
            future.disown(error)

    def cancel(self) -> None:
        """Cancel every future that has no result."""
        for future in self._futures:
            future.cancel()
