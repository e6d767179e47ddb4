"""Runs a daemon in this process: what children inherit is set first, then the daemon is loaded."""

import os

from farpool_worker.blas import thread_limits
from farpool_worker.log import log
from farpool_worker.memory import warm_settings
from farpool_worker.settings import WorkerSettings

SECRETS = ("FARPOOL_URL", "RQ_REDIS_URL", "REDIS_URL", "FARPOOL_PASSWORD_FILE")
"""Not for children: task code holds no credentials of the queue (decision 4)."""


def serve(settings: WorkerSettings, *, keeps_secrets: bool) -> int:
    """Serve until the end; the exit code.  `keeps_secrets`: RQ's users expect their jobs to find REDIS_URL."""
    address = settings.address
    log.info("server %s (from %s)", address.masked, address.source)
    threads = thread_limits(os.environ)
    os.environ.update(threads.to_set)
    os.environ.update(warm_settings(os.environ))
    log.info("slots=%d (%s), %s", settings.slots, settings.slots_reason, threads)
    for secret in ("FARPOOL_KEY", *(() if keeps_secrets else SECRETS)):
        os.environ.pop(secret, None)
    os.environ["FARPOOL_CHILD"] = "1"
    from farpool_worker.daemon import Daemon  # after the environment: children inherit it

    return Daemon(settings).run()
