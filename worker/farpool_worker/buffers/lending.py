"""Shared memory that is lent to other processes, and the way to know when it has come back.

A loan is a second open file of the same memory, with a lock on it.  The system keeps the lock until the
last descriptor of that open file is closed, in whatever process it ended up, a fork of a task included.
So whoever lends finds out whether anybody can still see the memory, and nobody has to report anything.
"""

import ctypes
import fcntl
import os
from collections import OrderedDict
from typing import Any

from farpool_worker.buffers.store import AnonymousFile, mapped, own_view

MOST_KNOWN = 4
"""Loans of one lender that stay mapped here while we do not have them (guess)."""


class Memory:
    """One mapping for all loans of a file, so that its pages are faulted in once."""

    def __init__(self, fd: int, size: int) -> None:
        self._mapping, self.size = mapped(fd, size), size
        self._bytes = ctypes.c_ubyte * size

    def lent(self, fd: int) -> memoryview:
        """All of it.  The loan that `fd` names lasts as long as any view of this, or any array in it."""
        exporter: Any = self._bytes.from_buffer(self._mapping)
        exporter.loan = _Descriptor(os.dup(fd))  # a ctypes array keeps its attributes while a view needs it
        return memoryview(exporter).cast("B")


class _Descriptor:
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __del__(self) -> None:
        os.close(self._fd)


class LentFile:
    """The owner's side: memory of a fixed size, lent to one borrower at a time."""

    def __init__(self, file: AnonymousFile) -> None:
        self._file, self.size = file, file.size
        self._memory: Memory | None = None

    def is_back(self) -> bool:
        """Whether nobody else can see the memory."""
        try:
            fcntl.flock(self._file.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(self._file.fd, fcntl.LOCK_UN)
        return True

    def lent(self) -> AnonymousFile:
        """Lend it.  Raises OSError where the system has no way to open it again."""
        fd = _opened_again(self._file.fd)
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return AnonymousFile(fd, self.size, self._view)

    def discard(self) -> None:
        """Give memory that is back to the system: borrowers may have it mapped."""
        os.ftruncate(self._file.fd, 0)
        self._file.close()

    def _view(self, fd: int, _: int) -> memoryview:
        if self._memory is None:
            self._memory = Memory(self._file.fd, self.size)
        return self._memory.lent(fd)


class Borrowed:
    """The borrower's side: files that one process sends us.  Those that are loans stay mapped for the next time."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, int], Memory] = OrderedDict()

    def received(self, fd: int) -> AnonymousFile:
        """Take over a descriptor."""
        return AnonymousFile(fd, os.fstat(fd).st_size, self._view)

    def clear(self) -> None:
        """Unmap what nobody here uses."""
        self._known.clear()

    def _view(self, fd: int, size: int) -> memoryview:
        if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:  # not lent to be written
            return own_view(fd, size)
        status = os.fstat(fd)
        file = status.st_dev, status.st_ino  # of no other file as long as it is mapped
        memory = self._known.get(file) or _memory_of_loan(fd, size)
        if memory is None or memory.size != size:
            return own_view(fd, size)
        self._known[file] = memory
        self._known.move_to_end(file)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return memory.lent(fd)


def _memory_of_loan(fd: int, size: int) -> Memory | None:
    """A mapping that does not itself hold the loan; None for a file that is ours for good."""
    try:
        own = _opened_again(fd)
    except OSError:
        return None
    try:
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return Memory(own, size)
    finally:
        os.close(own)
    return None


def _opened_again(fd: int) -> int:
    return os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_CLOEXEC)
