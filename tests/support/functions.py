"""Functions that tests send to workers."""

import os
import threading
import time
from typing import Any

GATES: dict[str, threading.Event] = {}
"""Events by name, for functions that wait; they work where the worker is this process."""

ALL_OPEN = threading.Event()
"""Set at the end of a test, so that nothing waits on."""

SEEN: list[Any] = []


def square(x: Any) -> Any:
    return x * x


def shown(x: Any) -> str:
    return f"{type(x).__name__} {x!r}"


def add(a: Any, b: Any = 0) -> Any:
    return a + b


def everything(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    return (*args, kwargs)


def nothing() -> None:
    return None


def note(x: Any) -> Any:
    SEEN.append(x)
    return x


def note_slowly(x: Any) -> Any:
    time.sleep(0.004)
    return note(x)


def fail(text: str = "no") -> None:
    raise ValueError(text)


def fail_at(x: int, bad: int) -> int:
    if x == bad:
        raise KeyError(x)
    return x


FAILS: dict[int, int] = {}
"""How often `fails_at_first` has still to fail, by its argument."""


def fails_at_first(x: int) -> int:
    left = FAILS.get(x, 0)
    FAILS[x] = left - 1
    if left > 0:
        raise ConnectionError(x)
    return x


def gate(name: str, value: Any = None) -> Any:
    """Wait until the gate is open."""
    own = GATES.setdefault(name, threading.Event())
    if not ALL_OPEN.is_set() and not own.wait(30):
        raise TimeoutError(name)
    return value


def open_gate(name: str) -> None:
    GATES.setdefault(name, threading.Event()).set()


def open_all_gates() -> None:
    ALL_OPEN.set()
    for own in list(GATES.values()):
        own.set()


def close_all_gates() -> None:
    GATES.clear()
    ALL_OPEN.clear()


def slowly(seconds: float, value: Any = None) -> Any:
    time.sleep(seconds)
    return value


def process() -> int:
    return os.getpid()


def exit_process() -> None:
    os._exit(3)


class Unimportable(Exception):
    """Takes two arguments, so nobody may guess them."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


def fail_with_two(code: int) -> None:
    raise Unimportable(code, "two arguments")
