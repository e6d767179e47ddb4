"""What one child was asked to do, and which of its calls have no outcome yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from farpool_common.calls import CALL, PREPARING, STARTED, WORK, Cursor
from farpool_common.task import Ranges, count, without
from farpool_worker.pipe.channel import GarbageError, Message
from farpool_worker.pipe.storing import ObjectToStore
from farpool_worker.pipe.work import Work
from farpool_worker.pool.events import Ended, Event, Progress, Returned, Settled, Settling, TakenBack

PREPARING_SECONDS = 300.0
"""Added to a call's limit while its module is imported, its arguments are read or its result is written."""


@dataclass
class _Open:
    work: Work
    left: Ranges


@dataclass(frozen=True)
class Running:
    """What the cursor says: the call (or the first without an outcome), since when, in seconds."""

    work: Work
    call: int
    since: float
    is_call: bool
    preparing: bool

    @property
    def allowed_seconds(self) -> float | None:
        """How long it may go on."""
        if self.work.limit is None:
            return None
        allowed = self.work.limit + self.work.patience
        return allowed if self.is_call else allowed + PREPARING_SECONDS


class Place(NamedTuple):
    """Where a child is: in which work, in which call of it (or before or between calls), since when, and how long
    a call of it should take, in seconds."""

    work: int
    call: int
    since: float
    expected: float

    @property
    def is_call(self) -> bool:
        """Whether a call has been named."""
        return self.call >= 0


class Assignment:
    """The works that a child holds, numbered in the order in which they were sent."""

    def __init__(self, pid: int, cursor: Cursor) -> None:
        self._pid, self._cursor = pid, cursor
        self._open: dict[int, _Open] = {}
        self._taken: set[int] = set()  # works that were taken back, and of which it will yet say that it is through
        self._last = 0
        self.calls_ended = 0

    def __bool__(self) -> bool:
        return bool(self._open or self._taken)

    def add(self, works: Sequence[Work]) -> list[list[Any]]:
        """Note works; returns their rows for the message to the child."""
        rows = []
        for work in works:
            self._last += 1
            self._open[self._last] = _Open(work, work.ranges)
            job = work.job and work.job.fields()
            fields = [work.data, work.kind.value, work.ranges, work.attempt, work.limit, job]
            rows.append([self._last, *fields, len(work.segments)])
        return rows

    def event(self, message: Message) -> Event | None:
        """What a message of the child says, None if it is nothing new.  Raises GarbageError when it makes no sense."""
        match message.fields:
            case [
                "progress",
                int(number),
                int(first),
                int(stop),
                int(failed),
                float(seconds),
                bytes(data),
                bool(is_end),
                None | list() as to_store,
            ]:
                work_id = self._cover(number, first, stop)
                if is_end:
                    self._check_over(number)
                span, found = ((first, stop),), ObjectToStore.from_fields(to_store)
                return Progress(work_id, span, failed, seconds, self._pid, data, message.segments, is_end, found)
            case ["returned", int(number), float(seconds), None | str() as error, bytes(envelope)]:
                work_id = self._cover(number, 0, 1)
                return Returned(work_id, seconds, self._pid, error, envelope)
            case ["settling", int(number)] if number in self._open:
                return Settling(self._open[number].work.id, self._execution(number))
            case ["settled", int(number), float(seconds), bool(has_failed)]:
                return Settled(self._cover(number, 0, 1), self._execution(number), seconds, has_failed)
            case ["ended", int(number)] if number in self._open:
                ended = self._open.pop(number)
                return Ended(ended.work.id, ended.left)
            case ["ended", int(number)] if number in self._taken:
                self._taken.remove(number)
                return None
            case _:
                raise GarbageError(f"an unknown message: {message.fields[0]!r}")

    def _cover(self, number: int, first: int, stop: int) -> str:
        found = self._open.get(number)
        if found is None or count(left := without(found.left, ((first, stop),))) != count(found.left) - (stop - first):
            raise GarbageError("an outcome of a call that the child was not asked to run")
        found.left = left
        self.calls_ended += stop - first
        return found.work.id

    def _execution(self, number: int) -> str:
        job = self._open[number].work.job
        return "" if job is None else job.execution

    def _check_over(self, number: int) -> None:
        if self._open.pop(number).left:
            raise GarbageError("the end of a work with calls that have no outcome")

    # --- what it has not begun -------------------------------------------------------------------

    @property
    def has_several_calls(self) -> bool:
        """Whether a call could wait for another."""
        return sum(count(found.left) for found in self._open.values()) > 1

    def place(self) -> Place | None:
        """Where the child is; None when it is through with everything, or a task has written into the cursor."""
        work, call, since = self._position()
        first, last = next(iter(self._open), None), self._last
        if first is None or not 0 <= work <= last:
            return None
        if work < first:  # not taken up yet
            return Place(first, PREPARING, since, self._open[first].work.expected)
        found = self._open.get(work)
        return Place(work, call, since, found.work.expected if found is not None else 0.0)

    def _position(self) -> tuple[int, int, float]:
        """The work is read twice: were it another the second time, the call would not be one of its."""
        while True:
            work, call, since = self._cursor[WORK], self._cursor[CALL], self._cursor[STARTED]
            if self._cursor[WORK] == work:
                return work, call, since / 1e9

    def is_behind(self, place: Place) -> bool:
        """Whether there is something that `take_back` would take."""
        return next(reversed(self._open), 0) > place.work or bool(self._rest(place))

    def take_back(self, place: Place) -> list[TakenBack]:
        """What lies behind a place is the daemon's again, the last first.  See `take_back.py`."""
        taken = []
        for number in sorted((number for number in self._open if number > place.work), reverse=True):
            found = self._open.pop(number)
            self._taken.add(number)
            taken.append(TakenBack(found.work.id, found.left))
        if rest := self._rest(place):
            found = self._open[place.work]
            found.left = without(found.left, rest)
            taken.append(TakenBack(found.work.id, rest))
        return taken

    def _rest(self, place: Place) -> Ranges:
        """The calls of the same work behind a call that runs."""
        found = self._open.get(place.work)
        if found is None or not any(start <= place.call < stop for start, stop in found.left):
            return ()
        return without(found.left, ((0, place.call + 1),))

    # --- what is known of it ---------------------------------------------------------------------

    def has_limits(self) -> bool:
        """Whether any of the works has a time limit."""
        return any(found.work.limit is not None for found in self._open.values())

    def lost(self) -> tuple[tuple[str, Ranges], ...]:
        """Works and their calls without an outcome."""
        return tuple((found.work.id, found.left) for found in self._open.values())

    def running(self) -> Running | None:
        """What the child is doing; None between works, or before it has taken up what was sent."""
        found = self._open.get(self._cursor[WORK])
        call = self._cursor[CALL]
        if found is None or not found.left:
            return None
        preparing = call == PREPARING
        is_call = any(start <= call < stop for start, stop in found.left)
        first = call if is_call else found.left[0][0]
        return Running(found.work, first, self._cursor[STARTED] / 1e9, is_call, preparing)

    def only(self) -> Work | None:
        """The work that the child holds, when it is one."""
        works = list(self._open.values())
        return works[0].work if len(works) == 1 else None

    def work_id(self, number: int) -> str | None:
        """Which work has this number; None when the child is through with it, or never had one."""
        found = self._open.get(number)
        return None if found is None else found.work.id

    def holds(self, work_id: str) -> bool:
        """Whether the child was asked to do it and is not through with it."""
        return any(found.work.id == work_id for found in self._open.values())
