"""A pipe that tells a process when its owner has gone: closed, ended, or killed.

Only the owner holds the write end, so the kernel itself closes it at the owner's death, and the process
that reads the other end as its standard input sees end-of-file.  PR_SET_PDEATHSIG would be the other way;
it watches the thread that forked, and an Executor may be made in a short-lived thread.
"""

import os
import subprocess
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO


class Lifeline:
    """The write end of such a pipe.  Dropping the last reference cuts it."""

    def __init__(self) -> None:
        with _lock:
            self._read_end, self._write_end = os.pipe()  # not inherited by programs that we start
            self._cut = weakref.finalize(self, os.close, self._write_end)
            _lifelines.add(self)

    @property
    def is_held(self) -> bool:
        """True until cut.  A forked copy of the owner does not hold it."""
        return self._cut.alive

    def say(self, line: str) -> None:
        """Send a last word and cut it.  Only the first one counts."""
        if self.is_held:
            with suppress(BrokenPipeError):
                os.write(self._write_end, line.encode())
        self.cut()

    def cut(self) -> None:
        """Let the process know that we are gone."""
        self._cut()

    def start(
        self,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str],
        output: IO[bytes] | None,
        also_holds: "Lifeline | None" = None,
    ) -> subprocess.Popen[bytes]:
        """Start the process, in a session of its own: the terminal's Ctrl-C is for the owner alone.

        `also_holds` is a lifeline that shall last until this process has ended, too.
        """
        try:
            return subprocess.Popen(
                argv,
                stdin=self._read_end,
                stdout=output,
                stderr=output,
                env=environ,
                pass_fds=[also_holds._write_end] if also_holds is not None and also_holds.is_held else [],
                start_new_session=True,
            )
        finally:
            os.close(self._read_end)


_lifelines: "weakref.WeakSet[Lifeline]" = weakref.WeakSet()

# Held while a pipe is made and while the process forks, so that a forked child knows every write end.
_lock = threading.RLock()


def _drop_copies() -> None:
    """In a forked child: close its copies, or the pipes would stay open as long as the child lives."""
    for lifeline in list(_lifelines):
        lifeline.cut()
    _lock.release()


# Processes forked by C code that bypasses Python keep their copies; nothing can be done about those here.
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_drop_copies)
