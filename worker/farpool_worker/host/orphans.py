"""What PID 1 of a container owes: processes that tasks left behind become its children, and end as zombies
until it looks at them."""

import os
from multiprocessing import forkserver, resource_tracker
from typing import Any


def reap_orphans() -> None:
    """Collect ended processes that nobody else waits for."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in _own():
            return  # multiprocessing waits for those
        os.waitpid(ended.si_pid, 0)


def _own() -> set[int | None]:
    server: Any = forkserver._forkserver
    tracker: Any = resource_tracker._resource_tracker
    return {server._forkserver_pid, tracker._pid}
