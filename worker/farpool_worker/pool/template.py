"""The process which children are forked from.  Imported there and nowhere else: importing it acts.

multiprocessing's forkserver preloads this module, so that a child starts with everything imported; where the
daemon forked it (`prefork.py`), most of that was there already.  NumPy is
among it; its BLAS must have been limited to one thread by the environment, because threads do not
survive a fork.
"""

import atexit
import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import numpy as np  # noqa: F401  imported for the children

from farpool_worker import child  # noqa: F401
from farpool_worker.child.isolation import FOLDER_VARIABLE, die_with_parent
from farpool_worker.host.deadline import HANDOVER_SECONDS, VARIABLE, Deadline
from farpool_worker.host.memory import keep_warm

_OURSELVES, _OWNER = os.getpid(), os.getppid()
_FOLDER = os.environ.pop(FOLDER_VARIABLE, None)
_DEADLINE = Deadline.inherited(os.environ.pop(VARIABLE, None))

LOOK_SECONDS = 0.5
"""How often the daemon's deadline is looked at, at least: timers stand still while a machine sleeps (guess)."""


GONE_SECONDS = 1.0
"""How long the owner may take to be gone after its pipes were closed (guess)."""


def _end_with_owner(*_: object) -> None:
    """The daemon was killed.  Our death kills the children; what they started would live on, so the groups go."""
    if os.getpid() != _OURSELVES:
        return
    _kill_children()
    if _FOLDER and _is_orphaned():  # else we failed, and the next template needs it
        shutil.rmtree(_FOLDER, ignore_errors=True)
    os._exit(1)


def _is_orphaned() -> bool:
    """An owner that is about to be gone is our parent for a moment longer than its pipes are open."""
    deadline = time.monotonic() + GONE_SECONDS
    while os.getppid() == _OWNER and time.monotonic() < deadline:
        time.sleep(0.01)
    return os.getppid() != _OWNER


def _kill_children() -> None:
    for pid in _children():
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _look_at_deadline(*_: object) -> None:
    """The daemon is stopped, or was not heard by its server: what it runs may soon be run by others."""
    if os.getpid() != _OURSELVES or _DEADLINE is None:
        return
    until_kill, wait = _DEADLINE.left(), LOOK_SECONDS
    if until_kill is not None and not _DEADLINE.is_seen_to:
        until_kill += HANDOVER_SECONDS
        if until_kill <= 0:
            _DEADLINE.note_kill()  # before: the daemon must not take it for a crash
            _kill_children()
        else:
            wait = min(until_kill + 0.001, LOOK_SECONDS)
    signal.setitimer(signal.ITIMER_REAL, wait)


def _children() -> list[int]:
    try:
        return [int(pid) for pid in Path("/proc/thread-self/children").read_text().split()]
    except OSError:
        return []


keep_warm(os.environ)
# A stop of the service sends SIGTERM to all processes: children run on until the daemon ends them.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGUSR2, _end_with_owner)
signal.signal(signal.SIGALRM, _look_at_deadline)
# The owner's death also ends multiprocessing's own loop here, by an end of file that may come before the signal.
atexit.register(_end_with_owner)
die_with_parent(signal.SIGUSR2)
if _DEADLINE is not None:
    os.register_at_fork(after_in_child=_DEADLINE.forget)
_look_at_deadline()
