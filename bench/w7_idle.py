"""W7: what an idle host with two slots costs: proportional memory, CPU time, processes, and the same after some work.

RQ's `worker-pool -n 2` is measured in the same run.  Proportional memory (PSS) counts a page that several
processes share once, divided among them; of all processes below the command, and of the command itself.
"""

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from redis import Redis
from rich.console import Console
from rich.table import Table
from rq import Queue

from bench.hosts import ROOT
from bench.measure import Run
from bench.records import keep
from bench.tasks import square, wave_mean
from farpool.embedded import Server

SETTLE_SECONDS, WATCHED_SECONDS = 4.0, 6.0
"""From the start until a host counts as idle, and how long its CPU time is watched."""

JOBS = 20

RQ_POOL = "rq worker-pool -n 2"
OURS = ("farpool_worker", "-c", "2", "--accept", "pickle,json,msgpack", "--allow-any")
CONTENDERS = {
    RQ_POOL: ("rq.cli", "worker-pool", "-n", "2", "-q", "default"),
    "farpool worker -c 2": OURS,
    "farpool worker -c 2 --no-rq-jobs": ("farpool_worker", "-c", "2", "--no-rq-jobs"),
    "farpool worker -c 2, programs apart": OURS,
}
"""The last one with OMP_NUM_THREADS=2: then the template is a program of its own, and shares nothing."""

APART = {"OMP_NUM_THREADS": "2"}


@dataclass(frozen=True)
class Memory:
    """Of all processes of a host, in MB."""

    processes: int
    total: float
    anonymous: float
    private: Sequence[float]


@dataclass(frozen=True)
class Idle:
    """One host: idle, then after jobs that did nothing, then after NumPy jobs."""

    at_start: Memory
    cpu_percent: float
    after_jobs: Memory | None
    after_numpy: Memory | None

    def figures(self) -> dict[str, float]:
        """What is kept of it."""
        found = {"PSS MB": self.at_start.total, "idle CPU %": self.cpu_percent}
        if self.after_numpy is not None:
            found["PSS MB after NumPy jobs"] = self.after_numpy.total
        return found


def main(rounds: int = 3) -> None:
    """Every contender in turn."""
    found: dict[str, list[Idle]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name, words in CONTENDERS.items():
            found[name].append(_watched(words, APART if name.endswith("apart") else {}))
    _report(found)
    runs = {name: [Run(figures=idle.figures()) for idle in idles] for name, idles in found.items()}
    keep("W7 an idle host", runs, amount=1, unit="host", baseline=RQ_POOL)


def _watched(words: Sequence[str], environ: dict[str, str]) -> Idle:
    with Server() as server:
        command = [sys.executable, "-m", *words, "-u", server.url]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environ, stdout=quiet, stderr=quiet)
        try:
            time.sleep(SETTLE_SECONDS)
            before = _cpu_seconds(process.pid)
            time.sleep(WATCHED_SECONDS)
            percent = 100 * (_cpu_seconds(process.pid) - before) / WATCHED_SECONDS
            at_start = _memory(process.pid)
            if "--no-rq-jobs" in words:
                return Idle(at_start, percent, None, None)
            _work(server.url, square)
            after_jobs = _memory(process.pid)
            _work(server.url, wave_mean)
            return Idle(at_start, percent, after_jobs, _memory(process.pid))
        finally:
            process.terminate()
            process.wait(30)


def _work(url: str, function: object) -> None:
    with Redis.from_url(url) as client:
        queue = Queue(connection=client)
        jobs = [queue.enqueue(function, seed) for seed in range(JOBS)]
        while not all(job.is_finished for job in jobs if job.refresh() or True):
            time.sleep(0.1)
    time.sleep(SETTLE_SECONDS)  # children give memory back after two idle seconds


def _family(pid: int) -> list[psutil.Process]:
    top = psutil.Process(pid)
    return [top, *top.children(recursive=True)]


def _cpu_seconds(pid: int) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in _family(pid))


def _memory(pid: int) -> Memory:
    texts = [Path(f"/proc/{process.pid}/smaps_rollup").read_text() for process in _family(pid)]

    def megabytes(name: str) -> list[float]:
        return [int(match[1]) / 1024 for text in texts if (match := re.search(rf"^{name}:\s+(\d+)", text, re.M))]

    return Memory(len(texts), sum(megabytes("Pss")), sum(megabytes("Pss_Anon")), megabytes("Private_Dirty"))


def _report(found: dict[str, list[Idle]]) -> None:
    columns = ("contender", "processes", "PSS (MB)", f"ratio to {RQ_POOL}", "anonymous", "private of each process")
    table = Table(
        *columns, "CPU % idle", "after jobs (MB)", "after NumPy jobs (MB)", title="W7 an idle host, two slots"
    )

    def median(name: str, of: str, when: str = "at_start") -> float:
        return statistics.median(getattr(getattr(idle, when), of) for idle in found[name])

    for name, idles in found.items():
        last = idles[-1].at_start
        has_worked = idles[-1].after_numpy is not None
        table.add_row(
            name,
            str(last.processes),
            f"{median(name, 'total'):.1f}",
            f"{median(name, 'total') / median(RQ_POOL, 'total'):.2f}",
            f"{median(name, 'anonymous'):.1f}",
            " ".join(f"{size:.1f}" for size in last.private),
            f"{statistics.median(idle.cpu_percent for idle in idles):.2f}",
            f"{median(name, 'total', 'after_jobs'):.1f}" if has_worked else "",
            f"{median(name, 'total', 'after_numpy'):.1f}" if has_worked else "",
        )
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
