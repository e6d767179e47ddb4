"""Semaphores over many hosts: numbers of permits that anybody may take and give back.

They are counters, as in the standard library, and no leases: the permit of a process that dies stays taken.
Where that matters, use a Lock.
"""

from types import TracebackType
from typing import Any

from farpool.shared.handle import Shared
from farpool.shared.until import Until
from farpool_common.bells import Bell, Wait


class Semaphore(Shared):
    """`multiprocessing.Semaphore` over hosts.  `value` permits are there at first, unless one of that `name` exists."""

    kind = "semaphore"
    bells = ("freed",)

    def __init__(self, value: int = 1, *, name: str | None = None, url: str | None = None) -> None:
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        self._make(name, url, self._first_fields(value))

    def _first_fields(self, value: int) -> dict[str, int]:
        return {"permits": value}

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Take a permit, waiting for one; False when the time is up."""
        until = Until(timeout if block else 0)
        return bool(self._run_until("semaphore_acquire", (), until, self._until_free)[0] == b"ok")

    def release(self) -> None:
        """Give a permit back, or add one.  Raises ValueError above the bound of a BoundedSemaphore."""
        if self._run("semaphore_release")[0] == b"many":
            raise ValueError("semaphore or lock released too many times")

    def get_value(self) -> int:
        """How many permits are there now."""
        return int(self._fields("permits")[0] or 0)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _until_free(self, answer: list[Any]) -> Wait | None:
        return Bell(self._parts.bells[0]) if answer[0] == b"none" else None


class BoundedSemaphore(Semaphore):
    """`multiprocessing.BoundedSemaphore` over hosts: never more permits than at first."""

    kind = "bounded"

    def _first_fields(self, value: int) -> dict[str, int]:
        return {"permits": value, "bound": value}
