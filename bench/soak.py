"""A soak: small, large and failing tasks for a few minutes; then what is left, against the start.

python -m bench.soak [SECONDS]
"""

import random
import sys
import time
from collections import Counter

import numpy as np
import psutil

from bench.hosts import ROOT
from bench.tasks import doubled, maybe_fails, square
from farpool import Executor, wait
from farpool.embedded import LocalPool
from farpool_common.broker import connect

SEED = 20261123


def main(seconds: float = 180.0) -> None:
    """Two daemons with a slot each."""
    chance = random.Random(SEED)
    print(f"soak of {seconds:.0f} s, seed {SEED}")
    with LocalPool([("host0", 1), ("host1", 1)], paths=[ROOT]) as pool:
        with Executor(pool.url) as warm:
            a_round(warm, chance)
            start = census(pool.url, "start")
            done, until = Counter[str](), time.monotonic() + seconds
            with Executor(pool.url) as executor:
                while time.monotonic() < until:
                    done += a_round(executor, chance)
        print(", ".join(f"{count:,} {name}" for name, count in sorted(done.items())))
        end = census(pool.url, "end")
        time.sleep(125)  # tombstones live for two minutes
        last = census(pool.url, "two minutes later")
    print(
        f"difference: {end['fds'] - start['fds']:+} descriptors, {end['rss'] - start['rss']:+.0f} MB, "
        f"{last['keys'] - start['keys']:+} keys"
    )


def a_round(executor: Executor, chance: random.Random) -> Counter[str]:
    """A mixed batch, its results looked at."""
    small = [executor.submit(square, n) for n in range(chance.randrange(1, 2000))]
    failing = [executor.submit(maybe_fails, n) for n in range(chance.randrange(1, 200))]
    arrays = [np.full(chance.randrange(1, 2_000_000), 1.5) for _ in range(3)]
    large = [executor.submit(doubled, array) for array in arrays]
    wait([*small, *failing, *large])
    assert [future.result() for future in small] == [n * n for n in range(len(small))]
    assert all((future.exception() is not None) == (n % 10 == 0) for n, future in enumerate(failing))
    assert all((future.result() == 3.0).all() for future in large)
    return Counter(small=len(small), failing=len(failing), large=len(large))


def census(url: str, moment: str) -> dict[str, float]:
    """Keys in the server; descriptors and memory of all processes."""
    with connect(url) as client:
        kinds = Counter(":".join(key.decode().split(":")[:3]) for key in client.scan_iter(count=1000))
        used = client.info("memory")["used_memory"]
    me = psutil.Process()
    processes = [me, *me.children(recursive=True)]
    found = {
        "keys": sum(kinds.values()),
        "fds": sum(process.num_fds() for process in processes),
        "rss": sum(process.memory_info().rss for process in processes) / 1e6,
    }
    print(
        f"{moment}: {found['keys']} keys, {used / 1e6:.1f} MB in the server, {found['fds']} descriptors, "
        f"{found['rss']:.0f} MB resident in {len(processes)} processes"
    )
    return found


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 180.0)
