"""Functions that the pool's tests send to children."""

import ctypes
import errno
import multiprocessing
import os
import resource
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from os import system  # noqa: F401  must not run because it is imported here
from pathlib import Path
from subprocess import Popen

import numpy as np


def noop(*_):
    return None


def add(a, b=1):
    return a + b


def echo(value):
    return value


def pid():
    return os.getpid()


def pause(seconds):
    time.sleep(seconds)
    return seconds


def wait_for(path, seconds=60):
    """Wait until a file is there."""
    end = time.monotonic() + seconds
    while not os.path.exists(path):
        if time.monotonic() > end:
            raise TimeoutError(path)
        time.sleep(0.002)
    return path


def announce_then_wait(started, path):
    Path(started).write_text(str(os.getpid()))
    return wait_for(path)


def told(journal, word, started=None, path=None):
    """Note that a call runs; if asked to, say in which process, and wait until a file is there."""
    with open(journal, "ab", buffering=0) as file:
        file.write(f"{word}\n".encode())
    if started:
        announce_then_wait(started, path)
    return word


def spin():
    while True:
        pass


# --- ways to go ---


def killed_at(index, victim):
    """Kill this process at one of many calls."""
    if index == victim:
        os.kill(os.getpid(), signal.SIGKILL)
    return index


def slowly_killed_at(index, victim):
    time.sleep(0.003)
    return killed_at(index, victim)


def leave(code):
    os._exit(code)


def segfault():
    ctypes.string_at(0)


def leave_politely(code):
    raise SystemExit(code)


def interrupt():
    raise KeyboardInterrupt


def fail(text):
    raise ValueError(text)


def write_into_pipe(data, then_wait=False):
    """What a task does that prints into the wrong descriptor."""
    for fd in map(int, os.listdir("/proc/self/fd")):
        try:
            if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                os.write(fd, data)
        except OSError:
            continue
    if then_wait:
        time.sleep(60)
    return "written"


def close_everything():
    os.closerange(3, 1000)
    time.sleep(60)


# --- ways to hang ---


def swallow_timeout():
    try:
        spin()
    except TimeoutError:
        spin()


def sleep_deaf():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(60)


def stop_itself():
    os.kill(os.getpid(), signal.SIGSTOP)


# --- values that kill when they are read ---


@dataclass
class DeadlyToRead:
    value: int

    def __getattribute__(self, name):
        if name == "value":
            os._exit(5)
        return super().__getattribute__(name)


@dataclass
class FailsToRead:
    value: int

    def __getattribute__(self, name):
        if name == "value":
            raise RuntimeError("no")
        return super().__getattribute__(name)


class Colour(Enum):
    RED = 1


@dataclass
class Point:
    x: int
    y: int = 0

    def norm(self):
        return abs(self.x) + abs(self.y)

    @classmethod
    def origin(cls):
        return cls(0)


def deadly_at(index, victim):
    return DeadlyToRead(1) if index == victim else index


def failing_at(index, victim):
    return FailsToRead(1) if index == victim else index


def untravelling_at(index, victim):
    return socket.SocketType if index == victim else index


def zeros_at(index, sizes):
    return np.zeros(sizes[index])


add_two = partial(add, 2)
just_a_value = 3


# --- arrays ---


def fill(array, value):
    array[:] = value
    return array.flags.writeable


def doubled(array):
    return array * 2


KEPT = []


def keep(array):
    """Hold on to an argument after the call has ended."""
    KEPT.append(array)
    return float(array[0])


def kept():
    """What the arguments that were kept hold now, each by its smallest and largest value."""
    return [[float(array.min()), float(array.max())] for array in KEPT]


def keep_in_fork(array, path):
    """Let a forked process look at an argument long after the call has ended; it waits for `path`."""
    pid = os.fork()
    if pid == 0:
        wait_for(path)
        same = array.min() == array.max() == 1.0
        Path(f"{path}.seen").write_text(f"{same}")
        os._exit(0)
    return pid


def memory_full_for(size):
    """From now on this process gets no shared memory; a result that needs none still arrives."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    return size


def no_space_left(size):
    """As if the file system were full."""

    def full(fd, data, offset):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    os.pwrite = full
    return np.zeros(size, np.uint8)


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files():
    return len(os.listdir("/proc/self/fd"))


# --- processes of tasks ---


def squares(method, numbers):
    """A task that has a pool of its own."""
    with multiprocessing.get_context(method).Pool(2) as pool:
        return pool.map(square, numbers)


def square(number):
    return number * number


def terminated(method):
    """The exit code of a process that this task ends politely."""
    process = multiprocessing.get_context(method).Process(target=time.sleep, args=(60,))
    process.start()
    process.terminate()
    process.join()
    return process.exitcode


def program_terminated():
    program = Popen(["sleep", "60"])
    program.terminate()
    return program.wait()


def start_and_hang(path):
    """Start a process, say which, and never end."""
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    process.start()
    Path(path).write_text(f"{os.getpid()} {process.pid}")
    spin()


# --- initializers ---

initialized = []


def initialize(name):
    initialized.append(name)


def seen_initializers():
    return list(initialized)


def refuse_to_initialize():
    raise RuntimeError("no licence")


def solved(size):
    """BLAS in a child, which was forked from a process that has loaded it."""
    matrix = np.eye(size) * 2
    return float(np.linalg.solve(matrix, np.ones(size)).sum())


def write_into_every_file():
    for fd in range(3, 200):
        with suppress(OSError):
            os.write(fd, b"\x00garbage\n" * 20)


# --- what ran, in the test's own process ---

noted_calls = []


def noted(work, call):
    noted_calls.append((work, call))
