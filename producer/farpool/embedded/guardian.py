"""The shell process that runs a program for us and ends it when we are gone."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from farpool.embedded.lifeline import Lifeline

SCRIPT = Path(__file__).with_name("guardian.sh")

EXTRA_SECONDS = 5.0
"""What the shell may take on top of the program's own time (guess; measured: 5 ms)."""


ORPHAN_SECONDS = 2.0
"""What a program that needs a server gets when its owner has gone: enough to clean up, not to finish
(measured: 0.3 s)."""


HURRY_SECONDS = 0.25
"""Between signals to a program that shall drop what it does (guess)."""


class Guardian:
    """A program, and the promise that it ends: with `close()`, with the last reference, with this process.

    It removes `directory` and `memory` then.  The program does not inherit our terminal's Ctrl-C.  A forked child
    neither holds the program nor ends it.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str],
        output: IO[bytes] | None = None,
        directory: Path | None = None,
        memory: Path | None = None,
        server: "Guardian | None" = None,
    ) -> None:
        """`server` is not ended before this program is: it needs that one to end in good order."""
        self._owner = os.getpid()
        self._lifeline = Lifeline()
        orphan_seconds = 0.0 if server is None else ORPHAN_SECONDS
        self._process = self._lifeline.start(
            ["/bin/sh", str(SCRIPT), str(directory or ""), str(memory or ""), str(round(orphan_seconds * 10)), *argv],
            environ=environ,
            output=output,
            also_holds=None if server is None else server._lifeline,
        )

    @property
    def is_ours(self) -> bool:
        """False in a forked copy of the owner."""
        return os.getpid() == self._owner

    def wait(self, seconds: float) -> int | None:
        """The program's exit code, as a shell tells it; None when it still runs after that time."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def ask_to_end(self, seconds: float) -> None:
        """Send the program SIGTERM; it is killed if it still runs after that time."""
        self._lifeline.say(f"{round(seconds * 10)}\n")

    def close(self, seconds: float) -> None:
        """End the program and return when it has ended.  The time counts if it was not asked before."""
        if not self.is_ours:
            return
        try:
            self.ask_to_end(seconds)
            code = self.wait(seconds + EXTRA_SECONDS)
        except BaseException:  # a second Ctrl-C
            self._hurry()
            raise
        if code is None or code < 0:  # somebody stopped or killed the guardian
            self._kill()

    def _hurry(self) -> None:
        """The second SIGTERM: the program drops what it does, and still cleans up."""
        try:
            deadline = time.monotonic() + ORPHAN_SECONDS
            while self.wait(0) is None and time.monotonic() < deadline:
                # Again and again: two signals at the same moment arrive as one.  The guardian ignores it.
                self._signal(signal.SIGTERM)
                self.wait(HURRY_SECONDS)
        finally:
            if self._process.returncode is None:
                self._kill()

    def _kill(self) -> None:
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        """To the guardian's process group, in which the program is."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
