"""farpool: calls of an executor."""

import concurrent.futures
import os
from typing import Any

from bench.faults import tasks
from bench.faults.outcome import PENDING, Outcome, done, failed
from bench.faults.peers import rq_records
from farpool import Executor
from farpool_common.broker import balance, connect
from farpool_common.keys import Keys


class Client:
    """An executor, and a look at the server's own count of ends."""

    def __init__(self) -> None:
        self.url = os.environ["BENCH_URL"]
        self.executor = Executor(self.url)
        self.futures: dict[str, concurrent.futures.Future[Any]] = {}

    def submit(self, key: str, call: str, args: list[Any]) -> None:
        self.futures[key] = self.executor.submit(getattr(tasks, call), *args)

    def look(self, key: str) -> Outcome:
        future = self.futures[key]
        if not future.done():
            return PENDING
        error = future.exception()
        return done(future.result()) if error is None else failed(error)

    def spoil(self, number: int) -> str:
        with connect(self.url) as client:
            return rq_records.spoil(client, number)

    def doubles(self) -> int:
        """A task of ours leaves a tombstone with its status; the scripts count each end that they write."""
        with connect(self.url) as client:
            books = balance(client, Keys(), self.url)
            records = list(client.scan_iter("rq:job:*", _type="hash"))
            ended = sum(client.hexists(record, "farpool_execution") for record in records)
        return max(0, books.finished + books.failed - ended)

    def close(self) -> None:
        self.executor.shutdown(wait=False, cancel_futures=True)
