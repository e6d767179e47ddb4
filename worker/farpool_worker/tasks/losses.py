"""Outcomes that the daemon writes itself, for calls whose process died or was stopped."""

import os
from collections.abc import Iterable

from farpool_common.chunk import Outcome, encode_outcome
from farpool_common.errors import FarpoolError
from farpool_common.failure import Failure
from farpool_common.task import Ranges


def failed_outcome(error: FarpoolError, span: tuple[int, int]) -> bytes:
    """The envelope that tells a producer that each call of the range failed with `error`."""
    failure = Failure.of(error)
    first, stop = span
    calls: Iterable[int] = range(first, stop)
    outcome = Outcome(first, [None] * (stop - first), dict.fromkeys(calls, failure), 0.0, os.getpid())
    return encode_outcome(outcome).envelope


def failed_outcomes(error: FarpoolError, ranges: Ranges) -> list[tuple[tuple[int, int], bytes]]:
    """One envelope per range."""
    return [(span, failed_outcome(error, span)) for span in ranges]
