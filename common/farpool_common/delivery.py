"""From results to what travels: encoded, within the size limit, and a failure where that cannot be."""

import os
from collections.abc import Callable
from dataclasses import replace

from farpool_common.calls import Results, failure_of
from farpool_common.chunk import Outcome, encode_outcome
from farpool_common.codec import Encoded, Seal, encode
from farpool_common.errors import EncodeError, ResultError, TooLargeError
from farpool_common.failure import Failure
from farpool_common.sizes import RESULT_BYTES_SETTING
from farpool_common.task import Ranges

"""What to change when a result is too large."""


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


def deliver(results: Results, function: str, most_bytes: int, send: Send, seal: Seal | None = None) -> None:
    """Encode results and hand them to `send`, in order and in as many pieces as the size limit asks for.

    A value that cannot travel, is too large, or for which `send` has no memory fails alone.  With a `seal` values that
    the codec does not know are pickled.
    """
    problem, offenders = _sent(results, function, most_bytes, send, seal)
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
        deliver(piece, function, most_bytes, send, seal)


def _sent(
    results: Results, function: str, most_bytes: int, send: Send, seal: Seal | None
) -> tuple[Exception | None, dict[int, Exception]]:
    """Send results; else the reason why not, and the calls that are the reason, as far as they are known."""
    try:
        encoded = encode_outcome(_outcome(results), seal)
    except Exception as error:  # EncodeError, or whatever a property of a result raised
        return cannot_travel(function, error), _offenders(results, function, seal)
    if encoded.nbytes > most_bytes:
        return TooLargeError(f"the result of {function}", encoded.nbytes, most_bytes, RESULT_BYTES_SETTING), {}
    try:
        send(results, encoded)
    except OSError as error:
        return ResultError(f"the result of {function} takes {encoded.nbytes:,} bytes; no memory: {error}"), {}
    return None, {}


def _offenders(results: Results, function: str, seal: Seal | None) -> dict[int, Exception]:
    """The calls whose value cannot be encoded, each with the error to report."""
    found: dict[int, Exception] = {}
    for index, value in enumerate(results.values, results.first):
        try:
            encode(value, seal=seal)
        except Exception as error:
            found[index] = cannot_travel(function, error)
    return found


def cannot_travel(function: str, error: Exception) -> Exception:
    """What a call has failed with whose result cannot be sent."""
    if isinstance(error, TooLargeError):
        return error
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
