"""What runs while harm is done.  Each run leaves its own two lines in a file, whatever Redis knows of it."""

import os
import signal
import time


def note(journal: str, key: str, word: str) -> None:
    """One line, by one write to a file that is only appended to."""
    fd = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, f"{key} {word} {os.getpid()} {time.monotonic():.4f}\n".encode())
    finally:
        os.close(fd)


def work(journal: str, key: str, seconds: float) -> str:
    """Sleep, and tell when."""
    note(journal, key, "begin")
    time.sleep(seconds)
    note(journal, key, "end")
    return f"{key} done"


def stamped(journal: str, key: str, seconds: float) -> str:
    """The same, with a sign of life every 20 ms: it shows until when a run went on that was killed."""
    note(journal, key, "begin")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.02)
        note(journal, key, "alive")
    note(journal, key, "end")
    return f"{key} done"


def laden(ballast: bytes, journal: str, key: str, seconds: float) -> str:
    """The same, and heavy to carry."""
    return stamped(journal, key, seconds)


def poison(journal: str, key: str) -> None:
    """Kill whatever runs it."""
    note(journal, key, "begin")
    os.kill(os.getpid(), signal.SIGKILL)
