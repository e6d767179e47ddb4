"""How often and when a call that raised is run again."""

import random
from dataclasses import KW_ONLY, dataclass
from typing import Any

from farpool_common.errors import SettingsError
from farpool_common.failure import Failure, names_of
from farpool_common.task import DEFAULT_RETRIES

MAX_DELAY = 60.0
"""Seconds beyond which delays do not grow, unless the user says otherwise (guess)."""

MOST_RETRIES = 1_000
"""A job's record holds a delay for each (guess: more is a schedule, not a retry)."""

_NOT_RAISED = frozenset(
    f"farpool_common.errors:{name}"
    for name in (
        *("WorkerLostError", "TaskLostError", "FunctionNotAllowedError", "FunctionNotFoundError"),
        *("CodeNotTrustedError", "PythonVersionError", "DecodeError", "ResultError", "MemoryNotSharedError"),
    )
)
"""What farpool says of a call, and the call has not raised: another try would end alike, or has been made."""


@dataclass(frozen=True)
class Retry:
    """A call that raised one of `on` runs again, `max` times at most, each time after a longer delay.

    The delay before the n-th retry is a random time between 0 and `backoff * factor ** (n - 1)` seconds, at most
    `max_delay`: "full jitter" (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), under
    which calls that failed together do not come back together.  Without `jitter` it is that time itself.

    `lost` is how often a call whose worker was lost runs again; that is counted apart.  What farpool refuses
    (a function that is not found or not allowed, a result that cannot travel) is tried again only if `on` names it.
    """

    max: int
    _: KW_ONLY
    backoff: float = 1.0
    factor: float = 2.0
    jitter: bool = True
    max_delay: float = MAX_DELAY
    on: type[Exception] | tuple[type[Exception], ...] = (Exception,)
    lost: int = DEFAULT_RETRIES

    def __post_init__(self) -> None:
        if not is_whole(self.max) or not 1 <= self.max <= MOST_RETRIES:
            raise SettingsError(f"max is how often a call runs again, 1 to {MOST_RETRIES:,}, not {self.max!r}")
        for name, least in (("backoff", 0), ("factor", 1), ("max_delay", 0)):
            value = getattr(self, name)
            if not is_number(value) or not least <= value < float("inf"):
                raise SettingsError(f"{name} is a number from {least} on, not {value!r}")
        if not isinstance(self.jitter, bool):
            raise SettingsError(f"jitter is True or False, not {self.jitter!r}")
        if not is_whole(self.lost) or self.lost < 0:
            raise SettingsError(f"lost is a whole number, 0 for never again, not {self.lost!r}")
        if not self.classes or not all(isinstance(kind, type) and issubclass(kind, Exception) for kind in self.classes):
            raise SettingsError(f"on is an exception class, or some of them in a tuple, not {self.on!r}")

    @property
    def classes(self) -> tuple[Any, ...]:
        """The classes of `on`."""
        return self.on if isinstance(self.on, tuple) else (self.on,)

    @property
    def names(self) -> frozenset[str]:
        """Their names."""
        return frozenset(names_of(kind)[0] for kind in self.classes)

    def covers(self, failure: Failure) -> bool:
        """Whether a call that ended so is to be tried again."""
        return is_covered(failure.bases, self.names)

    def delay(self, number: int, chance: random.Random) -> float:
        """Seconds before retry `number`, which counts from 1."""
        try:
            longest = min(self.max_delay, self.backoff * self.factor ** (number - 1))
        except OverflowError:
            longest = self.max_delay
        return chance.uniform(0.0, longest) if self.jitter else longest


def is_covered(bases: Any, names: frozenset[str]) -> bool:
    """Whether one of `names` is among the names of an exception's class and its bases."""
    found = set(bases)
    refused = found & _NOT_RAISED
    return bool(refused & names) if refused else bool(found & names)


def is_whole(value: Any) -> bool:
    """Whether this is an integer, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether this is a number, and no truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
