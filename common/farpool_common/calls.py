"""Runs calls one after the other, and says at every moment which one is running.

The loop is the cost of a small task, so it makes no system call: one store names the call, one load asks
whether to go on, and now and then a look at the clock decides whether the results so far should travel.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic_ns, perf_counter
from types import TracebackType
from typing import Any, Protocol

from farpool_common.chunk import Chunk
from farpool_common.failure import Failure

STOP, WORK, CALL, STARTED, LAST = range(5)
"""Words of a cursor: do not begin another call; what is being run; which call of it (or one of the values
below); since when, in nanoseconds of the system-wide monotonic clock, to within a few milliseconds; the last
work that may be begun, 0 for any."""

IDLE, PREPARING, REPORTING = -1, -2, -3
"""Instead of a call: nothing to do, getting ready for the first call, writing results."""

_OURS = ("farpool_common.", "farpool_worker.", "farpool.tasks.")

READ_ONLY_NOTE = (
    "An array that several calls share (farpool.put, or one array for many calls of a map) arrives read-only: "
    "change a copy of it, array.copy()."
)

SLOW_SECONDS = 0.001
"""Results do not wait for a call that takes longer than this on average."""

MOST_UNTIMED = 16
"""Calls between two looks at the clock, which costs as much as the smallest call (0.04 µs)."""

_UNTIMED_SECONDS = 50e-6
"""As long as the calls since the last look took less, as many as that follow without a look; else one.  So
calls that turn slow all at once are noticed after so many of them at the latest."""


class Cursor(Protocol):
    """Words that another process may read: shared memory, or a list where nobody looks."""

    def __getitem__(self, word: int, /) -> int: ...
    def __setitem__(self, word: int, value: int, /) -> None: ...


@dataclass(frozen=True)
class Results:
    """What became of the calls from `first` on: a value for each, None where it failed."""

    first: int
    values: list[Any]
    failures: dict[int, Failure]
    seconds: float

    @property
    def stop(self) -> int:
        """The call after the last."""
        return self.first + len(self.values)


def run_some(
    function: Callable[..., Any],
    calls: Iterable[Sequence[Any]],
    first: int,
    cursor: Cursor,
    seconds: float,
    *,
    most_untimed: int = MOST_UNTIMED,
) -> Results:
    """Run calls until none is left, `seconds` are over, the next one seems slow, or the cursor says stop.

    The clock is looked at after each call, or, where they are quick, after `most_untimed`.  A call is named
    before STOP is looked at, never after: so whoever set STOP and then reads CALL knows that no call beyond it
    will begin.
    """
    values: list[Any] = []
    failures: dict[int, Failure] = {}
    append, index = values.append, first
    cursor[STARTED] = monotonic_ns()
    started = now = perf_counter()
    due = started + min(seconds, SLOW_SECONDS)
    look_at = first + 1
    for args in calls:
        cursor[CALL] = index
        if cursor[STOP]:
            break
        try:
            append(function(*args))
        except BaseException as error:  # SystemExit too: a task does not end its process politely
            append(None)
            failures[index] = failure_of(error)
        index += 1
        if index < look_at:
            continue
        before, now = now, perf_counter()
        if now >= due:
            if now - started >= min(seconds, SLOW_SECONDS * len(values)):
                break
            due = started + seconds
        look_at = index + (most_untimed if now - before < _UNTIMED_SECONDS else 1)
    return Results(first, values, failures, perf_counter() - started)


def arguments(chunk: Chunk, start: int, stop: int) -> Iterator[Sequence[Any]]:
    """The arguments of some calls of a chunk, for `called`."""
    rows: Iterable[Sequence[Any]]
    if chunk.rows is not None:
        rows = chunk.rows[start:stop]
    else:
        rows = zip(*(column[start:stop] for column in chunk.columns or ()), strict=True)
    if not chunk.kwargs:
        return iter(rows)
    return ((row, chunk.kwargs.get(index, {})) for index, row in enumerate(rows, start))


def called(function: Callable[..., Any], chunk: Chunk) -> Callable[..., Any]:
    """What to call with the arguments of a chunk."""
    if not chunk.kwargs:
        return function
    return lambda args, kwargs: function(*args, **kwargs)


def failure_of(error: BaseException) -> Failure:
    """Describe an exception, with a traceback that begins at the task."""
    if isinstance(error, ValueError) and "read-only" in str(error):  # as NumPy says it
        error.add_note(READ_ONLY_NOTE)
    return Failure.of(of_task(error))


def of_task(error: BaseException) -> BaseException:
    """The exception, with a traceback that begins at the task."""
    return error.with_traceback(_from_task(error.__traceback__))


def _from_task(frames: TracebackType | None) -> TracebackType | None:
    while frames is not None and frames.tb_frame.f_globals.get("__name__", "").startswith(_OURS):
        frames = frames.tb_next
    return frames
