"""What tests of shared objects run in tasks."""

import os
import sys
import time
from typing import Any


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


def loaded_modules(*names: str) -> list[str]:
    return [name for name in names if name in sys.modules]


def adds_under_lock(lock: Any, value: Any, times: int) -> None:
    """A counter that loses nothing only if the lock excludes."""
    for _ in range(times):
        with lock:
            seen = value.value
            time.sleep(0)
            value.value = seen + 1


def holds_and_dies(lock: Any, event: Any) -> None:
    lock.acquire()
    event.set()
    time.sleep(600)


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
