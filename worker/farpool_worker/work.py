"""What one child is asked to do."""

from dataclasses import dataclass

from farpool_common.task import Ranges
from farpool_worker.store import Segment


@dataclass(frozen=True)
class Work:
    """One task, or what is left of it.

    `data` is the job's data field as it is in Redis.  `ranges` are the calls to run, in order (a plain
    RQ job has one call, `((0, 1),)`).  `limit` is the time limit of each call in seconds.  `segments`
    hold the large buffers of the arguments; they stay the caller's to close.
    """

    id: str
    data: bytes
    is_chunk: bool
    ranges: Ranges
    attempt: int
    limit: float | None = None
    segments: tuple[Segment, ...] = ()
