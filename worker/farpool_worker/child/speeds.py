"""Which functions are quick, as far as one child has seen: their results may wait for others to travel with."""

from farpool_common.calls import SLOW_SECONDS

LONG_SECONDS = 0.1
"""Results that wait behind a call that takes so long are missed (guess)."""

CAUTIOUS_CALLS = 10_000
"""For so many calls after a long one of a function that seemed quick, its results hardly wait (guess)."""

CAUTIOUS_SHARE = 0.05
"""What is left of the time for which results of such a function wait: a message for 0.1 ms of calls (guess)."""


class Speeds:
    """By function name.  A call that runs cannot be asked for the results before it; so how many there may be
    is a matter of what its function has done so far."""

    def __init__(self) -> None:
        self._quick: set[str] = set()
        self._cautious: dict[str, int] = {}  # for so many calls yet

    def note(self, name: str, calls: int, seconds: float) -> None:
        """So many calls took so long together."""
        if seconds >= LONG_SECONDS and (calls > 1 or name in self._quick):
            self._cautious[name] = CAUTIOUS_CALLS
        elif name in self._cautious:
            self._cautious[name] -= calls
            if self._cautious[name] <= 0:
                del self._cautious[name]
        (self._quick.add if seconds < SLOW_SECONDS * calls else self._quick.discard)(name)

    def is_quick(self, name: str) -> bool:
        """Whether results that wait may wait for a call of this function, too."""
        return name in self._quick and name not in self._cautious

    def patience(self, name: str, seconds: float) -> float:
        """How long results may wait for further calls of this function, of at most `seconds`."""
        return seconds * CAUTIOUS_SHARE if name in self._cautious else seconds
