"""`rq worker -w farpool_worker.PoolWorker`, as RQ's users start it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from daemons import SUPPORT, wait_for
from rq import Worker


@contextmanager
def pool_worker(
    url: str, *words: str, worker: str = "farpool_worker.PoolWorker", slots: int = 2, **environ: str
) -> Iterator[Worker]:
    """A worker that RQ's own command started, seen through RQ's own class."""
    command = [sys.executable, "-m", "rq.cli", "worker", "-w", worker, "-u", url, *words]
    with redis.Redis.from_url(url) as connection:
        known = {found.name for found in Worker.all(connection)}
        process = subprocess.Popen(
            command, cwd=SUPPORT, env=os.environ | {"FARPOOL_SLOTS": str(slots)} | environ, stderr=subprocess.PIPE
        )
        try:
            wait_for(lambda: process.poll() is not None or _new(connection, known), lambda: "no worker")
            (found,) = _new(connection, known)
            found.process = process
            yield found
        finally:
            process.terminate()
            process.communicate(timeout=40)


def _new(connection: redis.Redis, known: set[str]) -> list[Worker]:
    return [found for found in Worker.all(connection) if found.name not in known and found.get_state() != "started"]
