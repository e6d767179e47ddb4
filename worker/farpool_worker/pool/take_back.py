"""When a child is asked to begin nothing more, and when what it has not begun is the daemon's again.

A child in a long call cannot answer, so nothing is agreed with it.  Both sides keep an order instead:

    child   names the call (CALL) or the work (WORK) in the cursor, then looks at STOP and LAST, then begins
    daemon  sets STOP or LAST, lets a moment pass, then reads WORK and CALL

What the child begins after the daemon's word is seen is nothing; what it began before was named by then.  So
everything behind the place that the daemon reads belongs to the daemon, and may run elsewhere at once, while
the child goes on with its one call.  What was named and not begun comes back as what a child gives back does.
The child passes over what was taken from it and says of each work that it is through; until it has said so of
all, it is sent nothing new, for that clears the words.

STOP is set only while a call runs, which the child brings to its end: so each time costs at most one message
for one call.  Before and between the calls of a work, LAST holds up the works behind it, and the work itself
goes on; else work that takes long to prepare would be taken back again and again.
"""

from collections.abc import Sequence

from farpool_common.calls import LAST, PREPARING, STOP, Cursor
from farpool_worker.pool.assignment import Assignment, Place
from farpool_worker.pool.events import TakenBack

LONG_SECONDS = 0.01
"""A call that takes so much longer than expected is long: twice what one message to a child holds (guess)."""

LONG_TIMES = 3.0
"""And so many times its function's mean: what varies a little is not worth a message per call (guess)."""

SETTLED_SECONDS = 0.003
"""After so long every processor has seen what was written; it takes less than a microsecond."""


class TakeBack:
    """For one child.  Owns the words STOP and LAST of its cursor."""

    def __init__(self, cursor: Cursor, assignment: Assignment, long_seconds: float) -> None:
        self._cursor, self._assignment, self._long_seconds = cursor, assignment, long_seconds
        self._look_at: float | None = None  # None: nothing waits
        self._is_asked = False
        self._seen: tuple[int, int] | None = None

    def sent(self, now: float) -> None:
        """An idle child was sent works."""
        self._cursor[STOP] = self._cursor[LAST] = 0
        self._is_asked, self._seen = False, None
        self._look_at = now + self._long_seconds if self._assignment.has_several_calls else None

    def ask(self, now: float) -> None:
        """Whatever it is at: it shall begin nothing more."""
        self._cursor[STOP] = 1
        self._is_asked, self._look_at = True, now + SETTLED_SECONDS

    def next_look(self, now: float, spare_at: float | None) -> float | None:
        """Seconds until `look` could have something to do; None: never.

        `spare_at`: since when another child has nothing to do; then a call is long even if its function's are.
        """
        due = self._due(now, spare_at)
        return None if due is None else due - now

    def look(self, now: float, spare_at: float | None) -> Sequence[TakenBack]:
        """Ask the child to begin nothing more, if it is in a long call; a moment after that, take back the rest."""
        due = self._due(now, spare_at)
        place = self._assignment.place() if due is not None and due <= now else None
        if place is None:
            return ()
        if self._is_asked:
            return self._taken(place, now)
        if self._seen == place[:2]:
            return self._asked(place, now)
        # The cursor says since when a run of quick calls lasts: a long one is still there a moment later.
        self._seen, self._look_at = (place.work, place.call), now + self._long_seconds / 4
        return ()

    def _asked(self, place: Place, now: float) -> Sequence[TakenBack]:
        if place.is_call:
            self._cursor[STOP] = 1
        else:
            self._cursor[LAST] = place.work
        self._is_asked, self._look_at = True, now + SETTLED_SECONDS
        return ()

    def _taken(self, place: Place, now: float) -> Sequence[TakenBack]:
        self._is_asked = False
        if self._cursor[STOP]:
            self._look_at = None  # the child gives back what is left
            return self._assignment.take_back(place)
        self._look_at = now + self._long_seconds
        return self._assignment.take_back(place._replace(call=PREPARING))  # LAST says nothing of calls

    def _due(self, now: float, spare_at: float | None) -> float | None:
        """When to look, or None."""
        if self._look_at is None or self._is_asked or now < self._look_at:
            return self._look_at
        place = self._assignment.place()
        if place is None or not self._assignment.has_several_calls:
            self._look_at = None
        elif not self._assignment.is_behind(place):
            # It prepares, or writes results: looked at again, ever more seldom.
            self._look_at = now + max(self._long_seconds, (now - place.since) / 2)
        else:
            return self._long_at(place, spare_at)
        return self._look_at

    def _long_at(self, place: Place, spare_at: float | None) -> float:
        long_at = place.since + self._long_seconds + LONG_TIMES * place.expected
        if spare_at is None:
            return long_at
        return min(long_at, max(place.since + self._long_seconds, spare_at))
