"""A map over a generator, long enough to see whether memory stays flat: `python -m bench.long_map [INPUTS]`."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from rich.console import Console
from rich.table import Table

from bench.hosts import executor
from bench.measure import ROLES, measured
from bench.tasks import square

INPUTS = 5_000_000
ROWS = 10
"""The run is cut into so many parts, each with the most memory that was seen in it."""

SAMPLE_SECONDS = 0.1


def main(inputs: int = INPUTS) -> None:
    """Throughput, CPU per item by process, and memory by process as the run goes on."""
    with executor() as ours:
        list(ours.map(square, numbers(inputs // 100), chunksize="auto", buffersize="auto"))  # warm
        with sampled_memory() as samples, measured() as run:
            results = ours.map(square, numbers(inputs), chunksize="auto", buffersize="auto")
            total = sum(results)
    assert total == (inputs - 1) * inputs * (2 * inputs - 1) // 6
    cpu = "  ".join(f"{role} {seconds / inputs * 1e6:.3f}" for role, seconds in sorted(run.cpu.items()))
    print(f"{inputs:,} inputs in {run.seconds:.1f} s: {inputs / run.seconds:,.0f}/s, CPU µs per item: {cpu}")
    Console(width=100).print(table(samples))


def numbers(count: int) -> Iterator[int]:
    """A generator, so that nobody knows how many will come."""
    yield from range(count)


@contextmanager
def sampled_memory() -> Iterator[list[dict[str, int]]]:
    """Memory by role of process, every tenth of a second."""
    samples: list[dict[str, int]] = []
    over = threading.Event()

    def sample() -> None:
        while not over.wait(SAMPLE_SECONDS):
            samples.append(memory())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def memory() -> dict[str, int]:
    """Resident bytes by role."""
    me = psutil.Process()
    found = {"client": me.memory_info().rss}
    for process in me.children(recursive=True):
        words = " ".join(process.cmdline())
        role = next((role for word, role in ROLES if word in words), "other")
        found[role] = found.get(role, 0) + process.memory_info().rss
    return found


def table(samples: list[dict[str, int]]) -> Table:
    """The most memory of each role in each part of the run."""
    roles = sorted(samples[0].keys() - {"other"})
    found = Table(title="memory, MB (children: all of them)")
    for column in ("part of the run", *roles):
        found.add_column(column, justify="right")
    for row in range(ROWS):
        part = samples[len(samples) * row // ROWS : len(samples) * (row + 1) // ROWS]
        most = [max((sample.get(role, 0) for sample in part), default=0) for role in roles]
        found.add_row(f"{row + 1}/{ROWS}", *(f"{nbytes / 1e6:.1f}" for nbytes in most))
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else INPUTS)
