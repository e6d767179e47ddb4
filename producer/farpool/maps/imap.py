"""Results of `Pool.imap`: an iterator that another thread feeds."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Semaphore
from time import monotonic
from typing import Any

from farpool.maps.mapping import CALLS_AHEAD, ChunkSize


class IMapIterator(Iterator[Any]):
    """Results in the order of the inputs, or as they come.  For one thread that takes them."""

    def __init__(self, *, in_order: bool) -> None:
        self._in_order = in_order
        self._arrived: SimpleQueue[Future[Any] | None] = SimpleQueue()  # None: there is one input less to wait for
        self._head: Future[Any] | None = None  # looked at in vain before
        self._taken, self._count = 0, -1

    def add(self, future: "Future[Any]") -> None:
        """The result of the next input."""
        if self._in_order:
            self._arrived.put(future)
        else:
            future.add_done_callback(self._arrived.put)

    def end(self, count: int) -> None:
        """There were so many inputs."""
        self._count = count
        self._arrived.put(None)  # wakes who waits

    def next(self, timeout: float | None = None) -> Any:
        """The next result, or what its call raised; raises `multiprocessing.TimeoutError` after `timeout` seconds."""
        deadline = None if timeout is None else monotonic() + timeout
        future = self._head = self._head or self._next_future(deadline)
        try:
            future.exception(_left(deadline))
        except TimeoutError:
            raise multiprocessing.TimeoutError from None
        except BaseException:  # it is cancelled: the result says so too
            pass
        self._head = None
        self._taken += 1
        return future.result()

    def __next__(self) -> Any:
        return self.next()

    def _next_future(self, deadline: float | None) -> "Future[Any]":
        while self._taken != self._count:
            try:
                future = self._arrived.get(timeout=_left(deadline))
            except Empty:
                raise multiprocessing.TimeoutError from None
            if future is not None:
                return future
        raise StopIteration


def fed(submit: Callable[..., Future[Any]], func: Any, iterable: Iterable[Any], results: IMapIterator) -> None:
    """Submit a call for each input, some thousands ahead of what is done.  What the inputs raise is a result too."""
    room, count = Semaphore(CALLS_AHEAD), 0
    try:
        for value in iterable:
            room.acquire()
            future = submit(func, value)
            count += 1
            future.add_done_callback(lambda _: room.release())
            results.add(future)
    except BaseException as error:
        results.add(_failed(error))
        count += 1
    results.end(count)


def fed_in_chunks(
    run: Callable[..., Iterator[Any]], func: Any, iterable: Iterable[Any], chunksize: ChunkSize, results: IMapIterator
) -> None:
    """The same over a map, whose results end with the first exception."""
    count = 0
    try:
        for result in run(func, iterable, chunksize=chunksize, buffersize="auto"):
            future: Future[Any] = Future()
            future.set_result(result)
            count += 1
            results.add(future)
    except BaseException as error:
        results.add(_failed(error))
        count += 1
    results.end(count)


def _failed(error: BaseException) -> "Future[Any]":
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - monotonic())
