"""W2: one submit and its result at a time, on an idle system."""

import time
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor

from bench.hosts import executor, url_of
from bench.measure import Run, alternated, measured, report, timed
from bench.peers.contender import about
from bench.peers.contender import contenders as peer_contenders
from bench.tasks import nothing

TASKS, WARMING = 2_000, 200
BASELINE = "ProcessPoolExecutor(2)"


def main(rounds: int = 5, peers: Sequence[str] = ()) -> None:
    """p50 and p99 of each contender, in each round."""
    with executor(daemons=1, slots=2) as ours, ProcessPoolExecutor(2) as pool:
        contenders = {BASELINE: lambda: round_trips(pool), "farpool": lambda: round_trips(ours, url_of(ours))}
        for contender in (pool, ours):
            round_trips(contender, amount=WARMING)
        contenders |= peer_contenders(peers, "w2")
        runs = alternated(contenders, rounds)
    report("W2 one task at a time", runs, TASKS, "task", BASELINE, peers=about(peers))


def round_trips(pool: Executor, url: str | None = None, amount: int = TASKS) -> Run:
    """Each timed by itself."""
    times = []
    with measured(url) as run:
        for _ in range(amount):
            started = time.perf_counter()
            result = pool.submit(nothing).result()
            times.append(time.perf_counter() - started)
            assert result is None
    return timed(run, times)


if __name__ == "__main__":
    main()
