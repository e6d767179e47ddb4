"""Stored objects as this host has them: each once, in memory that all its children map.

What tasks here wait for or use stays; the rest stays while there is room, the longest unused goes first.
"""

import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from farpool_worker.buffers.store import AnonymousFile, Segment

ALLOWED_SHARE = 0.25
"""Of this machine's memory, or of the control group's limit, for objects; the rest is for the work (guess)."""


@dataclass(eq=False)
class HostObject:
    """An object's parts, the envelope first, all in one file that children can map and not change."""

    id: str
    segments: Sequence[Segment]
    users: int = 0

    @property
    def nbytes(self) -> int:
        """The memory that it takes."""
        return self.segments[0].file.size

    def close(self) -> None:
        """Drop our hold; children keep theirs."""
        for segment in self.segments:
            segment.close()


class HostObjects:
    """Any thread may call anything here."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._objects: dict[str, HostObject] = {}  # the longest unused first
        self._dropped: list[str] = []

    def __len__(self) -> int:
        return len(self._objects)

    def hold(self, ids: Sequence[str]) -> "Hold | None":
        """Keep these objects here until the hold is closed; None when one of them is not here."""
        if not ids:
            return nothing()
        with self._lock:
            if not all(object_id in self._objects for object_id in ids):
                return None
            found = [self._objects[object_id] for object_id in ids]
            for each in found:
                each.users += 1
            return Hold(self, found)

    def joined(self, holds: Iterable["Hold"]) -> "Hold":
        """One hold in place of several."""
        return Hold(self, [each for hold in holds for each in hold.held])

    def add(self, object_id: str, segments: Sequence[Segment]) -> "Hold":
        """Take in an object, and keep it.  What does not fit beside it and is not in use goes."""
        with self._lock:
            new = self._objects[object_id] = HostObject(object_id, segments, users=1)
            self._make_room()
        return Hold(self, [new])

    def let_go(self, objects: Iterable[HostObject]) -> None:
        """One user less for each of these."""
        with self._lock:
            for each in objects:
                each.users -= 1
                if self._objects.get(each.id) is each:
                    self._objects[each.id] = self._objects.pop(each.id)  # now it was used last
            self._make_room()

    def _make_room(self) -> None:
        """What is in use may exceed the limit: the tasks that wait for it would wait for ever else."""
        excess = sum(each.nbytes for each in self._objects.values()) - self._most_bytes
        for each in list(self._objects.values()):
            if excess <= 0:
                return
            if not each.users:
                excess -= each.nbytes
                self._drop(each)

    def unused(self) -> list[str]:
        """Objects that no task here needs now."""
        with self._lock:
            return [each.id for each in self._objects.values() if not each.users]

    def drop(self, ids: Iterable[str]) -> None:
        """These are gone from the server: they go here too, unless they are in use."""
        with self._lock:
            for object_id in ids:
                each = self._objects.get(object_id)
                if each is not None and not each.users:
                    self._drop(each)

    def _drop(self, each: HostObject) -> None:
        del self._objects[each.id]
        each.close()
        self._dropped.append(each.id)

    def dropped(self) -> list[str]:
        """What went since the last call, so that children let go of it."""
        with self._lock:
            found, self._dropped = self._dropped, []
            return found


class Hold:
    """Objects that stay here for a task."""

    def __init__(self, objects: HostObjects | None, held: Sequence[HostObject]) -> None:
        self._objects, self.held = objects, tuple(held)

    def close(self) -> None:
        """Let them go.  Safe to repeat."""
        held, self.held = self.held, ()
        if held and self._objects is not None:
            self._objects.let_go(held)


_NOTHING = Hold(None, ())


def nothing() -> Hold:
    """A hold on nothing."""
    return _NOTHING


def sealed(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The same memory behind a descriptor that cannot be written through, and mapped here no more."""
    file = segments[0].file
    try:
        fd = os.open(f"/proc/self/fd/{file.fd}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # no /proc: children map it read-only all the same
        return tuple(segments)
    shut = AnonymousFile(fd, file.size)
    return tuple(Segment.of(shut, segment.offset, segment.nbytes) for segment in segments)


def default_bytes(memory: int) -> int:
    """How much of so much memory objects may take."""
    return int(memory * ALLOWED_SHARE)
