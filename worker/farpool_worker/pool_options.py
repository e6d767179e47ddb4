"""A pool's options, from a daemon's settings."""

from farpool_common.trust import Trust
from farpool_worker.pool.pool import PoolOptions
from farpool_worker.settings import WorkerSettings


def pool_options(settings: WorkerSettings) -> PoolOptions:
    """What the pool needs to know of them."""
    return PoolOptions(
        size=settings.slots,
        trust=Trust(settings.roots, settings.allowed, settings.allow_any),
        max_calls_per_child=settings.max_tasks_per_child,
        max_result_bytes=settings.max_result_bytes,
        start_method=settings.start_method,
        jobs=settings.jobs,
        folder=settings.folder,
        log_bytes=settings.log_bytes,
        shares_memory=settings.shares_memory,
    )
