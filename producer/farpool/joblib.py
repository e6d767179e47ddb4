"""joblib's calls on farpool's workers: importing this module registers the backend "farpool".

A call travels as every call of an executor does: its function by name, its arguments by farpool's codec.
"""

import concurrent.futures
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from types import MethodType
from typing import Any

from joblib.parallel import (
    AutoBatchingMixin,
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
    register_parallel_backend,
)

from farpool.coding import has_key
from farpool.executor import Executor
from farpool.future import Future
from farpool.sharing import is_large
from farpool_common.codec import Ref, encode
from farpool_common.errors import EncodeError, FunctionNotImportableError, SettingsError, TooLargeError
from farpool_common.names import function_name, unwrapped

FEWEST_JOBS = 2
"""With one job joblib runs everything in this process.  Who says "all" means the workers, however few they are
and though none may listen yet."""

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
Callback = Callable[[concurrent.futures.Future[Any]], object]


class FarpoolBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """The backend of `joblib.parallel_config("farpool")`.

    `url` and `queue` are those of `farpool.Executor`; or give an `executor`, which stays yours to shut down.
    `n_jobs` is -1, all slots that serve the queue, unless you say otherwise; 1 stays in this process.
    """

    supports_retrieve_callback = True
    default_n_jobs = -1

    def __init__(
        self,
        nesting_level: int | None = None,
        *,
        executor: Executor | None = None,
        url: str | None = None,
        queue: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(nesting_level=nesting_level, **settings)
        self._place = _Place(executor, url, queue)
        self._arrays = KnownArrays(self._place, None)
        self._lock = threading.Lock()
        self._running: set[Batch] = set()

    def effective_n_jobs(self, n_jobs: int | None) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """How many calls may be under way; negative numbers count from all slots, as joblib does."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            n_jobs = self.default_n_jobs
        if n_jobs > 0:
            return n_jobs
        return max(self._place.executor._max_workers + 1 + n_jobs, FEWEST_JOBS)

    def configure(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        n_jobs: int = -1,
        parallel: Any = None,
        *,
        executor: Executor | None = None,
        url: str | None = None,
        queue: str | None = None,
        max_nbytes: int | None = None,
        **_: Any,
    ) -> int:
        """Be ready for a `Parallel`, which may have a place of its own.

        Of joblib's settings for memory maps only `max_nbytes` says anything here.
        """
        if executor is not None or url is not None or queue is not None:
            self._place = _Place(executor, url, queue)
        found = self.effective_n_jobs(n_jobs)
        if found == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        # The Parallel holds its backend: were it held in turn, the executor would outlive both until a collection.
        self.parallel = weakref.proxy(parallel)
        self._arrays = KnownArrays(self._place, max_nbytes)
        return found

    def submit(self, func: Any, callback: Callback | None = None) -> concurrent.futures.Future[Any]:
        """The batch `func` as one future.  Never raises: joblib submits in threads that could not tell anybody."""
        batch = Batch(self._forget)
        if callback is not None:
            batch.add_done_callback(callback)
        with self._lock:
            self._running.add(batch)
        try:
            calls = named_calls(func.items)
            if calls is None:
                batch.follow([self._place.executor.submit(packed_batch(func))], is_packed=True)
            else:
                batch.follow([self._submitted(*call) for call in calls])
        except Exception as error:
            batch.fail(error)
        return batch

    def retrieve_result_callback(self, out: concurrent.futures.Future[Any]) -> Any:
        """The results of a batch that is done, or what the first call that failed has raised."""
        return out.result()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel what has no result; calls that run are stopped."""
        with self._lock:
            running = list(self._running)
        for batch in running:
            batch.give_up()

    def stop_call(self) -> None:
        """A `Parallel` call is over: its large arrays are not needed any more."""
        self._arrays.forget()

    def terminate(self) -> None:
        """The workers are not ours to end, and the executor serves the next `Parallel`."""
        self._arrays.forget()
        self.reset_batch_stats()

    def _submitted(self, function: Callable[..., Any], args: Iterable[Any], kwargs: dict[str, Any]) -> Future[Any]:
        stored = self._arrays.stored
        return self._place.executor.submit(
            function, *map(stored, args), **{name: stored(kwargs[name]) for name in kwargs}
        )

    def _forget(self, batch: "Batch") -> None:
        with self._lock:
            self._running.discard(batch)


class _Place:
    """Where calls go: the user's executor, or one that is opened when it is first needed."""

    def __init__(self, executor: Executor | None, url: str | None, queue: str | None) -> None:
        if executor is not None and (url is not None or queue is not None):
            raise SettingsError("an executor has its server and queue: give the backend either it, or url and queue")
        self._executor, self._url, self._queue = executor, url, queue or "default"
        self._opening = threading.Lock()

    @property
    def executor(self) -> Executor:
        """Its threads end when nobody refers to it any more."""
        with self._opening:
            if self._executor is None:
                self._executor = Executor(self._url, queue=self._queue)
            return self._executor

    def put(self, value: Any) -> Ref[Any]:
        """Store a value there; outages are waited out."""
        return self.executor._keeper().put(value, waits=True)


class Batch(concurrent.futures.Future[Any]):
    """The calls of one batch as one future: a list of results, or the first failure."""

    def __init__(self, forget: "Callable[[Batch], None]") -> None:
        super().__init__()
        self._forget = forget
        self._guard = threading.Lock()
        self._calls: list[Future[Any]] = []
        self._missing, self._is_over, self._is_packed = 0, False, False

    def follow(self, calls: list[Future[Any]], *, is_packed: bool = False) -> None:
        """Be done when these are, or when the one is that stands for all (`is_packed`)."""
        self._is_packed = is_packed
        self._missing, self._calls = len(calls), calls
        for call in calls:
            call.add_done_callback(self._one_is_done)
        if self._is_over:  # given up by another thread before it had these calls, or failed by the first of them
            self._cancel_calls()

    def fail(self, error: BaseException) -> None:
        """Be done with this error, unless done already; the calls that are left are cancelled."""
        if self._ends():
            self.set_exception(error)
            self._cancel_calls()

    def give_up(self) -> None:
        """Nobody wants the results."""
        self.fail(concurrent.futures.CancelledError())

    def _cancel_calls(self) -> None:
        calls, self._calls = self._calls, []
        for call in calls:
            call.cancel()

    def _one_is_done(self, call: concurrent.futures.Future[Any]) -> None:
        if call.cancelled():
            self.give_up()
            return
        error = call.exception()
        if error is not None:
            self.fail(error)
            return
        with self._guard:
            self._missing -= 1
            is_last = self._missing == 0
        if is_last and self._ends():
            results = [each.result() for each in self._calls]
            self.set_result(results[0] if self._is_packed else results)
            self._calls = []

    def _ends(self) -> bool:
        """True for the one who may set the outcome."""
        with self._guard:
            is_first, self._is_over = not self._is_over, True
        if is_first:
            self._forget(self)
        return is_first


class KnownArrays:
    """Large arrays of one `Parallel` call: each is stored once and travels as a reference, however often it is given.

    As with joblib's memory maps, all of them arrive read-only, and an array is known by its identity: do not change
    it while calls are made.  `most_bytes` is joblib's `max_nbytes`: smaller ones travel with each call; None: all do.
    """

    def __init__(self, place: _Place, most_bytes: int | None) -> None:
        self._place, self._most_bytes = place, most_bytes
        self._refs: dict[int, tuple[weakref.ref[Any], Ref[Any]]] = {}

    def stored(self, value: Any) -> Any:
        """A reference in place of a large array; anything else as it is."""
        if self._most_bytes is None or not is_large(value) or value.nbytes < self._most_bytes:
            return value
        array, ref = self._refs.get(id(value), (None, None))
        if array is not None and array() is value:
            return ref
        try:
            ref = self._place.put(value)
        except (EncodeError, TooLargeError):
            return value  # its calls tell why
        self._refs[id(value)] = weakref.ref(value, partial(_forgotten, self._refs, id(value))), ref
        return ref

    def forget(self) -> None:
        """No call will be given any of them again."""
        self._refs.clear()


def _forgotten(refs: dict[int, Any], number: int, _: object) -> None:
    """An array is gone: nobody can give it again, and calls that were given it keep it stored themselves."""
    refs.pop(number, None)


def named_calls(calls: Iterable[Call]) -> list[Call] | None:
    """The calls of a batch, partials taken apart, if they travel by name and without pickle.

    Otherwise None where there is a key, with which the batch can travel as signed code.  Raises
    FunctionNotImportableError without one; an argument that cannot travel fails its call then.
    """
    found = [unwrapped(function, args, kwargs) for function, args, kwargs in calls]
    try:
        for function in {id(call[0]): call[0] for call in found}.values():
            _check_named(function)
        if has_key():
            encode([call[1:] for call in found], takes_refs=True)
    except (FunctionNotImportableError, EncodeError):
        if has_key():
            return None
        raise
    return found


def packed_batch(batch: Any) -> Callable[[], list[Any]]:
    """A whole batch as a function without arguments: what it refers to travels with its code."""

    def run_batch() -> list[Any]:
        results: list[Any] = batch()
        return results

    return run_batch


def _check_named(function: Callable[..., Any]) -> None:
    """Raise unless what a worker finds by the name is this function, and nothing that only bears its name."""
    name = function_name(function)
    module = getattr(function, "__module__", None) or name.partition(":")[0]
    reached: Any = sys.modules.get(module)
    for part in name.partition(":")[2].split("."):
        reached = getattr(reached, part, None)
    if reached is not function and not (isinstance(function, MethodType) and reached == function):
        raise FunctionNotImportableError(
            f"workers import functions by name, and {name} is not what joblib was given but an object around it "
            f"({type(function).__module__}.{type(function).__qualname__}). scikit-learn wraps its calls so, and gives "
            f"them estimators; both travel pickled, which "
            f"takes a key that producers and workers share (`farpool key --new`). Nothing was sent."
        )


register_parallel_backend("farpool", FarpoolBackend)
