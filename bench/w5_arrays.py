"""W5: arrays there and back, one at a time; also whether memory stays flat over 100 rounds of 64 MB."""

from concurrent.futures import Executor, ProcessPoolExecutor

import numpy as np
import psutil

from bench.hosts import executor
from bench.measure import Run, alternated, measured, report
from bench.tasks import doubled

SIZES = {"1 MB": (125_000, 200), "64 MB": (8_000_000, 5)}
STEADY_ROUNDS = 100


def main(rounds: int = 5) -> None:
    """Both sizes, then the steady run."""
    with executor() as ours, ProcessPoolExecutor(2) as pool:
        for name, (length, times) in SIZES.items():
            array = np.random.default_rng(0).random(length)
            contenders = {
                "ProcessPoolExecutor(2)": lambda a=array, n=times: there_and_back(pool, a, n),
                "farpool": lambda a=array, n=times: there_and_back(ours, a, n),
            }
            for contender in contenders.values():
                contender()
            megabytes = round(2 * array.nbytes * times / 1e6)
            runs = alternated(contenders, rounds)
            report(f"W5-{name.replace(' ', '')} arrays there and back", runs, megabytes, "MB", "ProcessPoolExecutor(2)")
        steady(ours)


def there_and_back(pool: Executor, array: np.ndarray, times: int) -> Run:
    """Send, receive, look at the ends."""
    with measured() as run:
        for _ in range(times):
            result = pool.submit(doubled, array).result()
            assert result[-1] == 2.0 * array[-1]
    return run


def steady(pool: Executor) -> None:
    """Resident memory of every process after 10 and after 100 rounds."""
    array = np.random.default_rng(0).random(SIZES["64 MB"][0])
    for number in range(1, STEADY_ROUNDS + 1):
        pool.submit(doubled, array).result()
        if number in (10, STEADY_ROUNDS):
            me = psutil.Process()
            sizes = [process.memory_info().rss for process in (me, *me.children(recursive=True))]
            print(f"W5 after {number:3} rounds of 64 MB: resident {sum(sizes) / 1e6:,.0f} MB in {len(sizes)} processes")


if __name__ == "__main__":
    main()
