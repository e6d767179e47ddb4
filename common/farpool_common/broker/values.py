"""What goes into the broker of a daemon and what comes out of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

from farpool_common.payload import Part
from farpool_common.task import Malformed, Task


@dataclass(frozen=True)
class Delivery:
    """Outcomes of some calls of a task that goes on; `span` is their range."""

    task: Task
    envelope: bytes
    parts: Sequence[Part]
    span: tuple[int, int]


@dataclass(frozen=True)
class Finish:
    """The end of an executor's task, with its last outcomes if there are any."""

    task: Task
    envelope: bytes = b""
    parts: Sequence[Part] = ()
    seconds: float = 0.0


class Written(IntEnum):
    """What became of a job's end: refused because the lease is somebody else's, written, written before by
    this execution, or left alone because jobs depend on it, so that RQ's own code must end it."""

    STALE = 0
    NOW = 1
    BEFORE = 2
    NOT_PLAIN = 3


@dataclass(frozen=True)
class JobEnd:
    """The end of a plain job of an RQ producer, or of a record that cannot be read.

    `result` is its encoded result (None: it returned None); `error` the traceback of its failure.
    `at_once`: end it though jobs depend on it.
    """

    task: Task | Malformed
    ended: datetime
    seconds: float = 0.0
    result: bytes | None = None
    error: str | None = None
    is_stopped: bool = False
    at_once: bool = False

    @property
    def started(self) -> datetime:
        """When its function was called."""
        return self.ended - timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class Claimed:
    """What one claim brought.  `ended_early`: there may be more, whatever was asked for.
    `spoiled`: queues that were left alone, for a key of theirs is not what it should be, and why.
    `is_more`: something is left in the queues."""

    tasks: Sequence[Task] = ()
    malformed: Sequence[Malformed] = ()
    dropped: int = 0
    quarantined: int = 0
    suspended: bool = False
    ended_early: bool = False
    spoiled: Sequence[tuple[str, str]] = ()
    is_more: bool = False


@dataclass(frozen=True)
class Beat:
    """The answer to a heartbeat: members taken away from us, members Redis says we hold (whatever they are), and
    whether we are still among RQ's workers."""

    lost: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    is_entered: bool = True


@dataclass(frozen=True)
class Recovered:
    """What a recovery pass did."""

    tasks: int = 0
    dead: Sequence[str] = field(default_factory=tuple)
    put_back: int = 0
