"""RQ's worker as it runs inside a child: RQ's own code, but for the fence, and results that cannot travel."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from redis import Redis
from rq import Worker
from rq.executions import Execution
from rq.job import Job, Retry
from rq.queue import Queue
from rq.utils import import_attribute

from farpool_common.keys import Keys
from farpool_worker.job_options import RqOptions
from farpool_worker.log import log
from farpool_worker.pipe.job_data import encoded_by
from farpool_worker.rq.fence import Fence, FencedRedis, LeaseGoneError, WrittenError

ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


class Horse:
    """Mixed into RQ's worker class, or into a user's subclass of it."""

    keys: Keys
    tell_settling: Callable[[], None]
    connection: Any
    executions: dict[str, Execution]

    def procline(self, message: str) -> None:
        """The process has a name of its own."""

    def prepare_job_execution(self, job: Job, remove_from_intermediate_queue: bool = False) -> None:
        """RQ's, behind the fence: a job that was canceled since it was claimed stays canceled, and does not run."""
        execution = next(iter(self.executions.values()), None)
        with self._fenced(job, execution):
            super().prepare_job_execution(job, remove_from_intermediate_queue)  # type: ignore[misc]

    def handle_execution_ended(self, job: Job, queue: Queue, heartbeat_ttl: int) -> None:
        """RQ begins to end the job: the daemon is told, so that it does not miss the lease."""
        self.tell_settling()
        super().handle_execution_ended(job, queue, heartbeat_ttl)  # type: ignore[misc]

    def _finalize_success(self, job: Job, queue: Queue, execution: Execution, return_value: Any) -> None:
        if not isinstance(return_value, Retry):
            encoded_by(job.serializer.dumps, return_value, "its arguments did")
        super()._finalize_success(job, queue, execution, return_value)  # type: ignore[misc]

    def _finalize_failure(self, job: Job, queue: Queue, execution: Execution, exc_info: ExcInfo) -> None:
        if isinstance(exc_info[1], LeaseGoneError):
            log.warning("job %s: %s; its end was not written again", job.id, exc_info[1])
            return
        super()._finalize_failure(job, queue, execution, exc_info)  # type: ignore[misc]

    def handle_job_success(self, job: Job, queue: Queue, started_job_registry: Any, execution: Execution) -> None:
        """RQ's, behind the fence."""
        with self._fenced(job, execution):
            try:
                super().handle_job_success(job, queue, started_job_registry, execution)  # type: ignore[misc]
            except WrittenError:  # dependents that it made ready are queued by maintenance
                self._release_slot_safely(job)  # type: ignore[attr-defined]

    def handle_job_failure(
        self,
        job: Job,
        queue: Queue,
        started_job_registry: Any = None,
        exc_string: str = "",
        execution: Execution | None = None,
    ) -> None:
        """RQ's, behind the fence."""
        with self._fenced(job, execution):
            super().handle_job_failure(  # type: ignore[misc]
                job, queue, started_job_registry=started_job_registry, exc_string=exc_string, execution=execution
            )

    def handle_job_retry(
        self, job: Job, queue: Queue, retry: Retry, started_job_registry: Any, execution: Execution
    ) -> None:
        """RQ's, behind the fence."""
        with self._fenced(job, execution):
            super().handle_job_retry(job, queue, retry, started_job_registry, execution)  # type: ignore[misc]

    @contextmanager
    def _fenced(self, job: Job, execution: Execution | None) -> Iterator[None]:
        if execution is None:
            yield
            return
        plain = self.connection
        self.connection = FencedRedis(plain, Fence.of(self.keys, job.origin, job.id, execution.id))
        try:
            yield
        finally:
            self.connection = plain


class DefaultHorse(Horse, Worker):
    """RQ's own worker."""


def horse(options: RqOptions, connection: Redis, job_class: type[Job], tell_settling: Callable[[], None]) -> Worker:
    """A worker that carries the daemon's name.  It is not registered, and never takes a job from a queue."""
    found: Any = _class(options.worker_class)(
        list(options.queues),
        name=options.worker,
        connection=connection,
        default_result_ttl=options.result_seconds,
        exception_handlers=[import_attribute(name) for name in options.handlers],
        work_horse_killed_handler=import_attribute(options.killed_handler) if options.killed_handler else None,
        maintenance_interval=int(options.maintenance_seconds),
        job_class=job_class,
        queue_class=options.queue_class or None,
        disable_default_exception_handler=options.is_default_handler_off,
        prepare_for_work=False,
        serializer=options.serializer or None,
    )
    found.keys, found.tell_settling = Keys(options.prefix), tell_settling
    found._is_horse = True
    worker: Worker = found
    return worker


def _class(name: str) -> Any:
    if not name:
        return DefaultHorse
    own: Any = import_attribute(name)
    return type("OwnHorse", (Horse, own), {})
