"""Ray: tasks without state on two processors, objects in shared memory."""

from collections.abc import Sequence
from typing import Any

import ray
from ray.util.multiprocessing import Pool

from bench.peers.common import TASKS, WORKLOAD

STORE_BYTES = 2_000_000_000


class Peer:
    """A result that is an array is a view of shared memory."""

    def __init__(self) -> None:
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=STORE_BYTES,
            configure_logging=False,
            log_to_driver=False,
        )
        self.tasks = {name: ray.remote(function) for name, function in TASKS.items()}
        self.pool = Pool(2) if WORKLOAD == "w3" else None

    def call(self, name: str, value: Any) -> Any:
        return ray.get(self.tasks[name].remote(value))

    def call_each(self, name: str, values: Sequence[Any]) -> list[Any]:
        if self.pool is not None:  # its two actors hold both processors
            return self.pool.map(TASKS[name], values, chunksize=1)
        return ray.get([self.tasks[name].remote(value) for value in values])

    def map(self, name: str, values: Sequence[Any]) -> list[Any]:
        assert self.pool is not None
        return self.pool.map(TASKS[name], values)

    def close(self) -> None:
        if self.pool is not None:
            self.pool.terminate()
        ray.shutdown()
