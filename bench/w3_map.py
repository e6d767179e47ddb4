"""W3: a map of a million numbers, in order."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

from bench.hosts import executor, url_of
from bench.measure import Run, alternated, measured, report
from bench.peers.contender import about
from bench.peers.contender import contenders as peer_contenders
from bench.tasks import square

ITEMS = 1_000_000
BASELINE = "ProcessPoolExecutor(2)"


def main(rounds: int = 5, peers: Sequence[str] = ()) -> None:
    """Against both pools of the standard library."""
    with executor() as ours, ProcessPoolExecutor(2) as pool, multiprocessing.Pool(2) as mp_pool:
        contenders = {
            BASELINE: lambda: checked(lambda: list(pool.map(square, range(ITEMS), chunksize=ITEMS // 8))),
            "multiprocessing.Pool(2)": lambda: checked(lambda: mp_pool.map(square, range(ITEMS))),
            "farpool": lambda: checked(lambda: list(ours.map(square, range(ITEMS), chunksize="auto")), url_of(ours)),
        }
        for contender in contenders.values():
            contender()
        contenders |= peer_contenders(peers, "w3")
        runs = alternated(contenders, rounds)
    report(f"W3 map of {ITEMS:,}", runs, ITEMS, "item", BASELINE, peers=about(peers))


def checked(run_map: Callable[[], list[int]], url: str | None = None) -> Run:
    """Time a map and look at all its results."""
    with measured(url) as run:
        results = run_map()
    assert results == [number * number for number in range(ITEMS)]
    return run


if __name__ == "__main__":
    main()
