"""Files that nobody uses any more: the next buffer may have their memory.

Fresh memory costs three times as much to write as memory that was used before (64 MB: 29 ms and 8 ms,
measured), so what is free stays for a while: little of it, and not for long.
"""

import os
import stat
import time
from contextlib import suppress

from farpool_common.ids import new_id
from farpool_common.shared.file import taken
from farpool_common.shared.folder import FREE, KEPT, RESULTS, SharedFolder, moved

MOST_BYTES = 512 * 1024 * 1024
MOST_FILES = 32
"""What free files may hold while their pool is busy (guess)."""

FREE_SECONDS = 2.0
"""A free file that nobody took for so long is removed (guess; children give their memory back as soon)."""

ABANDONED_SECONDS = 60.0
"""A file that nobody holds and that was moved so long ago was left by a process that was killed (guess)."""

RESULT_SECONDS = 3600.0
"""How long a producer that is away finds its results, as in Redis."""


class FreeFiles:
    """Any thread of any process may call anything here: whoever locks a file has it."""

    def __init__(self, folder: SharedFolder) -> None:
        self._folder = folder

    def take(self, size: int) -> tuple[int, str] | None:
        """A file of about this size, locked, and its new path; None when there is none."""
        for nbytes, name in sorted(self._sizes()):
            if size <= nbytes <= 2 * size:
                path, kept = self._folder.file(FREE, name), self._folder.file(KEPT, new_id())
                if (fd := taken(path)) is None:
                    continue
                if moved(path, kept):
                    return fd, kept
                os.close(fd)
        return None

    def add(self, path: str) -> None:
        """This file is free, as soon as nobody holds it any more.  Beyond what may be free it is removed."""
        with suppress(OSError):
            status = os.lstat(path)
            size, found = status.st_size, self._sizes()
            is_kept = len(found) < MOST_FILES and sum(nbytes for nbytes, _ in found) + size <= MOST_BYTES
            if is_kept and stat.S_ISREG(status.st_mode):
                os.rename(path, self._folder.file(FREE, f"{new_id()}-{size}"))
            else:
                os.unlink(path)

    def remove(self, kind: str, seconds: float) -> None:
        """Remove the files of a kind that nobody holds and that were moved longer ago than this."""
        latest = time.time() - seconds
        for path in self._moved_before(kind, latest):
            if (fd := taken(path)) is not None:
                with suppress(OSError):
                    os.unlink(path)
                os.close(fd)

    def trim(self) -> None:
        """Remove what nobody will use: called now and then."""
        for kind, seconds in ((FREE, FREE_SECONDS), (KEPT, ABANDONED_SECONDS), (RESULTS, RESULT_SECONDS)):
            self.remove(kind, seconds)

    def _sizes(self) -> list[tuple[int, str]]:
        """Size and name of each free file, by their names alone: this is asked for with every buffer."""
        try:
            names = os.listdir(self._folder.file(FREE, ""))
        except OSError:  # the folder is gone
            return []
        return [(int(size), name) for name in names if (size := name.partition("-")[2]).isdecimal()]

    def _moved_before(self, kind: str, latest: float) -> list[str]:
        found = []
        with suppress(OSError), os.scandir(self._folder.file(kind, "")) as entries:
            for entry in entries:
                with suppress(OSError):  # it has vanished
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode) and status.st_ctime <= latest:
                        found.append(entry.path)
        return found
