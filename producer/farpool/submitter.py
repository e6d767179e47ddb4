"""Submitting calls and maps under one set of options."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, ParamSpec, TypedDict, TypeVar, Unpack

from farpool.client.client import Client
from farpool.client.objects import Keeper, keeper_of
from farpool.client.session import Session
from farpool.futures.future import Future
from farpool.maps import bars, mapping
from farpool.maps.bars import Wanted
from farpool.maps.feeder import BufferSize
from farpool.maps.mapping import ChunkSize
from farpool.maps.sharing import shared
from farpool.options import CallOptions
from farpool.retry import Retry
from farpool.shipping.bundle import Bundle
from farpool.shipping.coding import CodeLane, CodeLanes, way_of
from farpool.shipping.inputs import for_ever
from farpool.shipping.lane import Lane
from farpool.shipping.seals import sealer_here
from farpool.shipping.shipment import Route
from farpool_common.by_value import Code
from farpool_common.codec import Ref
from farpool_common.names import unwrapped
from farpool_common.sealing import Sealer

P = ParamSpec("P")
T = TypeVar("T")


class Changes(TypedDict, total=False):
    """What `options` may change."""

    queue: str
    timeout: float | None
    retries: int | Retry
    keep: float | None
    max_queued: int | None
    when_full: Literal["wait", "raise"]
    returns: Literal["value", "reference"]


class Submitter:
    """What an executor and its `options(...)` views have in common."""

    def __init__(self, session: Session, options: CallOptions, owner: object = None) -> None:
        self._session, self._options = session, options
        self._owner = owner  # a view keeps its executor alive
        self._client: Client | None = None
        self._mapper: Submitter | None = None  # the same, where results are kept, for maps
        self._lanes: dict[Callable[..., Any], Lane] = {}
        self._lanes_by_name: dict[str, Lane] = {}
        self._code_lanes = CodeLanes()

    @property
    def is_shut(self) -> bool:
        """Whether no more calls are taken."""
        return self._session.is_shut

    def options(self, **changes: Unpack[Changes]) -> "Submitter":
        """A view of this executor whose `submit` and `map` use other options.

        `queue`, `timeout` (seconds per call), `retries` (a number: how often a call whose worker was lost runs
        again; a `farpool.Retry`: also how often and when one that raised does), `max_queued` and `when_full` (as the
        executor's own), `keep` (seconds that a submitted call's result stays on the server, for `farpool.result(id)` in
        any process; maps hand their results over and keep none).  `returns="reference"`: results stay with the
        workers, and come as a `Ref`, for calls that are given it or for its `get()`.
        """
        return Submitter(self._session, self._options.changed(changes), self._owner or self)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """A future for `fn(*args, **kwargs)`, run by a worker.

        With a key, lambdas, closures and functions of `__main__` are pickled as they are now, at each submit.
        Calls of quick functions are gathered into tasks and encoded by another thread a moment later, so
        do not change a mutable argument until the result is here.  An argument that cannot travel fails
        the future with ArgumentError.  Raises FunctionNotImportableError, and RuntimeError after shutdown.
        Blocks only with `max_queued` and `when_full="wait"`, while thousands of calls wait here already.
        """
        client = self._client
        if client is None or client is not self._session.client:
            client = self._bound()
        try:
            lane = self._lanes.get(fn)
        except TypeError:  # not hashable
            lane = None
        if lane is None:  # met for the first time, or a partial
            return self._submit(client, fn, args, kwargs)
        future: Future[T] = Future()
        client.accept(lane, future, args, kwargs)
        return future

    def _submit_alone(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Future[Any]:
        """As `submit`, in a task that holds no other call."""
        client = self._bound()
        function, args, kwargs = unwrapped(fn, args, kwargs)
        lane = client.open_lane(self._route(client, function, self._way_of(function)))
        future: Future[Any] = Future()
        client.accept(lane, future, args, kwargs)
        lane.end()
        return future

    def put(self, value: T) -> Ref[T]:
        """Store an array or another value once, for any number of calls; give them the reference in its place.

        Each host fetches it once, and all its processes see the same memory: arrays are read-only, and nobody
        should change anything else either.  It stays as long as the reference lives, or a call that was given it.
        Raises EncodeError and TooLargeError when the value cannot travel, and ServerError for an outage.
        """
        return self._keeper().put(value)

    def _keeper(self) -> Keeper:
        return keeper_of(self._session.server)

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: ChunkSize = 1,
        buffersize: BufferSize = None,
        progress: Wanted = False,
    ) -> Iterator[T]:
        """Results of `fn` over the inputs, in their order; work begins at once.

        `chunksize`: "auto" measures and cuts tasks of a sensible run time (best for many inputs); a number
        is the calls in one task; 1 submits each call.  `buffersize`: read only so many inputs ahead of the
        results taken; "auto" as many as keep all slots busy, for inputs without end or beyond memory; None
        reads all inputs now, and runs them though nobody takes the results.  `timeout` counts from here.  The
        first exception is raised at its place.  Closing the iterator cancels the rest.

        With a chunksize above 1, ranges and NumPy arrays travel as they are.  Rows of an array are views of it
        until they are sent: do not change them before.

        `progress=True` shows a bar on a terminal or in a notebook, and none in a pipe; a text stands before it.

        A large array that several calls are given (by `itertools.repeat`, `functools.partial`, or as the same
        object in lists) is stored once, as by `put`, and arrives read-only.
        """
        shown = bars.frame(progress, iterables)
        return shown(self._map(fn, iterables, timeout, chunksize, buffersize, in_order=True))

    def map_unordered(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: ChunkSize = 1,
        buffersize: BufferSize = None,
        progress: Wanted = False,
    ) -> Iterator[T]:
        """As `map`, with the results as they come."""
        shown = bars.frame(progress, iterables)
        return shown(self._map(fn, iterables, timeout, chunksize, buffersize, in_order=False))

    def _map(
        self,
        fn: Callable[..., Any],
        iterables: Sequence[Iterable[Any]],
        timeout: float | None,
        chunksize: ChunkSize,
        buffersize: BufferSize,
        *,
        in_order: bool,
    ) -> Iterator[Any]:
        if self._options.keep is not None:  # nobody would know the ids
            return self._not_keeping()._map(fn, iterables, timeout, chunksize, buffersize, in_order=in_order)
        mapping.checked(chunksize, buffersize)
        deadline = mapping.deadline_of(timeout)
        fn, iterables = shared(fn, iterables, partial(self._keeper().put, waits=True))
        function, args, keywords = unwrapped(fn, (), {})
        if iterables and not keywords:
            fn, iterables = function, [*map(for_ever, args), *iterables]
        if chunksize == 1 or isinstance(fn, partial) or self._options.retry is not None:
            # A call that may run again needs a future of its own.
            results = mapping.call_results if in_order else mapping.call_results_as_they_come
            return results(partial(self.submit, fn), iterables, deadline, buffersize)
        client = self._bound()
        route = self._route(client, fn, self._way_of(fn))
        sizes = chunksize, buffersize
        return mapping.piece_results(client, route, iterables, sizes, deadline, in_order=in_order)

    def _not_keeping(self) -> "Submitter":
        if self._mapper is None:
            self._mapper = self.options(keep=None)
        return self._mapper

    def _bundle(
        self,
        fn: Callable[..., Any],
        way: str | Code,
        calls: tuple[Sequence[tuple[Any, ...]], Sequence[dict[str, Any]]],
        on_over: Callable[[Bundle], None],
    ) -> Bundle:
        """Send calls of a function without partials, positional arguments and keywords of each, as one.

        Raises RuntimeError after shutdown.
        """
        client = self._bound()
        bundle = Bundle(self._route(client, fn, way), *calls, on_over)
        client.send(bundle)
        return bundle

    def _bound(self) -> Client:
        """The session's client; after a fork a new one, to which no lane leads yet."""
        client = self._session.opened()
        if client is not self._client:
            self._client = client
            self._lanes, self._lanes_by_name, self._code_lanes = {}, {}, CodeLanes()
        return client

    def _submit(
        self, client: Client, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Future[Any]:
        """Submit a call of a function without a lane, partials taken apart."""
        function, args, kwargs = unwrapped(fn, args, kwargs)
        way = self._way_of(function)
        if function is fn and (not isinstance(way, Code) or way.is_named):
            self._remember(fn, self._lane(client, function, way))
        return self._submit_by(client, way, function, args, kwargs)

    def _submit_by(
        self,
        client: Client,
        way: str | Code,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Future[Any]:
        """Submit a call of a function that is no partial, and goes this way."""
        future = Future[Any]()
        if isinstance(way, Code) and not way.is_named:
            code = way
            route = partial(self._route, client, function, code)
            with self._code_lanes.lane(code, lambda: client.add(CodeLane(route(), code.body))) as lane:
                client.accept(lane, future, args, kwargs)
            return future
        client.accept(self._lane(client, function, way), future, args, kwargs)
        return future

    def _lane(self, client: Client, function: Callable[..., Any], way: str | Code) -> Lane:
        """The lane of a function that is found by its name."""
        name = way.label if isinstance(way, Code) else way
        known = self._lanes_by_name.get(name)
        if known is None:
            known = self._lanes_by_name[name] = client.open_lane(self._route(client, function, way))
        return known

    def _remember(self, fn: Callable[..., Any], lane: Lane) -> None:
        try:
            self._lanes[fn] = lane
        except TypeError:  # not hashable: found by its name each time
            return

    def _route(self, client: Client, fn: Callable[..., Any], way: str | Code) -> Route:
        keeper = self._keeper() if self._options.returns == "reference" else None
        return client.route(fn, way, self._options, self._seal(), keeper)

    def _way_of(self, function: Callable[..., Any]) -> str | Code:
        return way_of(function, self._options.ship, self._session.server.key)

    def _seal(self) -> Sealer | None:
        """How values travel that only a pickle can describe; None without a key."""
        return sealer_here(self._session.server.key, self._options.ship)
