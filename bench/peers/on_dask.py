"""dask.distributed: a local cluster of two processes, whose scheduler lives in the client's process."""

from collections.abc import Sequence
from typing import Any

import dask.bag
from distributed import Client, LocalCluster

from bench.peers.common import ARRAYS, CHUNKS, TASKS

WAIT_SECONDS = 120


class Peer:
    """Calls by `submit` and `map`, W3 by a bag of eight partitions."""

    def __init__(self) -> None:
        self.cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
        self.client = Client(self.cluster, direct_to_workers=True)

    def call(self, name: str, value: Any) -> Any:
        sent = self.client.scatter(value, hash=False) if ARRAYS else value
        return self.client.submit(TASKS[name], sent, pure=False).result(WAIT_SECONDS)

    def call_each(self, name: str, values: Sequence[Any]) -> list[Any]:
        return self.client.gather(self.client.map(TASKS[name], list(values), pure=False))

    def map(self, name: str, values: Sequence[Any]) -> list[Any]:
        return dask.bag.from_sequence(values, npartitions=CHUNKS).map(TASKS[name]).compute(scheduler=self.client)

    def close(self) -> None:
        self.client.close()
        self.cluster.close()
