"""Looks after tasks that nothing is heard of: lost by the server, or waiting for a host."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from farpool.shipping.shipment import Shipment
from farpool.shipping.shipments import Shipments, cancel
from farpool_common.broker import ProducerBroker

logger = logging.getLogger("farpool")

LOOK_SECONDS = 5.0
"""A task is looked at when nothing was heard of it for this long, and again after as long."""

MOST_LOOKS = 100
"""Tasks looked at in one go, those first that were not looked at for longest."""

WARN_SECONDS = 3.0
"""Work waits this long before a queue without hosts is worth a word."""

ASK_SECONDS = 1.0
ASK_AGAIN_SECONDS = 10.0
"""How often waiting work makes us look for hosts: while there is none, and after some were found."""

_CANCELED = ("canceled", "stopped")
"""RQ's words for a task that somebody else cancelled."""


_ENDED = ("finished", "failed")


@dataclass(frozen=True)
class Looked:
    """Silent tasks of which the server has no record, and those that have ended without a word to us."""

    lost: Sequence[Shipment] = ()
    ended: Sequence[Shipment] = ()


class Watch:
    """Used by the listener's thread only."""

    def __init__(self, broker: ProducerBroker, shipments: Shipments, place: str) -> None:
        self._broker, self._shipments, self._place = broker, shipments, place
        self._looked_at = self._ask_at = 0.0
        self._warned: set[str] = set()

    def look(self, now: float) -> Looked:
        """Look at tasks that were silent for long; those that somebody else cancelled are cancelled here."""
        if now - self._looked_at < LOOK_SECONDS:
            return Looked()
        self._looked_at = now
        sent = [shipment for shipment in self._shipments.all() if shipment.sent_at is not None]
        silent = [shipment for shipment in sent if now - shipment.looked_at >= LOOK_SECONDS]
        oldest = sorted(silent, key=lambda shipment: shipment.looked_at)[:MOST_LOOKS]
        self._shipments.look(oldest)
        for shipment in oldest:
            shipment.looked_at = now
        cancel(shipment for shipment in oldest if shipment.status in _CANCELED)
        return Looked(
            [shipment for shipment in oldest if shipment.status is None],
            [shipment for shipment in oldest if shipment.status in _ENDED],
        )

    def warn_when_nobody_listens(self, now: float) -> None:
        """One warning per queue whose tasks wait while no host serves it."""
        if now < self._ask_at:
            return
        self._ask_at = now + ASK_SECONDS
        for queue in self._waiting_queues(now) - self._warned:
            if self._broker.hosts(queue):
                self._ask_at = now + ASK_AGAIN_SECONDS
            else:
                self._warned.add(queue)
                self._warn(queue)

    def _warn(self, queue: str) -> None:
        name = "" if queue == "default" else f"{queue} "
        logger.warning(
            "0 hosts listen on queue %s at %s. Start one with: farpool worker %s-u %s",
            *(queue, self._place, name, self._place),
        )

    def _waiting_queues(self, now: float) -> set[str]:
        return {
            shipment.route.options.queue
            for shipment in self._shipments.all()
            if shipment.status != "started" and shipment.sent_at is not None and now - shipment.sent_at >= WARN_SECONDS
        }
