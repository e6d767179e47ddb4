"""What a child has RQ's own code do: run a job and end it, end one that has run, look after the registries.

Each errand has a connection of its own, so that nothing that a function does to it outlives the job.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis, exceptions
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry as ConnectionRetry
from rq import Worker
from rq.executions import Execution
from rq.job import Job, Retry
from rq.registry import clean_registries
from rq.serializers import Serializer, resolve_serializer
from rq.timeouts import JobTimeoutException
from rq.utils import now
from rq.worker_registration import clean_worker_registry

from farpool_common.broker import client_of
from farpool_common.formats import Format, decompressed
from farpool_common.preparing import Preparer
from farpool_worker.job_options import RqOptions
from farpool_worker.pipe.job_data import Call, check_accepted
from farpool_worker.pipe.work import JobRef, Kind, Work
from farpool_worker.rq.current_job import current, current_class
from farpool_worker.rq.horse import horse
from farpool_worker.rq.recognised import job_class

OUTAGES = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.BusyLoadingError)

TIMEOUT_SECONDS = 60.0
"""How long one command may take before its connection counts as lost; large results take seconds (guess)."""


class Errands:
    """One per child.  Methods that end a job return whether it has failed."""

    def __init__(self, options: RqOptions, accepted: tuple[Format, ...], preparer: Preparer) -> None:
        self._options, self._accepted, self._preparer = options, accepted, preparer
        self._job_class: Any = job_class(options.job_class, accepted, options.serializer)
        self.serializer: Serializer | None = resolve_serializer(options.serializer) if options.serializer else None
        os.environ["RQ_WORKER_ID"] = options.worker

    # --- for functions that farpool calls --------------------------------------------------------

    @contextmanager
    def current(self, ref: JobRef) -> Iterator[Any]:
        """Inside, RQ's users find their job."""
        os.environ["RQ_JOB_ID"] = ref.id
        found: Any = current_class(self._job_class)(ref.id, self._connect, ref.is_failure_plain)
        with current(found):
            yield found

    def is_retry(self, value: Any) -> bool:
        """Whether a function asks to be run again."""
        return isinstance(value, Retry)

    def late(self, _: float, limit: float) -> Exception:
        """RQ's own exception: functions may wait for it, to clean up."""
        return JobTimeoutException(f"Task exceeded maximum timeout value ({limit:g} seconds)")

    def call_of(self, data: bytes) -> Call:
        """The call in a job's data, by the user's own serializer."""
        assert self.serializer is not None
        name, instance, args, kwargs = self.serializer.loads(decompressed(data))
        return Call("unknown", name, instance, args, kwargs)

    def end(
        self, ref: JobRef, found: Any, value: Any, error: BaseException | None, tell_settling: Callable[[], None]
    ) -> bool:
        """End a job whose function farpool called."""
        with self._at_work(ref, tell_settling, found) as (worker, job, execution):
            queue = _queue(worker, ref.queue)
            if error is None:
                try:
                    worker._finalize_success(job, queue, execution, value)
                except BaseException:  # as RQ's perform_job: a callback that raises fails the job
                    worker._finalize_failure(job, queue, execution, sys.exc_info())
                else:
                    return False
            else:
                told = type(error), error, error.__traceback__
                try:
                    raise error  # a callback's own exception comes while this one is handled
                except BaseException:
                    worker._finalize_failure(job, queue, execution, told)
        return True

    # --- errands of the daemon -------------------------------------------------------------------

    def run(self, kind: Kind, work: Work, tell_settling: Callable[[], None]) -> bool:
        """Do what the daemon asks for."""
        if kind is Kind.MAINTAIN:
            self._maintain()
            return False
        assert work.job is not None
        with self._at_work(work.job, tell_settling) as (worker, job, execution):
            queue = _queue(worker, work.job.queue)
            match kind:
                case Kind.PERFORM:
                    self._check(job, work)
                    os.environ["RQ_JOB_ID"] = job.id
                    return not worker.perform_job(job, queue, execution)
                case Kind.SETTLE:
                    worker._finalize_success(job, queue, execution, _value(job, work.data))
                    return False
                case _:
                    tell_settling()
                    _bury(worker, job, queue, execution, work.data.decode("utf-8", "surrogateescape"), kind)
                    return True

    def _check(self, job: Job, work: Work) -> None:
        """Raises what refuses a job: a format or a function that is not for this worker."""
        if self.serializer is None:
            check_accepted(work.data, self._accepted, job.origin)
        try:
            name = job.func_name
        except Exception:  # RQ's code meets it, and knows what follows
            return
        if job.instance is not None:
            self._preparer.check(type(job.instance))
        elif name:
            self._preparer.check_allowed(name)

    def _maintain(self) -> None:
        """RQ's maintenance, but for its intermediate lists, from which daemons put ids back sooner."""
        with self._connected(waits_out_outages=False) as connection:
            worker: Any = horse(self._options, connection, self._job_class, _nobody)
            for queue in worker.queues:
                if queue.acquire_maintenance_lock():
                    clean_registries(queue, worker._exc_handlers)
                    clean_worker_registry(queue)
                    queue.release_maintenance_lock()
            worker.clean_group_registries()

    # --- connections -----------------------------------------------------------------------------

    @contextmanager
    def _at_work(
        self, ref: JobRef, tell_settling: Callable[[], None], found: Any = None
    ) -> Iterator[tuple[Worker, Job, Execution]]:
        with self._connected() as connection:
            worker = horse(self._options, connection, self._job_class, tell_settling)
            job = found
            if job is None:
                job = self._job_class.fetch(ref.id, connection=connection, serializer=worker.serializer)
            elif not job.is_loaded:
                job.load()
            execution = Execution.fetch(ref.execution, ref.id, connection)
            execution._job = job
            worker.executions[execution.id] = execution
            try:
                yield worker, job, execution
            finally:
                job.connection.close()  # of a job that its function looked at, it is another one

    @contextmanager
    def _connected(self, *, waits_out_outages: bool = True) -> Iterator[Redis]:
        connection = self._connect(waits_out_outages)
        try:
            yield connection
        finally:
            connection.close()

    def _connect(self, waits_out_outages: bool = True) -> Redis:
        """Outages are waited out where a job has run and its end must be told; else the slot is of better use."""
        tries = -1 if waits_out_outages else 0
        patience = ConnectionRetry(ExponentialWithJitterBackoff(cap=1.0, base=0.05), tries)
        return client_of(
            self._options.url,
            retry=patience,
            retry_on_error=list(OUTAGES),
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=5.0,
        )


def _queue(worker: Worker, name: str) -> Any:
    known = (queue for queue in worker.queues if queue.name == name)
    return next(known, None) or worker.queue_class(
        name, connection=worker.connection, job_class=worker.job_class, serializer=worker.serializer
    )


def _value(job: Job, encoded: bytes) -> Any:
    return job.serializer.loads(encoded) if encoded else None


def _bury(worker: Any, job: Job, queue: Any, execution: Execution, text: str, kind: Kind) -> None:
    """What RQ's worker does when its work horse is gone."""
    if kind is Kind.STOP:
        worker._stopped_job_id = job.id
        worker._handle_stopped_job(job, queue, execution)
    else:
        job.ended_at = now()
        worker.handle_work_horse_killed(job, None, None, None)
        worker.handle_job_failure(job, queue=queue, exc_string=text, execution=execution)


def _nobody() -> None: ...
