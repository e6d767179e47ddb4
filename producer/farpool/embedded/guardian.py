"""The shell process that runs a server for us and ends it when we are gone."""

import os
import select
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from farpool.embedded.lifeline import Lifeline

SCRIPT = Path(__file__).with_name("guardian.sh")

CLOSE_SECONDS = 5.0
"""On top of the time for saving; without data the guardian needs 10 ms."""

KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "TZ")
"""The rest of our environment may hold secrets, and a server reads none of it."""


class Guardian:
    """A server process, and the promise that it ends: with `close()` or with this process.

    It removes `directory` then.  `save_seconds` is how long the server may take to write its data.
    """

    def __init__(self, argv: Sequence[str], directory: Path, save_seconds: float) -> None:
        self._patience_seconds = save_seconds + CLOSE_SECONDS
        self._lifeline = Lifeline()
        self._process = self._lifeline.start(
            ["/bin/sh", str(SCRIPT), str(directory), str(round(save_seconds * 10)), *argv],
            environ={name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
            output=subprocess.PIPE,
        )

    @property
    def is_ours(self) -> bool:
        """True until closed, and never in a forked copy of the owner."""
        return self._lifeline.is_held

    def server_has_ended(self) -> bool:
        """True when the server is gone.  What it wrote before it opened its log is lost."""
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        return bool(select.select([output], [], [], 0)[0]) and not os.read(output, 65536)

    def close(self) -> None:
        """End the server; returns when it and the directory are gone.  Does nothing in a forked child."""
        if not self.is_ours:
            return
        self._lifeline.cut()
        try:
            clean = self._process.wait(self._patience_seconds) == 0
        except subprocess.TimeoutExpired:
            clean = False
        if not clean:
            # Somebody stopped or killed the guardian.  The server is in its process group.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
