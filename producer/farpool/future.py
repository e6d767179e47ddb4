"""The future of a call that runs on another host."""

import concurrent.futures
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import InvalidStateError
from typing import Any, NoReturn, Protocol, TypeVar

from farpool.origin import Origin

T = TypeVar("T")

_PENDING, _CANCELLED, _FINISHED = "PENDING", "CANCELLED", "FINISHED"
"""States of `concurrent.futures`, which has no public names for them."""


class Ticket(Protocol):
    """What a future knows of the task that carries its call."""

    id: str

    def drop(self, index: int) -> None:
        """Nobody wants the result of this call any more."""

    def is_started(self) -> bool:
        """Whether a worker has taken the task."""


class Future(concurrent.futures.Future[T]):
    """A `concurrent.futures.Future`; whatever accepts one of those accepts this.

    It stays pending until the call is over: `running()` tells whether a worker has begun, and `cancel()`
    works until the result is here.  `await future` works in any event loop.
    """

    _ticket: Ticket | None = None
    _index: int = 0
    _origin: Origin | None = None

    @property
    def id(self) -> str | None:
        """The id of the task that carries this call; None until it is sent."""
        if self._origin is not None:
            return self._origin.task_id
        return self._ticket.id if self._ticket is not None else None

    @property
    def host(self) -> str | None:
        """The worker that ran the call; None until the result is here."""
        return self._origin.host if self._origin is not None else None

    @property
    def pid(self) -> int | None:
        """The process that ran the call; None until the result is here."""
        return self._origin.pid if self._origin is not None else None

    @property
    def attempt(self) -> int | None:
        """1 when the first worker finished the call, 2 when one was lost before, ..."""
        return self._origin.attempt if self._origin is not None else None

    @property
    def progress(self) -> None:
        """What the call has reported about its progress; nothing so far."""
        return

    def running(self) -> bool:
        """True while a worker has the task.  May ask the server, at most five times a second."""
        ticket = self._ticket
        return ticket is not None and not self.done() and ticket.is_started()

    def cancel(self) -> bool:
        """Cancel the call unless its result is here already; True when it is cancelled.

        A call that waits is not run; one that runs is stopped by killing its process.  A call that shares
        its task with others (small calls are gathered) is only given up: it may run, its result is dropped.
        """
        if not super().cancel():
            return False
        with self._condition:
            # The standard library's executors do this when they meet the future in their queue; until it
            # is done, `wait` and `as_completed` sleep on.  It must happen once, whoever comes first.
            if self._state == _CANCELLED:
                self.set_running_or_notify_cancel()
        ticket = self._ticket
        if ticket is not None:
            ticket.drop(self._index)
        return True

    def is_wanted(self) -> bool:
        """True until there is a result or the future is cancelled; a quick look without the lock."""
        return self._state == _PENDING

    def settle(self, value: Any, origin: Origin | None) -> None:
        """Set the result, unless the future is cancelled or has one already."""
        self._origin = origin
        try:
            self.set_result(value)
        except InvalidStateError:
            return
        self._ticket = None

    def fail(self, error: BaseException, origin: Origin | None = None) -> None:
        """Set the exception, unless the future is cancelled or has a result already."""
        self._origin = self._origin or origin
        try:
            self.set_exception(error)
        except InvalidStateError:
            return
        self._ticket = None

    def __await__(self) -> Generator[Any, None, T]:
        import asyncio  # takes 30 ms; who awaits has it already

        return asyncio.wrap_future(self).__await__()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a farpool.Future belongs to the process that submitted the call and cannot be pickled or sent; "
            "send future.result() instead"
        )


def link(futures: Sequence[Future[Any]], ticket: Ticket) -> None:
    """Tell futures which task carries them, and the task which of them were cancelled meanwhile."""
    for index, future in enumerate(futures):
        future._ticket = ticket
        future._index = index
        if future._state == _FINISHED:  # its arguments could not travel
            future._ticket = None
        elif future._state != _PENDING:
            ticket.drop(index)


def settle_all(futures: Iterable[Future[Any]], values: Iterable[Any], origin: Origin) -> None:
    """Set the results of many futures."""
    for future, value in zip(futures, values, strict=False):
        future.settle(value, origin)
