"""What happens in a pool: small values that the daemon answers."""

from dataclasses import dataclass

from farpool_common.progress import TaskProgress
from farpool_common.task import Ranges
from farpool_worker.buffers.store import Segment
from farpool_worker.pipe.storing import ObjectToStore


@dataclass(frozen=True)
class Progress:
    """Outcomes of some calls of a chunk: an envelope of `encode_outcome` and its buffers; with `to_store`, parts of
    the one result that stays here.  `is_end`: the child is through with the work, as an Ended that follows says."""

    work_id: str
    ranges: Ranges
    failed: int
    seconds: float
    pid: int
    envelope: bytes
    segments: tuple[Segment, ...]
    is_end: bool = False
    to_store: ObjectToStore | None = None


@dataclass(frozen=True)
class Returned:
    """A plain call ended: `envelope` is the value as `Serializer.dumps` wrote it, or `error` says why not."""

    work_id: str
    seconds: float
    pid: int
    error: str | None
    envelope: bytes
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True)
class Settling:
    """RQ's own code has begun to end a job in a child: its lease may be gone any moment."""

    work_id: str
    execution: str


@dataclass(frozen=True)
class Settled:
    """RQ's own code is through with a job.  Where that has queued it again, another execution may be here already."""

    work_id: str
    execution: str
    seconds: float
    has_failed: bool


@dataclass(frozen=True)
class Ended:
    """The child is through with a piece of work; `unstarted` calls are given back."""

    work_id: str
    unstarted: Ranges


@dataclass(frozen=True)
class TakenBack:
    """A child that is in a long call will not begin these calls: see `take_back`.  What it says of them later
    is not told."""

    work_id: str
    unstarted: Ranges


@dataclass(frozen=True)
class Crashed:
    """A child is gone without having been told to go.

    `running` is the call that it died in, None when it died between calls: of work whose first call had
    not begun (`preparing`: arguments, import, initializer) or whose results it was writing, it is the
    first call without an outcome.  `lost` are all calls that have no outcome, `running` among them; those
    before it in the same work have run within the last milliseconds, and their results died with the child.
    `reason` continues a sentence: "was killed by signal 9 (SIGKILL)", or, when `timed_out`,
    "stopped after 32.0 s (limit 30 s)".
    """

    slot: int
    pid: int
    exitcode: int
    reason: str
    running: tuple[str, int] | None = None
    lost: tuple[tuple[str, Ranges], ...] = ()
    timed_out: bool = False
    preparing: bool = False


@dataclass(frozen=True)
class Noted:
    """A call has said how far it has come."""

    work_id: str
    call: int
    progress: TaskProgress


@dataclass(frozen=True)
class Wrote:
    """A work has written text; what came before it is told before it, but for `missed` bytes that are lost."""

    work_id: str
    text: bytes
    missed: int = 0


Event = Progress | Returned | Settling | Settled | Ended | TakenBack | Crashed | Noted | Wrote
