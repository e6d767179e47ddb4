"""Functions that tests send to workers.

Those that tell what they did append one line to a file, by O_APPEND, so that what really ran can be
counted without asking Redis or the worker.
"""

import logging
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np


def told(journal: str, word: object) -> None:
    """Append one line."""
    with open(journal, "ab", buffering=0) as file:
        file.write(f"{word}\n".encode())


def square(number: int) -> int:
    return number * number


def noted_square(journal: str, number: int, seconds: float = 0.0) -> int:
    """Note the start, work, note the end."""
    told(journal, f"start {number}")
    time.sleep(seconds)
    told(journal, f"end {number}")
    return number * number


def mean(numbers: list[float]) -> np.float64:
    return np.mean(numbers)


def turned(values: list[str]) -> list[str]:
    return values[::-1]


def doubled(array: np.ndarray) -> np.ndarray:
    return array * 2.0


def changed_in_place(array: np.ndarray) -> np.ndarray:
    array += 1
    return array


def fails(text: str) -> None:
    raise ValueError(text)


class OwnError(Exception):
    """Its __init__ wants more than one argument."""

    def __init__(self, code: int, *, hint: str) -> None:
        super().__init__(f"code {code}")
        self.code, self.hint = code, hint


def fails_with_own_error() -> None:
    raise OwnError(7, hint="look there")


def dies(journal: str) -> None:
    told(journal, "died")
    os.kill(os.getpid(), signal.SIGKILL)


def writes_into_every_file() -> None:
    for fd in range(3, 100):
        with suppress(OSError):
            os.write(fd, b"\x00garbage" * 20)


def dies_once(journal: str) -> str:
    """Kill our process the first time; return the second."""
    first = not Path(journal).exists()
    told(journal, "ran")
    if first:
        os.kill(os.getpid(), signal.SIGKILL)
    return "second attempt"


def sleeps(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def returns_a_lock() -> object:
    import threading

    return threading.Lock()


def returns_objects() -> np.ndarray:
    return np.array([1, {}, "x"], dtype=object)


def returns_bytes(count: int) -> bytes:
    return b"x" * count


def pid() -> int:
    return os.getpid()


def environment(name: str) -> str | None:
    return os.environ.get(name)


def uses_multiprocessing(numbers: list[int]) -> list[int]:
    import multiprocessing

    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(square, numbers)


_PREPARED: list[str] = []


def prepare(word: str) -> None:
    _PREPARED.append(word)


def prepared() -> list[str]:
    return list(_PREPARED)


def raises_a_local_class() -> None:
    class LocalError(Exception):
        pass

    raise LocalError("made up here")


def ignores_alarms(seconds: float) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(seconds)


def leaves_orphans(count: int) -> None:
    """Start processes that end after their parent."""
    for _ in range(count):
        if os.fork() == 0:
            if os.fork() == 0:
                time.sleep(0.2)
            os._exit(0)
        os.wait()


def zombies() -> int:
    states = [path.read_text().rpartition(")")[2].split()[0] for path in Path("/proc").glob("[0-9]*/stat")]
    return states.count("Z")


def makes_temporaries(count: int) -> int:
    np.sin(np.ones(count)).sum()
    return os.getpid()


def tells_its_pid(journal: str, seconds: float) -> int:
    """Note the process, then work for a while."""
    told(journal, f"pid {os.getpid()}")
    time.sleep(seconds)
    return os.getpid()


def stamps(journal: str, number: int, seconds: float) -> int:
    """Note number, process and time again and again, so that a journal shows who ran when."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        told(journal, f"{number} {os.getpid()} {time.monotonic():.3f}")
        time.sleep(0.02)
    return number


def surroundings() -> dict[str, object]:
    """What a program finds that looks around."""
    files = [
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{fd}")
    ]
    loggers = [logging.root, *logging.Logger.manager.loggerDict.values()]
    return {
        "files": files,
        "arguments": sys.orig_argv,
        "handlers": [str(handler) for logger in loggers for handler in getattr(logger, "handlers", ())],
        "level": logging.getLogger("farpool.worker").getEffectiveLevel(),
        "usr1": str(signal.getsignal(signal.SIGUSR1)),
        "threads": len(os.listdir("/proc/self/task")),
        "warm": [os.environ["MALLOC_TRIM_THRESHOLD_"], os.environ["OMP_NUM_THREADS"]],
    }
