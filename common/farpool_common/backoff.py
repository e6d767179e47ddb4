"""Growing, random pauses between tries against a server that is away."""

import random
import threading

BASE_SECONDS = 0.05
CAP_SECONDS = 5.0


class Backoff:
    """Full jitter: each pause lies anywhere between nothing and a bound that doubles up to 5 s.

    Clients that lost the same server thus do not come back all at once.
    """

    def __init__(self, *, base_seconds: float = BASE_SECONDS, cap_seconds: float = CAP_SECONDS) -> None:
        self._base, self._cap = base_seconds, cap_seconds
        self._tries = 0
        self._hurry = threading.Event()

    @property
    def is_on(self) -> bool:
        """True since the first pause until `reset`."""
        return self._tries > 0

    def pause_seconds(self) -> float:
        """The length of the next pause."""
        bound = min(self._cap, self._base * 2 ** min(self._tries, 16))
        self._tries += 1
        return random.uniform(0, bound)

    def wait(self) -> None:
        """Sleep for the next pause, or until `hurry`."""
        self._hurry.wait(self.pause_seconds())
        self._hurry.clear()

    def hurry(self) -> None:
        """End the pause now, or skip the next one."""
        self._hurry.set()

    def reset(self) -> None:
        """The server is back."""
        self._tries = 0
