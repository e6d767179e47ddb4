"""The folder in which a server keeps its append-only file: one server at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from farpool_common.errors import SettingsError


@contextmanager
def claimed_folder(folder: Path) -> Iterator[None]:
    """The folder exists, and no other server of ours writes into it.  Raises SettingsError.

    Two servers that append to the same file would destroy it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "farpool.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SettingsError(f"the folder {folder} cannot keep a server's data: {error.strerror}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise SettingsError(f"another server keeps its data in {folder}: stop it, or name another folder.") from error
    finally:
        os.close(lock)
