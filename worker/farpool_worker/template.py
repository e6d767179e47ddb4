"""The process which children are forked from.  Imported there and nowhere else: importing it acts.

multiprocessing's forkserver preloads this module, so that a child starts with everything imported.  NumPy is
among it; its BLAS must have been limited to one thread by the environment, because threads do not
survive a fork.
"""

import atexit
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import numpy as np  # noqa: F401  imported for the children

from farpool_worker import child  # noqa: F401
from farpool_worker.isolation import FOLDER_VARIABLE, die_with_parent

_OURSELVES = os.getpid()
_FOLDER = os.environ.pop(FOLDER_VARIABLE, None)


def _end_with_owner(*_: object) -> None:
    """The daemon was killed.  Our death kills the children; what they started would live on, so the groups go."""
    if os.getpid() != _OURSELVES:
        return
    for pid in _children():
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    if _FOLDER:
        shutil.rmtree(_FOLDER, ignore_errors=True)
    os._exit(1)


def _children() -> list[int]:
    try:
        return [int(pid) for pid in Path("/proc/thread-self/children").read_text().split()]
    except OSError:
        return []


# A stop of the service sends SIGTERM to all processes: children run on until the daemon ends them.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGUSR2, _end_with_owner)
# The owner's death also ends multiprocessing's own loop here, by an end of file that may come before the signal.
atexit.register(_end_with_owner)
die_with_parent(signal.SIGUSR2)
