"""Forks the processes that stand behind children out of the daemon, so that they share its memory.

multiprocessing starts its template and its resource tracker as new programs, which load everything a second
time.  A fork shares what the daemon has loaded: a quarter of an idle host's memory.  It must share nothing
else, so it does what the start of a program would have done: files are closed, signals, exit handlers and
loggers set back.  Should one of the two end, multiprocessing starts it anew in its own way.
"""

import atexit
import gc
import importlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from multiprocessing import connection, forkserver, resource_tracker
from pathlib import Path
from typing import Any

_STANDARD_FILES = 3

_TOO_NEW = (3, 14)
"""From here on multiprocessing's template wants a key, which its own start hands over."""


def fork_template(modules: Sequence[str]) -> None:
    """Start both, if they do not run and this process has one thread; else multiprocessing will.

    `modules` are loaded by the template; all but the first one, which acts, are loaded here.  Main thread only.
    """
    server: Any = forkserver._forkserver
    if server._forkserver_pid is not None or sys.version_info >= _TOO_NEW:
        return
    for name in ("numpy", *modules[1:]):
        importlib.import_module(name)
    if len(os.listdir("/proc/self/task")) > 1:  # of a library: they would be missing in the fork
        return
    gc.collect()
    gc.freeze()  # else the collectors of all processes write to what they share
    _fork_tracker()
    with socket.socket(socket.AF_UNIX) as listener:
        server._forkserver_address = str(connection.arbitrary_address("AF_UNIX"))  # type: ignore[attr-defined]
        listener.bind(server._forkserver_address)
        Path(server._forkserver_address).chmod(0o600)
        listener.listen()
        alive, server._forkserver_alive_fd = os.pipe()
        files = listener.fileno(), alive
        server._forkserver_pid = _forked(files, forkserver.main, *files, list(modules))
        os.close(alive)


def _fork_tracker() -> None:
    tracker: Any = resource_tracker._resource_tracker
    if tracker._fd is None:
        reader, tracker._fd = os.pipe()
        tracker._pid = _forked([reader], resource_tracker.main, reader)
        os.close(reader)


def _forked(files: Collection[int], run: Callable[..., object], *args: object) -> int:
    """The pid of a fork that runs a function, and ends with it.  It has these files and the standard ones."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()  # else the fork would write it again
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _begin_as_a_program(files)
            run(*args)
            code = 0
        except SystemExit:
            code = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            atexit._run_exitfuncs()
            os._exit(code)
    return pid


def _begin_as_a_program(files: Collection[int]) -> None:
    """Nothing here may let go of the daemon's objects: they would close files that are ours by now."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    atexit._clear()
    for name in os.listdir("/proc/self/fd"):
        if int(name) >= _STANDARD_FILES and int(name) not in files:
            with suppress(OSError):
                os.close(int(name))
    _forget_logging()
    sys.orig_argv[:] = ["-c"]  # it may hold the server's address, with its password


def _forget_logging() -> None:
    """Tasks log as they like."""
    for logger in logging.Logger.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.handlers = []
            logger.setLevel(logging.NOTSET)
            logger.propagate = True
    logging.root.handlers = []
    logging.root.setLevel(logging.WARNING)
