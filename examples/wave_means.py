"""The mean of a wave over ten million points, for eight seeds, on all hosts; then an array both ways.

    make demo                                                   # a private server and two daemons, here
    farpool run examples/wave_means.py                          # a private server and one daemon, here
    FARPOOL_URL=redis://HOST:6379/0 python examples/wave_means.py   # all hosts that run `farpool worker -P examples`

Everything is checked against the same work done by the standard library on this machine.
"""

import statistics
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from farpool import Executor, as_completed

SEEDS = range(8)
ROUNDS = 5
console = Console()


def process_array(seed):  # 80 MB of float64 per task
    rng = np.random.default_rng(seed)
    arr = rng.random(10_000_000)
    return np.mean(np.sin(arr) + np.cos(arr))


def row_means(matrix):
    return matrix.mean(axis=1)


def main():
    with Executor() as executor:
        slots = executor._max_workers  # of all hosts
        with ProcessPoolExecutor(slots) as local:
            show_map(executor)
            show_as_completed(executor)
            show_array(executor)
            compare(executor, local, slots)


def show_map(executor):
    """Results in the order of the inputs, as from the standard library."""
    console.print("\n[bold]executor.map(process_array, range(8))[/bold]")
    for seed, mean in zip(SEEDS, executor.map(process_array, SEEDS), strict=True):
        console.print(f"  seed {seed}: {mean!r}", highlight=False)


def show_as_completed(executor):
    """Results as they come, each with the host and process that ran it."""
    console.print("\n[bold]executor.submit(process_array, seed), as_completed[/bold]")
    futures = {executor.submit(process_array, seed): seed for seed in SEEDS}
    done = as_completed(futures)
    for future in track(done, "  working", len(futures), console=console, disable=not console.is_terminal):
        place = f"host {future.host}, process {future.pid}"
        console.print(f"  seed {futures[future]}: {future.result():.15f}  {place}", highlight=False)


def show_array(executor):
    """An array there, an array back."""
    matrix = np.random.default_rng(0).random((2000, 1000))
    means = executor.submit(row_means, matrix).result()
    assert np.array_equal(means, row_means(matrix)), "the row means differ from local ones"
    console.print(f"\n[bold]row means[/bold] of a {matrix.nbytes / 1e6:.0f} MB matrix: {means[:3]} ..., as local ones")


def compare(executor, local, slots):
    """The same job by either pool, in turn, and whether the values are the same."""
    ours, theirs = [], []
    expected = list(local.map(process_array, SEEDS))
    for _ in range(ROUNDS):
        for pool, seconds in ((local, theirs), (executor, ours)):
            started = time.perf_counter()
            values = list(pool.map(process_array, SEEDS))
            seconds.append(time.perf_counter() - started)
            assert values == expected, f"values differ: {values} and {expected}"
    table = Table(title=f"process_array, seeds 0 to 7, median of {ROUNDS}", title_justify="left")
    for column in ("pool", "processes", "tasks", "seconds", "speed"):
        table.add_column(column, justify="left" if column == "pool" else "right")
    ours_seconds, theirs_seconds = statistics.median(ours), statistics.median(theirs)
    table.add_row("ProcessPoolExecutor", str(slots), str(len(SEEDS)), f"{theirs_seconds:.2f}", "1.00")
    speed = theirs_seconds / ours_seconds
    table.add_row("farpool", str(slots), str(len(SEEDS)), f"{ours_seconds:.2f}", f"{speed:.2f}")
    console.print("\nAll values are the same.")
    console.print(table)


if __name__ == "__main__":
    main()
