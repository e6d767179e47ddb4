"""What one child is asked to do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from farpool_common.task import Ranges
from farpool_worker.buffers.host_objects import HostObject
from farpool_worker.buffers.store import Segment


class Kind(StrEnum):
    """CHUNK: calls of an executor.  CALL: a job of an RQ producer whose function farpool calls.

    The others are left to RQ's own code.  PERFORM: run a job and end it.  SETTLE: end a job that returned;
    BURY: one whose process died, or that failed; STOP: one that was stopped.  MAINTAIN: look after RQ's
    registries.
    """

    CHUNK = "chunk"
    CALL = "call"
    PERFORM = "perform"
    SETTLE = "settle"
    BURY = "bury"
    STOP = "stop"
    MAINTAIN = "maintain"


@dataclass(frozen=True)
class JobRef:
    """Which execution of a job is ours; of one of an RQ producer also whether its failure is plain, and the names of
    functions that RQ may call when it ends."""

    id: str
    queue: str
    execution: str
    is_failure_plain: bool
    callbacks: tuple[str, ...] = ()

    def fields(self) -> list[Any]:
        """What travels to a child."""
        return [self.id, self.queue, self.execution, self.is_failure_plain, list(self.callbacks)]


@dataclass(frozen=True)
class Work:
    """One task, or what is left of it.

    `data` is the job's data field as it is in Redis; for SETTLE its encoded result, for BURY and STOP the
    text of its failure.  `ranges` are the calls to run, in order (a job of an RQ producer has one call,
    `((0, 1),)`).  `limit` is the time limit of each call in seconds, `patience` how many more it has to end
    itself after the exception that tells it so.  `segments` hold the large buffers of
    the arguments; they stay the caller's to close, as do the stored `objects` that they refer to.  `expected` is how
    long a call should take, in seconds, as far as that is known.
    """

    id: str
    data: bytes
    kind: Kind
    ranges: Ranges
    attempt: int
    limit: float | None = None
    segments: tuple[Segment, ...] = ()
    job: JobRef | None = None
    patience: float = 0.0
    expected: float = 0.0
    objects: tuple[HostObject, ...] = ()


MAINTENANCE = Work("maintenance", b"", Kind.MAINTAIN, ((0, 1),), 1)
"""Has no task behind it."""
