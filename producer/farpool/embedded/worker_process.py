"""A worker daemon as a subprocess that drains and ends with its owner."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from farpool.embedded.lifeline import Lifeline
from farpool.embedded.log_tail import log_tail
from farpool.embedded.server import Server
from farpool_common.address import prefix_from
from farpool_common.errors import FarpoolError
from farpool_common.keys import Keys

START_SECONDS = 20.0
"""Imports and the pool of children take about a second; a cold disk or a busy machine much more (guess)."""

POLL_SECONDS = 0.01

OUR_VARIABLES = ("FARPOOL_URL", "FARPOOL_QUEUES", "FARPOOL_NAME", "FARPOOL_BURST", "FARPOOL_MAX_IDLE_TIME")
"""What the environment may say about the user's own workers does not hold for ours."""


def host_name() -> str:
    """This machine's name as a worker name: RQ and our keys take letters, digits and `_.-`."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname()) or "local"


@dataclass(frozen=True, kw_only=True)
class WorkerPlan:
    """What a worker daemon is started with.  `slots=None`: one for each usable core."""

    name: str
    slots: int | None = None
    queues: tuple[str, ...] = ("default",)
    paths: tuple[Path, ...] = ()
    allow_any: bool = False

    def argv(self) -> list[str]:
        """The command, without the server's URL: others can read a command line."""
        words = [sys.executable, "-m", "farpool_worker", "--exit-with-stdin", "-n", self.name]
        words += [] if self.slots is None else ["-c", str(self.slots)]
        for path in self.paths:
            words += ["-P", str(path)]
        words += ["--allow-any"] if self.allow_any else []
        return [*words, "--", *self.queues]


class WorkerProcess:
    """A running worker daemon on an embedded server.

    What it logs goes to the file `log`, or to our stderr.  `environ` is what it inherits.
    """

    def __init__(self, server: Server, plan: WorkerPlan, *, log: Path | None, environ: Mapping[str, str]) -> None:
        self.plan, self._server, self._log = plan, server, log
        self._keys = Keys(prefix_from(environ))
        self._lifeline = Lifeline()
        inherited = {name: value for name, value in environ.items() if name not in OUR_VARIABLES}
        output = None if log is None else log.open("ab")
        try:
            self._process = self._lifeline.start(
                plan.argv(), environ=inherited | {"FARPOOL_URL": server.local_url}, output=output
            )
        finally:
            if output is not None:
                output.close()

    @property
    def is_running(self) -> bool:
        """True while the daemon lives."""
        return self._process.poll() is None

    def wait_until_listed(self, deadline: float) -> None:
        """Return when the daemon has signed on.  Raises FarpoolError with what it logged."""
        while not self._is_listed():
            if not self.is_running:
                code = self._process.returncode
                raise FarpoolError(f"worker {self.plan.name} ended at its start, exit code {code}{self._tail()}")
            if time.monotonic() > deadline:
                raise FarpoolError(f"worker {self.plan.name} was not ready in time{self._tail()}")
            time.sleep(POLL_SECONDS)

    def slots(self) -> int:
        """How many slots the daemon has signed on with."""
        answer = self._server.ask("HGET", self._keys.host(self.plan.name), "slots")
        return int(answer) if answer.isdecimal() else 0

    def wait(self, seconds: float | None = None) -> int | None:
        """The daemon's exit code, None when it still runs after that time."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def stop(self) -> None:
        """Tell the daemon to drain.  Does nothing in a forked child, as `close`."""
        if self._lifeline.is_held and self.is_running:
            self._process.send_signal(signal.SIGTERM)

    def close(self, deadline: float) -> None:
        """Return when the daemon has drained, or has been killed at the deadline."""
        if not self._lifeline.is_held:
            return
        self.stop()
        if self.wait(max(0.0, deadline - time.monotonic())) is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._lifeline.cut()

    def _is_listed(self) -> bool:
        lease_end_ms = self._server.ask("ZSCORE", self._keys.hosts, self.plan.name)
        # A server that kept its data may list the daemon of an earlier run.
        return lease_end_ms[:1].isdigit() and float(lease_end_ms) > time.time() * 1000

    def _tail(self) -> str:
        return "" if self._log is None else f":{log_tail(self._log)}"
