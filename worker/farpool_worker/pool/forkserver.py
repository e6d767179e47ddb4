"""Starts children's processes, and stops what multiprocessing runs in the background for that."""

import importlib.machinery
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from farpool_common.errors import SettingsError
from farpool_worker.child import child
from farpool_worker.child.isolation import FOLDER_VARIABLE
from farpool_worker.host.deadline import VARIABLE as DEADLINE_VARIABLE
from farpool_worker.host.deadline import Deadline
from farpool_worker.pool.prefork import fork_template

START_METHODS = ("forkserver", "spawn")

_LONGEST_FOLDER = 107 - len("/farpool-12345678/listener-12345678")
"""The kernel takes 107 bytes for the path of a socket."""

_TRACKER_SECONDS = 2.0
"""How long the resource tracker may take to clean up behind tasks before it is killed (guess)."""


class Launcher:
    """Starts processes that run `child.main`.  Close it when the last of them has ended."""

    # multiprocessing has one template process, so the launchers of this process share it.
    _open = 0
    _owns_tracker = False
    _folder: str | None = None

    def __init__(
        self, method: str, preload: Sequence[str] = (), deadline: Deadline | None = None, *, shares: bool = False
    ) -> None:
        """`preload`: modules that the template imports besides, so that children start with them.
        `deadline`: when it has passed, the template kills them.  `shares`: the template may have this process's
        memory, for nothing is in it that tasks must not see."""
        # Never "fork": the daemon has threads, and a child must not inherit its sockets.
        if method not in START_METHODS:
            raise SettingsError(f"start method {method!r}: it is one of {', '.join(START_METHODS)}")
        self._shares = shares
        self.method, self._preload = method, ["farpool_worker.pool.template", *preload]
        self._context: Any = multiprocessing.get_context(method)
        if Launcher._open == 0:
            Launcher._owns_tracker, Launcher._folder = _tracker_fd() is None, _own_folder()
            if deadline is not None:
                os.environ[DEADLINE_VARIABLE] = deadline.description
        Launcher._open += 1
        self._is_open = True

    def launch(self, name: str) -> tuple[BaseProcess, Connection]:
        """A new process and our end of its pipe.  Raises OSError or EOFError when it cannot start."""
        ours, theirs = self._context.Pipe()
        # Not daemonic: tasks may use multiprocessing themselves.
        process = self._context.Process(target=child.main, args=(theirs,), name=name, daemon=False)
        try:
            if self.method == "forkserver":
                self._context.set_forkserver_preload(self._preload)
                if self._shares:
                    fork_template(self._preload)
            with _hidden_main():
                process.start()
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return process, ours

    def close(self) -> None:
        """Stop the template and the resource tracker, when no other launcher uses them.  Safe to repeat."""
        if not self._is_open:
            return
        self._is_open = False
        Launcher._open -= 1
        if Launcher._open == 0:
            _stop_template()
            if Launcher._owns_tracker:
                _stop_tracker()
            _remove_folder(Launcher._folder)
            os.environ.pop(DEADLINE_VARIABLE, None)


@contextmanager
def _hidden_main() -> Iterator[None]:
    """Keep multiprocessing from running our `__main__` again in the child.

    It would import the console script, or the program that a user started, once per child; only a name
    that ends in `.__main__` is left alone.  Children need nothing of it: functions travel by name.
    """
    main = sys.modules["__main__"]
    before = getattr(main, "__spec__", None)
    main.__spec__ = importlib.machinery.ModuleSpec("farpool.__main__", None)
    try:
        yield
    finally:
        main.__spec__ = before


# multiprocessing cleans up only when the interpreter ends, and then waits without a limit.  The functions
# below are the only ones that touch its private parts (the same in 3.11 to 3.13).


def _own_folder() -> str | None:
    """Give multiprocessing a folder for its sockets that we can remove; None: it has one already."""
    config: Any = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    if config.get("tempdir") is not None:
        return None
    short = len(tempfile.gettempdir()) <= _LONGEST_FOLDER
    config["tempdir"] = folder = tempfile.mkdtemp(prefix="farpool-", dir=None if short else "/tmp")
    os.environ[FOLDER_VARIABLE] = folder  # the template removes it should we be killed
    return folder


def _remove_folder(folder: str | None) -> None:
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop(FOLDER_VARIABLE, None)
        multiprocessing.current_process()._config["tempdir"] = None  # type: ignore[attr-defined]


def _stop_template() -> None:
    server: Any = forkserver._forkserver
    if server._forkserver_pid is not None:
        with suppress(ProcessLookupError):
            os.kill(server._forkserver_pid, signal.SIGKILL)  # else it waits for descendants of tasks
        server._stop()


def _tracker_fd() -> int | None:
    tracker: Any = resource_tracker._resource_tracker
    found: int | None = tracker._fd
    return found


def _stop_tracker() -> None:
    tracker: Any = resource_tracker._resource_tracker
    if tracker._fd is None or tracker._pid is None:
        return
    os.close(tracker._fd)
    deadline = time.monotonic() + _TRACKER_SECONDS
    while os.waitpid(tracker._pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(tracker._pid, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.002)
    tracker._fd = tracker._pid = None
