"""When a stopping daemon is done."""

from farpool_worker.ledger import Ledger
from farpool_worker.outbox import Outbox

LAST_SECONDS = 5.0
"""After the deadline: for killed children to be reaped and their tasks to be handed back (guess)."""


class Drain:
    """The deadline of a drain.  Off until `start`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline: float | None = None

    @property
    def is_on(self) -> bool:
        """True once a stop was asked for."""
        return self._deadline is not None

    def start(self, now: float) -> None:
        """Begin: what runs may take `seconds` more."""
        self._deadline = now + self._seconds

    def hurry(self, now: float) -> None:
        """What runs gets no more time."""
        assert self._deadline is not None
        self._deadline = min(self._deadline, now)

    def is_late(self, now: float) -> bool:
        """True when what still runs must be handed back."""
        return self._deadline is not None and now >= self._deadline

    def patience(self, now: float) -> float:
        """Seconds that the main loop may wait."""
        assert self._deadline is not None
        return max(0.05, self._deadline - now)

    def is_over(self, ledger: Ledger, outbox: Outbox, now: float) -> bool:
        """True when nothing is held any more, or when waiting longer would help nobody."""
        assert self._deadline is not None
        return not (len(ledger) or len(outbox)) or now >= self._deadline + LAST_SECONDS
