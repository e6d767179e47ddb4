"""Queues that are full: which tasks wait here for room, and when to ask again."""

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass

from farpool.options import CallOptions

logger = logging.getLogger("farpool")

FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.5
"""Seconds until a full queue is asked again; doubled each time it still is (guess)."""

Bound = tuple[str, int | None]
"""A queue, and how many tasks it may hold."""


@dataclass
class _Full:
    ask_at: float
    pause: float


def bound_of(options: CallOptions) -> Bound:
    """The queue of a task and how full it may be: what tasks of one enqueue share."""
    return options.queue, options.max_queued


class FullQueues:
    """Only the holder of the sender's lock calls anything here, but for `due_at`."""

    def __init__(self) -> None:
        self._full: dict[Bound, _Full] = {}
        self._room: dict[Bound, int] = {}
        self._told: set[Bound] = set()

    def holds(self, options: CallOptions) -> bool:
        """Whether tasks of this kind must wait here."""
        return bool(self._full) and options.waits_when_full and bound_of(options) in self._full

    def note_full(self, bound: Bound, size: int, now: float) -> None:
        """The queue holds `size` tasks and has no room now."""
        self._room.pop(bound, None)
        known = self._full.get(bound)
        pause = FIRST_PAUSE if known is None else min(2 * known.pause, LONGEST_PAUSE)
        self._full[bound] = _Full(now + pause, pause)
        if bound not in self._told:
            self._told.add(bound)
            logger.warning(
                "queue %s holds %s tasks, and max_queued is %s: calls wait here until workers have taken some",
                *(bound[0], f"{size:,}", bound[1]),
            )

    def note_room(self, bound: Bound, room: int) -> None:
        """So many tasks may be sent now, and all of them are when there are fewer."""
        self._full.pop(bound, None)
        self._room[bound] = room

    def room(self, bound: Bound) -> int | None:
        """How many tasks may be sent now; None: nobody has asked, so try."""
        return self._room.get(bound)

    def note_taken(self, bound: Bound) -> None:
        """The queue has taken all that was there for it."""
        self._room.pop(bound, None)

    def due(self, now: float) -> Iterable[Bound]:
        """Queues that should be asked again."""
        return [bound for bound, full in self._full.items() if full.ask_at <= now]

    @property
    def due_at(self) -> float:
        """When the next queue should be asked again; infinite when none is full."""
        return min((full.ask_at for full in list(self._full.values())), default=math.inf)
