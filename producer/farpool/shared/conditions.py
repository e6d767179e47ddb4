"""Conditions over many hosts: wait, without the lock, for somebody to say that something has changed."""

import secrets
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar

from farpool.shared.handle import Shared
from farpool.shared.locks import Lock, LockLike, RLock
from farpool.shared.until import Until
from farpool_common.bells import Bell, Wait

T = TypeVar("T")

SIGN_SECONDS = 60
"""A waiter that was killed takes no notification after so long (guess: three times the pause between its signs)."""


class Condition(Shared):
    """`multiprocessing.Condition` over hosts.  `lock` is a Lock or RLock; without one it gets an RLock of its own.

    All who use the condition of a `name` must bring the same lock: without one, it is that of the condition's name.
    """

    kind = "condition"
    bells = ("end",)
    others = ("waiters",)
    _made_lock = False

    def __init__(self, lock: LockLike | None = None, *, name: str | None = None, url: str | None = None) -> None:
        self._make(name, url)
        self._made_lock = lock is None
        self._lock = lock or RLock(name=None if name is None else f"{name} (lock of the condition)", url=url)

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Acquire the lock."""
        return self._lock.acquire(block, timeout)

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    def __enter__(self) -> bool:
        return self._lock.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or self._lock._is_ours():  # it may be gone, and that was told
            self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        """Release the lock, wait to be notified, acquire it again.  False when the time was up.

        Raises RuntimeError when the lock is not held.
        """
        self._check_held("wait on")
        waiter, until = secrets.token_hex(12), Until(timeout)
        self._step("condition_join", waiter, until)
        depth = self._lock._release_all()
        try:
            return self._was_notified(waiter, until)
        finally:
            self._lock._take_again(depth)

    def wait_for(self, predicate: Callable[[], T], timeout: float | None = None) -> T:
        """Wait until something is true, or the time is up; the last value of `predicate`."""
        until = Until(timeout)
        result = predicate()
        while not result and not until.is_over:
            self.wait(None if timeout is None else until.left)
            result = predicate()
        return result

    def notify(self, n: int = 1) -> None:
        """Wake up to `n` of those who wait, the first ones first.  Raises RuntimeError when the lock is not held."""
        self._check_held("notify")
        keys, left = self._link.keys, n
        stems = [keys.shared("sign", ""), keys.shared("wake", "")]
        while left > 0:
            _, woken, in_row = self._run("condition_notify", left, *stems)
            left = min(left - woken, in_row)

    def notify_all(self) -> None:
        """Wake all who wait.  Raises RuntimeError when the lock is not held."""
        self.notify(2**31)

    def _was_notified(self, waiter: str, until: Until) -> bool:
        wake, ends = self._waiters_parts(waiter)[-1], self._parts.bells

        def wait_of(answer: list[Any]) -> Wait | None:
            return Bell(wake, others=ends) if answer[0] == b"waiting" else None

        try:
            if self._step("condition_look", waiter, until, wait_of)[0] == b"ok":
                return True
        except BaseException:
            self._step("condition_leave", waiter, Until(0))
            raise
        return bool(self._step("condition_leave", waiter, until)[0] == b"notified")

    def _step(
        self, script: str, waiter: str, until: Until, wait_of: Callable[[list[Any]], Wait | None] = lambda _: None
    ) -> list[Any]:
        args = (waiter, SIGN_SECONDS * 1000)
        return self._present(self._link.run_until(script, self._waiters_parts(waiter), args, until, wait_of))

    def _waiters_parts(self, waiter: str) -> list[str]:
        key = self._link.keys.shared
        return [*self._parts.all, key("sign", waiter), key("wake", waiter)]

    def _check_held(self, what: str) -> None:
        if not self._lock._is_ours():
            raise RuntimeError(f"cannot {what} a condition whose lock is not held: acquire it first")

    def free(self) -> None:
        """See Shared; the lock goes too, if it was made for this condition here."""
        super().free()
        if self._made_lock:
            self._lock.free()

    def _details(self) -> list[Any]:
        return [self._lock]

    def _restore(self, details: Sequence[Any]) -> None:
        (self._lock,) = details
        if not isinstance(self._lock, (Lock, RLock)):
            raise TypeError("lock")
