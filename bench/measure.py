"""Wall time, CPU time by role of process, and medians of alternated runs."""

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"

ROLES = (
    ("valkey-server", "server"),
    ("redis-server", "server"),
    ("multiprocessing", "child"),
    ("farpool-slot", "child"),
    ("farpool_worker", "daemon"),
    ("python", "child"),
)
"""Words in a name or a command line that tell what a process is; the first that fits counts."""


@dataclass
class Run:
    """One run of one contender."""

    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)


@contextmanager
def measured() -> Iterator[Run]:
    """Time and CPU seconds of everything below this process between entry and exit."""
    run, before, started = Run(), _cpu_seconds(), time.perf_counter()
    yield run
    run.seconds = time.perf_counter() - started
    after = _cpu_seconds()
    for pid, (role, seconds) in after.items():
        run.cpu[role] = run.cpu.get(role, 0.0) + seconds - before.get(pid, (role, 0.0))[1]


def _cpu_seconds() -> dict[int, tuple[str, float]]:
    me = psutil.Process()
    found = {me.pid: ("client", _cpu(me))}
    for process in me.children(recursive=True):
        try:
            found[process.pid] = (_role(process), _cpu(process))
        except psutil.NoSuchProcess:
            continue
    return found


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _role(process: psutil.Process) -> str:
    words = " ".join([process.name(), *process.cmdline()])
    return next((role for word, role in ROLES if word in words), "other")


def alternated(contenders: dict[str, Callable[[], Run]], rounds: int) -> dict[str, list[Run]]:
    """Run the contenders in turn, A B A B, and keep every run."""
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            runs[name].append(contender())
    return runs


def report(title: str, runs: dict[str, list[Run]], amount: int, unit: str, baseline: str) -> None:
    """Print a table of medians, with the ratio to the baseline, and keep it as JSON."""
    base = statistics.median(run.seconds for run in runs[baseline])
    table = Table(title=title)
    for column in ("contender", "seconds", f"{unit}/s", f"ratio to {baseline}", f"CPU µs per {unit} by process"):
        table.add_column(column, justify="left" if column == "contender" else "right")
    for name, found in runs.items():
        seconds = statistics.median(run.seconds for run in found)
        spread = f"{min(r.seconds for r in found):.3f}–{max(r.seconds for r in found):.3f}"
        table.add_row(
            name,
            f"{seconds:.3f} ({spread})",
            f"{amount / seconds:,.0f}",
            f"{base / seconds:.2f}",
            _cpu_text(found, amount),
        )
    Console(width=150).print(table)
    _keep(title, runs, amount, unit)


def _cpu_text(runs: list[Run], amount: int) -> str:
    roles = sorted({role for run in runs for role in run.cpu})
    medians = {role: statistics.median(run.cpu.get(role, 0.0) for run in runs) for role in roles}
    return "  ".join(f"{role} {seconds / amount * 1e6:.1f}" for role, seconds in medians.items() if seconds > 0)


def _keep(title: str, runs: dict[str, list[Run]], amount: int, unit: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    packages = ("farpool", "redis", "hiredis", "msgpack", "numpy", "rq")
    record = {
        "title": title,
        "amount": amount,
        "unit": unit,
        "machine": {"python": sys.version.split()[0], "system": platform.platform(), "cores": psutil.cpu_count()},
        "versions": {name: metadata.version(name) for name in packages},
        "runs": {name: [asdict(run) for run in found] for name, found in runs.items()},
    }
    name = title.split()[0].lower()
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1))
