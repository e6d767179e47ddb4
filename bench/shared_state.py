"""Shared: steps on shared objects, beside multiprocessing's manager; and a lock handed over, beside redis-py's."""

import multiprocessing
import os
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import farpool
from bench.measure import Run, alternated, measured, report
from farpool.embedded import Server
from farpool_common.broker import connect

STEPS = 2_000
HANDOVERS = 30
WAITING_SECONDS = 5.0


def main(rounds: int = 3) -> None:
    """A table for each kind of step, then the handovers."""
    with Server() as server, multiprocessing.Manager() as theirs:
        os.environ["FARPOOL_URL"] = server.url
        with farpool.Manager() as ours:
            for title, prepared in (("queue", _queue), ("lock", _lock), ("value", _value), ("dict", _dict)):
                steps = {"multiprocessing.Manager": prepared(theirs), "farpool.Manager": prepared(ours)}
                contenders = {name: _contender(step) for name, step in steps.items()}
                runs = alternated(contenders, rounds)
                report(f"shared-{title} {STEPS} steps", runs, STEPS, "step", "multiprocessing.Manager")
        _handovers(server.url, rounds)


def _queue(manager: Any) -> Callable[[], object]:
    """An item put and got."""
    queue = manager.Queue()
    return lambda: (queue.put((1, "x")), queue.get())


def _lock(manager: Any) -> Callable[[], object]:
    """A lock acquired and released."""
    lock = manager.Lock()
    return lambda: (lock.acquire(), lock.release())


def _value(manager: Any) -> Callable[[], object]:
    """A value written and read."""
    value = manager.Value("i", 0)

    def step() -> object:
        value.value = 1
        return value.value

    return step


def _dict(manager: Any) -> Callable[[], object]:
    """An item written and read."""
    found = manager.dict()

    def step() -> object:
        found["key"] = 1
        return found["key"]

    return step


def _contender(step: Callable[[], object]) -> Callable[[], Run]:
    def run() -> Run:
        with measured() as found:
            for _ in range(STEPS):
                step()
        return found

    return run


def _handovers(url: str, rounds: int) -> None:
    """Milliseconds from a release to the next holder, and commands a second while one waits."""
    with connect(url) as client:
        for _ in range(rounds):
            for name, lock in (("redis-py", client.lock("theirs", timeout=30)), ("farpool", farpool.Lock())):
                times = [_handover(lock) for _ in range(HANDOVERS)]
                print(f"handover {name:10} median {statistics.median(times) * 1000:.2f} ms", end="   ")
                print(f"{_commands_while_waiting(client, lock):.1f} commands/s while one waits")


def _handover(lock: Any) -> float:
    """Seconds."""
    took: list[float] = []

    def take() -> None:
        lock.acquire()
        took.append(time.perf_counter())
        lock.release()

    if hasattr(lock, "local"):
        lock.local = threading.local()  # redis-py's tokens belong to a thread
        lock.local.token = None
    lock.acquire()
    thread = threading.Thread(target=take)
    thread.start()
    time.sleep(0.02)
    released = time.perf_counter()
    lock.release()
    thread.join()
    return took[0] - released


def _commands_while_waiting(client: Any, lock: Any) -> float:
    lock.acquire()
    thread = threading.Thread(target=lambda: (lock.acquire(), lock.release()))
    thread.start()
    time.sleep(0.1)
    before = client.info("stats")["total_commands_processed"]
    time.sleep(WAITING_SECONDS)
    count = client.info("stats")["total_commands_processed"] - before - 1
    lock.release()
    thread.join()
    return float(count) / WAITING_SECONDS


if __name__ == "__main__":
    main()
