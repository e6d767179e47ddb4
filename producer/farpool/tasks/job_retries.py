"""Retries of jobs: RQ's own, with our delays, and only after exceptions that the task's producer has named.

RQ runs a job again whatever it raised.  Which exceptions count travels in the job's `meta`, as names; the task,
which is what a worker calls, looks at it when its function raised, and else gives up the retries that are left.
"""

import math
import random
import sys
from contextvars import ContextVar
from typing import Any

from farpool.retry import Retry, is_covered
from farpool_common.failure import names_of

RETRY_ON = "farpool_retry_on"
"""In a job's `meta`: names of exception classes; without it RQ's retries follow any exception."""

is_inside: ContextVar[bool] = ContextVar("is_inside", default=False)
"""Whether a task's function runs here already: what it calls decides nothing about its job."""

_ANYTHING = frozenset(["builtins:Exception"])


def rq_retry(retry: Retry, chance: random.Random) -> tuple[int, list[int]]:
    """How often RQ is to run a job again, and after how many seconds each time; it counts whole ones."""
    delays = (retry.delay(number, chance) for number in range(1, retry.max + 1))
    return retry.max, [math.ceil(delay) for delay in delays]


def meta_of(retry: Retry | None) -> dict[str, Any]:
    """What a job's `meta` says about its retries."""
    return {} if retry is None or retry.names == _ANYTHING else {RETRY_ON: sorted(retry.names)}


def may_be_job() -> bool:
    """Whether RQ is loaded here: where it is not, nothing that runs is a job."""
    return "rq.job" in sys.modules


def give_up_unless_named(name: str, error: Exception) -> None:
    """In a job whose function has raised: leave it no retries when nobody wants any after such an error."""
    job = _current_job()
    # Of a job without retries farpool's own worker says so; looking at more of it would cost a round trip.
    if job is None or getattr(job, "is_failure_plain", False):
        return
    names = job.meta.get(RETRY_ON)
    if not isinstance(names, list) or job.func_name != name:
        return
    if not is_covered(names_of(type(error)), frozenset(map(str, names))):
        job.retries_left = 0


def _current_job() -> Any:
    return sys.modules["rq.job"].get_current_job()
