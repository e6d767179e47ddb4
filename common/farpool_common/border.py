"""The border between RQ and farpool: which ends of an RQ producer's job farpool writes itself.

A job is plain where RQ's own worker would leave nothing but a status, a result and an entry in a registry.
Scripts do that in batches.  For everything else RQ's own code runs, so that its meaning is RQ's.
Dependents are known at the end only: the scripts look for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

RQ_RESULT_SECONDS = 500
"""How long RQ keeps a result, unless the job or the worker says otherwise."""

VERIFIED = ((3, 0), (3, 1))
"""RQ's versions, from and below, whose keyspace the scripts write (tests/rq/contract)."""


@dataclass(frozen=True)
class Plain:
    """Which ends of a job are plain: it returns, it raises or its process dies, it is stopped."""

    success: bool = True
    failure: bool = True
    stop: bool = True


PLAIN = Plain()


@dataclass(frozen=True)
class Border:
    """Where the border lies for one worker.

    `rq_runs_all`: custom classes of jobs or workers, or a version of RQ that was not verified;
    `rq_fails_all`: exception handlers.  `result_seconds` is the worker's default.
    """

    result_seconds: int = RQ_RESULT_SECONDS
    rq_runs_all: bool = False
    rq_fails_all: bool = False

    def plain(self, record: Mapping[bytes, bytes]) -> Plain:
        """Which ends of the job with this record are plain."""

        get = record.get
        limited = bool(get(b"rate_limit_key") and get(b"rate_limit_concurrency"))
        ordinary = not (self.rq_runs_all or limited or get(b"webhooks"))
        keeps_result = (get(b"result_ttl") or b"%d" % self.result_seconds) != b"0"
        keeps_failure = get(b"failure_ttl") != b"0"
        succeeds = keeps_result and not (get(b"success_callback_name") or _is_positive(get(b"repeats_left")))
        fails = not (self.rq_fails_all or get(b"failure_callback_name") or _is_positive(get(b"retries_left")))
        stops = not (self.rq_runs_all or limited or get(b"stopped_callback_name"))
        plain = ordinary and succeeds, ordinary and keeps_failure and fails, keeps_failure and stops
        return PLAIN if all(plain) else Plain(*plain)


def _is_positive(count: bytes | None) -> bool:
    """Whether a counter is anything else than absent, nought or below."""
    return count is not None and count != b"0" and not count.startswith(b"-")


def is_verified(version: str) -> bool:
    """Whether the scripts' keyspace was compared with this version of RQ."""
    try:
        major, minor = (int(part) for part in version.split(".")[:2])
    except ValueError:
        return False
    first, beyond = VERIFIED
    return first <= (major, minor) < beyond
