"""W5: arrays there and back, one at a time; also whether memory stays flat over 100 rounds of 64 MB."""

from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor

import numpy as np
import psutil
import redis

from bench.hosts import executor, url_of
from bench.measure import Run, alternated, measured, report
from bench.peers.contender import about
from bench.peers.contender import contenders as peer_contenders
from bench.tasks import doubled

SIZES = {"1 MB": (125_000, 200), "64 MB": (8_000_000, 5)}
STEADY_ROUNDS = 100
BASELINE = "ProcessPoolExecutor(2)"


def main(rounds: int = 5, peers: Sequence[str] = ()) -> None:
    """Both sizes, then the steady run."""
    with executor(1, 2, shares_memory=False) as ours, ProcessPoolExecutor(2) as pool:
        url = url_of(ours)
        for name, (length, times) in SIZES.items():
            array = np.random.default_rng(0).random(length)
            contenders = {
                BASELINE: lambda a=array, n=times: there_and_back(pool, a, n),
                "redis-py SET + GET": lambda a=array, n=times: set_and_got(url, a, n),
                "farpool": lambda a=array, n=times: there_and_back(ours, a, n, url),
            }
            for contender in contenders.values():
                contender()
            word = f"W5-{name.replace(' ', '')}"
            contenders |= peer_contenders(peers, word.replace("W", "w"))
            runs, megabytes = alternated(contenders, rounds), round(2 * array.nbytes * times / 1e6)
            report(f"{word} arrays there and back", runs, megabytes, "MB", BASELINE, peers=about(peers))
        steady(ours)


def there_and_back(pool: Executor, array: np.ndarray, times: int, url: str | None = None) -> Run:
    """Send, receive, look at the ends."""
    with measured(url) as run:
        for _ in range(times):
            result = pool.submit(doubled, array).result()
            assert result.shape == array.shape
            assert result[-1] == 2.0 * array[-1]
    return run


def set_and_got(url: str, array: np.ndarray, times: int) -> Run:
    """What the same bytes cost on their way alone: stored and fetched once there and once back."""
    key, data = "bench:raw", array.tobytes()
    with redis.Redis.from_url(url) as client:
        with measured(url) as run:
            for _ in range(2 * times):
                client.set(key, data)
                assert len(client.get(key)) == len(data)
        client.delete(key)
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
