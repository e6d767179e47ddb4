"""`farpool.Pool`: the interface of `multiprocessing.Pool` over the workers of many hosts."""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from types import TracebackType
from typing import Any, Literal, NoReturn, Self

from farpool.async_result import AsyncResult, Callback, ErrorCallback, MapResult
from farpool.drop_in import warn_of_tasks_per_child
from farpool.executor import Executor
from farpool.maps.imap import IMapIterator, fed, fed_in_chunks
from farpool.maps.mapping import ChunkSize

RUN, CLOSE, TERMINATE = "RUN", "CLOSE", "TERMINATE"
"""States, spelled as multiprocessing shows them."""


class Pool:
    """`multiprocessing.Pool` whose calls run on all hosts that serve a queue.

    `processes` caps how many of this pool's tasks are on their way at once; None uses every slot.
    `initializer(*initargs)` runs once in each worker process before it runs calls of this pool.
    `maxtasksperchild` is the worker's to decide: it is checked, a warning names the worker's option, and it has
    no other effect.  `url` and `queue` are those of `Executor`.

    Leaving the `with` block terminates the pool.  Raises what `Executor` raises when no server answers.
    """

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Sequence[Any] = (),
        maxtasksperchild: int | None = None,
        *,
        url: str | None = None,
        queue: str = "default",
    ) -> None:
        self._state = RUN
        if processes is not None and processes < 1:
            raise ValueError("Number of processes must be at least 1")
        warn_of_tasks_per_child("maxtasksperchild", maxtasksperchild, stacklevel=3)
        self._processes = processes
        self._threads: list[threading.Thread] = []
        self._executor = Executor(
            url, queue=queue, max_workers=processes, initializer=initializer, initargs=tuple(initargs)
        )

    def apply(self, func: Callable[..., Any], args: Iterable[Any] = (), kwds: Mapping[str, Any] | None = None) -> Any:
        """The result of `func(*args, **kwds)`, run by a worker."""
        return self.apply_async(func, args, kwds).get()

    def apply_async(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwds: Mapping[str, Any] | None = None,
        callback: Callback | None = None,
        error_callback: ErrorCallback | None = None,
    ) -> AsyncResult:
        """What will be the result of `func(*args, **kwds)`.

        One of the callbacks is called in another thread when it is known, before `get` returns.
        Raises FunctionNotImportableError at once for a function that has no name in a module.
        """
        self._check_running()
        return AsyncResult(self._executor.submit(func, *args, **(kwds or {})), callback, error_callback)

    def map(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: ChunkSize | None = None) -> list[Any]:
        """Results of `func` over the inputs, in their order, when all are here.

        Without a chunksize, tasks of a sensible run time are cut while the calls are measured.  The first exception
        in the order of the inputs is raised, and what was not begun then is cancelled.
        """
        self._check_running()
        return list(self._results(func, (_sized(iterable),), chunksize))

    def map_async(
        self,
        func: Callable[[Any], Any],
        iterable: Iterable[Any],
        chunksize: ChunkSize | None = None,
        callback: Callback | None = None,
        error_callback: ErrorCallback | None = None,
    ) -> MapResult:
        """What will be the list of results of `map`."""
        self._check_running()
        return self._gathered(self._results(func, (_sized(iterable),), chunksize), callback, error_callback)

    def starmap(
        self, func: Callable[..., Any], iterable: Iterable[Iterable[Any]], chunksize: ChunkSize | None = None
    ) -> list[Any]:
        """As `map`, with each input the arguments of a call: `func(*input)`."""
        self._check_running()
        return list(self._star_results(func, iterable, chunksize))

    def starmap_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: ChunkSize | None = None,
        callback: Callback | None = None,
        error_callback: ErrorCallback | None = None,
    ) -> MapResult:
        """What will be the list of results of `starmap`."""
        self._check_running()
        return self._gathered(self._star_results(func, iterable, chunksize), callback, error_callback)

    def imap(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: ChunkSize = 1) -> Iterator[Any]:
        """Results in the order of the inputs, each when it is here.

        Another thread reads the inputs, and runs them whether results are taken or not.  With a chunksize of 1 the
        iterator has `next(timeout)`, which raises `multiprocessing.TimeoutError`, and goes on after an exception.
        """
        return self._imap(func, iterable, chunksize, in_order=True)

    def imap_unordered(
        self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: ChunkSize = 1
    ) -> Iterator[Any]:
        """As `imap`, with the results as they come."""
        return self._imap(func, iterable, chunksize, in_order=False)

    def close(self) -> None:
        """Take no more calls; those taken are run."""
        if self._state == RUN:
            self._state = CLOSE

    def terminate(self) -> None:
        """Take no more calls and stop those taken: who waits for their results gets CancelledError."""
        self._state = TERMINATE
        self._executor._cancel_all()
        self._executor.shutdown(wait=False)

    def join(self) -> None:
        """Return when every call is over.  Raises ValueError before `close` or `terminate`."""
        if self._state == RUN:
            raise ValueError("Pool is still running")
        for thread in self._threads:
            thread.join()
        self._executor.shutdown()

    def __enter__(self) -> Self:
        self._check_running()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminate()

    def __repr__(self) -> str:
        size = self._executor._max_workers if self._state == RUN else self._processes or 0
        if self._processes is not None:
            size = min(size, self._processes)
        return f"<farpool.Pool state={self._state} pool_size={size}>"

    def __reduce__(self) -> NoReturn:
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")

    def _check_running(self) -> None:
        if self._state != RUN:
            raise ValueError("Pool not running")

    def _results(
        self, func: Callable[..., Any], columns: Sequence[Iterable[Any]], chunksize: ChunkSize | None
    ) -> Iterator[Any]:
        return self._executor.map(func, *columns, chunksize="auto" if chunksize is None else chunksize)

    def _star_results(
        self, func: Callable[..., Any], iterable: Iterable[Iterable[Any]], chunksize: ChunkSize | None
    ) -> Iterator[Any]:
        rows = [tuple(row) for row in iterable]
        if len({len(row) for row in rows}) == 1 and rows[0]:
            return self._results(func, list(zip_longest(*rows)), chunksize)
        futures = [self._executor.submit(func, *row) for row in rows]  # rows of several lengths make no columns
        return (future.result() for future in futures)

    def _gathered(
        self, results: Iterator[Any], callback: Callback | None, error_callback: ErrorCallback | None
    ) -> MapResult:
        found = MapResult(callback, error_callback)
        self._start("gather", found.gather, results)
        return found

    def _imap(
        self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: ChunkSize, *, in_order: bool
    ) -> Iterator[Any]:
        self._check_running()
        if chunksize != "auto" and chunksize < 1:
            raise ValueError(f"Chunksize must be 1+, not {chunksize}")
        results = IMapIterator(in_order=in_order)
        if chunksize == 1:
            self._start("feed", fed, self._executor.submit, func, iterable, results)
            return results
        run = self._executor.map if in_order else self._executor.map_unordered
        self._start("feed", fed_in_chunks, run, func, iterable, chunksize, results)
        return (result for result in results)  # as there: it ends at the first exception

    def _start(self, duty: Literal["feed", "gather"], run: Callable[..., object], *args: Any) -> None:
        """Run something beside the user's thread; `join` waits for it."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=run, args=args, name=f"farpool-pool-{duty}", daemon=True)
        self._threads.append(thread)
        thread.start()


def _sized(iterable: Iterable[Any]) -> Iterable[Any]:
    """Inputs whose number is known, so that what their iterator raises is raised here."""
    return iterable if isinstance(iterable, Collection) or hasattr(iterable, "__len__") else list(iterable)
