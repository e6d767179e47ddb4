"""Events over many hosts: a flag that many may wait for."""

from typing import Any

from farpool.shared.handle import Shared
from farpool.shared.until import Until
from farpool_common.bells import Horn, Wait

_FLAG, _ROUND, _BLOWN = range(3)


class Event(Shared):
    """`multiprocessing.Event` over hosts.  Who waits when it is set is through, even if it is cleared at once."""

    kind = "event"
    horns = ("set",)

    def __init__(self, *, name: str | None = None, url: str | None = None) -> None:
        self._make(name, url)

    def is_set(self) -> bool:
        """Whether it is set now."""
        return self._fields("flag")[0] == b"1"

    def set(self) -> None:
        """Set the flag and wake all who wait."""
        self._run("event_change", 1)

    def clear(self) -> None:
        """Let others wait again."""
        self._run("event_change", 0)

    def wait(self, timeout: float | None = None) -> bool:
        """Return True when it is set; False when the time is up."""
        rounds: list[bytes] = []  # of times that it was set: the first one that is seen

        def wait_of(answer: list[Any]) -> Wait | None:
            if answer[0] != b"ok":
                return None
            rounds.append(answer[1 + _ROUND])
            is_through = answer[1 + _FLAG] == b"1" or rounds[0] != rounds[-1]
            return None if is_through else Horn(self._parts.horns[0], int(answer[1 + _BLOWN] or 0))

        answer = self._run_until("event_look", (), Until(timeout), wait_of)
        return wait_of(answer) is None
