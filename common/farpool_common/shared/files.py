"""What passes through a shared folder: arguments and results, stored, read and forgotten."""

import errno
import os
import weakref
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from farpool_common.errors import DecodeError, ResultExpiredError
from farpool_common.ids import new_id
from farpool_common.payload import Part
from farpool_common.shared.file import created, mapped, opened, read, write
from farpool_common.shared.folder import (
    ARGUMENTS,
    FREE,
    KEPT,
    RESULTS,
    SharedFolder,
    by_file,
    end_of,
    moved,
    place_of,
)
from farpool_common.shared.free import FreeFiles

ALIGNMENT = 64
"""Buffers in one file begin at multiples of a cache line."""

RESERVE = 4
"""The memory is shared with other programs: a quarter of it is left to them (guess)."""

MAPPED_BYTES = 256 * 1024
"""A smaller file is read: that costs less than a mapping (guess)."""

MOST_MAPPED = 256
"""Files on which arrays of this process lie.  Each takes a descriptor before Python 3.13; further ones are read."""


@dataclass(frozen=True)
class Written:
    """A file that holds buffers, locked, among those that are kept: how long it is, and where they begin."""

    fd: int
    path: str
    size: int
    offsets: Sequence[int]


class SharedFiles:
    """Any thread may call anything here."""

    def __init__(self, folder: SharedFolder) -> None:
        self.folder, self.free = folder, FreeFiles(folder)
        self._mapped: set[str] = set()

    # --- writing ---------------------------------------------------------------------------------

    def written(self, buffers: Sequence[memoryview]) -> Written | None:
        """Copies of buffers in one file; None when there is no memory for it here."""
        offsets, size = _laid_out([buffer.nbytes for buffer in buffers])
        path = ""
        try:
            fd, path = self.free.take(size) or self._made(size)
            try:
                for buffer, offset in zip(buffers, offsets, strict=True):
                    write(fd, buffer, offset)
                return Written(fd, path, os.fstat(fd).st_size, offsets)
            except OSError:
                os.close(fd)
                raise
        except OSError:  # it is full, or gone
            if path:
                self.free.add(path)
            return None

    def store(self, buffers: Sequence[memoryview]) -> list[Part] | None:
        """Arguments of a task, where any daemon of this host finds them; None when there is no memory for it."""
        written = self.written(buffers)
        if written is None:
            return None
        name = new_id()
        is_there = moved(written.path, self.folder.file(ARGUMENTS, name))
        os.close(written.fd)
        places = zip(written.offsets, buffers, strict=True)
        return [self.folder.part(name, offset, buffer.nbytes) for offset, buffer in places] if is_there else None

    def publish(self, fd: int) -> str | None:
        """Hand a file that was `written` to the producer; its new name.  None when it is none of these."""
        kept = self.folder.file(KEPT, "")
        try:
            path = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            return None
        if not path.startswith(kept) or "/" in path[len(kept) :]:
            return None
        name = new_id()
        return name if moved(path, self.folder.file(RESULTS, name)) else None

    def _made(self, size: int) -> tuple[int, str]:
        """A new file, locked.  Raises OSError when it would take what others may need."""
        if self._room() < size:
            self.free.remove(FREE, 0.0)
            if self._room() < size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        path = self.folder.file(KEPT, new_id())
        return created(path), path

    def _room(self) -> int:
        status = os.statvfs(self.folder.file(FREE, ""))
        return (status.f_bavail - status.f_blocks // RESERVE) * status.f_frsize

    # --- reading ---------------------------------------------------------------------------------

    def fetch(self, parts: Sequence[Part]) -> list[memoryview]:
        """Results, writable, without a copy where that pays.  They can be fetched once.

        Raises ResultExpiredError and DecodeError.
        """
        views: dict[str, memoryview] = {}
        for (folder, name), group in by_file(parts).items():
            if folder != self.folder.name:
                raise DecodeError("a large buffer lies in the shared memory of another pool")
            views[name] = self._fetched(name, end_of(group))
        places = [(place_of(part), part.nbytes) for part in parts]
        return [views[place.file][place.offset : place.offset + nbytes] for place, nbytes in places]

    def _fetched(self, name: str, nbytes: int) -> memoryview:
        source, path = self.folder.file(RESULTS, name), self.folder.file(KEPT, new_id())
        fd = opened(source, nbytes)
        try:
            if not moved(source, path):
                raise ResultExpiredError("a buffer in shared memory was read before")
            if nbytes >= MAPPED_BYTES and len(self._mapped) < MOST_MAPPED:
                with suppress(OSError):  # there are no more descriptors, say: then it is read
                    return self._view(fd, path, nbytes)
            view = read(fd, nbytes)
            self.free.add(path)
            return view
        finally:
            os.close(fd)

    def _view(self, fd: int, path: str, nbytes: int) -> memoryview:
        """The file itself.  Raises OSError."""
        mapping = mapped(fd, nbytes)
        self._mapped.add(path)
        weakref.finalize(mapping, self._unmapped, path).atexit = False
        return memoryview(mapping)

    def _unmapped(self, path: str) -> None:
        """The last array on a file is gone.  It is free in a moment, when the kernel has unmapped it."""
        self._mapped.discard(path)
        self.free.add(path)

    def forget(self, parts: Iterable[Part]) -> None:
        """Nobody will fetch these results, if they have not been fetched."""
        for folder, name in by_file(parts):
            if folder == self.folder.name:
                self.free.add(self.folder.file(RESULTS, name))


def _laid_out(sizes: Iterable[int]) -> tuple[list[int], int]:
    """Where buffers begin, and where the last of them ends."""
    offsets, end = [], 0
    for size in sizes:
        start = -(-end // ALIGNMENT) * ALIGNMENT
        offsets.append(start)
        end = start + size
    return offsets, max(end, 1)
