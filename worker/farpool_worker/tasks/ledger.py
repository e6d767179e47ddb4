"""What this daemon holds: every claimed task from its claim to its end.  Main thread only.

A task is fetching (its large arguments or stored objects are on their way), ready (waits for a slot), sent (a child
has calls of it, or several have; others of its calls may wait) or ending (all its calls have outcomes, which
Redis has not taken yet).
"""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from farpool_common.task import Ranges, Task, without
from farpool_worker.buffers.host_objects import Hold, nothing
from farpool_worker.buffers.store import Segment
from farpool_worker.pipe.work import Kind


class Stage(Enum):
    """Where a held task is."""

    FETCHING = auto()
    READY = auto()
    SENT = auto()
    ENDING = auto()


@dataclass(frozen=True)
class Errand:
    """How RQ's own code shall end a job: its kind, and its encoded result or the text of its failure."""

    kind: Kind
    data: bytes


@dataclass(eq=False)
class Held:
    """One held task.  `remaining` are the calls without an outcome, `waiting` those of them that no child has.
    `is_split`: calls were taken back from a child that had begun others, so that several may have some.
    `is_queued`: it is among the ready ones.  `errand`: the job has run, and its end is left to RQ's own code.
    `is_settling`: that code is at it, so that the lease may be gone any moment."""

    task: Task
    remaining: Ranges
    waiting: Ranges = ()
    stage: Stage = Stage.READY
    segments: Sequence[Segment] = ()
    hold: Hold = field(default_factory=nothing)
    losses: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0
    sent_at: float = 0.0
    is_canceled: bool = False
    is_split: bool = False
    is_queued: bool = False
    errand: Errand | None = None
    is_settling: bool = False

    @property
    def is_suspect(self) -> bool:
        """Whether a process or a host that ran it was lost: it runs alone, in a child of its own."""
        return bool(self.losses or self.task.abandons) and self.errand is None

    @property
    def sent(self) -> Ranges:
        """The calls without an outcome that children have."""
        return without(self.remaining, self.waiting)

    def close(self) -> None:
        """Let go of the arguments' memory."""
        for segment in self.segments:
            segment.close()
        self.segments = ()
        self.hold.close()


class Share(NamedTuple):
    """Calls of a task for one child."""

    held: Held
    ranges: Ranges


class Ledger:
    """Held tasks by id, and the queue of those that are ready."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._ready: deque[Held] = deque()

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._held

    def get(self, task_id: str) -> Held | None:
        """The held task of this id."""
        return self._held.get(task_id)

    def tasks(self) -> list[Task]:
        """All held tasks.  May be called from any thread: the list is made in one step."""
        return [held.task for held in list(self._held.values())]

    def all(self) -> list[Held]:
        """All held tasks with their stage."""
        return list(self._held.values())

    def add(self, task: Task, hold: Hold | None = None) -> Held:
        """Enter a claimed task, with a hold on its stored objects if these are here.

        One whose large arguments or objects are not here is fetching, any other is ready.
        """
        if before := self._held.get(task.id):
            self.remove(
                before
            )  # that lease was taken away, or RQ's code has queued the job again: we are yet to be told
        held = Held(task, task.remaining, task.remaining, hold=hold or nothing())
        self._held[task.id] = held
        if task.parts or len(held.hold.held) < len(task.objects):
            held.stage = Stage.FETCHING
        else:
            self._queue(held)
        return held

    def fetched(self, held: Held, segments: Sequence[Segment] = ()) -> None:
        """The large arguments, and the stored objects, have arrived."""
        held.segments, held.stage = segments, Stage.READY
        self._queue(held)

    def ready(self) -> Sequence[Held]:
        """Tasks with calls that wait for a slot, the next one first."""
        return self._ready

    def sent(self, batch: Iterable[Share]) -> None:
        """These calls went to a child."""
        now = time.monotonic()
        for share in batch:
            held = share.held
            held.waiting = without(held.waiting, share.ranges)
            if not held.waiting:
                self._leave_queue(held)
            held.stage, held.sent_at = Stage.SENT, now

    def cover(self, held: Held, ranges: Ranges) -> None:
        """These calls have outcomes now."""
        held.remaining = without(held.remaining, ranges)
        held.waiting = without(held.waiting, ranges)
        if not held.waiting:
            self._leave_queue(held)
        if not held.remaining:
            held.stage = Stage.ENDING
        elif held.stage is Stage.SENT and not held.sent:
            held.stage = Stage.READY

    def again(self, held: Held, ranges: Ranges) -> None:
        """These of the calls that children have wait for a slot again, before all others."""
        if held.stage is not Stage.SENT:
            return
        if not held.is_queued:
            self._queue(held, at=0)
        held.waiting = without(held.remaining, without(held.sent, ranges))
        if not held.sent:
            held.stage = Stage.READY

    def left_to_rq(self, held: Held, errand: Errand) -> None:
        """A child shall have RQ's own code end this job, before all others but those that came to this earlier."""
        self.unready(held)
        held.errand, held.remaining, held.waiting, held.stage = errand, ((0, 1),), ((0, 1),), Stage.READY
        self._queue(held, at=sum(1 for other in self._ready if other.errand is not None))

    def unready(self, held: Held) -> None:
        """Nothing of the task waits for a slot any longer."""
        self._leave_queue(held)
        if held.stage is Stage.READY:
            held.stage = Stage.ENDING

    def _queue(self, held: Held, at: int | None = None) -> None:
        self._ready.insert(len(self._ready) if at is None else at, held)
        held.is_queued = True

    def _leave_queue(self, held: Held) -> None:
        if held.is_queued:
            self._ready.remove(held)
            held.is_queued = False

    def remove(self, held: Held) -> None:
        """The task is over for this daemon."""
        self._held.pop(held.task.id, None)
        self.unready(held)
        held.close()

    def in_stage(self, *stages: Stage) -> list[Held]:
        """Held tasks in one of these stages, in the order of their claim."""
        return [held for held in self._held.values() if held.stage in stages]
