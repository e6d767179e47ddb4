"""When RQ's registries are looked after: at the start, then at RQ's interval, by RQ's own code in a child."""

import math

from farpool_worker.job_options import RqOptions


class Maintenance:
    """Main loop only.  Never due where RQ's code does not run."""

    def __init__(self, rq: RqOptions | None) -> None:
        self._seconds = math.inf if rq is None else rq.maintenance_seconds
        self._due_at = math.inf if rq is None else 0.0
        self.has_begun = rq is None
        """Whether a child was sent at all: a burst is not over before, for RQ may put jobs back."""

    def is_due(self, now: float) -> bool:
        """Whether a child should be sent now; the next time is an interval later."""
        if now < self._due_at:
            return False
        self._due_at, self.has_begun = now + self._seconds, True
        return True

    def due_in(self, now: float) -> float | None:
        """Seconds until it is due; None while it is overdue, waiting for an idle slot, or never due."""
        return self._due_at - now if now < self._due_at < math.inf else None
