"""Functions that the conformance suite runs on multiprocessing and on farpool."""

import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import farpool


def square(number):
    return number * number


def add(first, second=10, *, times=1):
    return (first + second) * times


def fail(word):
    raise ValueError(word)


def fail_at_three(number):
    if number == 3:
        raise KeyError(number)
    return number * number


def later(seconds, value):
    time.sleep(seconds)
    return value


def wait_for(path):
    """Until a file is there; the tests' own limit ends what waits in vain."""
    for _ in range(6000):
        if os.path.exists(path):
            return path
        time.sleep(0.01)
    raise TimeoutError(path)


def wait_for_one(path):
    """For the first of some inputs."""
    return wait_for(path) if path else path


def note(path, word="ran"):
    Path(path).write_text(word)


def note_start_and_wait(started, path):
    note(started)
    wait_for(path)


def leave(status):
    sys.exit(status)


def die(number):
    os.kill(os.getpid(), number)


def add_offset(number):
    return number + OFFSET


def set_offset(offset):
    global OFFSET
    OFFSET = offset


def process_array(seed):
    values = np.random.default_rng(seed).random(10_000)
    return float(np.mean(np.sin(values) + np.cos(values)))


class _Writer:
    def __init__(self, path, word):
        super().__init__()
        self.path, self.word = path, word

    def run(self):
        self.write(self.word * 2)

    def write(self, text):
        note(self.path, f"{self.name} {text}")


class Writer(_Writer, multiprocessing.Process):
    """The tutorial's subclass with a `run` of its own."""


class FarpoolWriter(farpool.Process):
    """The same, with only the import changed."""

    def __init__(self, path, word):
        super().__init__()
        self.path, self.word = path, word

    def run(self):
        self.write(self.word * 2)

    def write(self, text):
        note(self.path, f"{self.name} {text}")


# --- initializers

SEEN: list[str] = []
"""What initializers of this process have noted."""


def note_process(folder: str, mark: str) -> None:
    """Leave a file for each run of this initializer, and a mark in the process."""
    SEEN.append(mark)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=f"{mark}.{os.getpid()}.", delete=False):
        pass


def marks(path: str = "") -> tuple[int, list[str]]:
    """The process and its marks, when the file is there."""
    if path:
        wait_for(path)
    return os.getpid(), list(SEEN)


def refuse(folder: str, text: str) -> None:
    """An initializer that fails."""
    note_process(folder, "refused")
    raise LookupError(text)


def fill_block(is_farpool: bool, name: str, place: int) -> None:
    """Write into a part of shared memory."""
    from multiprocessing import shared_memory as standard

    memory = farpool.shared_memory if is_farpool else standard
    block = memory.SharedMemory(name=name)
    block.buf[place : place + 16] = bytes([place + 1] * 16)
    block.close()
