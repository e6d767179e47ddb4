"""The worker daemon: claims tasks on one host and fans them out to a pool of processes."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from farpool_worker.pool_worker import PoolWorker

__all__ = ["PoolWorker"]


def __getattr__(name: str) -> Any:
    """`farpool_worker.PoolWorker` for `rq worker -w`, without loading RQ for everybody else."""
    if name == "PoolWorker":
        from farpool_worker.pool_worker import PoolWorker

        return PoolWorker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
