"""What a client sees of one task."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Outcome:
    """`value` is the result, or the error as the client is told it."""

    state: Literal["pending", "done", "failed"]
    value: str = ""

    @property
    def has_ended(self) -> bool:
        return self.state != "pending"


PENDING = Outcome("pending")


def done(value: object) -> Outcome:
    return Outcome("done", value if isinstance(value, str) else repr(value))


def failed(error: object) -> Outcome:
    return Outcome("failed", f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error))
