"""The page of results, made from the records that are kept and from nothing else: `python -m bench.table [PAGE]`."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.conditions import KEPT
from bench.page import put_table
from bench.records import Record, figures, load, per_task, ratios, seconds_each, spread
from bench.show import text
from bench.targets import TARGETS

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def main(words: Sequence[str]) -> int:
    """Write the page anew."""
    parser = argparse.ArgumentParser(prog="python -m bench.table", description="make the page of results")
    parser.add_argument("page", nargs="?", type=Path, default=PAGE)
    parser.add_argument("--results", type=Path, default=KEPT, help="where results are kept")
    options = parser.parse_args(words)
    put_table(options.page, table(options.results))
    return 0


def table(folder: Path) -> str:
    """Targets, then each workload, then how the others were set up."""
    records = [record for file in sorted(folder.glob("*.json")) if (record := load(file))]
    parts = [_targets(folder), *(_workload(record) for record in records), "\n".join(_setups(records))]
    return "\n\n".join(parts) + "\n"


def _targets(folder: Path) -> str:
    lines = [_line(("workload", "target", "reached: median (least–most)", "")), _line(["---"] * 4)]
    for target in TARGETS:
        value = target.reached(folder)
        verdict = "not measured yet" if value is None else "" if target.is_met(value) else "**missed**"
        lines.append(_line((target.workload, target.wanted, "–" if value is None else text(value, 2), verdict)))
    return "\n".join(lines)


def _workload(record: Record) -> str:
    unit, base = record["unit"], record["baseline"]
    names = list(dict.fromkeys(name for runs in record["runs"].values() for run in runs for name in run["figures"]))
    has_times = any(seconds_each(record, name)[0] for name in record["runs"])
    columns = ["contender", *([f"{unit}/s", f"× {base}", f"CPU µs per {unit}", "server"] if has_times else []), *names]
    rows = [_line(columns), _line(["---"] * len(columns))]
    for name in record["runs"]:
        cells = [name, *(_speed(record, name) if has_times else ())]
        rows.append(_line([*cells, *(_figure(record, name, figure) for figure in names)]))
    return "\n".join([f"### {_title(record)}", "", *rows, "", f"{_conditions(record)}."])


def _title(record: Record) -> str:
    return record["title"] + (", append-only file" if record["appendonly"] else "")


def _speed(record: Record, name: str) -> Iterator[str]:
    yield text(spread([1 / seconds for seconds in seconds_each(record, name)]), 0)
    yield text(spread(ratios(record, name, record["baseline"])), 2)
    cpu = {role: 1e6 * seconds for role, seconds in per_task(record, name, "cpu").items() if seconds > 0}
    parts = ", ".join(f"{role} {amount:.1f}" for role, amount in cpu.items())
    yield f"{sum(cpu.values()):.1f}: {parts}" if cpu else "–"
    traffic = per_task(record, name, "traffic")
    yield ", ".join(f"{amount:.3g} {what}" for what, amount in traffic.items()) or "–"


def _figure(record: Record, name: str, figure: str) -> str:
    found = figures(record, name, figure)
    return text(spread(found), 2) if found else "–"


def _conditions(record: Record) -> str:
    machine, versions = record["machine"], record["versions"]
    rounds = len(next(iter(record["runs"].values())))
    facts = (
        f"{rounds} rounds" if rounds > 1 else "1 round",
        record["date"],
        f"{machine['cores']} cores, {machine['system']}, Python {machine['python']}, {machine['server']}",
        ", ".join(f"{name} {version}" for name, version in versions.items()),
    )
    return "; ".join(facts)


def _setups(records: Iterable[Record]) -> list[str]:
    """Each peer once, as the last record has it."""
    found = {name: about for record in records for name, about in record.get("peers", {}).items()}
    return [
        f"* **{name}**: {about['settings']}. " + ", ".join(f"{of} {told}" for of, told in about["versions"].items())
        for name, about in found.items()
    ]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
