"""The table that `make chaos` ends with."""

import os
import sys
from collections.abc import Iterable, Sequence
from statistics import quantiles

from faults import Fault
from oracle import Verdict

from farpool.embedded import find_server_binary

COUNTS = ("tasks", "lost", "double results", "extra runs", "refused as stale")
COLUMNS = ("fault", "rounds", *COUNTS, "recovery p50 / p99 (s)", "verdict")


def row(name: str, fault: Fault, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """One fault: sums over its rounds, and whether every promise was kept."""
    recovery = [seconds for verdict in verdicts for seconds in verdict.recovery]
    counted = ("tasks", "lost", "double", "extra", "stale")
    sums = [f"{sum(getattr(verdict, what) for verdict in verdicts):,}" for what in counted]
    broken = sum(not fault.is_survived(verdict) for verdict in verdicts)
    told = f"broken in {broken}" if broken else "kept"
    return (name.replace("_", " "), str(len(verdicts)), *sums, _percentiles(recovery), told)


def _percentiles(values: Sequence[float]) -> str:
    if len(values) < 2:
        return "".join(f"{value:.2f}" for value in values) or "–"
    cuts = quantiles(values, n=100, method="inclusive")
    return f"{cuts[49]:.2f} / {cuts[98]:.2f}"


def table(rows: Iterable[Sequence[str]], seed: int) -> str:
    """Markdown, with what is needed to run it again."""
    server = os.popen(f"{find_server_binary()} --version").read().split(" sha=")[0].strip()
    lines = [f"Seed {seed}, {server}, Python {sys.version.split()[0]}.", ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, ""])
