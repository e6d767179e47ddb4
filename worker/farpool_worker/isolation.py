"""What a process of the pool does first: it obeys only its pipe, and does not outlive its parent."""

import ctypes
import os
import signal
import sys
from contextlib import suppress

_PR_SET_PDEATHSIG = 1


def isolate() -> None:
    """For a child: its own process group, deaf to polite signals, killed when its parent dies."""
    _ignore_polite_signals()
    die_with_parent(signal.SIGKILL)
    with suppress(PermissionError):  # leads a session already
        os.setpgid(0, 0)  # so that the daemon can kill it together with what it started
    for stream in (sys.stdout, sys.stderr):
        # What a task printed is seen even if the task crashes a moment later.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)


def die_with_parent(signum: int) -> None:
    """Let the kernel send us a signal when the thread that forked us ends.  Not inherited by our children."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def _ignore_polite_signals() -> None:
    # systemd and docker send SIGTERM to everybody at once, a terminal SIGINT and SIGHUP; running tasks shall
    # end in peace.  A handler and not SIG_IGN, which the programs that a task starts would inherit: their
    # terminate() would do nothing.
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _do_nothing)
    signal.signal(signal.SIGUSR2, signal.SIG_DFL)  # the template's
    os.register_at_fork(after_in_child=_heed_signals_again)


def _do_nothing(*_: object) -> None: ...


def _heed_signals_again() -> None:
    """In a process that a task forked (multiprocessing): what every program does."""
    for signum in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) is _do_nothing:
            signal.signal(signum, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is _do_nothing:
        signal.signal(signal.SIGINT, signal.default_int_handler)
