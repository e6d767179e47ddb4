"""W1: independent submits of a task that does nothing, all results at the client."""

from concurrent.futures import Executor, ProcessPoolExecutor

from bench.hosts import executor
from bench.measure import Run, alternated, measured, report
from bench.tasks import nothing

TASKS = 100_000


def main(rounds: int = 5) -> None:
    """Two processes on either side."""
    with executor() as ours, ProcessPoolExecutor(2) as pool:
        contenders = {"ProcessPoolExecutor(2)": lambda: submits(pool), "farpool": lambda: submits(ours)}
        for contender in contenders.values():
            contender()
        runs = alternated(contenders, rounds)
    report(f"W1 {TASKS:,} submits", runs, TASKS, "task", "ProcessPoolExecutor(2)")


def submits(pool: Executor) -> Run:
    """Submit all, then wait for each."""
    with measured() as run:
        futures = [pool.submit(nothing) for _ in range(TASKS)]
        for future in futures:
            future.result()
    return run


if __name__ == "__main__":
    main()
