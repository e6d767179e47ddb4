"""The standard library's pools of two processes, in the client's own process."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.pool import AsyncResult
from typing import Any, Protocol

from bench.faults import tasks
from bench.faults.outcome import PENDING, Outcome, done, failed


class _Pending(Protocol):
    def done(self) -> bool: ...
    def result(self) -> Any: ...


class _Applied:
    """A result of multiprocessing.Pool with a future's names."""

    def __init__(self, applied: AsyncResult) -> None:
        self.done, self.result = applied.ready, applied.get


class Client:
    """ProcessPoolExecutor(2), or multiprocessing.Pool(2) with BENCH_VARIANT=multiprocessing."""

    def __init__(self) -> None:
        self.is_mp = os.environ.get("BENCH_VARIANT") == "multiprocessing"
        self.pool: Any = multiprocessing.Pool(2) if self.is_mp else ProcessPoolExecutor(2)
        self.calls: dict[str, _Pending] = {}

    def submit(self, key: str, call: str, args: list[Any]) -> None:
        function = getattr(tasks, call)
        self.calls[key] = (
            _Applied(self.pool.apply_async(function, args)) if self.is_mp else self.pool.submit(function, *args)
        )

    def look(self, key: str) -> Outcome:
        call = self.calls[key]
        if not call.done():
            return PENDING
        try:
            return done(call.result())
        except Exception as error:
            return failed(error)

    def spoil(self, number: int) -> str:
        raise NotImplementedError("a pool has no queue that others write to")

    def doubles(self) -> int:
        return 0

    def close(self) -> None:
        """At once: a broken pool may never end by itself."""
        for process in multiprocessing.active_children():
            process.kill()
        os._exit(0)
