"""Runs a daemon in this process: what children inherit is set first, then the daemon is loaded."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from farpool_worker.host.blas import thread_limits
from farpool_worker.host.memory import warm_settings
from farpool_worker.log import log
from farpool_worker.settings import WorkerSettings

SECRETS = ("FARPOOL_URL", "RQ_REDIS_URL", "REDIS_URL", "FARPOOL_PASSWORD_FILE")
"""Not in the environment of children, where programs that tasks start would inherit it (docs/shared-state.md)."""


@dataclass(frozen=True)
class Served:
    """How a daemon ended: its exit code, and how many jobs of RQ producers have run."""

    code: int
    jobs: int


def serve(settings: WorkerSettings, *, keeps_secrets: bool) -> Served:
    """Serve until the end.  `keeps_secrets`: RQ's users expect their jobs to find REDIS_URL."""
    address = settings.address
    log.info("server %s (from %s)", address.masked, address.source)
    threads = thread_limits(os.environ)
    log.info("slots=%d (%s), %s", settings.slots, settings.slots_reason, threads)
    secrets = ("FARPOOL_KEY", *(() if keeps_secrets else SECRETS))
    with _environment({**threads.to_set, **warm_settings(os.environ), "FARPOOL_CHILD": "1"}, without=secrets):
        from farpool_worker.daemon import Daemon  # after the environment: children inherit it

        daemon = Daemon(settings)
        return Served(daemon.run(), daemon.jobs_ended)


@contextmanager
def _environment(changes: Mapping[str, str], without: Collection[str]) -> Iterator[None]:
    """The process may run on afterwards, when it is somebody else's program."""
    before = dict(os.environ)
    os.environ.update(changes)
    for name in without:
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
