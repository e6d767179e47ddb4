"""What runs while harm is done, the same functions on every system."""

import os
import signal
import threading
import time

from bench.faults.journal import note


def work(journal: str, key: str, seconds: float) -> str:
    """Sleep, and tell when.  The result names the process, so that results of two runs differ."""
    note(journal, key, "begin")
    time.sleep(seconds)
    note(journal, key, "end")
    return f"{key} done by {os.getpid()}"


def poison(journal: str, key: str) -> None:
    """Kill whatever runs it."""
    note(journal, key, "begin")
    os.kill(os.getpid(), signal.SIGKILL)


def unserializable(journal: str, key: str) -> object:
    """Return what no serializer takes."""
    note(journal, key, "begin")
    note(journal, key, "end")
    return threading.Lock()
