"""Arguments in shared memory, as whoever runs their task sees them: opened, never moved or changed."""

import os
from collections.abc import Iterable, Sequence

from farpool_common.errors import MemoryNotSharedError
from farpool_common.payload import Part
from farpool_common.shared.file import mapped, opened
from farpool_common.shared.folder import ARGUMENTS, SharedFolder, by_file, end_of, place_of
from farpool_common.shared.free import FreeFiles


def open_arguments(parts: Sequence[Part]) -> dict[tuple[str, str], int]:
    """Their files by folder and name, locked for reading; the descriptors are the caller's to close.

    Raises MemoryNotSharedError, ResultExpiredError, DecodeError and OSError.
    """
    found: dict[tuple[str, str], int] = {}
    try:
        for (folder, name), group in by_file(parts).items():
            found[folder, name] = opened(_folder(folder).file(ARGUMENTS, name), end_of(group))
    except BaseException:
        for fd in found.values():
            os.close(fd)
        raise
    return found


def map_arguments(parts: Sequence[Part]) -> list[memoryview]:
    """The buffers, to be changed by this process alone.  Raises as `open_arguments`."""
    files = open_arguments(parts)
    try:
        views = {key: memoryview(mapped(fd, os.fstat(fd).st_size)) for key, fd in files.items()}
    finally:
        for fd in files.values():
            os.close(fd)
    places = [(place_of(part), part.nbytes) for part in parts]
    return [views[place.folder, place.file][place.offset : place.offset + size] for place, size in places]


def forget_arguments(parts: Iterable[Part]) -> None:
    """Their task is over.  Parts that are not in shared memory are left alone."""
    for folder, name in by_file(part for part in parts if part.is_shared):
        if (found := SharedFolder.opened(folder)) is not None:
            FreeFiles(found).add(found.file(ARGUMENTS, name))


def _folder(name: str) -> SharedFolder:
    found = SharedFolder.opened(name)
    if found is None:
        raise MemoryNotSharedError()
    return found
