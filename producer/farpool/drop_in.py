"""What has other parameters here than in the standard library, with those of the standard library."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from farpool.client.connect import find_server
from farpool.executor import Executor


class ProcessPoolExecutor(Executor):
    """An `Executor` with the parameters of `concurrent.futures.ProcessPoolExecutor`, for scripts whose import changes.

    The server is found as `Executor()` finds it.  `mp_context` and `max_tasks_per_child` are the workers' to decide: a
    warning says so, and they have no other effect.  Raises what `Executor` raises.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: Any = None,
        initializer: Callable[..., object] | None = None,
        initargs: Sequence[Any] = (),
        *,
        max_tasks_per_child: int | None = None,
    ) -> None:
        if mp_context is not None:
            warnings.warn("mp_context has no effect here: workers start their processes", RuntimeWarning, stacklevel=2)
        warn_of_tasks_per_child("max_tasks_per_child", max_tasks_per_child, stacklevel=3)
        super().__init__(max_workers=max_workers, initializer=initializer, initargs=initargs)


def cpu_count(url: str | None = None, *, queue: str = "default") -> int:
    """Slots of all hosts that serve a queue now, at least 1: of many hosts what `multiprocessing.cpu_count` is of one.

    The server is found as `Executor` finds it.  Raises ServerError.
    """
    broker = find_server(url).broker()
    try:
        return max(1, sum(host.slots for host in broker.hosts(queue)))
    finally:
        broker.close()


def warn_of_tasks_per_child(name: str, number: Any, stacklevel: int) -> None:
    """Say that a number of tasks per process has no effect, and where it has one.  Raises ValueError for no number."""
    if number is None:
        return
    if not isinstance(number, int) or number <= 0:
        raise ValueError(f"{name} must be a positive int or None")
    warnings.warn(
        f"{name}={number} has no effect here: workers decide when to replace their processes. "
        f"Start them with: farpool worker --max-tasks-per-child {number}",
        RuntimeWarning,
        stacklevel=stacklevel,
    )
