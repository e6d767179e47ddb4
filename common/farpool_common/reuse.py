"""Memory for large results, used again once nobody holds what was in it.

The system clears pages before it hands them out, which for 64 MB takes longer than reading them from a server
on the same machine (measured: two thirds of a client's CPU time).
"""

import ctypes
import mmap
import weakref
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import Any

LEAST_BYTES = 4 * 1024 * 1024
"""Below it the C library's own allocator keeps memory warm."""

MOST_FREE_BYTES = 256 * 1024 * 1024
"""Memory that waits for its next use, at most (guess)."""

IDLE_SECONDS = 10.0
"""After so long without use it goes back to the system (guess)."""

_LARGE_PAGE = 2 * 1024 * 1024
_MOST_WASTE = 2
"""Memory may be so many times as large as what is put into it."""


class ReusedMemory:
    """Hands out memory.  Any thread may take some, and what was taken comes back by itself, from any thread."""

    def __init__(self) -> None:
        self._free: deque[tuple[mmap.mmap, float]] = deque()  # with when it came back
        self._is_closed = False

    def take(self, nbytes: int) -> memoryview:
        """Writable memory with anything in it.  Nobody else gets it while a view of it lives, or an array in it."""
        block = self._found(nbytes) or _new_block(nbytes)
        exporter: Any = (ctypes.c_ubyte * nbytes).from_buffer(block)
        exporter.loan = _Loan(weakref.ref(self), block)  # a ctypes array keeps its attributes while a view needs it
        return memoryview(exporter).cast("B")

    def trim(self) -> None:
        """Give memory back that was not used of late."""
        due = monotonic() - IDLE_SECONDS
        for _ in range(len(self._free)):
            block, since = self._free.popleft()
            if since > due:
                self._free.append((block, since))

    def close(self) -> None:
        """Keep no memory any more."""
        self._is_closed = True
        self._free.clear()

    def came_back(self, block: mmap.mmap) -> None:
        """Nobody has it any more.  Takes no lock, for the garbage collector calls it."""
        if not self._is_closed and sum(len(other) for other, _ in list(self._free)) + len(block) <= MOST_FREE_BYTES:
            self._free.append((block, monotonic()))

    def _found(self, nbytes: int) -> mmap.mmap | None:
        for _ in range(len(self._free)):
            try:
                block, since = self._free.popleft()
            except IndexError:  # another thread took the last one
                return None
            if nbytes <= len(block) <= _MOST_WASTE * nbytes + _LARGE_PAGE:
                return block
            self._free.append((block, since))
        return None


class _Loan:
    """Lives as long as whatever uses a block."""

    def __init__(self, owner: "weakref.ref[ReusedMemory]", block: mmap.mmap) -> None:
        self._owner, self._block = owner, block

    def __del__(self) -> None:
        owner = self._owner()
        if owner is not None:
            owner.came_back(self._block)


def _new_block(nbytes: int) -> mmap.mmap:
    # Private: a forked process has its own copy, whatever becomes of ours.
    size = -(-nbytes // _LARGE_PAGE) * _LARGE_PAGE
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without large pages
            block.madvise(mmap.MADV_HUGEPAGE)
    return block
