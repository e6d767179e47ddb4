"""Looking at processes from outside."""

import time
from collections.abc import Callable

import psutil

PATIENCE_SECONDS = 20.0


def is_alive(process: psutil.Process) -> bool:
    """True while it runs; a zombie has ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    """Return when something is true; fail after the deadline."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
