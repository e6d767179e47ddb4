"""mpire: a pool of two forked processes that is kept alive."""

from collections.abc import Sequence
from typing import Any

from mpire import WorkerPool

from bench.peers.common import TASKS


class Peer:
    """Calls by `apply_async`, maps in its own chunks."""

    def __init__(self) -> None:
        self.pool = WorkerPool(n_jobs=2, start_method="fork", keep_alive=True)

    def call(self, name: str, value: Any) -> Any:
        return self.pool.apply(TASKS[name], args=(value,))

    def call_each(self, name: str, values: Sequence[Any]) -> list[Any]:
        sent = [self.pool.apply_async(TASKS[name], args=(value,)) for value in values]
        return [each.get() for each in sent]

    def map(self, name: str, values: Sequence[Any]) -> list[Any]:
        return self.pool.map(TASKS[name], values)

    def close(self) -> None:
        self.pool.terminate()
