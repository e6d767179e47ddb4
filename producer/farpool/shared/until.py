"""How long a call may wait."""

import math
import time


class Until:
    """A moment by this process's clock; never, for a timeout of None; at once, for one below nought."""

    def __init__(self, timeout: float | None) -> None:
        self._at = math.inf if timeout is None else time.monotonic() + max(0.0, timeout)

    @property
    def left(self) -> float:
        """Seconds that are left; nought when the time is up."""
        return max(0.0, self._at - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return self.left <= 0.0
