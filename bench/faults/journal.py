"""What really ran, told by the tasks themselves in a file that is only appended to, whatever Redis knows of it.

It is imported in the environments of all systems, so it needs nothing but the standard library.
"""

import os
import time
from dataclasses import dataclass, replace
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
    """One run of one task, as it told itself; `ended` is None when it did not come to its end.  `seen`: its last
    sign of life."""

    key: str
    pid: int
    begun: float
    ended: float | None
    seen: float


def runs_in(journal: Path) -> list[Run]:
    """All runs, in the order in which they began."""
    begun: dict[tuple[str, int], Run] = {}
    runs: list[Run] = []
    for line in journal.read_text().splitlines() if journal.exists() else ():
        key, word, pid, at = line.split()
        run = begun.pop((key, int(pid)), None)
        if word == "begin":
            runs += [run] if run is not None else []
            begun[key, int(pid)] = Run(key, int(pid), float(at), None, float(at))
        elif word == "alive":
            assert run is not None, line
            begun[key, int(pid)] = replace(run, seen=float(at))
        else:
            assert run is not None, line
            runs.append(replace(run, ended=float(at), seen=float(at)))
    return sorted([*runs, *begun.values()], key=lambda run: run.begun)
