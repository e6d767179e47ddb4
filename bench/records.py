"""What was measured, as one JSON file per workload: everything that a table or a page is made of.

{"title", "date", "amount", "unit", "baseline", "appendonly",
 "machine": {"python", "system", "cores", "server"}, "versions": {package: version},
 "runs": {contender: [{"seconds", "cpu": {role: seconds}, "traffic": {name: count}, "figures": {name: value},
                       "amount": tasks, 0 for the workload's}]}}
"""

import datetime
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.conditions import CONDITIONS
from farpool.embedded import find_server_binary

PACKAGES = ("farpool", "redis", "hiredis", "msgpack", "numpy", "rq")

Record = dict[str, Any]


class Spread(NamedTuple):
    """A median and its extremes."""

    median: float
    least: float
    most: float


def keep(title: str, runs: Mapping[str, Sequence[Any]], **facts: Any) -> Record:
    """Write the file that the title's first word names; returns what is in it."""
    record = {
        "title": title,
        "date": datetime.date.today().isoformat(),
        **facts,
        "appendonly": CONDITIONS.appendonly,
        "machine": machine(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "runs": {name: [asdict(run) for run in found] for name, found in runs.items()},
    }
    file = CONDITIONS.file(title.split()[0].lower())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record, indent=1) + "\n")
    return record


def load(file: Path) -> Record | None:
    """What was kept there, None when nothing was."""
    found: Record | None = json.loads(file.read_text()) if file.exists() else None
    return found


def machine() -> dict[str, Any]:
    """What this one is."""
    system = f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"
    return {"python": sys.version.split()[0], "system": system, "cores": os.cpu_count(), "server": server_version()}


def server_version() -> str:
    """Of the server that is started here, as its program tells it."""
    told = subprocess.run([find_server_binary(), "--version"], check=True, capture_output=True, text=True).stdout
    name, found = told.split()[0], re.search(r"v=(\S+)", told)
    return f"{name} {found[1] if found else '?'}"


def spread(values: Sequence[float]) -> Spread:
    return Spread(median(values), min(values), max(values))


def seconds_each(record: Record, contender: str) -> list[float]:
    """Seconds per task of each of its runs."""
    return [run["seconds"] / _amount(record, run) for run in record["runs"][contender]]


def ratios(record: Record, contender: str, baseline: str) -> list[float]:
    """How many times as quick as the baseline, round by round."""
    pairs = zip(seconds_each(record, contender), seconds_each(record, baseline), strict=True)
    return [theirs / ours for ours, theirs in pairs if ours]


def figures(record: Record, contender: str, name: str) -> list[float]:
    """One of the further figures, of each run that has it."""
    return [run["figures"][name] for run in record["runs"][contender] if name in run["figures"]]


def per_task(record: Record, contender: str, kind: str) -> dict[str, float]:
    """Medians per task of "cpu" (seconds by role) or of "traffic", in the order of their size."""
    runs = record["runs"][contender]
    names = dict.fromkeys(name for run in runs for name in run[kind])
    found = {name: median(run[kind].get(name, 0.0) / _amount(record, run) for run in runs) for name in names}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _amount(record: Record, run: Mapping[str, Any]) -> float:
    return float(run["amount"] or record["amount"])
