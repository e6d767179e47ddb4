"""Functions that tests send to workers.

Those that tell what they did append one line to a file, by O_APPEND, so that what really ran can be
counted without asking Redis or the worker.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
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


def noted_and_fails(journal: str) -> None:
    told(journal, "failed")
    raise ValueError("on purpose")


def noted_or_waits(journal: str, word: object, go: str | None = None) -> object:
    """Note that it runs; a long one ends when a file is there."""
    told(journal, word)
    if go is not None:
        _wait_for(go)
    return word


def also_noted_or_waits(journal: str, word: object, go: str | None = None) -> object:
    """The same, as another function."""
    return noted_or_waits(journal, word, go)


def noted_or_waits_somewhere(journal: str, word: object, go: str | None, pid_file: str) -> object:
    """The same; a long one says in which process."""
    if go is not None:
        Path(pid_file).write_text(str(os.getpid()))
    return noted_or_waits(journal, word, go)


def _wait_for(path: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.002)


def mean(numbers: list[float]) -> np.float64:
    return np.mean(numbers)


def turned(values: list[str]) -> list[str]:
    return values[::-1]


def ones(length: int) -> np.ndarray:
    return np.ones(length)


def first_of(values: list[object]) -> object:
    return values[0]


def applied(function: Callable[..., object], *args: object) -> object:
    return function(*args)


def attribute(value: object, name: str) -> object:
    return getattr(value, name)


def fails_on_array(array: np.ndarray) -> np.ndarray:
    raise ValueError("no such block")


def sum_plus(array: np.ndarray, number: int) -> float:
    return float(array.sum()) + number


def gives_a_lock() -> object:
    return threading.Lock()


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


def takes_two(array: np.ndarray, number: int) -> tuple[bool, float]:
    """Whether the array could be written to, and what it is made of."""
    return array.flags.writeable, float(array[number]) * number


def sums_inside(values: dict[str, list[np.ndarray]], *, extra: np.ndarray) -> list[float]:
    """Sums of arrays in containers and keywords."""
    return [float(array.sum()) for array in (*values["arrays"], extra)]


_GIVEN: list[np.ndarray] = []


def keep(array: np.ndarray) -> None:
    """An initializer with a large argument."""
    _GIVEN.append(array)


def kept_sum(number: int) -> tuple[bool, float]:
    return _GIVEN[-1].flags.writeable, float(_GIVEN[-1].sum()) + number


def slow_sum(array: np.ndarray, journal: str, seconds: float) -> tuple[int, float]:
    told(journal, f"pid {os.getpid()}")
    time.sleep(seconds)
    return os.getpid(), float(array.sum())


def sum_when_told(array: np.ndarray, go: str) -> float:
    _wait_for(go)
    return float(array.sum())


def dies_once_with(array: np.ndarray, journal: str) -> float:
    dies_once(journal)
    return float(array.sum())


def length(values: dict[str, int]) -> int:
    return len(values)


def takes_pair(pair: tuple[np.ndarray, int], factor: int) -> tuple[bool, float]:
    return takes_two(*pair)


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


def begin_and_sleep(folder: str) -> None:
    """Leave a file that is named after the process, and take longer than any test."""
    Path(folder, f"{os.getpid()}.{time.monotonic_ns()}").touch()
    time.sleep(600)


def refuse_the_second(folder: str) -> None:
    """An initializer that fails in every process but the first."""
    Path(folder, "begun").mkdir()


def break_an_executor(url: str) -> None:
    """Use an executor whose initializer fails."""
    from farpool import Executor

    with Executor(url, initializer=die_by_lookup) as executor:
        executor.submit(square, 2).result()


def die_by_lookup() -> None:
    raise LookupError("no licence")
