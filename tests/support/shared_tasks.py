"""What tests of shared objects run in tasks."""

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import farpool


def puts(queue: Any, items: list[Any]) -> int:
    for item in items:
        queue.put(item)
    return os.getpid()


def drains(queue: Any, out: Any) -> int:
    """Take numbers until None comes; put their squares out."""
    count = 0
    while True:
        item = queue.get()
        try:
            if item is None:
                return count
            out.put(item * item)
            count += 1
        finally:
            queue.task_done()


def open_sockets() -> list[str]:
    """Of the process that runs it."""
    fds = Path("/proc/self/fd").iterdir()
    return sorted(target for fd in fds if fd.exists() and (target := os.readlink(fd)).startswith("socket:"))


def adds_under_lock(lock: Any, value: Any, times: int) -> None:
    """A counter that loses nothing only if the lock excludes."""
    for _ in range(times):
        with lock:
            seen = value.value
            time.sleep(0)
            value.value = seen + 1


def holds_for_ever(lock: Any, said: Any) -> None:
    """Say the pid and the fence once it holds the lock."""
    lock.acquire()
    said.put((os.getpid(), lock.fence))
    time.sleep(600)


def owns(said: Any) -> Any:
    """Make a queue here, and stay until it was used."""
    queue, done = farpool.Queue(), farpool.Event()
    said.put((queue, done))
    item = queue.get(timeout=60)
    done.wait(60)
    return item


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def consumes(condition: Any, shelf: Any) -> int:
    """Take a number from the shelf as soon as there is one."""
    with condition:
        condition.wait_for(lambda: len(shelf), 60)
        found: int = shelf.pop(0)
        return found


def puts_point(queue: Any) -> None:
    queue.put(Point(1, 2))


@dataclass(frozen=True)
class Point:
    x: int
    y: int


_acted: list[int] = []


def act() -> None:
    _acted.append(os.getpid())


def meets_and_acts(barrier: Any) -> tuple[int, list[int]]:
    return barrier.wait(60), _acted


def meets(barrier: Any) -> tuple[int, int]:
    return barrier.wait(60), os.getpid()


def waits_for(event: Any) -> bool:
    found: bool = event.wait(60)
    return found


def echoes(connection: Any) -> None:
    """Send back what comes, until the other end is closed."""
    try:
        while True:
            connection.send(connection.recv())
    except EOFError:
        connection.close()


def appends(shared_list: Any, shared_dict: Any, namespace: Any, number: int) -> None:
    shared_list.append(number)
    shared_dict[number] = [number]
    setattr(namespace, f"n{number}", number)


def returns_same(thing: Any) -> Any:
    return thing
