"""Tasks that say something while they run."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path

import farpool


def wait_for_file(path: str) -> None:
    while not Path(path).exists():
        time.sleep(0.005)


def step_by_step(folder: str, steps: int) -> int:
    """Goes on to step n when the file n is there."""
    for step in farpool.track(range(steps), "steps"):
        wait_for_file(f"{folder}/{step}")
    return steps


def many_reports(count: int) -> int:
    for done in range(count + 1):
        farpool.progress(done, count, "many")
    return count


def one_report(number: int) -> int:
    farpool.progress(number, 100, f"call {number}")
    return number


def bad_report(kind: str) -> None:
    farpool.progress({"nan": float("nan"), "negative": -1, "text": "3", "infinite": 10**400}[kind])  # type: ignore[arg-type]


def silent() -> int:
    return 1


def speak(*words: str) -> None:
    for word in words:
        print(word)


def speak_in_all_ways() -> None:
    print("print")
    print("no end of line", end="")
    sys.stderr.write("\nstderr\n")
    sys.stdout.buffer.write(b"bytes \xff\n")
    logging.getLogger("mine").warning("logging")


def speak_much(count: int) -> None:
    for number in range(count):
        print(f"line {number:08}")


def speak_and_die(path: str) -> None:
    """Says its last words when a file tells it to."""
    farpool.progress(3, 7, "dying")
    print("last words", end="")
    wait_for_file(path)
    os.kill(os.getpid(), signal.SIGKILL)


def speak_and_wait(path: str) -> None:
    print("so far")
    wait_for_file(path)
    print("the rest")


def fail_loudly() -> None:
    print("before the error")
    raise ValueError("no")


def from_threads_and_forks() -> list[object]:
    """What threads say counts; a process that the task forks tells nothing."""

    def tell(number: int) -> None:
        print(f"thread {number}")
        farpool.progress(number)

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    forked = multiprocessing.get_context("fork").Process(target=tell, args=(99,))
    forked.start()
    forked.join()
    return [forked.exitcode]


def scribble() -> None:
    """A task that writes into the memory that its process shares with the daemon."""
    from farpool_common import progress

    slate = progress._listener.__self__  # type: ignore[union-attr]
    view = slate._segment.view
    print("something")
    for at in range(0, 1024, 8):
        view[at : at + 8] = b"\x7f" * 8


def closes_stdout() -> None:
    print("before")
    sys.stdout.close()
