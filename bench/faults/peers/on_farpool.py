"""farpool: calls of an executor."""

import concurrent.futures
import os
import time
from typing import Any

from bench.faults import tasks
from bench.faults.outcome import PENDING, Outcome, done, failed
from bench.faults.peers import rq_records
from farpool import Executor
from farpool_common.broker import balance, connect
from farpool_common.keys import Keys

COUNT_SECONDS = 5.0
"""A task leaves a tombstone for two minutes; what has ended is counted more often than that."""


class Client:
    """An executor, and a look at the server's own count of ends."""

    def __init__(self) -> None:
        self.url = os.environ["BENCH_URL"]
        self.executor = Executor(self.url)
        self.futures: dict[str, concurrent.futures.Future[Any]] = {}
        self.ended: set[bytes] = set()
        self.counted_at = time.monotonic()

    def submit(self, key: str, call: str, args: list[Any]) -> None:
        self.futures[key] = self.executor.submit(getattr(tasks, call), *args)

    def look(self, key: str) -> Outcome:
        if time.monotonic() > self.counted_at + COUNT_SECONDS:
            self.counted_at = time.monotonic()
            self._count_ends()
        future = self.futures[key]
        if not future.done():
            return PENDING
        error = future.exception()
        return done(future.result()) if error is None else failed(error)

    def spoil(self, number: int) -> str:
        with connect(self.url) as client:
            return rq_records.spoil(client, number)

    def doubles(self) -> int:
        """The scripts count each end that they write; each task that has ended is one record."""
        self._count_ends()
        with connect(self.url) as client:
            books = balance(client, Keys(), self.url)
        return max(0, books.finished + books.failed - len(self.ended))

    def _count_ends(self) -> None:
        with connect(self.url) as client:
            records = client.scan_iter("rq:job:*", _type="hash")
            self.ended |= {record for record in records if client.hexists(record, "farpool_execution")}

    def close(self) -> None:
        self.executor.shutdown(wait=False, cancel_futures=True)
