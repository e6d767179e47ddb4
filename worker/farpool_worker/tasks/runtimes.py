"""How long calls of each function take, as measured by the children."""

from collections import OrderedDict

_WEIGHT = 0.3
"""How much the newest measurement counts (guess)."""

_MOST_FUNCTIONS = 10_000


class Runtimes:
    """Moving averages of run time per call, by function name.  Main thread only."""

    def __init__(self) -> None:
        self._means: OrderedDict[str, float] = OrderedDict()

    def note(self, label: str, calls: int, seconds: float) -> None:
        """Add a measurement: this many calls took this long together."""
        if calls <= 0:
            return
        known, new = self._means.get(label), seconds / calls
        self._means[label] = new if known is None else known + _WEIGHT * (new - known)
        self._means.move_to_end(label)
        if len(self._means) > _MOST_FUNCTIONS:
            self._means.popitem(last=False)

    def mean(self, label: str) -> float | None:
        """Seconds per call, or None for a function that has not run here."""
        return self._means.get(label)
