"""farpool: calls of an executor."""

import os
from typing import Any

from bench.faults import tasks
from bench.faults.outcome import PENDING, Outcome, done, failed
from bench.faults.peers import rq_records
from farpool import Executor, Future
from farpool_common.broker import balance, connect
from farpool_common.keys import Keys

KEYS = Keys()


class Client:
    """An executor, and a look at the server's own count of ends."""

    def __init__(self) -> None:
        self.url = os.environ["BENCH_URL"]
        self.executor = Executor(self.url)
        self.futures: dict[str, Future[Any]] = {}

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
        """The scripts count each end that they write; a task that has ended is known by its future, or by the record
        that stays until its producer has read the end."""
        with connect(self.url) as client:
            records = [record.decode().rpartition(":")[2] for record in client.scan_iter("rq:job:*", _type="hash")]
            unread = {found for found in records if client.hexists(KEYS.job(found), "farpool_execution")}
            books = balance(client, KEYS, self.url)
        read = {future.id for future in self.futures.values() if future.done()}
        return max(0, books.finished + books.failed - len(unread | read))

    def close(self) -> None:
        self.executor.shutdown(wait=False, cancel_futures=True)
