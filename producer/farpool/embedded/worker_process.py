"""A worker daemon as a subprocess that ends with its owner."""

import re
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from farpool.embedded.guardian import Guardian
from farpool.embedded.log_tail import log_tail
from farpool.embedded.server import Server
from farpool_common.address import prefix_from
from farpool_common.errors import FarpoolError
from farpool_common.keys import Keys
from farpool_common.shared import FOLDER_VARIABLE

START_SECONDS = 20.0
"""Imports and the pool of children take about a second; a cold disk or a busy machine much more (guess)."""

POLL_SECONDS = 0.01

OUR_VARIABLES = (
    *("FARPOOL_URL", "FARPOOL_PASSWORD_FILE", "FARPOOL_QUEUES"),
    *("FARPOOL_NAME", "FARPOOL_BURST", "FARPOOL_MAX_IDLE_TIME"),
)
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
    rq_jobs: bool = True

    def argv(self) -> list[str]:
        """The command, without the server's URL: others can read a command line."""
        words = [sys.executable, "-m", "farpool_worker", "-n", self.name]
        words += [] if self.slots is None else ["-c", str(self.slots)]
        for path in self.paths:
            words += ["-P", str(path)]
        words += ["--allow-any"] if self.allow_any else []
        words += [] if self.rq_jobs else ["--no-rq-jobs"]
        return [*words, "--", *self.queues]


class WorkerProcess:
    """A running worker daemon on an embedded server.

    What it logs goes to the file `log`, or to our stderr.  `environ` is what it inherits.
    """

    def __init__(self, server: Server, plan: WorkerPlan, *, log: Path | None, environ: Mapping[str, str]) -> None:
        self.plan, self._server, self._log = plan, server, log
        self._keys = Keys(prefix_from(environ))
        inherited = {name: value for name, value in environ.items() if name not in OUR_VARIABLES}
        folder = "" if server.folder is None else server.folder.name
        with nullcontext() if log is None else log.open("ab") as output:
            self._guardian = Guardian(
                plan.argv(),
                environ=inherited | {"FARPOOL_URL": server.local_url, FOLDER_VARIABLE: folder},
                output=output,
                server=server.guardian,
            )

    @property
    def is_running(self) -> bool:
        """True while the daemon lives."""
        return self.wait(0) is None

    def wait_until_listed(self, deadline: float) -> None:
        """Return when the daemon has signed on.  Raises FarpoolError with what it logged."""
        while not self._is_listed():
            code = self.wait(POLL_SECONDS)
            if code is not None:
                raise FarpoolError(f"worker {self.plan.name} ended at its start, exit code {code}{self._tail()}")
            if time.monotonic() > deadline:
                raise FarpoolError(f"worker {self.plan.name} was not ready in time{self._tail()}")

    def slots(self) -> int:
        """How many slots the daemon has signed on with."""
        answer = self._server.ask("HGET", self._keys.host(self.plan.name), "slots")
        return int(answer) if answer.isdecimal() else 0

    def wait(self, seconds: float) -> int | None:
        """The daemon's exit code, None when it still runs after that time."""
        return self._guardian.wait(seconds)

    def drain(self, seconds: float) -> None:
        """Tell the daemon to end; it is killed after that time.  Does nothing in a forked child, as `close`."""
        self._guardian.ask_to_end(seconds)

    def close(self, seconds: float) -> None:
        """End the daemon and return when it has ended.  The time counts if it does not drain already."""
        self._guardian.close(seconds)

    def _is_listed(self) -> bool:
        lease_end_ms = self._server.ask("ZSCORE", self._keys.hosts, self.plan.name)
        # A server that kept its data may list the daemon of an earlier run.
        return lease_end_ms[:1].isdigit() and float(lease_end_ms) > time.time() * 1000

    def _tail(self) -> str:
        return "" if self._log is None else f":{log_tail(self._log)}"
