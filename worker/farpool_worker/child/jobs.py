"""Runs jobs of RQ producers in a child: calls their functions, or has RQ's own code run and end them."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Protocol

from farpool_common.calls import REPORTING, SLOW_SECONDS, failure_of, of_task
from farpool_common.errors import FormatNotAcceptedError, FunctionNotAllowedError, ResultError, TooLargeError
from farpool_common.formats import Format
from farpool_common.limit import SoftLimit, late
from farpool_common.preparing import Preparer
from farpool_common.sizes import RESULT_BYTES_SETTING
from farpool_worker.child.reporter import Reporter
from farpool_worker.child.speeds import Speeds
from farpool_worker.job_options import JobOptions
from farpool_worker.pipe.job_data import Call, call_of, check_accepted, encoded_by, encoded_result
from farpool_worker.pipe.work import JobRef, Kind, Work

if TYPE_CHECKING:
    from farpool_worker.rq.errands import Errands

REFUSED = (FormatNotAcceptedError, FunctionNotAllowedError)
"""Such a job fails at once: nothing of it was looked at, and nothing that it names is called."""


class Jobs:
    """One job at a time; `enter` tells the daemon what the child is doing, `tell_all` what the job has said."""

    def __init__(
        self,
        options: JobOptions,
        preparer: Preparer,
        reporter: Reporter,
        enter: Callable[[int], None],
        most_bytes: int,
        tell_all: Callable[[], None],
    ) -> None:
        self._options, self._preparer, self._reporter = options, preparer, reporter
        self._enter, self._most_bytes, self._tell_all = enter, most_bytes, tell_all
        self._speeds = Speeds()
        self._errands: Errands | None = None

    def run(self, number: int, work: Work) -> None:
        """Do one piece of work and report its end."""
        started = time.perf_counter()
        try:
            self._check_callbacks(work)
            if work.kind is not Kind.CALL:
                self._have_rq(number, work)
                return
            call, function = self._prepared(work)
        except REFUSED as error:
            self._report(number, _Tried(time.perf_counter() - started, error=error))
        except BaseException as error:
            if _job(work).is_failure_plain:
                self._report(number, _Tried(time.perf_counter() - started, error=error))
            else:  # RQ's code meets the same error, and knows what follows from it
                self._have_rq(number, work, Kind.PERFORM)
        else:
            self._call(number, work, call, function)

    def _check_callbacks(self, work: Work) -> None:
        """They are named by the producer, as the function is.  Raises FunctionNotAllowedError."""
        for name in () if work.job is None else work.job.callbacks:
            self._preparer.check_allowed(name)

    # --- farpool calls the function --------------------------------------------------------------

    def _prepared(self, work: Work) -> tuple[Call, Callable[..., Any]]:
        written = self._accepted(work)
        if self._rq is not None and self._rq.serializer is not None:
            call = self._rq.call_of(work.data)
        else:
            call = call_of(work.data, written, self._preparer.classes)
        if call.instance is None:
            return call, self._preparer.function(call.name)
        self._preparer.check(type(call.instance))
        return call, getattr(call.instance, call.name)

    def _accepted(self, work: Work) -> Format:
        if self._rq is not None and self._rq.serializer is not None:
            return "unknown"
        return check_accepted(work.data, self._options.accept, _job(work).queue)

    def _call(self, number: int, work: Work, call: Call, function: Callable[..., Any]) -> None:
        if not self._speeds.is_quick(call.name):
            self._reporter.flush()  # should this call crash, those before it are told
        job, rq = _job(work), self._rq
        with nullcontext(_NO_JOB) if rq is None else rq.current(job) as current:
            tried = self._tried(work, call, function)
        # After one that failed nothing waits: the next one may take its process along.
        self._speeds.note(call.name, 1, tried.seconds if tried.error is None else SLOW_SECONDS)
        if rq is None or tried.is_plain(job, current):
            self._report(number, tried)
        else:
            self._by_rq(number, partial(rq.end, job, current, tried.value, tried.error), tried.seconds)

    def _tried(self, work: Work, call: Call, function: Callable[..., Any]) -> "_Tried":
        rq = self._rq
        started = time.perf_counter()
        try:
            with SoftLimit(_awaiting(function), work.limit, late if rq is None else rq.late) as limited:
                self._enter(0)
                started = time.perf_counter()
                value = limited(*call.args, **call.kwargs)
            seconds = time.perf_counter() - started
            self._enter(REPORTING)
            again = rq is not None and rq.is_retry(value)
            return _Tried(seconds, value, again, b"" if again else self._encoded(call, value))
        except BaseException as error:  # SystemExit too
            self._enter(REPORTING)
            return _Tried(time.perf_counter() - started, error=of_task(error))

    def _encoded(self, call: Call, value: Any) -> bytes:
        if self._rq is not None and self._rq.serializer is not None:
            encoded = encoded_by(self._rq.serializer.dumps, value, "the worker's own serializer has it")
        else:
            encoded = encoded_result(value, call.written)
        if len(encoded) > self._most_bytes:
            raise TooLargeError(f"the result of {call.name}", len(encoded), self._most_bytes, RESULT_BYTES_SETTING)
        return encoded

    def _report(self, number: int, tried: "_Tried") -> None:
        self._tell_all()
        error = None if tried.error is None else failure_of(tried.error).traceback
        try:
            self._reporter.add(["returned", number, tried.seconds, error, tried.encoded])
        except OSError as shortage:
            error = f"{ResultError.__name__}: no memory for a result of {len(tried.encoded):,} bytes: {shortage}"
            self._reporter.add(["returned", number, tried.seconds, error, b""])

    # --- RQ's own code runs ----------------------------------------------------------------------

    @property
    def _rq(self) -> "Errands | None":
        if self._errands is None and self._options.rq is not None:
            from farpool_worker.rq.errands import Errands  # where no such job comes, RQ is never loaded

            self._errands = Errands(self._options.rq, self._options.accept, self._preparer)
        return self._errands

    def _have_rq(self, number: int, work: Work, kind: Kind | None = None) -> None:
        self._reporter.flush()
        self._enter(0)
        assert self._rq is not None, "the daemon sends such work only where RQ's code may run"
        self._by_rq(number, partial(self._rq.run, kind or work.kind, work))

    def _by_rq(self, number: int, end: Callable[[Callable[[], None]], bool], ran: float = 0.0) -> None:
        """Let RQ's code end a job; should it fail at that, the daemon writes the failure."""
        self._reporter.flush()
        started = time.perf_counter()
        try:
            has_failed = end(self._tell(number))
        except BaseException as error:
            self._report(number, _Tried(time.perf_counter() - started, error=error))
        else:
            self._tell_all()
            self._reporter.add(["settled", number, ran + time.perf_counter() - started, has_failed])

    def _tell(self, number: int) -> Callable[[], None]:
        """For RQ's code, to say that it begins to end a job."""

        def tell() -> None:
            self._enter(REPORTING)
            self._reporter.add(["settling", number])
            self._reporter.flush()

        return tell


@dataclass(frozen=True)
class _Tried:
    """What became of a call: a value and what it is on the wire, or an exception."""

    seconds: float
    value: Any = None
    asks_for_retry: bool = False
    encoded: bytes = b""
    error: BaseException | None = None

    def is_plain(self, job: JobRef, current: "Current") -> bool:
        """Whether the daemon's scripts can end the job: RQ's code must write what the function may have
        changed in its job, and knows what follows from a retry or a failure."""
        if current.is_loaded or self.asks_for_retry:
            return False
        return self.error is None or job.is_failure_plain


class Current(Protocol):
    """The job that a function asks RQ for."""

    @property
    def is_loaded(self) -> bool:
        """Whether the function has looked at it."""


class _NoJob:
    is_loaded = False


_NO_JOB = _NoJob()


def _job(work: Work) -> JobRef:
    assert work.job is not None
    return work.job


def _awaiting(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function; should it be a coroutine's, run to its end, as RQ has it."""

    def call(*args: Any, **kwargs: Any) -> Any:
        value = function(*args, **kwargs)
        if isinstance(value, CoroutineType):
            import asyncio  # heavy, and seldom needed

            return asyncio.run(value)
        return value

    return call
