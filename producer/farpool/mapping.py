"""Results of maps: iterators over futures, or over pieces."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Literal

from farpool.client import Client
from farpool.future import Future
from farpool.inputs import all_columns, columns_of
from farpool.pieces import Pieces
from farpool.shipment import Route
from farpool_common.chunk import MAX_CALLS

Submit = Callable[..., Future[Any]]
ChunkSize = int | Literal["auto"]


def checked(chunksize: Any, buffersize: Any) -> None:
    """Raise what the standard library raises for sizes that cannot be meant."""
    if chunksize != "auto" and not _is_whole(chunksize):
        raise TypeError(f'chunksize must be a whole number or "auto", not {chunksize!r}')
    if chunksize != "auto" and chunksize < 1:
        raise ValueError("chunksize must be >= 1")
    if buffersize is not None and not _is_whole(buffersize):
        raise TypeError("buffersize must be an integer or None")
    if buffersize is not None and buffersize < 1:
        raise ValueError("buffersize must be None or > 0")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def deadline_of(timeout: float | None) -> float | None:
    """The instant at which a map that is called now times out."""
    return None if timeout is None else monotonic() + timeout


# --- call by call, as submits ---------------------------------------------------------------------


def call_results(
    submit: Submit, iterables: Sequence[Iterable[Any]], deadline: float | None, buffersize: int | None
) -> Iterator[Any]:
    """Results in the order of the inputs, each call with a future of its own."""
    rows = zip(*iterables, strict=False)
    futures = deque(submit(*row) for row in islice(rows, buffersize))

    def results() -> Iterator[Any]:
        try:
            while futures:
                result = _result_or_cancel(futures.popleft(), deadline)
                if buffersize is not None:
                    futures.extend(submit(*row) for row in islice(rows, 1))
                yield result
        finally:
            _cancel(futures)

    return results()


def call_results_as_they_come(
    submit: Submit, iterables: Sequence[Iterable[Any]], deadline: float | None, buffersize: int | None
) -> Iterator[Any]:
    """Results as they come, each call with a future of its own."""
    rows = zip(*iterables, strict=False)
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
                if buffersize is not None:
                    start(1)
                yield result
        finally:
            _cancel(pending)

    start(buffersize)
    return results()


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
    sizes: tuple[ChunkSize, int | None],
    deadline: float | None,
    *,
    in_order: bool,
) -> Iterator[Any]:
    """Results of calls that travel many to a task; `sizes` are chunksize and buffersize."""
    chunksize, buffersize = sizes
    size = None if chunksize == "auto" else min(chunksize, MAX_CALLS)
    if not iterables:
        return iter(())
    if buffersize is None:
        pieces = Pieces(route, all_columns(iterables), size, in_order=in_order)
        client.run(pieces)
        return _results(pieces, deadline, None)
    rows = zip(*iterables, strict=False)
    pieces = Pieces(route, columns_of(rows, buffersize, len(iterables)), size, in_order=in_order)
    pieces.keep_open()
    client.run(pieces)
    return _results(pieces, deadline, lambda count: _feed(client, pieces, rows, count))


def _feed(client: Client, pieces: Pieces, rows: Iterator[tuple[Any, ...]], count: int) -> None:
    """Replace what was yielded by as many new inputs."""
    columns = columns_of(rows, count, pieces.width)
    if columns[0]:
        client.extend(pieces, columns)
    if len(columns[0]) < count:
        pieces.end()


def _results(pieces: Pieces, deadline: float | None, feed: Callable[[int], None] | None) -> Iterator[Any]:
    try:
        while (piece := pieces.next(deadline)) is not None:
            yield from piece.results()
            if feed is not None:
                feed(piece.calls)
    finally:
        pieces.cancel()
