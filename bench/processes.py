"""CPU seconds of processes by their role."""

from collections import defaultdict
from collections.abc import Collection

import psutil

ROLES = (
    ("valkey-server", "server"),
    ("redis-server", "server"),
    ("bench.peers.adapter", "client"),
    ("multiprocessing", "child"),
    ("farpool-slot", "child"),
    ("farpool_worker", "daemon"),
    ("python", "child"),
)
"""Words in a name or a command line that tell what a process is; the first that fits counts."""


def cpu_seconds(roots: Collection[int] | None = None) -> defaultdict[str, float]:
    """User and system time so far by role, of these processes and all below them; by default of this process,
    whose role is the client's.

    What ended processes have used counts for the process that waited for them.
    """
    found = defaultdict[str, float](float)
    me = psutil.Process()
    for root in [me] if roots is None else map(psutil.Process, roots):
        for process in (root, *root.children(recursive=True)):
            try:
                found["client" if process == me else _role(process)] += _seconds(process)
            except psutil.NoSuchProcess:
                continue
    return found


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _role(process: psutil.Process) -> str:
    words = " ".join([process.name(), *process.cmdline()])
    return next((role for word, role in ROLES if word in words), "other")
