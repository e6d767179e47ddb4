"""W2: one submit and its result at a time, on an idle system."""

import statistics
import time
from concurrent.futures import Executor, ProcessPoolExecutor

from bench.hosts import executor
from bench.tasks import nothing

TASKS = 2_000


def main(rounds: int = 3) -> None:
    """p50 and p99 of each contender in each round."""
    with executor() as ours, ProcessPoolExecutor(2) as pool:
        for _ in range(rounds):
            for name, contender in (("ProcessPoolExecutor(2)", pool), ("farpool", ours)):
                times = round_trips(contender)
                p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
                print(f"W2 {name:24} p50 {p50 * 1000:.3f} ms   p99 {p99 * 1000:.3f} ms")


def round_trips(pool: Executor) -> list[float]:
    """Seconds of each round trip."""
    times = []
    for _ in range(TASKS):
        started = time.perf_counter()
        pool.submit(nothing).result()
        times.append(time.perf_counter() - started)
    return times


if __name__ == "__main__":
    main()
