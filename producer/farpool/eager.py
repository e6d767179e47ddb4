"""An executor that runs calls at once and here, and lets nothing through that could not travel."""

import concurrent.futures
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count
from typing import Any, TypeVar, Unpack

from farpool.futures.future import Future
from farpool.futures.origin import Origin, error_of
from farpool.maps import bars, mapping
from farpool.maps.bars import Wanted
from farpool.maps.feeder import BufferSize
from farpool.maps.mapping import ChunkSize
from farpool.maps.sharing import shared
from farpool.options import CallOptions
from farpool.shipping.arguments import refusal_of
from farpool.submitter import Changes
from farpool_common.calls import Results, arguments, called, run_some
from farpool_common.chunk import Chunk, decode_chunk, decode_outcome, encode_chunk
from farpool_common.codec import Encoded, Ref, decode, encode
from farpool_common.delivery import deliver
from farpool_common.names import function_name, unwrapped
from farpool_common.sizes import MAX_BYTES
from farpool_common.trust import Trust, class_of, resolve

T = TypeVar("T")

HOST = "eager"
_TRUST = Trust(everything=True)


class EagerExecutor(concurrent.futures.Executor):
    """Runs each call in this thread as it is submitted.

    Arguments and results go through farpool's codec, and the function is looked up by its name, so what fails
    on a worker for that reason fails here.  Time limits are not kept, and nothing is ever retried.
    """

    def __init__(self, options: CallOptions | None = None, stored: dict[str, Encoded] | None = None) -> None:
        self._options = options or CallOptions()
        self._stored = {} if stored is None else stored
        self._ids = count(1)
        self._is_shut = False

    def options(self, **changes: Unpack[Changes]) -> "EagerExecutor":
        """As `Executor.options`; the options are checked."""
        return EagerExecutor(self._options.changed(changes), self._stored)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """A future that is done: with the result, or with what `Executor` would have raised for the call."""
        if self._is_shut:
            raise RuntimeError("cannot schedule new futures after shutdown")
        function, args, kwargs = unwrapped(fn, args, kwargs)
        chunk = Chunk(function_name(function), rows=[args], kwargs={0: kwargs} if kwargs else {})
        future: Future[T] = Future()
        refusal = refusal_of(function, chunk, 0)
        if refusal is not None:
            future.receive(None, refusal, None)
        else:
            self._run(chunk, future)
        return future

    def put(self, value: T) -> Ref[T]:
        """A reference to a value, as `Executor.put` gives one; kept as long as this executor."""
        encoded, name = _copied(encode(value)), f"eager-{next(self._ids)}"
        self._stored[name] = encoded
        return Ref(name, encoded.nbytes, lambda ref: decode(encoded.envelope, encoded.buffers))

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: ChunkSize = 1,
        buffersize: BufferSize = None,
        progress: Wanted = False,
    ) -> Iterator[T]:
        """As `Executor.map`: large arrays that several calls share arrive read-only."""
        mapping.checked(chunksize, buffersize)
        shown = bars.frame(progress, iterables)
        fn, inputs = shared(fn, iterables, self.put)
        submit = partial(self.submit, fn)
        results: Iterator[T] = mapping.call_results(submit, inputs, mapping.deadline_of(timeout), buffersize)
        return shown(results)

    def map_unordered(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: ChunkSize = 1,
        buffersize: BufferSize = None,
        progress: Wanted = False,
    ) -> Iterator[T]:
        """As `map`: each call is over before the next begins."""
        return self.map(fn, *iterables, timeout=timeout, chunksize=chunksize, buffersize=buffersize, progress=progress)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls."""
        self._is_shut = True

    def _run(self, chunk: Chunk, future: Future[Any]) -> None:
        encoded = _copied(encode_chunk(chunk))
        arrived = decode_chunk(encoded.envelope, encoded.buffers, classes=_class_of, objects=self._object)
        # Not the remembered one: a test may have put another in its place.
        function = called(resolve.__wrapped__(arrived.function, _TRUST), arrived)
        results = run_some(function, arguments(arrived, 0, 1), 0, [0, 0, 0, 0, 0], 0.0)
        deliver(results, arrived.function, MAX_BYTES, partial(_receive, future, f"eager-{next(self._ids)}"))

    def _object(self, name: str) -> Any:
        encoded = self._stored[name]
        return decode(encoded.envelope, encoded.buffers, classes=_class_of, is_shared=True)


def _receive(future: Future[Any], task_id: str, _: Results, encoded: Encoded) -> None:
    encoded = _copied(encoded)
    outcome = decode_outcome(encoded.envelope, encoded.buffers)
    origin = Origin(task_id, HOST, 1, outcome.pid)
    failure = outcome.failures.get(0)
    future.receive(outcome.values[0], None if failure is None else error_of(failure, origin), origin)


def _copied(encoded: Encoded) -> Encoded:
    """The same bytes in memory of their own, as on another host."""
    return Encoded(encoded.envelope, tuple(memoryview(bytearray(buffer)) for buffer in encoded.buffers), encoded.refs)


def _class_of(name: str) -> type:
    return class_of(name, _TRUST)
