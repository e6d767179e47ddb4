"""A producer's large buffers: in memory that it shares with the hosts of a queue, else in Redis."""

from collections.abc import Iterable, Sequence
from time import monotonic

from farpool_common.broker.payloads import Payloads
from farpool_common.errors import DecodeError
from farpool_common.payload import Part
from farpool_common.shared import SharedFiles, SharedFolder, place_of

FRESH_SECONDS = 2.0
"""How old the word of the hosts may be: another one may have joined, somewhere else."""


class Buffers:
    """Any thread."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads
        self._folders: dict[str, SharedFiles] = {}
        self._by_queue: dict[str, SharedFiles] = {}
        self._told_at: dict[str, float] = {}

    def share(self, queue: str, names: Iterable[str]) -> None:
        """The hosts of a queue say which folders are theirs: if it is one, and it is here, it is used."""
        found = set(names)
        self._told_at[queue] = monotonic()
        folder = SharedFolder.opened(found.pop()) if len(found) == 1 else None
        if folder is None:
            self._by_queue.pop(queue, None)
        else:
            self._by_queue[queue] = self._folders.setdefault(folder.name, SharedFiles(folder))

    def folder(self, queue: str) -> str | None:
        """The name of the folder that we share with all hosts of a queue."""
        files = self._by_queue.get(queue)
        return None if files is None else files.folder.name

    def is_sharing(self, queue: str) -> bool:
        """Whether a folder is shared with all hosts of a queue, and we were told so not long ago."""
        return queue in self._by_queue and monotonic() - self._told_at[queue] < FRESH_SECONDS

    def store(self, owner: str, buffers: Sequence[memoryview], queue: str) -> list[Part]:
        """Write buffers; those in Redis expire unless a script makes them permanent."""
        files = self._by_queue.get(queue)
        shared = None if files is None else files.store(buffers)
        return self._payloads.store(owner, buffers) if shared is None else shared

    def fetch(self, parts: Sequence[Part]) -> list[memoryview]:
        """Read buffers, writable.  Raises ResultExpiredError and DecodeError."""
        if not any(part.is_shared for part in parts):
            return [self._payloads.fetch(part) for part in parts]
        files = self._folders.get(place_of(parts[0]).folder)
        if files is None:
            raise DecodeError("a result lies in shared memory that this process has never been told of")
        return files.fetch(parts)

    def forget(self, parts: Sequence[Part]) -> None:
        """Remove buffers that nobody needs any more."""
        if any(part.is_shared for part in parts):
            for files in self._folders.values():
                files.forget(part for part in parts if part.is_shared)
        self._payloads.forget(part for part in parts if not part.is_shared)
