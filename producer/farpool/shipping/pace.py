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


_LONG_RUN_CALLS = 20_000
"""So many calls of the past are in the mean that does not forget a long call soon (guess)."""

_LONG_RUN_TIMES = 4
"""Less, and calls of 1 ms go alone for the sake of a few: on a busy machine that takes twice as long (guess)."""

_MOST_PROCESSES = 10_000


class Pace:
    """Measured run time and size of the calls of one function.

    Two means of the run time: a recent one, and one of the long run.  Of a function with a long call now and then,
    which the recent one has forgotten, fewer calls are gathered: a task takes at most four times as long by the
    long run's mean.  So at most 1 % of the calls share a task with a call of 2 s, however rare or frequent.
    """

    def __init__(self) -> None:
        self.seconds: float | None = None
        self.nbytes = 0.0
        self._sum, self._calls = 0.0, 0
        self._processes: set[object] = set()

    def learn(self, seconds: float, calls: int, process: object = None) -> None:
        """Take in the run time of some calls, which ran in this process."""
        mean = max(seconds / calls, _LEAST_SECONDS)
        self.seconds = mean if self.seconds is None else _mixed(self.seconds, mean, calls)
        self._learn_long_run(seconds, calls, process)

    def _learn_long_run(self, seconds: float, calls: int, process: object) -> None:
        if process not in self._processes:  # its first calls may have had to import something
            if len(self._processes) >= _MOST_PROCESSES:
                self._processes.clear()
            self._processes.add(process)
            return
        self._sum, self._calls = self._sum + seconds, self._calls + calls
        if self._calls > _LONG_RUN_CALLS:
            self._sum, self._calls = self._sum / 2, self._calls // 2

    def learn_size(self, nbytes: int, calls: int) -> None:
        """Take in the size of the arguments of some calls."""
        self.nbytes = _mixed(self.nbytes, nbytes / calls, calls) if self.nbytes else nbytes / calls

    def calls_within(self, seconds: float, most: int) -> int | None:
        """How many calls take about `seconds`, from 1 to `most`; None when nothing is known."""
        if self.seconds is None:
            return None
        by_size = int(MOST_BYTES / self.nbytes) if self.nbytes else most
        mean = max(self.seconds, self._sum / self._calls / _LONG_RUN_TIMES) if self._calls else self.seconds
        return max(1, min(int(seconds / mean), by_size, most))


def _mixed(old: float, new: float, calls: int) -> float:
    kept = _FORGET ** min(calls, 100)
    return old * kept + new * (1 - kept)
