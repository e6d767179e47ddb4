"""The pool that benchmarks run on: a real server and worker daemons on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from farpool import Executor
from farpool.embedded import LocalPool

ROOT = Path(__file__).parent.parent


@contextmanager
def executor(daemons: int = 2, slots: int = 1) -> Iterator[Executor]:
    """An executor on so many daemons with so many slots each, warm."""
    plan = [(f"host{number}", slots) for number in range(daemons)]
    with LocalPool(plan, paths=[ROOT]) as pool, Executor(pool.url) as found:
        yield found
