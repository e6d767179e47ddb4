"""Which stored objects one child has mapped, and what to tell it of them."""

from collections.abc import Iterable, Sequence

from farpool_worker.buffers.host_objects import HostObject
from farpool_worker.pipe.channel import MOST_FILES, Frame, framed
from farpool_worker.pipe.work import Work

MOST_AT_ONCE = MOST_FILES - 1
"""Objects in one message: each is a file of its own."""


class KnownObjects:
    """The daemon's view of a child's mappings."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._stale: set[str] = set()

    def forget(self, ids: Iterable[str]) -> None:
        """The host has dropped these: the child shall let go of them when it is told next."""
        self._stale |= self._known.intersection(ids)

    def frames(self, works: Sequence[Work] = ()) -> list[Frame]:
        """What the child must hear before it does these works; nothing when it has all that they need.

        An object goes to a child once.  One that was dropped and came again goes again.
        """
        needed = {each.id: each for work in works for each in work.objects}
        new = [each for object_id, each in needed.items() if object_id not in self._known - self._stale]
        if not new and not self._stale:
            return []
        frames = [framed(["objects", [], sorted(self._stale)])] if self._stale else []
        frames += [_bringing(new[at : at + MOST_AT_ONCE]) for at in range(0, len(new), MOST_AT_ONCE)]
        self._known = (self._known - self._stale) | {each.id for each in new}
        self._stale = set()
        return frames


def _bringing(objects: Sequence[HostObject]) -> Frame:
    rows = [[each.id, len(each.segments)] for each in objects]
    return framed(["objects", rows, []], [part for each in objects for part in each.segments])
