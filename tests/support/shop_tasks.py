"""Tasks as a user's module has them.  Runs are noted in a journal, a line each."""

import builtins
import os
import time
from pathlib import Path

from farpool import Retry, task


def noted(journal: str, what: object) -> int:
    """Add a line; how many there are."""
    with open(journal, "a") as file:
        file.write(f"{what}\n")
    return len(Path(journal).read_text().splitlines())


@task
def add(a: int, b: int = 0) -> int:
    """The sum."""
    return a + b


@task
def note(journal: str, what: object = "") -> int:
    return noted(journal, what)


@task(retries=Retry(3, backoff=0.01, on=ConnectionError))
def flaky(journal: str, fails: int, error: str = "ConnectionRefusedError") -> str:
    """Raises so often, then tells how often it ran."""
    run = noted(journal, "run")
    if run <= fails:
        raise getattr(builtins, error)(f"run {run}")
    return f"ran {run} times"


@task(retries=Retry(3, backoff=0, on=ConnectionError))
def recursive(journal: str, depth: int) -> str:
    """Fails once at the bottom with what is not retried, which the top turns into what is."""
    try:
        if depth == 0 and noted(journal, "run") == 1:
            raise KeyError("bottom")
        return "well" if depth == 0 else recursive(journal, depth - 1)
    except KeyError as error:
        if depth < 2:
            raise
        raise ConnectionError("top") from error


@task(retries=Retry(2, backoff=0, on=ConnectionError))
async def awaited(journal: str) -> str:
    if noted(journal, "run") == 1:
        raise ConnectionError("first")
    raise KeyError("second")


@task(unique=True)
def alone(journal: str, gate: str, what: object = "") -> str:
    """Runs until the gate is there."""
    noted(journal, what)
    while not Path(gate).exists():
        time.sleep(0.01)
    return "alone"


@task(unique=lambda customer, amount: customer)
def bill(customer: str, amount: int) -> str:
    return f"{customer} {amount}"


@task
def dies_once(journal: str) -> str:
    if noted(journal, "run") == 1:
        os._exit(7)
    return "lived"


@task
def order(journal: str) -> str:
    """Enqueues a job from inside a task."""
    return note.enqueue(journal, "follow-up").id


class Report:
    @staticmethod
    @task
    def total(numbers: list[int]) -> int:
        return sum(numbers)
