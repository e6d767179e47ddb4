"""A daemon's side of the memory that an embedded pool shares with its producers.

Arguments are opened where they are, and results are handed over by a new name: no byte is copied here, and
what has a name outlives this daemon.
"""

import os
import threading
from collections.abc import Callable, Sequence

from farpool_common.errors import FarpoolError
from farpool_common.payload import Part
from farpool_common.shared import SharedFiles, SharedFolder, open_arguments, place_of
from farpool_common.task import Task
from farpool_worker.buffers.store import AnonymousFile, Segment

MOST_FILES = 8
"""Results of one report that get a file each, so that each can be freed alone (guess)."""

TRIM_SECONDS = 5.0
"""Between looks for files that nobody will use: as often as a heartbeat (guess)."""


class SharedMemory:
    """The folder of this daemon's pool; without one, results go through Redis."""

    def __init__(self, name: str) -> None:
        folder = SharedFolder.opened(name)
        self._files = None if folder is None else SharedFiles(folder)

    @property
    def folder(self) -> str:
        """Its name; "" where there is none."""
        return "" if self._files is None else self._files.folder.name

    def arguments(self, parts: Sequence[Part]) -> tuple[Segment, ...]:
        """Shared arguments.  They may lie in another folder of this user.  Raises FarpoolError."""
        try:
            fds = open_arguments(parts)
        except OSError as error:
            raise FarpoolError(f"the arguments cannot be opened: {error}") from error
        files = {key: AnonymousFile(fd, os.fstat(fd).st_size) for key, fd in fds.items()}
        return tuple(_segment(files, part) for part in parts)

    def publish(self, task: Task, segments: Sequence[Segment]) -> list[Part] | None:
        """Hand results to a producer that shares the folder.  None: they must go through Redis."""
        if self._files is None or task.folder != self._files.folder.name:
            return None
        names: dict[int, str] = {}
        for file in {id(segment.file): segment.file for segment in segments}.values():
            name = self._files.publish(file.fd)
            if name is None:
                return None
            names[id(file)] = name
        folder = self._files.folder
        return [folder.part(names[id(segment.file)], segment.offset, segment.nbytes) for segment in segments]

    def run(self, stop: threading.Event) -> None:
        """The thread: remove what nobody will use."""
        while not stop.wait(TRIM_SECONDS):
            if self._files is not None:
                self._files.free.trim()


class ResultMemory:
    """Where a child's results go: into the folder that its daemon shares, else into memory without a name."""

    def __init__(self, name: str, otherwise: Callable[[Sequence[memoryview]], tuple[Segment, ...]]) -> None:
        folder = SharedFolder.opened(name)
        self._files = None if folder is None else SharedFiles(folder)
        self._otherwise = otherwise

    def holding(self, buffers: Sequence[memoryview]) -> tuple[Segment, ...]:
        """Copies of buffers, those of large arrays each in a file of its own while they are few.  Raises OSError."""
        if self._files is None or not buffers:
            return self._otherwise(buffers)
        groups = [[buffer] for buffer in buffers] if len(buffers) <= MOST_FILES else [list(buffers)]
        found: list[Segment] = []
        for group in groups:
            written = self._files.written(group)
            if written is None:
                return self._otherwise(buffers)
            file = AnonymousFile(written.fd, written.size)
            places = zip(written.offsets, group, strict=True)
            found += [Segment.of(file, offset, buffer.nbytes) for offset, buffer in places]
        return tuple(found)


def _segment(files: dict[tuple[str, str], AnonymousFile], part: Part) -> Segment:
    place = place_of(part)
    return Segment.of(files[place.folder, place.file], place.offset, part.nbytes)
