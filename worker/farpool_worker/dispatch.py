"""Which waiting tasks go to which idle slot and as what, and how many tasks to claim ahead.

Small tasks travel to a child in batches worth a few milliseconds of measured run time; a function that
was never measured goes alone, so that no long task holds others up behind it.
"""

from collections.abc import Sequence

from farpool_common.task import Task, count
from farpool_worker.ledger import Held
from farpool_worker.runtimes import Runtimes
from farpool_worker.work import JobRef, Kind, Work

BATCH_SECONDS = 0.005
"""Run time in one message to a child: forty times what the message costs (0.1 ms)."""

STUCK_SECONDS = 0.25
"""When no slot has been heard of for so long, what waits behind them goes back to the queue: another host
may be idle (guess)."""

AHEAD_SECONDS = 0.03
"""Up to this run time a task is claimed while another runs: its slot then goes on at once, where two round trips
take 2 ms of a busy machine (5 to 8 % of tasks of 20 ms).  So long it may wait here while another host is idle."""

MOST_IN_BATCH = 64
MOST_AHEAD = 64
"""Tasks claimed ahead per slot, at most: what is claimed here cannot run elsewhere (guess)."""

RQ_PATIENCE_SECONDS = 60.0
"""RQ's own worker kills a job so long after its time was up."""


def batches(ready: Sequence[Held], slots: int, runtimes: Runtimes) -> list[list[Held]]:
    """One batch for each of up to `slots` idle slots, from the head of the waiting tasks."""
    found: list[list[Held]] = []
    at = 0
    for free in range(slots, 0, -1):
        waiting = len(ready) - at
        if waiting <= 0:
            break
        batch = _batch(ready, at, min(MOST_IN_BATCH, -(-waiting // free)), runtimes)
        found.append(batch)
        at += len(batch)
    return found


def _batch(ready: Sequence[Held], at: int, most: int, runtimes: Runtimes) -> list[Held]:
    batch = [ready[at]]
    seconds = expected_seconds(ready[at], runtimes)
    while seconds is not None and len(batch) < most:
        following = ready[at + len(batch)]
        more = expected_seconds(following, runtimes)
        if more is None or seconds + more > BATCH_SECONDS:
            break
        batch.append(following)
        seconds += more
    return batch


def expected_seconds(held: Held, runtimes: Runtimes) -> float | None:
    """Expected run time of a task's remaining calls; None when the function is unknown or a call was lost."""
    mean = runtimes.mean(held.task.label)
    if mean is None or held.is_suspect or held.errand:
        return None
    return mean * count(held.remaining)


def ahead(task_seconds: float | None, slots: int) -> int:
    """How many tasks to claim beyond the idle slots, from the mean run time of a task.

    One for each slot, more while tasks are so short that 10 ms take several.  Tasks of unknown or noticeable length
    are not claimed ahead: another host may be idle.
    """
    if task_seconds is None or task_seconds > AHEAD_SECONDS:
        return 0
    return slots * max(1, min(MOST_AHEAD, int(2 * BATCH_SECONDS / max(task_seconds, 1e-6))))


def work_of(held: Held) -> Work:
    """What a child is asked to do with a task."""
    task, errand = held.task, held.errand
    return Work(
        id=task.id,
        data=task.data if errand is None else errand.data,
        kind=_kind(held),
        ranges=held.remaining,
        attempt=task.attempt,
        limit=task.limit if errand is None else None,
        segments=tuple(held.segments),
        job=None if task.reply is not None else _ref(task),
        patience=0.0 if task.reply is not None else RQ_PATIENCE_SECONDS,
    )


def _ref(task: Task) -> JobRef:
    return JobRef(task.id, task.queue, task.execution, task.plain.failure, task.callbacks)


def _kind(held: Held) -> Kind:
    if held.errand is not None:
        return held.errand.kind
    if held.task.reply is not None:
        return Kind.CHUNK
    return Kind.CALL if held.task.plain.success else Kind.PERFORM
