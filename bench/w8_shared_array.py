"""W8: one array of 100 MB given to 1,000 calls of one map; also how often it went over the wire.

Each round has an array of its own, so that nobody profits from the round before.
"""

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import joblib
import numpy as np
import redis

from bench.hosts import executor, url_of
from bench.measure import Run, alternated, measured, report
from bench.tasks import stripe_sum

LENGTH, CALLS = 12_500_000, 1_000


def main(rounds: int = 5) -> None:
    """farpool with chunksize "auto" and call by call, joblib with loky's processes and its memory maps."""
    arrays = _arrays()
    with executor() as ours, joblib.Parallel(n_jobs=2) as loky:
        client = redis.Redis.from_url(url_of(ours))
        contenders = {
            "joblib, loky": lambda: by_joblib(loky, next(arrays)),
            "farpool, auto": lambda: by_farpool(ours, next(arrays), "auto"),
            "farpool, call by call": lambda: by_farpool(ours, next(arrays), 1),
        }
        for contender in contenders.values():
            contender()
        before = _bytes(client)
        runs = alternated(contenders, rounds)
        received, sent = (after - start for after, start in zip(_bytes(client), before, strict=True))
    report("W8 one array of 100 MB for 1,000 calls", runs, CALLS, "calls", "joblib, loky")
    puts, megabytes = 2 * rounds, LENGTH * 8 / 1e6
    print(
        f"W8 per map: the server received {received / puts / 1e6:.1f} MB and sent {sent / puts / 1e6:.1f} MB; ", end=""
    )
    print(f"the array has {megabytes:.0f} MB, and 2 hosts fetch it")


def by_farpool(pool: Any, array: np.ndarray, chunksize: Any) -> Run:
    """The array is found to be the same for all calls."""
    with measured() as run:
        sums = list(pool.map(stripe_sum, repeat(array), range(CALLS), chunksize=chunksize))
    return checked(run, sums, array)


def by_joblib(pool: joblib.Parallel, array: np.ndarray) -> Run:
    """joblib writes a large array to a file that its processes map."""
    with measured() as run:
        sums = pool(joblib.delayed(stripe_sum)(array, number) for number in range(CALLS))
    return checked(run, sums, array)


def checked(run: Run, sums: list[float], array: np.ndarray) -> Run:
    """The run, if its results are right."""
    assert np.isclose(sum(sums), array.sum())
    return run


def _arrays() -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    while True:
        yield rng.random(LENGTH)


def _bytes(client: redis.Redis) -> tuple[int, int]:
    """What the server has received and sent so far."""
    stats: Any = client.info("stats")
    return stats["total_net_input_bytes"], stats["total_net_output_bytes"]


if __name__ == "__main__":
    main()
