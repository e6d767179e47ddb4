"""Shared memory whose pages are there already.

Copying a megabyte into fresh shared memory takes 400 to 700 µs, into memory that was used before 20 µs:
the rest is the kernel, which finds and clears pages and enters them in two processes' tables (measured).
"""

import threading
import time
from collections.abc import Sequence

from farpool_worker.buffers.lending import LentFile
from farpool_worker.buffers.store import AnonymousFile, Segment, offsets_of

MOST_BYTES = 256 * 1024 * 1024
MOST_FILES = 32
"""What is kept for the next time, at most (guess)."""

IDLE_SECONDS = 10.0
"""Memory that nobody has used for so long goes back to the system (guess)."""

_MOST_WASTE = 2
"""A file may be so many times as large as what is put into it."""


class WarmMemory:
    """Makes segments in memory that came back from whom it was lent to.  Thread-safe."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: list[tuple[LentFile, float]] = []  # with when it was last lent, the latest last
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._kept)

    def allocate(self, sizes: Sequence[int]) -> tuple[Segment, ...]:
        """Segments in one file, to be written.  Raises OSError when there is no memory."""
        offsets, total = offsets_of(sizes)
        file = self._used_before(total) or self._kept_from_now_on(AnonymousFile.allocated(total))
        return tuple(Segment.of(file, *place) for place in zip(offsets, sizes, strict=True))

    def holding(self, buffers: Sequence[memoryview]) -> tuple[Segment, ...]:
        """Copies of buffers, in one file.  Raises OSError when there is no memory."""
        if not buffers:
            return ()
        sizes = [buffer.nbytes for buffer in buffers]
        offsets, total = offsets_of(sizes)
        file = self._used_before(total)
        if file is None:
            file = AnonymousFile.sized(total)
            for offset, buffer in zip(offsets, buffers, strict=True):
                file.write(buffer, offset)
            file = self._kept_from_now_on(file)
        else:
            for offset, buffer in zip(offsets, buffers, strict=True):
                file.view[offset : offset + buffer.nbytes] = buffer.cast("B")
        return tuple(Segment.of(file, *place) for place in zip(offsets, sizes, strict=True))

    def trim(self, now: float | None = None) -> None:
        """Give back what was not used of late."""
        now = time.monotonic() if now is None else now
        with self._lock:
            self._drop([kept for kept in self._kept if now - kept[1] >= IDLE_SECONDS])

    def close(self) -> None:
        """Give everything back that is not lent, and keep nothing of the rest."""
        with self._lock:
            self._drop(list(self._kept))

    def _used_before(self, size: int) -> AnonymousFile | None:
        with self._lock:
            for kept in self._kept:
                file, _ = kept
                if size <= file.size <= _MOST_WASTE * size and file.is_back():
                    self._kept.remove(kept)
                    self._kept.append((file, time.monotonic()))
                    return file.lent()
        return None

    def _kept_from_now_on(self, file: AnonymousFile) -> AnonymousFile:
        """Lend new memory and note it, unless it is too much to keep."""
        if file.size > self._most_bytes:
            return file
        lent_file = LentFile(file)
        try:
            lent = lent_file.lent()
        except OSError:  # no /proc
            return file
        with self._lock:
            self._kept.append((lent_file, time.monotonic()))
            surplus = sum(kept.size for kept, _ in self._kept) - self._most_bytes
            gone: list[tuple[LentFile, float]] = []
            for kept in self._kept[:-1]:
                if surplus <= 0 and len(self._kept) - len(gone) <= MOST_FILES:
                    break
                gone.append(kept)
                surplus -= kept[0].size
            self._drop(gone)
        return lent

    def _drop(self, gone: Sequence[tuple[LentFile, float]]) -> None:
        for kept in gone:
            self._kept.remove(kept)
            if kept[0].is_back():
                kept[0].discard()
