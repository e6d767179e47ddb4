"""Stored objects in a child: memory that it shares with all others of the host, and can only read."""

import mmap
import sys
from collections.abc import Callable, Sequence
from typing import Any

from farpool_common.codec import Seal, decode
from farpool_common.errors import DecodeError
from farpool_worker.buffers.store import Segment


class ChildObjects:
    """What the daemon has sent, by id.  Each value is read once and kept; the same one goes to every call."""

    def __init__(self) -> None:
        self._segments: dict[str, Sequence[Segment]] = {}
        self._values: dict[str, Any] = {}

    def take(self, rows: Sequence[Sequence[Any]], segments: Sequence[Segment], dropped: Sequence[str]) -> None:
        """First let go of some, then take in others: each row is an id and the number of its segments."""
        for object_id in dropped:
            self._segments.pop(object_id, None)
            self._values.pop(object_id, None)
        at = 0
        for object_id, count in rows:
            self._segments[object_id] = segments[at : at + count]
            at += count

    def value(self, object_id: str, classes: Callable[[str], type], seal: Seal) -> Any:
        """The value of an object.  Raises DecodeError, and what `seal` raises."""
        if object_id not in self._values:
            segments = self._segments.get(object_id)
            if segments is None:
                raise DecodeError(f"the task's record does not name stored object {object_id[:8]}")
            envelope, *buffers = _mapped(segments)
            self._values[object_id] = decode(bytes(envelope), buffers, classes=classes, is_shared=True, seal=seal)
            self._segments[object_id] = ()  # the mapping needs no descriptor
        return self._values[object_id]


def _mapped(segments: Sequence[Segment]) -> list[memoryview]:
    """Read-only views: a task that writes meets an error, not everybody's data."""
    file = segments[0].file
    if sys.version_info >= (3, 13):
        whole = memoryview(mmap.mmap(file.fd, file.size, prot=mmap.PROT_READ, trackfd=False))
    else:
        whole = memoryview(mmap.mmap(file.fd, file.size, prot=mmap.PROT_READ))
    return [whole[segment.offset : segment.offset + segment.nbytes] for segment in segments]
