"""A look at the server now and then: whether tasks are still safe on it."""

from farpool_common.broker import WorkerBroker
from farpool_common.errors import ServerUnsuitableError
from farpool_worker.log import log

LOOK_SECONDS = 60.0
"""Somebody may change the server's settings while we run (guess)."""


class ServerWatch:
    """Main loop only."""

    def __init__(self, broker: WorkerBroker, *, allow_eviction: bool) -> None:
        self._broker, self._allow_eviction = broker, allow_eviction
        self._look_at = 0.0

    def look_if_due(self, now: float) -> None:
        """Say in the log what is wrong with the server, once a minute.  Raises an outage."""
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        try:
            self._broker.check(allow_eviction=self._allow_eviction)
        except ServerUnsuitableError as error:
            log.error("%s", error)
