"""A guard against regressions: CPU µs per task of everything that takes part, against budgets with a wide margin.

`python -m bench.check` ends with 1 when a budget is exceeded; `--write` sets the budgets to what is measured now,
times the margin.  CPU time of user and system hardly depends on what else the machine does, wall time does.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bench import rq_jobs, w1_submits, w2_latency, w3_map, w5_arrays
from bench.hosts import executor
from bench.measure import Run
from farpool import Executor

BUDGETS = Path(__file__).parent / "budgets.json"
MARGIN = 1.5
RUNS = 3
"""The best of so many counts: what disturbs a run only ever makes it dearer."""

RQ_JOBS, ARRAYS = 4_000, 100

Case = Callable[[], tuple[Run, int]]
"""What makes a run, and tells how many tasks it did."""


def main(words: Sequence[str] = ()) -> int:
    """Measure, print the table, and judge."""
    parser = argparse.ArgumentParser(prog="python -m bench.check", description="CPU per task against its budget")
    parser.add_argument("--write", action="store_true", help="budgets from what is measured now")
    parser.add_argument("--budgets", type=Path, default=BUDGETS)
    parser.add_argument("--only", default="", help="some of the cases, by their first words")
    options = parser.parse_args(words)
    measured = dict(_measured(options.only.split(",")))
    if options.write:
        budgets = {name: round(MARGIN * microseconds, 1) for name, microseconds in measured.items()}
        options.budgets.write_text(json.dumps({"CPU µs per task": budgets}, indent=1, ensure_ascii=False) + "\n")
        return 0
    budgets = json.loads(options.budgets.read_text())["CPU µs per task"]
    over = [name for name, microseconds in measured.items() if microseconds > budgets[name]]
    _show(measured, budgets)
    if over:
        print(f"over budget: {', '.join(over)}.  If that is meant: python -m bench.check --write")
    return 1 if over else 0


def _measured(wanted: Sequence[str]) -> Iterator[tuple[str, float]]:
    with _cases() as cases:
        for name, case in cases.items():
            if name.startswith(tuple(wanted)):
                yield name, min(_microseconds(*case()) for _ in range(RUNS))


@contextmanager
def _cases() -> Iterator[dict[str, Case]]:
    with executor() as ours:
        yield {
            "w1 submit": lambda: (w1_submits.submits(ours), w1_submits.TASKS),
            "w2 one call at a time": lambda: (w2_latency.round_trips(ours), w2_latency.TASKS),
            "w3 item of a map": lambda: (_map(ours), w3_map.ITEMS),
            "w5 array of 1 MB": lambda: (_arrays(ours), ARRAYS),
            "rq job": _rq,
        }


def _map(ours: Executor) -> Run:
    return w3_map.checked(lambda: list(ours.map(w3_map.square, range(w3_map.ITEMS), chunksize="auto")))


def _arrays(ours: Executor) -> Run:
    array = np.random.default_rng(0).random(w5_arrays.SIZES["1 MB"][0])
    return w5_arrays.there_and_back(ours, array, ARRAYS)


def _rq() -> tuple[Run, int]:
    run = rq_jobs.work(RQ_JOBS, [[*rq_jobs.FARPOOL, "-c", "2"]])
    return run, run.amount


def _microseconds(run: Run, amount: int) -> float:
    return sum(run.cpu.values()) / amount * 1e6


def _show(measured: dict[str, float], budgets: dict[str, float]) -> None:
    table = Table(title="CPU µs per task, all processes together")
    for column in ("case", "measured", "budget", "of the budget"):
        table.add_column(column, justify="left" if column == "case" else "right")
    for name, microseconds in measured.items():
        budget = budgets[name]
        table.add_row(name, f"{microseconds:.2f}", f"{budget:.1f}", f"{microseconds / budget:.0%}")
    Console(width=100).print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
