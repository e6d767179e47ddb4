"""W3: a map of a million numbers, in order."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from bench.hosts import executor
from bench.measure import Run, alternated, measured, report
from bench.tasks import square

ITEMS = 1_000_000


def main(rounds: int = 5) -> None:
    """Against both pools of the standard library."""
    with executor() as ours, ProcessPoolExecutor(2) as pool, multiprocessing.Pool(2) as mp_pool:
        contenders = {
            "multiprocessing.Pool(2)": lambda: checked(lambda: mp_pool.map(square, range(ITEMS))),
            "ProcessPoolExecutor(2)": lambda: checked(
                lambda: list(pool.map(square, range(ITEMS), chunksize=ITEMS // 8))
            ),
            "farpool": lambda: checked(lambda: list(ours.map(square, range(ITEMS), chunksize="auto"))),
        }
        for contender in contenders.values():
            contender()
        runs = alternated(contenders, rounds)
    report(f"W3 map of {ITEMS:,}", runs, ITEMS, "item", "multiprocessing.Pool(2)")


def checked(run_map) -> Run:
    """Time a map and look at its results."""
    with measured() as run:
        results = run_map()
    assert len(results) == ITEMS
    assert results[::99_991] == [number * number for number in range(0, ITEMS, 99_991)]
    return run


if __name__ == "__main__":
    main()
