"""W4: the NumPy job, seeds 0 to 7, with as many processes on either side."""

from concurrent.futures import Executor, ProcessPoolExecutor

from bench.hosts import executor
from bench.measure import Run, alternated, measured, report
from bench.tasks import wave_mean

SEEDS = range(8)


def main(rounds: int = 7) -> None:
    """Two daemons with a slot each against a pool of two."""
    with executor() as ours, ProcessPoolExecutor(2) as pool:
        contenders = {"ProcessPoolExecutor(2)": lambda: means(pool), "farpool": lambda: means(ours)}
        for contender in contenders.values():
            contender()
        runs = alternated(contenders, rounds)
    report(f"W4 {len(SEEDS)} NumPy jobs", runs, len(SEEDS), "task", "ProcessPoolExecutor(2)")


def means(pool: Executor) -> Run:
    """The job once, values looked at."""
    with measured() as run:
        values = list(pool.map(wave_mean, SEEDS))
    assert abs(values[0] - 1.301141750443172) < 1e-12
    return run


if __name__ == "__main__":
    main()
