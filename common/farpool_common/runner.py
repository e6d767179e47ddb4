"""Runs a chunk: from its envelope to the envelopes of its outcomes.

`run_chunk` is the function of a chunk's RQ job, for a stock RQ worker (`rq worker -S farpool.Serializer`).
farpool's own children use the parts.
"""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from farpool_common.calls import Results, arguments, called, failure_of, run_some
from farpool_common.chunk import Chunk, Initializer, Outcome, decode_chunk, encode_outcome
from farpool_common.codec import Encoded, encode
from farpool_common.errors import EncodeError, ResultError, TooLargeError
from farpool_common.failure import Failure
from farpool_common.limit import SoftLimit
from farpool_common.task import Ranges
from farpool_common.trust import Trust, class_of, resolve

RESULT_BYTES_SETTING = "FARPOOL_MAX_RESULT"
"""What to change when a result is too large."""

MOST_RQ_RESULT_BYTES = 256 * 1024 * 1024
"""What a stock RQ worker may return: it writes base64 of it into one stream entry (guess)."""


@dataclass(frozen=True)
class Prepared:
    """A chunk whose function was found and whose initializer has run."""

    chunk: Chunk
    function: Callable[..., Any]


class Preparer:
    """Gets chunks ready, and remembers what this process has been initialized for."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self.classes = partial(class_of, trust=trust)
        self._owners: set[str] = set()

    def prepare(self, envelope: bytes, buffers: Sequence[memoryview]) -> Prepared:
        """Raises DecodeError, FunctionNotAllowedError, FunctionNotFoundError, or what the initializer raised."""
        chunk = decode_chunk(envelope, buffers, classes=self.classes)
        function = self.function(chunk.function)
        if chunk.initializer is not None and chunk.initializer.owner not in self._owners:
            self._initialize(chunk.initializer)
        return Prepared(chunk, function)

    def function(self, name: str) -> Callable[..., Any]:
        """The function of a name that may run here."""
        return resolve(name, self._trust)

    def _initialize(self, initializer: Initializer) -> None:
        self.function(initializer.function)(*initializer.args)
        self._owners.add(initializer.owner)  # one that failed is tried again with the next chunk


def all_failed(error: BaseException, ranges: Ranges) -> list[Results]:
    """The results of calls that share one failure.  Only the first carries its traceback."""
    failure = failure_of(error)
    short = replace(failure, traceback="")
    found = []
    for start, stop in ranges:
        failures = dict.fromkeys(range(start, stop), short)
        found.append(Results(start, [None] * (stop - start), failures, 0.0))
    if found:
        found[0].failures[found[0].first] = failure
    return found


Send = Callable[[Results, Encoded], None]
"""Takes encoded results; raises OSError when there is no memory for them."""


def deliver(results: Results, function: str, most_bytes: int, send: Send) -> None:
    """Encode results and hand them to `send`, in order and in as many pieces as the size limit asks for.

    A value that cannot travel, is too large, or for which `send` has no memory fails alone.
    """
    problem, offenders = _sent(results, function, most_bytes, send)
    if problem is None:
        return
    if not offenders and len(results.values) == 1:
        offenders = {results.first: problem}
    if not offenders:
        pieces = _halves(results)
    elif offenders.keys().isdisjoint(results.failures):
        pieces = [_without(results, offenders)]
    else:
        raise problem  # not even a failure can travel
    for piece in pieces:
        deliver(piece, function, most_bytes, send)


def _sent(
    results: Results, function: str, most_bytes: int, send: Send
) -> tuple[Exception | None, dict[int, Exception]]:
    """Send results; else the reason why not, and the calls that are the reason, as far as they are known."""
    try:
        encoded = encode_outcome(_outcome(results))
    except Exception as error:  # EncodeError, or whatever a property of a result raised
        return _cannot_travel(function, error), _offenders(results, function)
    if encoded.nbytes > most_bytes:
        return TooLargeError(f"the result of {function}", encoded.nbytes, most_bytes, RESULT_BYTES_SETTING), {}
    try:
        send(results, encoded)
    except OSError as error:
        return ResultError(f"the result of {function} takes {encoded.nbytes:,} bytes; no memory: {error}"), {}
    return None, {}


def _offenders(results: Results, function: str) -> dict[int, Exception]:
    """The calls whose value cannot be encoded, each with the error to report."""
    found: dict[int, Exception] = {}
    for index, value in enumerate(results.values, results.first):
        try:
            encode(value)
        except Exception as error:
            found[index] = _cannot_travel(function, error)
    return found


def _cannot_travel(function: str, error: Exception) -> ResultError:
    if isinstance(error, EncodeError):
        at = f" at {error.path}" if error.path else ""
        return ResultError(f"the result of {function} cannot travel{at}: {error.reason}")
    return ResultError(f"the result of {function} cannot travel: reading it raised {type(error).__name__}: {error}")


def _without(results: Results, errors: dict[int, Exception]) -> Results:
    values, failures = list(results.values), dict(results.failures)
    for index, error in errors.items():
        values[index - results.first] = None
        failures[index] = Failure.of(error)
    return replace(results, values=values, failures=failures)


def _halves(results: Results) -> list[Results]:
    middle = len(results.values) // 2
    cut = results.first + middle
    seconds = results.seconds / 2
    early = {index: failure for index, failure in results.failures.items() if index < cut}
    late = {index: failure for index, failure in results.failures.items() if index >= cut}
    return [
        Results(results.first, results.values[:middle], early, seconds),
        Results(cut, results.values[middle:], late, seconds),
    ]


def _outcome(results: Results) -> Outcome:
    return Outcome(results.first, results.values, results.failures, results.seconds, os.getpid())


# --- inside a stock RQ worker ------------------------------------------------------------------


def run_chunk(envelope: bytes, parts: Sequence[Sequence[Any]]) -> list[bytes | list[bytes]]:
    """Run all calls of a chunk.  The job's return value is a list of outcomes, each an envelope, or
    `[envelope, buffer, ...]` when it has large arrays.

    RQ's own worker runs any function of any module, so nothing is refused here.  A chunk that cannot be
    read, or whose function cannot be imported, fails as a whole, as RQ's jobs do.
    """
    prepared = Preparer(Trust(everything=True)).prepare(envelope, _fetched(parts) if parts else ())
    delivered: list[bytes | list[bytes]] = []

    def send(_: Results, encoded: Encoded) -> None:
        buffers = [bytes(buffer) for buffer in encoded.buffers]
        delivered.append([encoded.envelope, *buffers] if buffers else encoded.envelope)

    deliver(_run_all(prepared), prepared.chunk.function, MOST_RQ_RESULT_BYTES, send)
    return delivered


def _run_all(prepared: Prepared) -> Results:
    chunk, nobody_looks = prepared.chunk, [0, 0, 0, 0]
    with SoftLimit(prepared.function, chunk.limit) as function:
        calls = arguments(chunk, 0, len(chunk))
        return run_some(called(function, chunk), calls, 0, nobody_looks, math.inf)


def _fetched(parts: Sequence[Sequence[Any]]) -> list[memoryview]:
    # Only here: redis and rq are at hand in RQ's worker, and farpool's children hold neither.
    from rq import get_current_job

    from farpool_common.broker import Payloads
    from farpool_common.keys import Keys
    from farpool_common.payload import parts_from_rows

    job = get_current_job()
    if job is None:
        raise RuntimeError("run_chunk with large arguments runs inside an RQ worker only")
    prefix = job.redis_job_namespace_prefix.removesuffix(":job:")
    payloads = Payloads(job.connection, Keys(prefix), "the RQ worker's server")
    return [payloads.fetch(part) for part in parts_from_rows(parts, prefix)]
