"""W1: independent submits of a task that does nothing, all results at the client."""

from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor

from bench.hosts import executor, url_of
from bench.measure import Run, alternated, measured, report
from bench.peers.contender import about
from bench.peers.contender import contenders as peer_contenders
from bench.tasks import nothing

TASKS = 100_000
BASELINE = "ProcessPoolExecutor(2)"


def main(rounds: int = 5, peers: Sequence[str] = ()) -> None:
    """Two processes on either side."""
    with executor() as ours, ProcessPoolExecutor(2) as pool:
        contenders = {BASELINE: lambda: submits(pool), "farpool": lambda: submits(ours, url_of(ours))}
        for contender in contenders.values():
            contender()
        contenders |= peer_contenders(peers, "w1")
        runs = alternated(contenders, rounds)
    report(f"W1 {TASKS:,} submits", runs, TASKS, "task", BASELINE, peers=about(peers))


def submits(pool: Executor, url: str | None = None) -> Run:
    """Submit all, then look at each result."""
    with measured(url) as run:
        futures = [pool.submit(nothing) for _ in range(TASKS)]
        results = [future.result() for future in futures]
    assert results == [None] * TASKS
    return run


if __name__ == "__main__":
    main()
