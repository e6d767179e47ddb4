"""The private folder in memory (tmpfs) through which processes of one host pass large buffers.

    arguments/  what waits for its task
    results/    what waits for its producer
    kept/       files that are being written, or on which somebody's arrays lie
    free/       files that were used, and whose memory the next buffer may have: their names end with their sizes

Names are random, and every move gives a new one, so a name never comes to mean another buffer.  No path is
ever read from the wire: a reference is two names of 32 hexadecimal digits, below one fixed place.
"""

import os
import re
import shutil
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from farpool_common.errors import DecodeError
from farpool_common.ids import new_id
from farpool_common.payload import Part
from farpool_common.shared.file import mapping_locks

ROOT = "/dev/shm"
"""Memory that looks like a folder, on every Linux system; where it is missing nothing is shared."""

FOLDER_VARIABLE = "FARPOOL_SHARED_FOLDER"
"""Tells a daemon of an embedded pool the name of its folder."""

ARGUMENTS, RESULTS, KEPT, FREE = "arguments", "results", "kept", "free"

_NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class SharedFolder:
    """A folder by its name, which nobody can guess: whoever knows it and may enter it shares it."""

    name: str

    @classmethod
    def created(cls) -> "SharedFolder | None":
        """A new folder that only this user can enter; None where there is no place for one."""
        found = cls(new_id())
        try:
            for kind in ("", ARGUMENTS, RESULTS, KEPT, FREE):
                os.mkdir(found.file(kind, ""), 0o700)
            if mapping_locks(found.file(KEPT, new_id())):
                return found
        except OSError:
            pass
        shutil.rmtree(found.path, ignore_errors=True)
        return None

    @classmethod
    def opened(cls, name: str) -> "SharedFolder | None":
        """The folder of this name; None when it is not here, or not this user's alone."""
        if not _NAME.fullmatch(name):
            return None
        found = cls(name)
        try:
            status = os.lstat(found._place)
        except OSError:
            return None
        is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
        return found if is_ours else None

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self._place)

    @cached_property
    def _place(self) -> str:
        return f"{ROOT}/farpool-{self.name}"

    def file(self, kind: str, name: str) -> str:
        """The path of a file."""
        return f"{self._place}/{kind}/{name}"

    def part(self, name: str, offset: int, nbytes: int) -> Part:
        """A reference to a buffer in a file.  There is no checksum: what is in memory is not damaged on its way."""
        return Part(f"shm:{self.name}:{name}:{offset}", nbytes, 0)


@dataclass(frozen=True)
class Place:
    """Where a shared buffer lies."""

    folder: str
    file: str
    offset: int


def place_of(part: Part) -> Place:
    """Where a shared buffer lies.  Raises DecodeError when it is none."""
    if not part.is_shared:
        raise DecodeError("a large buffer is in Redis, and others of its task are in shared memory")
    _, folder, file, offset = part.key.split(":")  # `payload` has seen to its form
    return Place(folder, file, int(offset))


def by_file(parts: Iterable[Part]) -> dict[tuple[str, str], list[Part]]:
    """Shared buffers by folder and file, in the order in which the files first come.  Raises DecodeError."""
    found: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        place = place_of(part)
        found.setdefault((place.folder, place.file), []).append(part)
    return found


def end_of(parts: Iterable[Part]) -> int:
    """How many bytes the file of these buffers has at least."""
    return max(place_of(part).offset + part.nbytes for part in parts)


def moved(source: str, target: str) -> bool:
    """Whether the file could be moved: False when somebody else has, or the folder is gone."""
    with suppress(OSError):
        os.rename(source, target)
        return True
    return False
