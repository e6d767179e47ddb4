"""`farpool.Process`: the interface of `multiprocessing.Process`, its target run on some host."""

import atexit
import itertools
import os
import re
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, wait
from typing import Any

from farpool.executors import executor_for
from farpool.futures.future import Future
from farpool.process_self import ProcessSelf
from farpool_common.errors import RemoteError, SettingsError, WorkerLostError

_numbers = itertools.count(1)


class Process:
    """A call that runs once on some host that serves the queue, in a worker's process.

    It waits in the queue until a slot is free: processes that wait for each other need a slot each.  The program
    waits for those that are not `daemon` at its end, and ends the others.

    A subclass may override `run`.  It runs on the worker, where `self` has the attributes and methods of this
    object, as far as the attributes can travel; `super()` does not work there, and what it sets does not come back.
    """

    def __init__(
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        daemon: bool | None = None,
        url: str | None = None,
        queue: str = "default",
    ) -> None:
        if group is not None:
            raise AssertionError("group argument must be None for now")
        self._target, self._args, self._kwargs = target, tuple(args), dict(kwargs or {})
        self._name = f"Process-{next(_numbers)}" if name is None else name
        self._daemon = bool(daemon)
        self._url, self._queue = url, queue
        self._parent = os.getpid()
        self._future: Future[Any] | None = None
        self._asked: signal.Signals | None = None  # how it was ended from here
        self._exitcode: int | None = None
        self._over = threading.Event()
        self._sentinel: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    def run(self) -> None:
        """Call the target, in this process: `start` has it called by a worker."""
        if self._target is not None:
            self._target(*self._args, **self._kwargs)

    def start(self) -> None:
        """Have it run by a worker.  Raises FunctionNotImportableError for a target that is in no module."""
        self._check_open()
        assert self._future is None, "cannot start a process twice"
        function, args, kwargs = self._call()
        # Once: a process that was killed is not run again.
        view = executor_for(self._url).options(queue=self._queue, retries=0)
        self._future = view._submit_alone(function, args, kwargs)
        started.add(self)
        self._future.add_done_callback(self._end)  # type: ignore[arg-type]  # typeshed: of the base class
        if self._daemon:
            _running_daemons.add(self)
            atexit.unregister(_end_daemons)
            atexit.register(_end_daemons)  # before the executor's own hook, which waits for all calls

    def join(self, timeout: float | None = None) -> None:
        """Return when it has ended, or after `timeout` seconds."""
        future = self._started("can only join a started process")
        if timeout is None or wait([future], max(0.0, timeout)).done:
            self._over.wait(timeout)

    def is_alive(self) -> bool:
        """Whether it was started and has not ended; a process that waits for a slot is alive."""
        self._check_open()
        return self._future is not None and not self._over.is_set()

    def terminate(self) -> None:
        """End it: its process is killed, `exitcode` is -SIGTERM.  That may take a moment longer than `join`."""
        self._stop(signal.SIGTERM)

    def kill(self) -> None:
        """The same, with -SIGKILL."""
        self._stop(signal.SIGKILL)

    def close(self) -> None:
        """Let go of what it holds.  Raises ValueError while it runs."""
        if self.is_alive():
            raise ValueError(
                "Cannot close a process while it is still running. You should first call join() or terminate()."
            )
        self._is_closed = True
        with self._lock:
            if self._sentinel is not None:
                os.close(self._sentinel[0])
            self._sentinel = None

    @property
    def exitcode(self) -> int | None:
        """None before it has ended; 0, or 1 after an exception, or what `sys.exit` said, or minus a signal's number."""
        self._check_open()
        return self._exitcode

    @property
    def pid(self) -> int | None:
        """The process that ran it, on `host`; known when it has returned."""
        self._check_open()
        return None if self._future is None else self._future.pid

    ident = pid

    @property
    def host(self) -> str | None:
        """The host that ran it; known when it has returned."""
        return None if self._future is None else self._future.host

    @property
    def sentinel(self) -> int:
        """A file descriptor that is ready to read when it has ended, for `multiprocessing.connection.wait`."""
        self._started("process not started", ValueError)
        with self._lock:
            if self._sentinel is None:
                self._sentinel = os.pipe()
                if self._over.is_set():
                    os.close(self._sentinel[1])
            return self._sentinel[0]

    @property
    def name(self) -> str:
        """For people: it is in messages."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        if not isinstance(name, str):
            raise AssertionError("name must be a string")
        self._name = name

    @property
    def daemon(self) -> bool:
        """Whether the program ends it instead of waiting for it."""
        return self._daemon

    @daemon.setter
    def daemon(self, is_daemon: bool) -> None:
        assert self._future is None, "process has already started"
        self._daemon = bool(is_daemon)

    def __repr__(self) -> str:
        parts = [type(self).__name__, f"name={self._name!r}", f"parent={self._parent}"]
        if self._is_closed:
            parts.append("closed")
        elif self._future is None:
            parts.append("initial")
        elif self._exitcode is None:
            parts.append("started")
        else:
            parts += ["stopped", f"exitcode={_shown(self._exitcode)}"]
        return f"<{' '.join(parts + ['daemon'] * self._daemon)}>"

    def _call(self) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        if type(self).run is not Process.run:
            return type(self).run, (ProcessSelf.of(self),), {}
        if self._target is None:
            raise SettingsError("a process needs target=FUNCTION, or a subclass with a run() of its own")
        return self._target, self._args, self._kwargs

    def _stop(self, how: signal.Signals) -> None:
        self._check_open()
        future = self._started("can only end a started process", AttributeError)
        if self._asked is None:
            self._asked = how
        future.cancel()

    def _started(self, otherwise: str, error: type[Exception] = AssertionError) -> Future[Any]:
        self._check_open()
        if self._future is None:
            raise error(otherwise)
        return self._future

    def _check_open(self) -> None:
        if self._is_closed:
            raise ValueError("process object is closed")

    def _end(self, future: "Future[Any]") -> None:
        """Called in the thread that brings results."""
        try:
            error = future.exception()
        except CancelledError:
            self._exitcode = -int(self._asked or signal.SIGTERM)
        else:
            self._exitcode = _exitcode(self._name, error)
        _running_daemons.discard(self)
        with self._lock:
            self._over.set()
            if self._sentinel is not None:
                os.close(self._sentinel[1])


def _exitcode(name: str, error: BaseException | None) -> int:
    """What multiprocessing would say, and print."""
    if error is None:
        return 0
    if isinstance(error, RemoteError) and error.type_name == "builtins:SystemExit":
        return _exit_status(error.message)
    killed = re.search(r"signal (\d+)", str(error)) if isinstance(error, WorkerLostError) else None
    print(f"Process {name}:\n{error.__cause__ or ''}{'' if error.__cause__ else repr(error)}", file=sys.stderr)  # noqa: T201
    return -int(killed[1]) if killed else 1


def _exit_status(said: str) -> int:
    if said in ("", "None"):
        return 0
    try:
        return int(said)
    except ValueError:
        print(said, file=sys.stderr)  # noqa: T201
        return 1


def _shown(exitcode: int) -> str:
    try:
        return f"-{signal.Signals(-exitcode).name}" if exitcode < 0 else str(exitcode)
    except ValueError:
        return str(exitcode)


# --- shared by the processes of this program ------------------------------------------------------

_running_daemons: set[Process] = set()
started: "weakref.WeakSet[Process]" = weakref.WeakSet()
"""Those that were started here, for `active_children`."""


def _end_daemons() -> None:
    for process in list(_running_daemons):
        process.terminate()
