"""RQ's own worker as tests start it beside our daemons, and the functions that both run."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import redis
from rq import Worker

SUPPORT = Path(__file__).parent

AS_RQ = ("--accept", "pickle,json,msgpack", "--allow-any")
"""Options with which our daemon serves a queue as RQ's worker does."""


@contextmanager
def rq_worker(url: str, *words: str, log: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """`rq worker` with these options and queues; killed at the end, with what it forked, if it still runs."""
    command = [sys.executable, "-m", "rq.cli", "worker", "-u", url, *words]
    with open(log or os.devnull, "wb") as output:
        process = subprocess.Popen(command, cwd=SUPPORT, stdout=output, stderr=output)
    try:
        yield process
    finally:
        send_all(process.pid, signal.SIGKILL)
        process.wait()


def tree(pid: int) -> list[psutil.Process]:
    """A process and all below it."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def send_all(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process and all below it."""
    for found in tree(pid):
        with suppress(psutil.NoSuchProcess):  # it ended just now
            found.send_signal(number)


def is_listening(client: redis.Redis, queue: str = "default") -> bool:
    """Whether a worker has entered itself."""
    return bool(client.scard(f"rq:workers:{queue}"))


class Stalls(Worker):
    """RQ's worker, held up after it has taken a job from a queue and before it says so in Redis."""

    def prepare_execution(self, job):
        self.connection.set("popped", job.id)
        time.sleep(60)


# --- functions -------------------------------------------------------------------------------------


def notes(journal, seconds=0.0):
    """Note the start; the first one takes so long."""
    with open(journal, "a") as file:
        file.write(f"{os.getpid()}\n")
    if len(Path(journal).read_text().splitlines()) == 1:
        time.sleep(seconds)
    return "done"


def notes_and_waits(journal, gate):
    """Note the start, and return when the gate is open."""
    with open(journal, "a") as file:
        file.write(f"{os.getpid()}\n")
    while not Path(gate).exists():
        time.sleep(0.01)
    return "done"


def lasts(seconds=60):
    time.sleep(seconds)
    return "lasted"


def locks():
    return threading.Lock()


def on_success(job, connection, result):
    connection.incr("callbacks")


def quick():
    return "quick"


def raises():
    raise ValueError("no luck")


def add(a, b):
    return a + b


def tells(journal, number, seconds):
    time.sleep(seconds)
    with open(journal, "a") as file:
        file.write(f"{number} {os.getpid()}\n")
