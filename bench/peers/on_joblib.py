"""joblib: one open Parallel of two processes, which batches calls by itself."""

from collections.abc import Sequence
from typing import Any

from joblib import Parallel, delayed

from bench.peers.common import TASKS


class Peer:
    """It has no way to hand over one call and take its result later."""

    def __init__(self) -> None:
        self.parallel = Parallel(n_jobs=2)
        self.parallel.__enter__()

    def call(self, name: str, value: Any) -> Any:
        return self.call_each(name, [value])[0]

    def call_each(self, name: str, values: Sequence[Any]) -> list[Any]:
        return list(self.parallel(delayed(TASKS[name])(value) for value in values))

    map = call_each

    def close(self) -> None:
        self.parallel.__exit__(None, None, None)
