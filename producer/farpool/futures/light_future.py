"""A `concurrent.futures.Future` that is made and settled in a microsecond.

A future of the standard library is born with a condition, a lock and three containers: 1.7 kB and 6.5 µs
when there are many (measured with 300,000; most of it is fresh memory).  Nearly all of ours are settled
before anybody waits for them, so they get these when somebody first asks, and take 0.35 kB and 0.4 µs.
"""

import concurrent.futures
import os
import threading
from concurrent.futures import InvalidStateError
from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar("T")

PENDING, CANCELLED, FINISHED = "PENDING", "CANCELLED", "FINISHED"
"""States of `concurrent.futures`, which has no public names for them."""

_MAKING = threading.Lock()
"""Held while a future gets its condition, and while one is settled that has none.  Shared by all, since it
is held for less than a microsecond and a lock of its own would be what we want to save."""


def _after_fork() -> None:
    """Another thread of the parent may have held it."""
    global _MAKING
    _MAKING = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


class LightFuture(concurrent.futures.Future[T]):
    """Behaves as its base class, whose methods do everything as soon as anybody waits."""

    _own_condition: threading.Condition | None = None
    _result: T | None = None
    _exception: BaseException | None = None

    def __init__(self) -> None:
        self._state = PENDING  # and no more: the rest is made by `_condition`

    if not TYPE_CHECKING:  # for type checkers it stays an attribute, as `as_completed` wants it to be

        @property
        def _condition(self) -> threading.Condition:
            """What the base class locks before it touches its waiters and callbacks, which is always."""
            return self._own_condition or self._made_condition()

    def _made_condition(self) -> threading.Condition:
        with _MAKING:
            condition = self._own_condition
            if condition is None:
                self._waiters: list[Any] = []
                self._done_callbacks: list[Any] = []
                condition = self._own_condition = threading.Condition()
        self._be_watched()
        return condition

    def _be_watched(self) -> None:
        """Somebody looks at this future in another way than by waiting for its result."""

    def settle(self, result: Any, error: BaseException | None = None) -> bool:
        """Set the result, or the exception.  False when it is cancelled or has one already."""
        with _MAKING:
            if self._own_condition is None:
                return self._settle_unseen(result, error)
        try:
            if error is None:
                self.set_result(result)
            else:
                self.set_exception(error)
        except InvalidStateError:
            return False
        return True

    def _settle_unseen(self, result: Any, error: BaseException | None) -> bool:
        """Nobody waits and nobody is to be called."""
        if self._state != PENDING:
            return False
        self._result, self._exception = result, error
        self._state = FINISHED  # last: whoever sees it reads the rest without a lock
        return True

    def disown(self, error: BaseException) -> None:
        """In a forked child: fail, unless it is done.  What the parent's threads wait for and call is no matter here,
        and the lock may be held by one of them."""
        if self._state == PENDING:
            self._own_condition = None
            self._settle_unseen(None, error)

    def result(self, timeout: float | None = None) -> T:
        """The result, waiting for it up to `timeout` seconds; raises what the call raised."""
        if self._state == PENDING:
            timeout = self._read(timeout)
        if self._state == FINISHED and self._exception is None:
            return self._result  # type: ignore[return-value]
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the call raised, or None, waiting for its end up to `timeout` seconds."""
        if self._state == PENDING:
            timeout = self._read(timeout)
        return super().exception(timeout)

    def _read(self, timeout: float | None) -> float | None:
        """Before this thread sleeps until others settle the future: what it may do itself.  Returns what is left of
        the timeout."""
        return timeout
