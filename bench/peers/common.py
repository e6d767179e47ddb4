"""What adapters and their workers share.  It runs in the peers' environments: nothing but NumPy is there for sure."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import tasks

URL = os.environ.get("BENCH_URL", "")
"""Of the server's unix socket, as redis-py spells it."""

SOCKET = os.environ.get("BENCH_SOCKET", "")
TCP_PORT = os.environ.get("BENCH_TCP_PORT", "")
"""The same server for clients that know no unix sockets."""

WORKLOAD = os.environ.get("BENCH_WORKLOAD", "w1")
MANY_SMALL = WORKLOAD in ("w1", "w3")
CPU_BOUND = WORKLOAD == "w4"
ARRAYS = WORKLOAD == "w5"
"""What settings may depend on: a user would set up a queue of long tasks in another way than one of short ones."""

TASKS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (tasks.nothing, tasks.square, tasks.wave_mean, tasks.doubled, tasks.slow_pid)
}

CHUNKS = 8
"""Into how many pieces a map is cut where a system leaves that to its user, as in W3's baseline."""


def module(*words: str) -> list[str]:
    """A command that runs a module of this environment."""
    return [sys.executable, "-m", *words]


def script(*words: str) -> list[str]:
    """A command that runs a program of this environment."""
    return [str(Path(sys.executable).parent / words[0]), *words[1:]]
