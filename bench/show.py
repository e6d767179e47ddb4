"""A workload's results as a table for the terminal."""

from rich.console import Console
from rich.table import Table

from bench.records import Record, Spread, figures, per_task, ratios, seconds_each, spread


def show(record: Record) -> None:
    """A row per contender: medians, and in parentheses the least and the most."""
    unit, base = record["unit"], record["baseline"]
    names = list(dict.fromkeys(name for runs in record["runs"].values() for run in runs for name in run["figures"]))
    table = Table(title=record["title"] + (", append-only file" if record["appendonly"] else ""))
    columns = ("contender", f"{unit}/s", f"ratio to {base}", *names, f"CPU µs per {unit}", f"server per {unit}")
    for column in columns:
        table.add_column(column, justify="left" if column == "contender" else "right")
    for name in record["runs"]:
        table.add_row(
            name, *_speed(record, name), *(_figure(record, name, each) for each in names), *_costs(record, name)
        )
    Console(width=180).print(table)


def text(values: Spread, digits: int) -> str:
    """A median with its extremes."""
    return f"{values.median:,.{digits}f} ({values.least:,.{digits}f}–{values.most:,.{digits}f})"


def _speed(record: Record, name: str) -> tuple[str, str]:
    each = [seconds for seconds in seconds_each(record, name) if seconds]
    found = ratios(record, name, record["baseline"])
    return text(spread([1 / seconds for seconds in each]), 0) if each else "–", text(spread(found), 2) if found else "–"


def _figure(record: Record, name: str, figure: str) -> str:
    found = figures(record, name, figure)
    return text(spread(found), 3) if found else "–"


def _costs(record: Record, name: str) -> tuple[str, str]:
    cpu = {role: 1e6 * seconds for role, seconds in per_task(record, name, "cpu").items() if seconds > 0}
    total = f"{sum(cpu.values()):.1f}: " if cpu else "–"
    traffic = per_task(record, name, "traffic")
    return (
        total + ", ".join(f"{role} {amount:.1f}" for role, amount in cpu.items()),
        ", ".join(f"{amount:.3g} {what}" for what, amount in traffic.items()) or "–",
    )
