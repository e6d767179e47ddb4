"""The one local pool of a process: started when first needed, stopped at its exit."""

import atexit
import os
import sys
import threading
from pathlib import Path

from farpool.embedded.local_pool import LocalPool
from farpool_common.address import DEFAULT_URL, Address
from farpool_common.errors import FarpoolError, ServerUnreachableError
from farpool_common.names import main_folder

CHILD_VARIABLE = "FARPOOL_CHILD"
"""Set in the environment of every process that runs tasks."""


def process_pool() -> LocalPool:
    """The pool of this process, with all slots of this machine; the first call starts it and says so.

    Raises FarpoolError, also inside a task: a script that starts an Executor when it is imported would
    otherwise start pools without end.
    """
    return _THIS_PROCESS.pool()


class _Holder:
    """Keeps the pool.  Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: LocalPool | None = None

    def pool(self) -> LocalPool:
        with self._lock:
            if self._pool is None or not self._pool.is_running:
                self._pool = self._started()
            return self._pool

    def _started(self) -> LocalPool:
        if os.environ.get(CHILD_VARIABLE):
            raise FarpoolError(
                "a task asked for a pool of its own on this machine. If a script starts an Executor when it "
                'is imported, put that under: if __name__ == "__main__". If the task is to submit work, '
                "give its Executor the URL of a server."
            )
        try:
            pool = LocalPool(paths=_code_folders())
        except ServerUnreachableError as error:
            raise ServerUnreachableError(f"nothing listens at {Address(DEFAULT_URL).place}, and {error}") from None
        atexit.register(pool.close)
        sys.stderr.write(
            f"farpool: no Redis at {Address(DEFAULT_URL).place}; started an embedded server "
            f"and {pool.slots} slots for this process\n"
        )
        return pool

    def forget(self) -> None:
        """For a forked child: the pool is the parent's, and the lock may be held by a thread that is gone."""
        self._lock, self._pool = threading.Lock(), None


def _code_folders() -> list[Path]:
    """Where the functions of this process can come from: its script, its directory, its import path."""
    found = [main_folder(), Path.cwd(), Path(sys.path[0]).resolve() if sys.path else None]
    return list(dict.fromkeys(folder for folder in found if folder is not None and folder.is_dir()))


_THIS_PROCESS = _Holder()
os.register_at_fork(after_in_child=_THIS_PROCESS.forget)
