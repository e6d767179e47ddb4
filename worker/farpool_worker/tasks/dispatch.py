"""Which waiting tasks go to which idle slot and as what, and how many tasks to claim ahead.

Small tasks travel to a child in batches worth a few milliseconds of measured run time; a function that
was never measured goes alone, so that no long task holds others up behind it.
"""

from collections.abc import Iterable, Sequence

from farpool_common.task import Ranges, Task, count, without
from farpool_worker.pipe.work import JobRef, Kind, Work
from farpool_worker.tasks.ledger import Held, Share
from farpool_worker.tasks.runtimes import Runtimes

BATCH_SECONDS = 0.005
"""Run time in one message to a child: forty times what the message costs (0.1 ms)."""

STUCK_SECONDS = 0.05
"""When no slot has been heard of for so long, what waits behind them goes back to the queue: another host
may be idle (guess)."""

AHEAD_SECONDS = 0.03
"""Up to this run time a task is claimed while another runs: its slot then goes on at once, where two round trips
take 2 ms of a busy machine (5 to 8 % of tasks of 20 ms).  So long it may wait here while another host is idle."""

QUICK_SECONDS = 0.001
"""So long a slot is busy with a task for which it is not worth to ask for the next one before it is over (guess)."""

MOST_IN_BATCH = 64
MOST_AHEAD = 64
"""Tasks claimed ahead per slot, at most: what is claimed here cannot run elsewhere (guess)."""

LOADED_STUCK_SECONDS = 0.25
"""The same where all that waits has had its large arguments fetched (guess)."""

LARGE_BYTES = 1024 * 1024
LONGEST_AHEAD_SECONDS = LOADED_STUCK_SECONDS / 2
"""Arguments of so many bytes are fetched ahead where tasks take no longer than this: another host that is idle
waits no longer for the task, and it is not given back unused, for a slot is heard of in time (guess)."""

MOST_AHEAD_BYTES = 64 * 1024 * 1024
"""Large arguments that wait ahead of one slot, beyond those of one task (guess)."""

RQ_PATIENCE_SECONDS = 60.0
"""RQ's own worker kills a job so long after its time was up."""


def batches(ready: Sequence[Held], slots: int, runtimes: Runtimes) -> list[list[Share]]:
    """One batch for each of up to `slots` idle slots, from the head of the waiting tasks."""
    found: list[list[Share]] = []
    at = 0
    while len(found) < slots and at < len(ready):
        free, waiting = slots - len(found), len(ready) - at
        if _is_worth_sharing(ready[at], runtimes):
            found += [[share] for share in _shares(ready[at], free)]
            at += 1
        else:
            batch = _batch(ready, at, min(MOST_IN_BATCH, -(-waiting // free)), runtimes)
            found.append([Share(held, held.waiting) for held in batch])
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


def _is_worth_sharing(held: Held, runtimes: Runtimes) -> bool:
    """Whether calls that were taken back should go to several children: those of a long or unknown function."""
    if not held.is_split:
        return False
    seconds = expected_seconds(held, runtimes)
    return seconds is None or seconds > BATCH_SECONDS


def _shares(held: Held, free: int) -> list[Share]:
    """A share of a task's calls for each idle slot, and one that is left for a slot that will be."""
    calls = count(held.waiting)
    parts = min(calls, free + 1)
    shares: list[Share] = []
    left = held.waiting
    for part in range(min(parts, free)):
        taken = _first(left, calls * (part + 1) // parts - calls * part // parts)
        shares.append(Share(held, taken))
        left = without(left, taken)
    return shares


def _first(ranges: Ranges, most: int) -> Ranges:
    """So many calls from the beginning."""
    found: list[tuple[int, int]] = []
    for start, stop in ranges:
        if most > 0:
            found.append((start, min(stop, start + most)))
            most -= stop - start
    return tuple(found)


def expected_seconds(held: Held, runtimes: Runtimes) -> float | None:
    """Expected run time of a task's waiting calls; None when the function is unknown or a call was lost."""
    mean = runtimes.mean(held.task.label)
    if mean is None or held.is_suspect or held.errand:
        return None
    return mean * count(held.waiting)


def stuck_seconds(waiting: Iterable[Held]) -> float:
    """How long slots may be silent before what waits behind them goes back to its queue."""
    return LOADED_STUCK_SECONDS if all(held.task.parts for held in waiting) else STUCK_SECONDS


def ahead(task_seconds: float | None, slots: int, argument_bytes: float = 0.0) -> int:
    """How many tasks to claim beyond the idle slots, from the mean run time and the mean large arguments of a task.

    One for each slot, more while tasks are so short that 10 ms take several.  Tasks of unknown or noticeable length
    are not claimed ahead: another host may be idle.  But where arguments take long to fetch, those of the next task
    are fetched while this one runs.
    """
    is_large = argument_bytes >= LARGE_BYTES
    if task_seconds is None or task_seconds > (LONGEST_AHEAD_SECONDS if is_large else AHEAD_SECONDS):
        return 0
    most = MOST_AHEAD if argument_bytes < 1 else max(1, min(MOST_AHEAD, int(MOST_AHEAD_BYTES / argument_bytes)))
    return slots * max(1, min(most, int(2 * BATCH_SECONDS / max(task_seconds, 1e-6))))


def work_of(share: Share, runtimes: Runtimes) -> Work:
    """What a child is asked to do with calls of a task."""
    held = share.held
    task, errand = held.task, held.errand
    return Work(
        id=task.id,
        data=task.data if errand is None else errand.data,
        kind=_kind(held),
        ranges=share.ranges,
        attempt=task.attempt,
        limit=task.limit if errand is None else None,
        segments=tuple(held.segments),
        job=_ref(task),
        patience=0.0 if task.reply is not None else RQ_PATIENCE_SECONDS,
        expected=runtimes.mean(task.label) or 0.0,
        objects=held.hold.held,
    )


def _ref(task: Task) -> JobRef:
    return JobRef(task.id, task.queue, task.execution, task.plain.failure, task.callbacks)


def _kind(held: Held) -> Kind:
    if held.errand is not None:
        return held.errand.kind
    if held.task.reply is not None:
        return Kind.CHUNK
    return Kind.CALL if held.task.plain.success else Kind.PERFORM
