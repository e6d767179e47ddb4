"""W4: the NumPy job, seeds 0 to 7, with as many processes on either side."""

from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor

from bench.hosts import executor, url_of
from bench.measure import Run, alternated, measured, report
from bench.peers.contender import about
from bench.peers.contender import contenders as peer_contenders
from bench.tasks import wave_mean

SEEDS = range(8)
FIRST_MEAN = 1.301141750443172
BASELINE = "ProcessPoolExecutor(2)"


def main(rounds: int = 5, peers: Sequence[str] = ()) -> None:
    """Two daemons with a slot each against a pool of two."""
    with executor() as ours, ProcessPoolExecutor(2) as pool:
        contenders = {BASELINE: lambda: means(pool), "farpool": lambda: means(ours, url_of(ours))}
        for contender in contenders.values():
            contender()
        contenders |= peer_contenders(peers, "w4")
        runs = alternated(contenders, rounds)
    report(f"W4 {len(SEEDS)} NumPy jobs", runs, len(SEEDS), "task", BASELINE, peers=about(peers))


def means(pool: Executor, url: str | None = None) -> Run:
    """The job once, values looked at."""
    with measured(url) as run:
        values = list(pool.map(wave_mean, SEEDS))
    assert len(values) == len(SEEDS)
    assert abs(values[0] - FIRST_MEAN) < 1e-12
    return run


if __name__ == "__main__":
    main()
