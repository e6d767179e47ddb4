"""The future of a call that runs on another host."""

import asyncio
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, NoReturn, Protocol, TypeVar

from farpool.futures.light_future import CANCELLED, FINISHED, PENDING, LightFuture
from farpool.futures.origin import Origin
from farpool_common.progress import TaskProgress

T = TypeVar("T")


class Ticket(Protocol):
    """What a future knows of the task that carries its call."""

    id: str

    def drop(self, index: int) -> None:
        """Nobody wants the result of this call any more."""

    def is_started(self) -> bool:
        """Whether a worker has taken the task."""
        ...

    def be_watched(self) -> None:
        """Somebody wants to be told of the outcome."""

    def read_while(self, is_wanted: Callable[[], bool], timeout: float | None) -> float | None:
        """Read outcomes in this thread while one is wanted; what is left of the timeout."""
        ...


class Future(LightFuture[T]):
    """A `concurrent.futures.Future`; whatever accepts one of those accepts this.

    It stays pending until the call is over: `running()` tells whether a worker has begun, and `cancel()`
    works until the result is here.  `await future` works in any event loop.
    """

    _ticket: Ticket | None = None
    _index: int = 0
    _tries: Any = None  # what the call has been through, where those that raise run again
    _own_id: str | None = None  # of a task that carries nothing else, known before it is made
    _origin: Origin | None = None
    _progress: TaskProgress | None = None

    @property
    def id(self) -> str | None:
        """The id of the task that carries this call; None until it is sent, unless its result is kept."""
        if self._origin is not None:
            return self._origin.task_id
        return self._ticket.id if self._ticket is not None else self._own_id

    def promise_id(self, task_id: str) -> None:
        """The call will be carried by this task, and no other call with it."""
        self._own_id = task_id

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
    def progress(self) -> TaskProgress | None:
        """What the call has last said with `farpool.progress`: done, total and label.  None before the first word.

        It arrives in the background, a fraction of a second after it was said.
        """
        if self._ticket is not None and self._state == PENDING:
            self._ticket.be_watched()
        return self._progress

    def _read(self, timeout: float | None) -> float | None:
        """Whoever waits reads: no other thread has to be woken for it."""
        ticket = self._ticket
        return timeout if ticket is None else ticket.read_while(self.is_wanted, timeout)

    def _be_watched(self) -> None:
        ticket = self._ticket
        if ticket is not None and self._state == PENDING:
            ticket.be_watched()

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
            if self._state == CANCELLED:
                self.set_running_or_notify_cancel()
        ticket = self._ticket
        if ticket is not None:
            ticket.drop(self._index)
        return True

    def is_wanted(self) -> bool:
        """True until there is a result or the future is cancelled; a quick look without the lock."""
        return self._state == PENDING

    def receive(self, value: Any, error: BaseException | None, origin: Origin | None) -> None:
        """Take the outcome of the call, unless the future is cancelled or has one already."""
        if self._state == PENDING:
            self._origin = origin
            self.settle(value, error)
            if origin is not None:  # it knows the id as well
                self._ticket = None

    def note(self, progress: TaskProgress) -> None:
        """Take what the call says of itself."""
        self._progress = progress

    def __await__(self) -> Generator[Any, None, T]:
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
        if future._own_condition is not None:
            ticket.be_watched()
        if future._state == FINISHED:  # its arguments could not travel
            future._ticket = None
        elif future._state != PENDING:
            ticket.drop(index)


def receive_all(futures: Iterable[Future[Any]], values: Iterable[Any], origin: Origin) -> None:
    """Hand many futures their results."""
    for future, value in zip(futures, values, strict=False):
        future.receive(value, None, origin)
