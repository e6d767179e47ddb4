"""What a process of the pool does first: it obeys only its pipe, and does not outlive its parent."""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from multiprocessing import forkserver
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15

CHILD_NAME = "farpool-slot"
"""What `ps` and `top` call a child.  A child that was forked has the daemon's command line."""

FOLDER_VARIABLE = "FARPOOL_SOCKET_FOLDER"
"""In the environment of the template: the folder of multiprocessing's sockets."""
_POLITE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_masks: list[set[int]] = []  # of forks that are under way; forks nest only where a fork hook forks


def isolate() -> None:
    """For a child: its own process group, deaf to polite signals, killed when its parent dies."""
    _set_name(CHILD_NAME)
    _let_go_of_template()
    _ignore_polite_signals()
    die_with_parent(signal.SIGKILL)
    with suppress(PermissionError):  # leads a session already
        os.setpgid(0, 0)  # so that the daemon can kill it together with what it started
    for stream in (sys.stdout, sys.stderr):
        # What a task printed is seen even if the task crashes a moment later.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)


def _let_go_of_template() -> None:
    """Multiprocessing hands each child a pipe on which a single byte ends the template, and all children with it."""
    server: Any = forkserver._forkserver
    if server._forkserver_alive_fd is not None:
        os.close(server._forkserver_alive_fd)
        server._forkserver_alive_fd = None


def _set_name(name: str) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def die_with_parent(signum: int) -> None:
    """Let the kernel send us a signal when the thread that forked us ends.  Not inherited by our children."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def _ignore_polite_signals() -> None:
    # systemd and docker send SIGTERM to everybody at once, a terminal SIGINT and SIGHUP; running tasks shall
    # end in peace.  A handler and not SIG_IGN, which the programs that a task starts would inherit: their
    # terminate() would do nothing.
    for signum in _POLITE:
        signal.signal(signum, _do_nothing)
    for signum in (signal.SIGUSR2, signal.SIGALRM):  # the template's
        signal.signal(signum, signal.SIG_DFL)
    # A process that a task forks shall heed them, from its first moment: they are held back meanwhile.
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_heed_and_let_go)


def _do_nothing(*_: object) -> None: ...


def _hold() -> None:
    _masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, _POLITE))


def _let_go() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.pop())


def _heed_and_let_go() -> None:
    """In a process that a task forked (multiprocessing): what every program does."""
    for signum in _POLITE:
        if signal.getsignal(signum) is _do_nothing:
            is_interrupt = signum == signal.SIGINT
            signal.signal(signum, signal.default_int_handler if is_interrupt else signal.SIG_DFL)
    _let_go()
