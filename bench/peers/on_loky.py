"""loky: a reusable executor of two processes."""

from collections.abc import Sequence
from typing import Any

from loky import get_reusable_executor

from bench.peers.common import CHUNKS, TASKS


class Peer:
    """As with the standard library's executor."""

    def __init__(self) -> None:
        self.pool = get_reusable_executor(2)

    def call(self, name: str, value: Any) -> Any:
        return self.pool.submit(TASKS[name], value).result()

    def call_each(self, name: str, values: Sequence[Any]) -> list[Any]:
        futures = [self.pool.submit(TASKS[name], value) for value in values]
        return [future.result() for future in futures]

    def map(self, name: str, values: Sequence[Any]) -> list[Any]:
        return list(self.pool.map(TASKS[name], values, chunksize=max(1, len(values) // CHUNKS)))

    def close(self) -> None:
        self.pool.shutdown(kill_workers=True)
