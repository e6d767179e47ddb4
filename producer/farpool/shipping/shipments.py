"""The tasks that were sent and are not over."""

import threading
from collections.abc import Iterable, Sequence
from time import monotonic

from farpool.shipping.outbox import Outbox
from farpool.shipping.shipment import Reading, Shipment
from farpool_common.broker import ProducerBroker
from farpool_common.errors import FarpoolError

LOOK_SECONDS = 0.2
"""A future's `running()` asks the server at most this often."""

MOST_LOOKS = 500
"""Tasks in one look."""


class Shipments:
    """Tasks by id.  Any thread may call anything here."""

    def __init__(self, broker: ProducerBroker, outbox: Outbox) -> None:
        self._broker, self._outbox = broker, outbox
        self._table: dict[str, Shipment] = {}
        self.present = threading.Event()
        """Set by whatever the listener must not sleep through."""
        self.reading: Reading | None = None

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, shipment: Shipment) -> bool:
        return shipment.id in self._table

    def get(self, task_id: str) -> Shipment | None:
        """A task that is not over."""
        return self._table.get(task_id)

    def all(self) -> list[Shipment]:
        """The tasks that are not over, in the order of their sending."""
        return list(self._table.values())

    def add(self, shipment: Shipment) -> None:
        """The task is about to be sent."""
        shipment.abandon = self.abandon
        shipment.ask = self._ask
        shipment.reading = self.reading
        self._table[shipment.id] = shipment
        shipment.sink.link(shipment)

    def be_watched(self) -> None:
        """Have the listener read, should nobody do so yet."""
        if not self.present.is_set():
            self.present.set()

    def land(self, shipment: Shipment) -> None:
        """The task is over."""
        self._table.pop(shipment.id, None)
        shipment.refs = ()
        shipment.source.in_flight.discard(shipment.id)
        if shipment.parts:
            self._broker.drop_arguments(shipment.parts)

    def abandon(self, shipment: Shipment) -> None:
        """Nobody wants this task any more: have it cancelled."""
        if shipment in self:
            self.land(shipment)
            self._outbox.cancel(shipment.id)

    def fail(self, shipment: Shipment, error: BaseException) -> None:
        """The task is over, and what has no outcome fails."""
        shipment.sink.fail(error)
        self.land(shipment)

    def look(self, shipments: Sequence[Shipment]) -> None:
        """Ask the server for the status of tasks.  Raises the broker's errors."""
        for start in range(0, len(shipments), MOST_LOOKS):
            batch = shipments[start : start + MOST_LOOKS]
            found = self._broker.look([shipment.id for shipment in batch])
            for shipment in batch:
                shipment.status = found.get(shipment.id)

    def _ask(self, shipment: Shipment) -> None:
        now = monotonic()
        if shipment in self and now - shipment.asked_at >= LOOK_SECONDS:
            shipment.asked_at = now
            try:
                self.look([shipment])
            except FarpoolError:  # what was known stands
                return

    def cancel_unstarted(self) -> None:
        """Cancel the tasks that no worker has taken; all of them when the server cannot be asked."""
        shipments = self.all()
        try:
            self.look(shipments)
        except FarpoolError:
            cancel(shipments)
        cancel(shipment for shipment in shipments if shipment.status != "started")

    def cancel_all(self) -> None:
        """Cancel every task."""
        cancel(self.all())

    def fail_all(self, error: BaseException) -> None:
        """Have every call without an outcome fail, and cancel the tasks."""
        for shipment in self.all():
            shipment.sink.fail(error)
            self.abandon(shipment)


def cancel(shipments: Iterable[Shipment]) -> None:
    """Cancel every call of these tasks that has no outcome."""
    for shipment in shipments:
        shipment.sink.cancel()
