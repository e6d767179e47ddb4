"""W5b: the arrays of W5 on the embedded pool, where they pass by shared memory; and the same through Redis."""

from concurrent.futures import ProcessPoolExecutor

import numpy as np

from bench.hosts import executor
from bench.measure import alternated, report
from bench.w5_arrays import there_and_back

SIZES = {"1 MB": (125_000, 200), "8 MB": (1_000_000, 40), "64 MB": (8_000_000, 5)}
BASELINE = "ProcessPoolExecutor(2)"


def main(rounds: int = 5) -> None:
    """Each size in turn."""
    with executor(1, 2, shares_memory=False) as redis, executor(1, 2) as ours, ProcessPoolExecutor(2) as pool:
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


if __name__ == "__main__":
    main()
