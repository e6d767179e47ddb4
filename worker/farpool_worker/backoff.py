"""Waiting between attempts, with full jitter so that a fleet does not come back at one instant."""

import random
import threading


class Backoff:
    """Delays that double up to a cap, each drawn between zero and its bound."""

    def __init__(self, first: float = 0.1, cap: float = 5.0) -> None:
        self._first, self._cap = first, cap
        self._bound = first

    def delay(self) -> float:
        """Seconds to wait before the next attempt."""
        chosen = random.uniform(0, self._bound)
        self._bound = min(self._cap, self._bound * 2)
        return chosen

    def reset(self) -> None:
        """An attempt succeeded."""
        self._bound = self._first

    def wait(self, stop: threading.Event) -> None:
        """Wait for the next delay, or until `stop` is set."""
        stop.wait(self.delay())
