"""A peer's client, in a process and an environment of its own: `python -m bench.peers.adapter MODULE`.

The module has WORKERS, a list of commands (none for a pool), and a class Peer.  See `bench.serving` for how it is
told what to do; a result that is wrong ends the program.
"""

import importlib
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from bench.serving import serve

WORKERS, AT_ONCE, START_SECONDS, END_SECONDS = 2, 8, 60.0, 3.0
FIRST_MEAN = 1.301141750443172


class Peer(Protocol):
    """What each module of `bench.peers` has.  The names are those of `bench.peers.common.TASKS`."""

    def call(self, name: str, value: Any) -> Any:
        """The result of one call, waited for in the way that is quickest for one."""

    def call_each(self, name: str, values: Sequence[Any]) -> list[Any]:
        """The results of as many calls, each a task of its own, in order."""

    def map(self, name: str, values: Sequence[Any]) -> list[Any]:
        """The same by whatever the system has for it; chunks are welcome."""

    def close(self) -> None: ...


class Running:
    """A peer and its workers, all of which have done something."""

    def __init__(self, module: str) -> None:
        adapter = importlib.import_module(module)
        self._workers = [subprocess.Popen(command) for command in getattr(adapter, "WORKERS", ())]
        self.peer: Peer = adapter.Peer()
        deadline, seen = time.monotonic() + START_SECONDS, set[int]()
        while len(seen) < WORKERS:
            assert time.monotonic() < deadline, f"only {len(seen)} of {WORKERS} workers do anything"
            seen |= set(self.peer.call_each("slow_pid", [None] * AT_ONCE))

    def close(self) -> None:
        """Clients first; workers that do not end when asked are killed."""
        self.peer.close()
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            try:
                worker.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def w1(peer: Peer, amount: int) -> dict[str, Any]:
    results, seconds = _timed(lambda: peer.call_each("nothing", [None] * amount))
    assert results == [None] * amount
    return {"seconds": seconds}


def w2(peer: Peer, amount: int) -> dict[str, Any]:
    found = [_timed(lambda: peer.call("nothing", None)) for _ in range(amount)]
    assert [result for result, _ in found] == [None] * amount
    times = [seconds for _, seconds in found]
    return {"seconds": sum(times), "times": times}


def w3(peer: Peer, amount: int) -> dict[str, Any]:
    results, seconds = _timed(lambda: peer.map("square", range(amount)))
    assert results == [number * number for number in range(amount)]
    return {"seconds": seconds}


def w4(peer: Peer, amount: int) -> dict[str, Any]:
    results, seconds = _timed(lambda: peer.call_each("wave_mean", range(amount)))
    assert len(results) == amount
    assert abs(results[0] - FIRST_MEAN) < 1e-12
    return {"seconds": seconds}


def w5(peer: Peer, amount: int, length: int) -> dict[str, Any]:
    array, total = np.random.default_rng(0).random(length), 0.0
    for _ in range(amount):
        result, seconds = _timed(lambda: peer.call("doubled", array))
        total += seconds
        assert result.shape == array.shape
        assert result[-1] == 2.0 * array[-1]
    return {"seconds": total}


ORDERS = {"w1": w1, "w2": w2, "w3": w3, "w4": w4, "w5": w5}


def answer(running: Running, order: dict[str, Any]) -> dict[str, Any]:
    """Do a workload once."""
    return ORDERS[order.pop("do")](running.peer, **order)


def _timed(run: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = run()
    return result, time.perf_counter() - started


if __name__ == "__main__":
    serve(lambda: Running(sys.argv[1]), answer)
