"""Where somebody waits for a change of a shared object.  A bell (a list) wakes one, a horn (a stream) all."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bell:
    """Wait until it rings for us, or one of `others` does."""

    key: str
    most_seconds: float = float("inf")
    others: tuple[str, ...] = ()

    def command(self, seconds: float) -> tuple[Any, ...]:
        """What blocks at the server."""
        return ("BLPOP", self.key, *self.others, f"{seconds:.3f}")


@dataclass(frozen=True)
class Horn:
    """Wait until it is blown after the call with this number."""

    key: str
    after: int
    most_seconds: float = float("inf")

    def command(self, seconds: float) -> tuple[Any, ...]:
        """What blocks at the server."""
        return ("XREAD", "COUNT", 1, "BLOCK", int(seconds * 1000) or 1, "STREAMS", self.key, f"{self.after}-0")


Wait = Bell | Horn
