"""What runs while harm is done.  Each run leaves its own two lines in a file, whatever Redis knows of it."""

import ctypes
import itertools
import os
import resource
import select
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from bench.faults.journal import note


def work(journal: str, key: str, seconds: float) -> str:
    """Sleep, and tell when."""
    note(journal, key, "begin")
    select.select([], [], [], seconds)  # time.sleep fails where the clock is a false one (libfaketime)
    note(journal, key, "end")
    return f"{key} done"


def stamped(journal: str, key: str, seconds: float) -> str:
    """The same, with a sign of life every 20 ms: it shows until when a run went on that was killed."""
    note(journal, key, "begin")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.02)
        note(journal, key, "alive")
    note(journal, key, "end")
    return f"{key} done"


def laden(ballast: bytes, journal: str, key: str, seconds: float) -> str:
    """The same, and heavy to carry."""
    return stamped(journal, key, seconds)


def poison(journal: str, key: str) -> None:
    """Kill whatever runs it."""
    note(journal, key, "begin")
    os.kill(os.getpid(), signal.SIGKILL)


def doubled(array: np.ndarray) -> np.ndarray:
    return array * 2


# --- tasks that go wrong, each in its own way ------------------------------------------------------


def runs_out_of_memory() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, before[1]))
    try:
        bytearray(1 << 32)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def exits_behind_our_back() -> None:
    os._exit(0)


def exits_politely() -> None:
    sys.exit(3)


def hangs() -> None:
    while True:
        pass


def hangs_in_c() -> None:
    """No signal handler of Python's runs until it is over."""
    deque(itertools.repeat(0), maxlen=0)


def stops_itself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def closes_everything() -> None:
    os.closerange(3, 1000)


def writes_into_every_file() -> None:
    for fd in range(3, 100):
        try:
            os.write(fd, b"\x00garbage" * 20)
        except OSError:
            continue


def segfaults() -> None:
    ctypes.string_at(0)


def returns_a_lock() -> object:
    return threading.Lock()


def returns_a_generator() -> Iterator[int]:
    return (number for number in range(3))


def returns_objects() -> np.ndarray:
    return np.array([{}, 1], dtype=object)


def returns_too_much() -> bytes:
    return bytes(2_000_000)


class Unprintable(Exception):
    """Neither its text nor its repr can be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def raises_what_cannot_be_shown() -> None:
    raise Unprintable


def raises_a_long_chain() -> None:
    error: Exception | None = None
    for number in range(1000):
        following = ValueError(f"link {number} " + "x" * 10_000)
        following.__cause__ = error
        error = following
    assert error is not None
    raise error


@dataclass
class _Deadly:
    value: int

    def __getattribute__(self, name: str) -> object:
        if name == "value":
            os.kill(os.getpid(), signal.SIGKILL)
        return object.__getattribute__(self, name)


def dies_while_its_result_is_written() -> _Deadly:
    return _Deadly(1)
