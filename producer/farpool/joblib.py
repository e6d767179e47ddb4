"""joblib's calls on farpool's workers: importing this module registers the backend "farpool".

The calls of a batch travel as those of an executor do: functions by name, or by value where there is a key, and
arguments by farpool's codec, large arrays stored once.
"""

import concurrent.futures
import threading
import weakref
from collections.abc import Callable
from typing import Any

from joblib.parallel import (
    AutoBatchingMixin,
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
    register_parallel_backend,
)

from farpool.bridges.batches import Batch, grouped
from farpool.bridges.known_arrays import KnownArrays
from farpool.executor import Executor
from farpool_common.codec import Ref
from farpool_common.errors import SettingsError

FEWEST_JOBS = 2
"""With one job joblib runs everything in this process.  Who says "all" means the workers, however few they are
and though none may listen yet."""

GROWTH = 16
"""How many times as large a batch of quick calls may be as the one before (measured: 4 to 64 are alike)."""

Callback = Callable[[concurrent.futures.Future[Any]], object]


class FarpoolBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """The backend of `joblib.parallel_config("farpool")`.

    `url` and `queue` are those of `farpool.Executor`; or give an `executor`, which stays yours to shut down.
    `n_jobs` is -1, all slots that serve the queue, unless you say otherwise; 1 stays in this process.
    """

    supports_retrieve_callback = True
    default_n_jobs = -1
    _effective_batch_size: int
    _smoothed_batch_duration: float

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
        self._arrays = KnownArrays(self._place.put, None)
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
        self._arrays = KnownArrays(self._place.put, max_nbytes, self._place.executor._seal())
        return found

    def compute_batch_size(self) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """How many calls make a batch, by how long batches have taken.

        As joblib's own, but that it grows faster: batches are cut again into tasks of some milliseconds, so a large
        one keeps no slot from its work.
        """
        before, duration = self._effective_batch_size, self._smoothed_batch_duration
        if not 0 < duration < self.MIN_IDEAL_BATCH_DURATION:
            size: int = super().compute_batch_size()
            return size
        ideal = int(2 * before * self.MIN_IDEAL_BATCH_DURATION / duration)
        wanted = max(1, min(GROWTH * before, ideal))
        if wanted != before:
            self._effective_batch_size = wanted
            self._smoothed_batch_duration = self._DEFAULT_SMOOTHED_BATCH_DURATION
        return wanted

    def submit(self, func: Any, callback: Callback | None = None) -> concurrent.futures.Future[Any]:
        """The batch `func` as one future.  Never raises: joblib submits in threads that could not tell anybody."""
        batch = Batch(len(func.items), self._forget)
        if callback is not None:
            batch.add_done_callback(callback)
        with self._lock:
            self._running.add(batch)
        try:
            batch.send(self._place.executor, grouped(func.items, self._place.executor._way_of, self._arrays.stored))
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

    def _forget(self, batch: Batch) -> None:
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


register_parallel_backend("farpool", FarpoolBackend)
