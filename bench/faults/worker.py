"""A worker of any system: its main process, what is below it, and how often it ended by itself."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil

from bench.environments import ROOT
from bench.faults.systems import System

RESTART_SECONDS = 1.0
FOLLOW_SECONDS = 1.0
MOST_EXITS, WITHIN_SECONDS = 5, 10.0
"""A worker that ends by itself is started again after a second, unless it ended too often in a short time: what
systemd does as it comes."""


class Worker:
    """`is_left_alone` is set when it was killed or ended on purpose: then nobody starts it again."""

    def __init__(self, system: System, name: str, url: str, folder: Path) -> None:
        self._system, self.name, self._url, self._folder = system, name, url, folder
        self.exits: list[int] = []
        self._exits_at: list[float] = []
        self._is_end_noted = False
        self.is_left_alone = False
        self.seen: set[psutil.Process] = set()
        self._start()

    def _start(self) -> None:
        name = f"{self.name}{len(self.exits) or ''}"
        environ = os.environ | self._system.environ | {"BENCH_URL": self._url, "PYTHONPATH": str(ROOT)}
        with (self._folder / f"{name}.log").open("wb") as log:
            self.process = subprocess.Popen(
                self._system.worker_command(self._url, name),
                cwd=ROOT,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._is_end_noted = False
        self.look()

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def look(self) -> set[psutil.Process]:
        """The main process and all below it.  They are remembered: orphans cannot be found by their parent."""
        try:
            main = psutil.Process(self.process.pid)
            found = {main, *main.children(recursive=True)} if self.is_alive else set()
        except psutil.NoSuchProcess:
            found = set()
        self.seen |= found
        return found

    def has_run(self, pid: int) -> bool:
        """Whether a process of this worker has had this pid."""
        return any(process.pid == pid for process in self.seen)

    def supervise(self) -> None:
        """Note that it ended by itself, and start it again in time."""
        self.look()
        if self.is_alive or self.is_left_alone:
            return
        now = time.monotonic()
        if not self._is_end_noted:
            self._is_end_noted = True
            self._exits_at.append(now)
            self.exits.append(self.process.returncode)
        recent = [at for at in self._exits_at if at > self._exits_at[-1] - WITHIN_SECONDS]
        if now > self._exits_at[-1] + RESTART_SECONDS and len(recent) <= MOST_EXITS:
            self._start()

    def stop_all(self) -> None:
        """SIGSTOP to every process, the main one first."""
        for process in (psutil.Process(self.process.pid), *self.look()):
            _send(process, signal.SIGSTOP)

    def continue_all(self) -> None:
        for process in self.seen:
            _send(process, signal.SIGCONT)

    def alive(self) -> list[psutil.Process]:
        """Those of its processes that live, wherever their parents are."""
        return [process for process in self.seen if _is_alive(process)]

    def close(self) -> None:
        """End everything that it ever started: the main process, then what does not follow it by itself."""
        self.is_left_alone = True
        self.look()
        self.continue_all()
        self.process.kill()
        self.process.wait()
        psutil.wait_procs(self.alive(), FOLLOW_SECONDS)
        for process in self.alive():
            _send(process, signal.SIGKILL)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
