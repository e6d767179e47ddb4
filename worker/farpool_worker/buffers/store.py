"""Shared memory without a name, for arrays on their way between the daemon and a child.

A segment is a range of an anonymous file (memfd).  Nothing has to be unlinked: the memory is gone when
the last process that holds it closes it or dies.
"""

import fcntl
import mmap
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence

ALIGNMENT = 64
"""Segments in one file begin at multiples of a cache line, which suits every NumPy dtype as well."""

Layout = list[tuple[int, int, int]]
"""Where segments lie: index of the file, offset in it, size."""


View = Callable[[int, int], memoryview]
"""Gives the memory of an open file: its descriptor and size."""


class AnonymousFile:
    """Memory that a descriptor names.  Closed by `close` or with its last reference."""

    def __init__(self, fd: int, size: int, view: View | None = None) -> None:
        """`view` maps it, where its memory is mapped already."""
        self.fd, self.size = fd, size
        self._view: memoryview | None = None
        self._map: View = view or own_view

    @classmethod
    def allocated(cls, size: int) -> "AnonymousFile":
        """Memory that is there: a shortage is an OSError here, not a SIGBUS at the first write."""
        file = cls.sized(size)
        os.posix_fallocate(file.fd, 0, file.size)
        return file

    @classmethod
    def sized(cls, size: int) -> "AnonymousFile":
        """Memory that comes with what is written: `write` it before anybody maps it."""
        file = cls(_anonymous_file(), max(size, 1))
        os.ftruncate(file.fd, file.size)
        return file

    def write(self, buffer: memoryview, offset: int) -> None:
        """Copy a buffer in.  Unlike a write through `view`, this zeroes and faults in no page before."""
        left = buffer.cast("B")
        while left.nbytes:
            done = os.pwrite(self.fd, left, offset)
            left, offset = left[done:], offset + done

    @property
    def view(self) -> memoryview:
        """The whole of it, writable; mapped when first asked for."""
        if self._view is None:
            self._view = self._map(self.fd, self.size)
        return self._view

    def close(self) -> None:
        """Drop our hold.  Views stay valid: the mapping goes with the last of them."""
        fd, self.fd, self._view = self.fd, -1, None
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


class Segment:
    """`nbytes` of shared memory: `view` is writable, `file` can be passed to another process.

    What was made from `view` (an array) stays valid after `close`, for as long as it lives.
    Raises OSError when there is no memory.
    """

    def __init__(self, nbytes: int) -> None:
        self._file: AnonymousFile | None = AnonymousFile.allocated(nbytes)
        self.offset, self.nbytes = 0, nbytes

    @classmethod
    def of(cls, file: AnonymousFile, offset: int, nbytes: int) -> "Segment":
        """A range of a file.  Several segments may share one; it closes with the last of them."""
        if not 0 <= offset <= offset + nbytes <= file.size:
            raise ValueError(f"{nbytes} bytes at {offset} are no part of a file of {file.size} bytes")
        segment = cls.__new__(cls)
        segment._file, segment.offset, segment.nbytes = file, offset, nbytes
        return segment

    @classmethod
    def allocate(cls, sizes: Sequence[int]) -> tuple["Segment", ...]:
        """Several segments in one file: one descriptor and one mapping for all of them."""
        offsets, total = offsets_of(sizes)
        file = AnonymousFile.allocated(total)
        return tuple(cls.of(file, *place) for place in zip(offsets, sizes, strict=True))

    @classmethod
    def holding(cls, buffers: Sequence[memoryview]) -> tuple["Segment", ...]:
        """Copies of buffers, in one file."""
        segments = cls.reserve([buffer.nbytes for buffer in buffers])
        for segment, buffer in zip(segments, buffers, strict=True):
            segment.write(buffer)
        return segments

    @classmethod
    def reserve(cls, sizes: Sequence[int]) -> tuple["Segment", ...]:
        """As `allocate`, without the memory: that comes with each `write`."""
        if not sizes:
            return ()
        offsets, total = offsets_of(sizes)
        file = AnonymousFile.sized(total)
        return tuple(cls.of(file, *place) for place in zip(offsets, sizes, strict=True))

    def write(self, buffer: memoryview, offset: int = 0) -> None:
        """Copy a buffer in, which fits."""
        self.file.write(buffer, self.offset + offset)

    @property
    def file(self) -> AnonymousFile:
        """The file that holds the segment, perhaps together with others."""
        if self._file is None:
            raise ValueError("the segment is closed")
        return self._file

    @property
    def fd(self) -> int:
        """The descriptor of `file`."""
        return self.file.fd

    @property
    def view(self) -> memoryview:
        """The memory, writable."""
        return self.file.view[self.offset : self.offset + self.nbytes]

    def close(self) -> None:
        """Drop our hold on the memory.  Safe to repeat."""
        self._file = None  # the file closes when no other segment refers to it


def lay_out(segments: Iterable[Segment]) -> tuple[list[AnonymousFile], Layout]:
    """The files that hold the segments, each once, and where in them the segments lie."""
    files: dict[int, AnonymousFile] = {}
    indices: dict[int, int] = {}
    layout: Layout = []
    for segment in segments:
        file = segment.file
        files.setdefault(id(file), file)
        index = indices.setdefault(id(file), len(indices))
        layout.append((index, segment.offset, segment.nbytes))
    return list(files.values()), layout


def offsets_of(sizes: Sequence[int]) -> tuple[list[int], int]:
    """Where segments of these sizes begin in one file, and where the last of them ends."""
    offsets, end = [], 0
    for size in sizes:
        start = -(-end // ALIGNMENT) * ALIGNMENT
        offsets.append(start)
        end = start + size
    return offsets, end


def _anonymous_file() -> int:
    try:
        return os.memfd_create("farpool", os.MFD_CLOEXEC)
    except OSError:  # a kernel or a sandbox without memfd
        folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        fd, path = tempfile.mkstemp(prefix="farpool-", dir=folder)
        os.unlink(path)
        return fd


def own_view(fd: int, size: int) -> memoryview:
    """A mapping of its own."""
    return memoryview(mapped(fd, size))


def mapped(fd: int, size: int) -> mmap.mmap:
    """A file's memory, for as long as the mapping lives.

    What may only be read (a producer's arguments, for any attempt at the task) is changed by us alone.
    """
    is_shared = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    access = mmap.ACCESS_WRITE if is_shared else mmap.ACCESS_COPY
    if sys.version_info >= (3, 13):
        return mmap.mmap(fd, size, access=access, trackfd=False)  # else the mapping holds a descriptor of its own
    return mmap.mmap(fd, size, access=access)
