"""The executors of this process that nobody else owns: one per server, made when first needed."""

import os
import threading

from farpool.client.connect import Server, find_server
from farpool.executor import Executor
from farpool_common import home
from farpool_common.broker import masked

_executors: dict[str, Executor] = {}
_opening = threading.Lock()


def executor_for(url: str | None) -> Executor:
    """The executor for a server, that of the environment by default.  It ends with the program, after its calls."""
    with _opening:
        address = server_for(url).url
        if address not in _executors:
            _executors[address] = Executor(address)
        return _executors[address]


def shut_all() -> None:
    """End those that were made so far, once their calls are done; who asks later gets a new one."""
    with _opening:
        found = list(_executors.values())
        _executors.clear()
    for executor in found:
        executor.shutdown()


def server_for(url: str | None) -> Server:
    """The server of a URL; without one, the daemon's in a task, and elsewhere that of the environment."""
    here = home.current() if url is None else None
    return find_server(url) if here is None else Server(here.url, masked(here.url), here.prefix)


def _after_fork() -> None:
    """The lock may be held by a thread that is not here; executors see to themselves."""
    global _opening
    _opening = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
