"""Locks over many hosts: leases with a fencing number.

Who holds a lock renews its lease in the background.  A holder that dies, or whose process is stopped for longer
than the lease, loses the lock to the next one; it learns that when it releases.  Where even then nothing may go
wrong, send `fence` along with each write: it grows with every acquisition, so the one who is written to can refuse
a number below one that it has seen.
"""

import secrets
import threading
from abc import abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, Any

from farpool.shared.handle import Shared
from farpool.shared.until import Until
from farpool_common.bells import Bell, Wait
from farpool_common.errors import LeaseLostError

if TYPE_CHECKING:
    from farpool.shared.keeper import Held


class _Leased(Shared):
    """What can be held by one.  Threads of a process share what the process holds."""

    bells = ("freed",)

    def __init__(self, *, name: str | None = None, url: str | None = None) -> None:
        self._make(name, url)

    @property
    def fence(self) -> int | None:
        """The number of this process's hold, above those of all holders before; None when it holds nothing."""
        held = self._held
        return None if held is None else held.fence

    def locked(self) -> bool:
        """Whether somebody holds it now."""
        return bool(self._run("lock_look")[0] == b"held")

    def __enter__(self) -> bool:
        return self._acquire(Until(None))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @abstractmethod
    def release(self) -> None:
        """Let the next one have it."""

    @property
    def _held(self) -> "Held | None":
        from farpool.shared.keeper import keeper

        return keeper().held(self._found_server, self._parts.record)

    def _acquire(self, until: Until) -> bool:
        """Hold it, as a new holder; False when the time is up."""
        from farpool.client.connect import lease_seconds
        from farpool.shared.keeper import Held, keeper

        holder = secrets.token_hex(12)
        args = [holder, int(lease_seconds() * 1000)]
        answer = self._run_until("lock_acquire", args, until, self._until_free)
        if answer[0] != b"ok":
            return False
        held = Held(self._found_server, self._parts.all, holder, int(answer[1]))
        keeper().hold(held)
        return True

    def _until_free(self, answer: list[Any]) -> Wait | None:
        """Until it is released, or the holder's lease lapses."""
        if answer[0] != b"held":
            return None
        return Bell(self._parts.bells[0], most_seconds=(int(answer[1]) + 1) / 1000)

    def _let_go(self, held: "Held") -> None:
        """Raises LeaseLostError."""
        from farpool.shared.keeper import keeper

        keeper().let_go(held)
        if self._run("lock_release", held.holder)[0] == b"lost":
            raise self._lost()

    def _lost(self) -> LeaseLostError:
        return LeaseLostError(
            f"{self!r} was not ours any more: its lease lapsed because this process was stopped or cut off from "
            f"the server, and others may have held it since. Raise FARPOOL_SHARED_SECONDS, or check `fence`."
        )

    # --- for conditions --------------------------------------------------------------------------

    def _is_ours(self) -> bool:
        return self._held is not None

    def _release_all(self) -> int:
        """Release it however often it was taken; the number."""
        held = self._held
        assert held is not None
        depth = held.depth
        self._let_go(held)
        return depth

    def _take_again(self, depth: int) -> None:
        """Hold it as it was held before `_release_all`."""
        self._acquire(Until(None))
        held = self._held
        assert held is not None
        held.depth = depth


class Lock(_Leased):
    """`multiprocessing.Lock` over hosts, as a lease (see the module).

    Any thread of the process that acquired it may release it; no other process may.
    """

    kind = "lock"

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Wait until it is ours; False when the time is up."""
        return self._acquire(Until(timeout if block else 0))

    def release(self) -> None:
        """Let the next one have it.  Raises ValueError when this process does not hold it; then it is LeaseLostError
        if it did before."""
        held = self._held
        if held is None:
            raise ValueError("semaphore or lock released too many times: this process does not hold it")
        self._let_go(held)


class RLock(_Leased):
    """`multiprocessing.RLock` over hosts, as a lease (see the module): the thread that holds it may take it again."""

    kind = "rlock"

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Wait until it is ours; False when the time is up.  Every acquire wants a release."""
        return self._acquire(Until(timeout if block else 0))

    def release(self) -> None:
        """Undo one acquire.  Raises AssertionError when this thread does not hold it, as multiprocessing does."""
        held = self._held
        if held is None or not self._is_ours():
            raise AssertionError("attempt to release recursive lock not owned by thread")
        held.depth -= 1
        if held.depth == 0:
            self._let_go(held)

    def _acquire(self, until: Until) -> bool:
        held = self._held
        if held is not None and self._is_ours():
            if held.is_lost:
                raise self._lost()
            held.depth += 1
            return True
        return super()._acquire(until)

    def _is_ours(self) -> bool:
        held = self._held
        return held is not None and held.thread == threading.get_ident()

    def __enter__(self) -> bool:
        return self.acquire()


LockLike = Lock | RLock
