"""`farpool.result`: what a call or a job has returned, by its id, from any process."""

import re
from concurrent.futures import CancelledError
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from farpool.executors import server_for
from farpool.futures.origin import Origin, error_of
from farpool_common.broker import KeptResults, Record
from farpool_common.chunk import Outcome, decode_outcome
from farpool_common.errors import DecodeError, RemoteError, RemoteTraceback, ResultExpiredError
from farpool_common.keys import Keys

LOOK_SECONDS = 1.0
"""How long one wait takes; then the record is looked at again."""

UNSENT_SECONDS = 1.0
"""An id is known before its task is sent; nothing is said of one that is not there until so much later (guess)."""


def result(task_id: str, timeout: float | None = None, *, url: str | None = None) -> Any:
    """The result of a call that was submitted with `keep`, or of a job, waiting for it up to `timeout` seconds.

    Raises what the call raised, TimeoutError, CancelledError, ServerError, and ResultExpiredError when it is not
    there any more, or never was.  A job that raised gives RemoteError: RQ keeps the traceback only.
    """
    if not isinstance(task_id, str) or not re.fullmatch(r"[\w-]{1,200}", task_id):
        raise ValueError(f"{task_id!r} is no id of a task")
    server = server_for(url)
    kept = KeptResults(server.url, Keys(server.prefix), server.place)
    try:
        return _Search(kept, task_id, timeout).result()
    finally:
        kept.close()


class _Search:
    def __init__(self, kept: KeptResults, task_id: str, timeout: float | None) -> None:
        self._kept, self._id, self._timeout = kept, task_id, timeout
        self._began_at = monotonic()

    def result(self) -> Any:
        while True:
            # Before the record: what ends between the two looks is found by the next.
            outcome = self._kept.outcome(self._id)
            if outcome is not None:
                decoded = decode_outcome(outcome.envelope, self._kept.fetch(outcome.parts))
                return self._value(decoded, outcome.host, outcome.attempt)
            record = self._kept.record(self._id)
            if record.has_ended or record.status is None:
                found, value = self._ended(record)
                if found:
                    return value
            self._wait(record)

    def _ended(self, record: Record) -> tuple[bool, Any]:
        """Whether there is a result, and what it is."""
        if record.status == "canceled":
            raise CancelledError
        if record.seen != "0":
            return True, self._of_call() if record.is_call else self._of_job()
        if record.status is not None and self._kept.outcome(self._id) is None:
            raise _expired(self._id, self._kept.place, record)
        if record.status is None and monotonic() - self._began_at >= UNSENT_SECONDS:
            raise _expired(self._id, self._kept.place, record)
        return False, None

    def _of_call(self) -> Any:
        """Of a call that RQ's own worker ran."""
        end = self._kept.stock_end(self._id)
        if end is None:
            raise ResultExpiredError(f"the result of task {self._id} was removed just now")
        if end.traceback is not None:
            raise _remote_error(end.traceback)
        for envelope, buffers in end.outcomes:
            return self._value(decode_outcome(envelope, buffers), end.host, 1)
        raise DecodeError(f"an RQ worker ended task {self._id} without an outcome")

    def _of_job(self) -> Any:
        found = self._kept.job_result(self._id)
        if found is None:
            raise ResultExpiredError(f"the result of job {self._id} was removed just now")
        if found.traceback is not None:
            raise _remote_error(found.traceback)
        return found.value

    def _value(self, outcome: Outcome, host: str, attempt: int) -> Any:
        failure = outcome.failures.get(0)
        if failure is not None:
            raise error_of(failure, Origin(self._id, host, attempt, outcome.pid))
        return outcome.values[0]

    def _wait(self, record: Record) -> None:
        seconds = LOOK_SECONDS
        if self._timeout is not None:
            seconds = min(seconds, self._began_at + self._timeout - monotonic())
        if seconds <= 0:
            raise TimeoutError(f"task {self._id} has no result yet: it is {record.status or 'not known here'}")
        self._kept.wait(self._id, record.seen, seconds)


def _remote_error(traceback: str) -> RemoteError:
    """What RQ keeps of an exception: its last line names it."""
    name, _, message = traceback.rstrip().rpartition("\n")[2].partition(": ")
    error = RemoteError(name, message, traceback)
    error.__cause__ = RemoteTraceback(traceback)
    return error


def _expired(task_id: str, place: str, record: Record) -> ResultExpiredError:
    if record.keep is not None:
        return ResultExpiredError(
            f"the result of task {task_id} has expired (kept {record.keep:,} s, finished {_ago(record.ended_at)} ago): "
            "submit the call again, with a longer keep."
        )
    return ResultExpiredError(
        f"there is no result of task {task_id} at {place}: its time is over (keep= of a call, result_ttl= of a job), "
        "it was not kept at all, or it never was there."
    )


def _ago(moment: str) -> str:
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    except (ValueError, TypeError):
        return "some time"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
