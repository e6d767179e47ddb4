"""Results of maps: iterators over futures, or over pieces."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import chain, islice
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Literal

from farpool.client.client import Client
from farpool.futures.future import Future
from farpool.maps.feeder import BufferSize, Feeder
from farpool.shipping.inputs import reader_of
from farpool.shipping.pieces import Pieces
from farpool.shipping.shipment import Route
from farpool_common.chunk import MAX_CALLS

Submit = Callable[..., Future[Any]]
ChunkSize = int | Literal["auto"]


CALLS_AHEAD = 10_000
"""Calls with a future each that are on their way at once, where the user leaves it to us (guess)."""


def checked(chunksize: Any, buffersize: Any) -> None:
    """Raise what the standard library raises for sizes that cannot be meant."""
    if chunksize != "auto" and not _is_whole(chunksize):
        raise TypeError(f'chunksize must be a whole number or "auto", not {chunksize!r}')
    if chunksize != "auto" and chunksize < 1:
        raise ValueError("chunksize must be >= 1")
    if buffersize in (None, "auto"):
        return
    if not _is_whole(buffersize):
        raise TypeError('buffersize must be an integer, "auto" or None')
    if buffersize < 1:
        raise ValueError("buffersize must be None or > 0")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def deadline_of(timeout: float | None) -> float | None:
    """The instant at which a map that is called now times out."""
    return None if timeout is None else monotonic() + timeout


# --- call by call, as submits ---------------------------------------------------------------------


def call_results(
    submit: Submit, iterables: Sequence[Iterable[Any]], deadline: float | None, buffersize: BufferSize
) -> Iterator[Any]:
    """Results in the order of the inputs, each call with a future of its own."""
    rows, ahead = zip(*iterables, strict=False), _calls_ahead(buffersize)
    futures = deque(submit(*row) for row in islice(rows, ahead))

    def results() -> Iterator[Any]:
        try:
            while futures:
                result = _result_or_cancel(futures.popleft(), deadline)
                if ahead is not None:
                    futures.extend(submit(*row) for row in islice(rows, 1))
                yield result
        finally:
            _cancel(futures)

    return results()


def call_results_as_they_come(
    submit: Submit, iterables: Sequence[Iterable[Any]], deadline: float | None, buffersize: BufferSize
) -> Iterator[Any]:
    """Results as they come, each call with a future of its own."""
    rows, ahead = zip(*iterables, strict=False), _calls_ahead(buffersize)
    done: SimpleQueue[Future[Any]] = SimpleQueue()
    pending: set[Future[Any]] = set()

    def start(count: int | None) -> None:
        for row in islice(rows, count):
            future = submit(*row)
            pending.add(future)
            future.add_done_callback(done.put)  # type: ignore[arg-type]  # typeshed: of the base class

    def results() -> Iterator[Any]:
        try:
            while pending:
                future = _get(done, deadline)
                pending.discard(future)
                result = future.result()
                if ahead is not None:
                    start(1)
                yield result
        finally:
            _cancel(pending)

    start(ahead)
    return results()


def _calls_ahead(buffersize: BufferSize) -> int | None:
    return CALLS_AHEAD if buffersize == "auto" else buffersize


def _get(done: "SimpleQueue[Future[Any]]", deadline: float | None) -> Future[Any]:
    try:
        return done.get(timeout=_left(deadline))
    except Empty:
        raise TimeoutError from None


def _result_or_cancel(future: Future[Any], deadline: float | None) -> Any:
    try:
        return future.result(_left(deadline))
    finally:
        future.cancel()


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - monotonic())


def _cancel(futures: Iterable[Future[Any]]) -> None:
    for future in list(futures):
        future.cancel()


# --- piece by piece -------------------------------------------------------------------------------


def piece_results(
    client: Client,
    route: Route,
    iterables: Sequence[Iterable[Any]],
    sizes: tuple[ChunkSize, BufferSize],
    deadline: float | None,
    *,
    in_order: bool,
) -> Iterator[Any]:
    """Results of calls that travel many to a task; `sizes` are chunksize and buffersize."""
    chunksize, buffersize = sizes
    size = None if chunksize == "auto" else min(chunksize, MAX_CALLS)
    if not iterables:
        return iter(())
    pieces = Pieces(route, size, in_order=in_order)
    feeder = Feeder(client, pieces, reader_of(iterables), buffersize)
    feeder.feed()
    client.run(pieces)
    return MapResults(pieces, _lists(pieces, deadline, feeder))


class MapResults(Iterator[Any]):
    """The results of a map, list by list: a loop over them runs at the speed of one over a list."""

    def __init__(self, pieces: Pieces, lists: Generator[list[Any], None, None]) -> None:
        self._pieces, self._lists = pieces, lists
        self._values = chain.from_iterable(lists)

    def __iter__(self) -> Iterator[Any]:
        # Written in C, so that a loop does not pass through `__next__`.  It moves the same results on.
        return self._values

    def __next__(self) -> Any:
        return next(self._values)

    def close(self) -> None:
        """Yield no more, and cancel what has no result."""
        self._lists.close()
        self._pieces.cancel()  # a generator that was not begun has nothing to end


def _lists(pieces: Pieces, deadline: float | None, feeder: Feeder) -> Generator[list[Any], None, None]:
    values: list[Any] = []
    try:
        while (piece := pieces.next(deadline)) is not None:
            for values in piece.results():
                yield values
            feeder.taken(piece.calls)
    finally:
        values.clear()  # whoever is in the middle of it gets no more either
        pieces.cancel()
