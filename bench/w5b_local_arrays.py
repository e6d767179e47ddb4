"""W5b: the arrays of W5 on the embedded pool, where they pass by shared memory; and the same through Redis."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from unittest import mock

import numpy as np

from bench.hosts import executor
from bench.measure import alternated, report
from bench.w5_arrays import there_and_back
from farpool import Executor
from farpool_common.shared import SharedFolder

SIZES = {"1 MB": (125_000, 200), "8 MB": (1_000_000, 40), "64 MB": (8_000_000, 5)}
BASELINE = "ProcessPoolExecutor(2)"


def main(rounds: int = 5) -> None:
    """Each size in turn."""
    with through_redis() as redis, executor() as ours, ProcessPoolExecutor(2) as pool:
        for name, (length, times) in SIZES.items():
            array = np.random.default_rng(0).random(length)
            contenders = {
                BASELINE: lambda a=array, n=times: there_and_back(pool, a, n),
                "farpool": lambda a=array, n=times: there_and_back(ours, a, n),
                "farpool through Redis": lambda a=array, n=times: there_and_back(redis, a, n),
            }
            for contender in contenders.values():
                contender()
            megabytes = round(2 * array.nbytes * times / 1e6)
            runs = alternated(contenders, rounds)
            report(f"W5b-{name.replace(' ', '')} arrays on the embedded pool", runs, megabytes, "MB", BASELINE)


@contextmanager
def through_redis() -> Iterator[Executor]:
    """An executor on a pool that has no shared memory."""
    with mock.patch.object(SharedFolder, "created", return_value=None):
        pool = executor()
        found = pool.__enter__()
    try:
        yield found
    finally:
        pool.__exit__(None, None, None)


if __name__ == "__main__":
    main()
