"""Worker daemons as tests start them: real processes, waited for by what they write to Redis."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from farpool_common.broker import connect, live_hosts
from farpool_common.keys import Keys

SUPPORT = Path(__file__).parent

FAST = {"FARPOOL_LEASE_SECONDS": "1.5", "FARPOOL_GRACE_SECONDS": "0.5", "FARPOOL_SWEEP_SECONDS": "0.3"}
"""Times scaled down to a tenth."""


class Daemon:
    """`farpool worker` in a process of its own, its log in a file.  `launcher`: a command that turns into another."""

    def __init__(
        self, url: str, name: str, log: Path, *options: str, launcher: Sequence[str] = (), **environ: str
    ) -> None:
        self.name, self.url, self.log = name, url, log
        command = [
            *launcher,
            sys.executable,
            "-m",
            "farpool_worker",
            "-u",
            url,
            "-n",
            name,
            "-P",
            str(SUPPORT),
            *options,
        ]
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command, cwd=SUPPORT, env=os.environ | FAST | environ, stdin=subprocess.DEVNULL, stderr=file
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until_listed(self) -> "Daemon":
        with connect(self.url) as client:
            wait_for(lambda: self.name in {host.name for host in live_hosts(client, Keys())}, self._died)
            channel = Keys().channel(self.name)  # a command that nobody hears is lost
            wait_for(lambda: client.pubsub_numsub(channel)[0][1], self._died)
        return self

    def _died(self) -> str:
        return f"{self.name} ended with {self.process.poll()}:\n{self.text()}"

    def text(self) -> str:
        """What it has logged."""
        return self.log.read_text()

    def children(self) -> list[psutil.Process]:
        """Its slots' processes, without the template and the tracker."""
        below = psutil.Process(self.pid).children(recursive=True)
        templates = {process.pid for process in psutil.Process(self.pid).children()}
        return [process for process in below if process.pid not in templates]

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 30) -> int:
        return self.process.wait(seconds)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@contextmanager
def daemons(
    url: str, folder: Path, *names: str, options: tuple[str, ...] = ("-c", "1"), **environ: str
) -> Iterator[list[Daemon]]:
    """Daemons that serve the queue `default`; killed at the end if they still run."""
    started = [Daemon(url, name, folder / f"{name}.log", *options, **environ) for name in names]
    try:
        for daemon in started:
            daemon.wait_until_listed()
        yield started
    finally:
        for daemon in started:
            daemon.close()


def wait_for(
    is_true: Callable[[], object], why: Callable[[], str] = lambda: "it did not happen", seconds: float = 30
) -> None:
    """Return when something is true; fail after the deadline."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, why()
        time.sleep(0.01)


def lines(journal: Path) -> list[str]:
    """What tasks have noted."""
    return journal.read_text().splitlines() if journal.exists() else []
