"""Where /dev/shm is small (a container has 64 MB) or missing, arrays go through the server, and nothing is lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parents[2] / "support"

SCRIPT = f"""
import json, os, sys
sys.path.insert(0, {str(SUPPORT)!r})
import array_tasks as tasks
import numpy as np
import redis
from farpool import Executor
from farpool.embedded import LocalPool

def received():
    return client.info("stats")["total_net_input_bytes"]

with LocalPool([("one", 2)], paths=[{str(SUPPORT)!r}]) as pool, Executor(pool.url) as executor:
    client = redis.Redis.from_url(pool.url)
    shares = []
    for length in (100_000, 2_000_000, 100_000):
        before = received()
        array = np.arange(length, dtype=float)
        found = executor.submit(tasks.doubled, array).result(60)
        assert np.array_equal(found, array * 2), length
        shares.append((received() - before) / array.nbytes)
    # All at once and all kept: some find room and some do not.
    kept = list(executor.map(tasks.doubled, [np.full(300_000, float(n)) for n in range(40)]))
    assert [float(each.min()) for each in kept] == [2.0 * n for n in range(40)]
    del kept, found
    executor.submit(tasks.doubled, np.ones(100_000)).result(60)
    print(json.dumps([round(share) for share in shares]))
"""


def run(mount: str) -> list[int]:
    """How many times the bytes of each array went to the server."""
    command = ["unshare", "-m", "sh", "-c", f'{mount} && exec "$0" -c "$1"', sys.executable, SCRIPT]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    shares: list[int] = json.loads(ended.stdout.splitlines()[-1])
    return shares


def test_an_array_for_which_there_is_no_room_goes_through_the_server():
    assert run("mount -t tmpfs -o size=8m none /dev/shm") == [0, 2, 0]


@pytest.mark.parametrize("options", ["ro", "size=8m,nr_inodes=2"])
def test_where_nothing_can_be_shared_all_goes_through_the_server(options):
    assert run(f"mount -t tmpfs -o {options} none /dev/shm") == [2, 2, 2]


def test_memory_that_others_fill_meanwhile_is_no_fault():
    shares = run("mount -t tmpfs -o size=8m none /dev/shm && head -c 7000000 /dev/zero > /dev/shm/others")
    assert shares == [2, 2, 2]
