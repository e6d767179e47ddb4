"""How long the calls of one function take, and how many of them make one task."""

TASK_SECONDS = 0.005
"""Run time of a task of gathered calls: short enough that no call waits long behind another, long enough
that the cost of a task (about 40 µs) does not count."""

PIECE_SECONDS = 0.008
"""Run time of a piece of a map, whose results nobody awaits one by one.  Daemons claim tasks of up to 10 ms
ahead, so that no slot waits for its next one."""

MOST_CALLS = 1_000
"""Calls in one task of gathered calls."""

MOST_BYTES = 1024 * 1024
"""Bytes of arguments in one task of several calls, by the mean so far."""

_LEAST_SECONDS = 1e-8
_FORGET = 0.7
"""How much one call's measurement leaves of what was known before: a first call that had to import its
module is outweighed after about ten (guess)."""


class Pace:
    """Measured run time and size of the calls of one function."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        self.nbytes = 0.0

    def learn(self, seconds: float, calls: int) -> None:
        """Take in the run time of some calls."""
        mean = max(seconds / calls, _LEAST_SECONDS)
        self.seconds = mean if self.seconds is None else _mixed(self.seconds, mean, calls)

    def learn_size(self, nbytes: int, calls: int) -> None:
        """Take in the size of the arguments of some calls."""
        self.nbytes = _mixed(self.nbytes, nbytes / calls, calls) if self.nbytes else nbytes / calls

    def calls_within(self, seconds: float, most: int) -> int | None:
        """How many calls take about `seconds`, from 1 to `most`; None when nothing is known."""
        if self.seconds is None:
            return None
        by_size = int(MOST_BYTES / self.nbytes) if self.nbytes else most
        return max(1, min(int(seconds / self.seconds), by_size, most))


def _mixed(old: float, new: float, calls: int) -> float:
    kept = _FORGET ** min(calls, 100)
    return old * kept + new * (1 - kept)
