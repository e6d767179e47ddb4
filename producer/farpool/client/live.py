"""How many slots serve a queue now."""

from time import monotonic

from farpool_common.broker import ProducerBroker
from farpool_common.errors import FarpoolError

FRESH_SECONDS = 1.0


class LiveSlots:
    """Slots by queue, read from the hosts' own records and kept for a second."""

    def __init__(self, broker: ProducerBroker, most: int | None) -> None:
        self._broker, self._most = broker, most
        self._known: dict[str, int] = {}
        self._read_at: dict[str, float] = {}

    def want(self, queue: str) -> None:
        """Keep this queue up to date."""
        self._read_at.setdefault(queue, float("-inf"))

    def slots(self, queue: str) -> int:
        """Slots as last seen, at least 1; never asks the server."""
        slots = max(1, self._known.get(queue, 1))
        return slots if self._most is None else min(slots, self._most)

    def fresh(self, queue: str) -> int:
        """Slots now, at least 1; asks the server at most once a second."""
        self.want(queue)
        self.refresh()
        return self.slots(queue)

    def refresh(self) -> None:
        """Ask the server where the answer is old.  An outage leaves what was known."""
        for queue, read_at in list(self._read_at.items()):
            if monotonic() - read_at > FRESH_SECONDS:
                self._read(queue)

    def _read(self, queue: str) -> None:
        try:
            self._known[queue] = sum(host.slots for host in self._broker.hosts(queue))
        except FarpoolError:
            return
        finally:
            self._read_at[queue] = monotonic()
