"""What really ran, told by the tasks themselves in a file that is only appended to, whatever Redis knows of it.

It is imported in the environments of all systems, so it needs nothing but the standard library.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path


def note(journal: str, key: str, word: str) -> None:
    """One line, by one write."""
    fd = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, f"{key} {word} {os.getpid()} {time.monotonic():.4f}\n".encode())
    finally:
        os.close(fd)


@dataclass(frozen=True)
class Run:
    """One run of one task, as it told itself; `ended` is None when it did not come to its end."""

    key: str
    pid: int
    begun: float
    ended: float | None


def runs_in(journal: Path) -> list[Run]:
    """All runs, in the order in which they began."""
    begun: dict[tuple[str, int], float] = {}
    runs: list[Run] = []
    for line in journal.read_text().splitlines() if journal.exists() else ():
        key, word, pid, at = line.split()
        if word == "begin":
            if (before := begun.pop((key, int(pid)), None)) is not None:
                runs.append(Run(key, int(pid), before, None))
            begun[key, int(pid)] = float(at)
        else:
            runs.append(Run(key, int(pid), begun.pop((key, int(pid))), float(at)))
    runs += [Run(key, pid, at, None) for (key, pid), at in begun.items()]
    return sorted(runs, key=lambda run: run.begun)
