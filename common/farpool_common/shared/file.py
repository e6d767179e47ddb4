"""One file of a shared folder: locked by whoever uses it, written once, then only read.

The lock (`flock`) belongs to the open file, and a mapping keeps that open.  So the kernel itself knows
whether an array still lies on a file, also in a process that was killed.  Every mapping is private: who
changes an array changes a copy, and the file stays as it was.
"""

import errno
import fcntl
import mmap
import os
import stat
import sys
import time

from farpool_common.errors import DecodeError, ResultExpiredError

_LOCK_SECONDS = 1.0
"""Another process holds a file that is not its own for some microseconds at most, while it looks at it."""

_PAUSE_SECONDS = 0.001


def created(path: str) -> int:
    """A new file, locked for writing.  Raises OSError."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


def taken(path: str) -> int | None:
    """The file, locked for writing; None when it is gone, or somebody holds it."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    if _is_locked(fd, fcntl.LOCK_EX):
        return fd
    os.close(fd)
    return None


def opened(path: str, nbytes: int) -> int:
    """The file, locked for reading; it has so many bytes at least.  Raises ResultExpiredError and DecodeError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        raise ResultExpiredError(
            f"a buffer in shared memory is gone ({error.strerror}): was /dev/shm emptied? systemd does that at a "
            f"user's last logout, unless RemoveIPC=no."
        ) from error
    try:
        _check(os.fstat(fd), nbytes)
        deadline = time.monotonic() + _LOCK_SECONDS
        while not _is_locked(fd, fcntl.LOCK_SH):
            if time.monotonic() > deadline:
                raise ResultExpiredError("a buffer in shared memory is held by another process")
            time.sleep(_PAUSE_SECONDS)
    except BaseException:
        os.close(fd)
        raise
    return fd


def write(fd: int, buffer: memoryview, offset: int) -> None:
    """Copy a buffer in.  Raises OSError when there is no memory: a write through a mapping would be a SIGBUS."""
    left = buffer.cast("B")
    while left.nbytes:
        done = os.pwrite(fd, left, offset)
        left, offset = left[done:], offset + done


def read(fd: int, nbytes: int) -> memoryview:
    """A copy of the first bytes."""
    target = memoryview(bytearray(nbytes))
    done = 0
    while done < nbytes:
        more = os.preadv(fd, [target[done:]], done)
        if not more:
            raise DecodeError("a buffer in shared memory became shorter")
        done += more
    return target


def mapped(fd: int, nbytes: int) -> mmap.mmap:
    """The first bytes, to be changed by this process alone.  Raises OSError."""
    if sys.version_info >= (3, 13):
        return mmap.mmap(fd, nbytes, access=mmap.ACCESS_COPY, trackfd=False)
    return mmap.mmap(fd, nbytes, access=mmap.ACCESS_COPY)  # it holds a descriptor of its own


def mapping_locks(path: str) -> bool:
    """Whether a mapping of this new file keeps it locked, as Linux has it, on this system.  Raises OSError."""
    fd = created(path)
    try:
        os.write(fd, b"x")
        mapping = mapped(fd, 1)
    finally:
        os.close(fd)
    found = taken(path)
    mapping.close()
    os.unlink(path)
    if found is not None:
        os.close(found)
    return found is None


def _is_locked(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _check(status: os.stat_result, nbytes: int) -> None:
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        raise DecodeError("a reference to shared memory names something else")
    if status.st_size < nbytes:
        raise DecodeError(f"a buffer in shared memory has not the {nbytes:,} bytes noted for it")
