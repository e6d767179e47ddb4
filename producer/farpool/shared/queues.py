"""Queues over many hosts: `multiprocessing.Queue`, `JoinableQueue` and `SimpleQueue`."""

import queue
from contextlib import suppress
from typing import Any

from farpool.shared.handle import Shared
from farpool.shared.until import Until
from farpool.shared.wire import packed, unpacked
from farpool_common.bells import Bell, Horn, Wait
from farpool_common.errors import SharedStateGoneError


class _Items(Shared):
    """What holds items in their order.  Putters and takers wait at bells of their own, joiners at a horn."""

    bells = ("filled", "room")
    horns = ("idle",)
    others = ("items",)

    def _put(self, item: Any, until: Until) -> None:
        """Raises queue.Full, or BrokenPipeError when it was ended."""
        answer = self._run_until("queue_put", [packed(item)], until, self._until_room)
        if answer[0] == b"full":
            raise queue.Full
        if answer[0] == b"closed":
            raise BrokenPipeError("the other end of the pipe is closed")

    def _get(self, until: Until) -> Any:
        """Raises queue.Empty, or EOFError when it is closed and empty."""
        answer = self._run_until("queue_get", ["take"], until, self._until_filled)
        if answer[0] == b"ok":
            return unpacked(answer[1])
        raise EOFError if answer[0] == b"closed" else queue.Empty

    def _until_room(self, answer: list[Any]) -> Wait | None:
        return Bell(self._parts.bells[1]) if answer[0] == b"full" else None

    def _until_filled(self, answer: list[Any]) -> Wait | None:
        return Bell(self._parts.bells[0]) if answer[0] == b"empty" else None

    def _until_finished(self, answer: list[Any]) -> Wait | None:
        is_met = answer[0] != b"ok" or answer[2] == 0
        return None if is_met else Horn(self._parts.horns[0], answer[3])

    def _sizes(self) -> list[int]:
        """Items that wait, unfinished ones, and how often the horn was blown."""
        return self._run("queue_look")[1:]


class Stream(_Items):
    """One direction of a pipe: a queue that can be ended."""

    kind = "stream"

    def __init__(self, *, url: str | None = None) -> None:
        self._make(None, url, {"maxsize": 0})

    def put(self, item: Any) -> None:
        """Append an item.  Raises BrokenPipeError after the end."""
        self._put(item, Until(None))

    def take(self, until: Until) -> Any:
        """The oldest item.  Raises queue.Empty, or EOFError when no more will come."""
        return self._get(until)

    def has_item(self, until: Until) -> bool:
        """Whether `take` would return or raise EOFError at once."""
        return bool(self._run_until("queue_get", ["peek"], until, self._until_filled)[0] != b"empty")

    def end(self) -> None:
        """Let no more be put; what was put can be taken.  An object that is gone has ended already."""
        with suppress(SharedStateGoneError):
            self._run("queue_close")


class SimpleQueue(_Items):
    """`multiprocessing.SimpleQueue` over hosts: no limit, no timeouts.

    `name` makes or finds the queue of that name; without one this process owns the queue.  `url` as for Executor.
    """

    kind = "simple"

    def __init__(self, *, name: str | None = None, url: str | None = None) -> None:
        self._make(name, url, {"maxsize": 0})

    def put(self, item: Any) -> None:
        """Append an item.  Raises EncodeError, a TypeError, when it cannot travel."""
        self._put(item, Until(None))

    def get(self) -> Any:
        """Take the oldest item, waiting for one."""
        return self._get(Until(None))

    def empty(self) -> bool:
        """Whether it holds nothing now."""
        return self._sizes()[0] == 0

    def close(self) -> None:
        """For the standard library's sake: a handle holds nothing that must be closed."""


class Queue(_Items):
    """`multiprocessing.Queue` over hosts, with `task_done` and `join` as in its JoinableQueue.

    `maxsize` bounds it; 0 or less is no bound.  A queue of that `name` which exists already keeps its own bound.
    Items are encoded where they are put, and not in a thread later: what cannot travel is told at once.
    """

    kind = "queue"
    _is_closed = False

    def __init__(self, maxsize: int = 0, *, name: str | None = None, url: str | None = None) -> None:
        self._make(name, url, {"maxsize": max(0, int(maxsize))})

    def put(self, obj: Any, block: bool = True, timeout: float | None = None) -> None:
        """Append an item, waiting for room.  Raises queue.Full, or EncodeError when it cannot travel."""
        self._check_open()
        self._put(obj, Until(timeout if block else 0))

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the oldest item, waiting for one.  Raises queue.Empty."""
        self._check_open()
        return self._get(Until(timeout if block else 0))

    def put_nowait(self, obj: Any) -> None:
        """`put(obj, False)`."""
        self.put(obj, False)

    def get_nowait(self) -> Any:
        """`get(False)`."""
        return self.get(False)

    def qsize(self) -> int:
        """How many items it holds now."""
        return self._sizes()[0]

    def empty(self) -> bool:
        """Whether it holds nothing now."""
        return self.qsize() == 0

    def full(self) -> bool:
        """Whether a put would wait now."""
        most = int(self._fields("maxsize")[0] or 0)
        return 0 < most <= self.qsize()

    def task_done(self) -> None:
        """Say that what was made of an item is done.  Raises ValueError when it is said more often than put."""
        if self._run("queue_done")[0] == b"many":
            raise ValueError("task_done() called too many times")

    def join(self) -> None:
        """Return when as many items are done as were put."""
        self._run_until("queue_look", (), Until(None), self._until_finished)

    def close(self) -> None:
        """Let no more be put or taken through this handle."""
        self._is_closed = True

    def join_thread(self) -> None:
        """For the standard library's sake: no thread writes later."""

    def cancel_join_thread(self) -> None:
        """For the standard library's sake: no thread writes later."""

    def _check_open(self) -> None:
        if self._is_closed:
            raise ValueError(f"Queue {self!r} is closed")


class JoinableQueue(Queue):
    """A `Queue` under its other name in multiprocessing."""

    kind = "joinable"
