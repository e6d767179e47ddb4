"""W9: hosts.  Tasks that sleep for 20 ms on 1, 2, 4 and 8 daemons of one slot each, against the ideal line.

The ideal is the tasks' own time, as a child spends it on this machine, divided by the number of hosts.
"""

import statistics
import time
from collections import Counter

import psutil
from rich.console import Console
from rich.table import Table

from bench.hosts import executor
from bench.measure import Run, measured
from bench.records import keep
from farpool import Executor, as_completed

HOSTS = (1, 2, 4, 8)
SLEEP_SECONDS = 0.020
TASKS_PER_HOST = 200


def nap(_: int) -> float:
    """How long it really slept."""
    began = time.perf_counter()
    time.sleep(SLEEP_SECONDS)
    return time.perf_counter() - began


def main(rounds: int = 5) -> None:
    """Each number of hosts in turn, `rounds` times."""
    runs: dict[int, list[dict[str, float]]] = {hosts: [] for hosts in HOSTS}
    for _ in range(rounds):
        for hosts in HOSTS:
            with executor(daemons=hosts) as found:
                list(found.map(nap, range(4 * hosts), chunksize=1))
                runs[hosts].append(_run(found, hosts))
    _report(runs)
    kept = {
        f"{hosts} hosts": [Run(figures={"% of ideal": each["ideal"], "tasks/s": each["tasks"]}) for each in found]
        for hosts, found in runs.items()
    }
    keep("W9 hosts", kept, amount=TASKS_PER_HOST, unit="task", baseline="1 hosts")


def _run(found: Executor, hosts: int) -> dict[str, float]:
    """Wall time against the ideal; where the rest went."""
    count = TASKS_PER_HOST * hosts
    busy_before = psutil.cpu_times()
    began = time.perf_counter()
    with measured() as run:
        futures = [found.submit(nap, number) for number in range(count)]
        naps, by_host, ends = [], Counter[str](), dict[str, float]()
        for future in as_completed(futures):
            naps.append(future.result())
            by_host[future.host] += 1
            ends[future.host] = time.perf_counter() - began
    busy = psutil.cpu_times()
    assert len(naps) == count
    return {
        "ideal": 100 * count * SLEEP_SECONDS / hosts / run.seconds,
        "slept": 100 * sum(naps) / hosts / run.seconds,
        "most": max(by_host.values()) / (count / hosts),
        "tail": 1000 * (max(ends.values()) - min(ends.values())),
        "tasks": count / run.seconds,
        "cpu": 1e6 * sum(run.cpu.values()) / count,
        "machine": 100 * (1 - (busy.idle - busy_before.idle) / run.seconds / psutil.cpu_count()),
    }


def _report(runs: dict[int, list[dict[str, float]]]) -> None:
    table = Table(title=f"W9 hosts, tasks that sleep {1000 * SLEEP_SECONDS:.0f} ms")
    names = {
        "tasks": "tasks/s",
        "ideal": "% of ideal",
        "slept": "% of slots' time asleep",
        "most": "most of one host / its share",
        "tail": "first to last host's end (ms)",
        "cpu": "CPU µs per task, all",
        "machine": "% of the machine's cores busy",
    }
    for column in ("hosts", *names.values()):
        table.add_column(column, justify="right")
    for hosts, found in runs.items():
        medians = {name: statistics.median(run[name] for run in found) for name in names}
        table.add_row(
            str(hosts), *(f"{value:,.2f}" if name == "most" else f"{value:,.1f}" for name, value in medians.items())
        )
    Console(width=170).print(table)


if __name__ == "__main__":
    main()
