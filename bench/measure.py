"""One run of one contender, measured; and contenders alternated, with the results printed and kept.

A benchmark is a function `main(rounds)` that makes a function per contender, which returns its Run, and ends with

    report("W1 submits", alternated(contenders, rounds), amount, "task", baseline)

The first word of the title names the file in bench/results.  See `bench.records` for its shape.
"""

import statistics
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import redis

from bench.processes import cpu_seconds
from bench.records import keep
from bench.show import show

TRAFFIC = {"commands": "total_commands_processed", "round trips": "total_reads_processed"}
"""What a server counts.  It reads once what a client sends at once, so its reads are round trips, or more of them
where what is sent is large."""


@dataclass
class Run:
    """One run of one contender."""

    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    """CPU seconds by role of process."""

    traffic: dict[str, float] = field(default_factory=dict)
    """What the server counted, where there is one."""

    figures: dict[str, float] = field(default_factory=dict)
    """Whatever else was measured, with its unit in its name: "p50 ms", "PSS MB"."""

    amount: int = 0
    """How many tasks; 0 for as many as the report tells."""


@contextmanager
def measured(url: str | None = None, roots: Collection[int] | None = None) -> Iterator[Run]:
    """Time, CPU seconds of this process and everything below it (or of the `roots` and below them), and traffic of
    the server at `url`, between entry and exit.

    A run whose results are wrong must raise: `assert` them after the block.
    """
    run, traffic, cpu = Run(), _traffic(url), cpu_seconds(roots)
    started = time.perf_counter()
    yield run
    run.seconds = time.perf_counter() - started
    used = cpu_seconds(roots)
    run.cpu = {role: max(0.0, used[role] - cpu[role]) for role in used}
    run.traffic = {name: count - traffic[name] for name, count in _traffic(url).items()}


def _traffic(url: str | None) -> dict[str, float]:
    if url is None:
        return {}
    with redis.Redis.from_url(url) as client:
        stats: Any = client.info("stats")
    return {name: float(stats[counter]) for name, counter in TRAFFIC.items() if counter in stats}


def timed(run: Run, times: list[float]) -> Run:
    """The run, with the quantiles of its single round trips."""
    run.figures["p50 ms"] = statistics.median(times) * 1000
    run.figures["p99 ms"] = statistics.quantiles(times, n=100)[98] * 1000
    return run


def alternated(contenders: Mapping[str, Callable[[], Run]], rounds: int) -> dict[str, list[Run]]:
    """Run the contenders in turn, A B A B, and keep every run."""
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            runs[name].append(contender())
    return runs


def report(
    title: str, runs: Mapping[str, list[Run]], amount: int, unit: str, baseline: str, **more: Any
) -> dict[str, Any]:
    """Print a table of medians, with ratios to the baseline, and keep it all as JSON, with `more` beside it."""
    record = keep(title, runs, amount=amount, unit=unit, baseline=baseline, **more)
    show(record)
    return record
