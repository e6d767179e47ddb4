"""The table for the docs, made from what was kept and from nothing else."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.faults.results import load, rounds_of
from bench.faults.rounds import Round
from bench.faults.scenarios import SCENARIOS
from bench.faults.systems import SYSTEMS, System
from bench.page import put_table

Notes = list[dict[str, Any]]

USUAL_ROUNDS = 5


def write_table(page: Path, folder: Path) -> None:
    """Into its page, or a new one."""
    put_table(page, table(folder))


def table(folder: Path) -> str:
    """One row per fault, one column per system, and how each system was set up."""
    cells = {system.name: load(system.name, folder) for system in SYSTEMS.values()}
    shown = [system for system in SYSTEMS.values() if cells[system.name]]
    lines = [_line(("", *(system.title for system in shown))), _line(["---"] * (1 + len(shown)))]
    for fault, scenario in SCENARIOS.items():
        row = [_cell(cells[system.name].get(fault)) for system in shown]
        lines.append(_line((f"`{fault}`: {scenario.__doc__}", *row)))
    return "\n".join([*lines, "", *(_setup(system, cells[system.name].values()) for system in shown), ""])


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _setup(system: System, cells: Iterable[dict[str, Any]]) -> str:
    """Versions, seeds, dates and machine of a column; more than one where cells were measured anew."""
    cells = list(cells)
    versions = {", ".join(f"{name} {told}" for name, told in cell["versions"].items()) for cell in cells}
    seeds = sorted({str(cell["seed"]) for cell in cells})
    dates = sorted({cell["date"] for cell in cells})
    servers = sorted({cell["server"] for cell in cells if system.command})
    machines = sorted({cell["machine"] for cell in cells})
    facts = ["; ".join(sorted(versions)), *servers, f"seed {', '.join(seeds)}", ", ".join(dates), *machines]
    return f"* **{system.title}**: {system.settings}. {'; '.join(facts)}."


def _cell(kept: dict[str, Any] | None) -> str:
    if kept is None:
        return "–"
    rounds, deadline = rounds_of(kept), kept["deadline_seconds"]
    parts = [_lost(rounds, deadline), f"{sum(each.extra for each in rounds)} extra"]
    parts += [_if_any(sum(each.changed for each in rounds), "changed")]
    parts += [_if_any(sum(each.doubles for each in rounds), "double")]
    parts += [_if_any(sum(each.refused for each in rounds), "refused")]
    parts += [*_notes(rounds), *_workers(rounds), _times(rounds)]
    parts += [_amount(len(rounds), "round") if len(rounds) != USUAL_ROUNDS else ""]
    return ", ".join(filter(None, parts))


def _amount(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _if_any(number: int, word: str) -> str:
    return f"**{number} {word}**" if number else ""


def _lost(rounds: Sequence[Round], deadline: float) -> str:
    failed, missing = (sum(getattr(each, name) for each in rounds) for name in ("failed", "missing"))
    if not failed + missing:
        return "0 lost"
    parts = [f"{failed} failed"] * bool(failed) + [f"{missing} not within {deadline:g} s"] * bool(missing)
    return f"**{failed + missing} of {sum(each.tasks for each in rounds)} lost** ({', '.join(parts)})"


def _notes(rounds: Sequence[Round]) -> list[str]:
    """What only some faults ask."""
    notes = [each.notes for each in rounds]
    tellers = {
        "orphans": _orphans,
        "paused_seconds": _pauses,
        "exit_code": _exit_codes,
        "poison": _poison,
        "lock": lambda notes: f"told: {_ends(notes, 'lock')}",
    }
    return [tell(notes) for name, tell in tellers.items() if name in notes[0]]


def _orphans(notes: Notes) -> str:
    orphans, left = (sum(note[name] for note in notes) for name in ("orphans", "orphans_left"))
    return _amount(orphans, "orphan") + (f" ({left} for ever)" if left else "")


def _pauses(notes: Notes) -> str:
    taken = [note["paused_seconds"] for note in notes if note["taken_over"]]
    if not taken:
        return "not taken over within 120 s"
    never = len(notes) - len(taken)
    return f"paused for {median(taken):.1f} s" + (f" (not taken over in {_amount(never, 'round')})" if never else "")


def _exit_codes(notes: Notes) -> str:
    codes = Counter("still running" if note["exit_code"] is None else str(note["exit_code"]) for note in notes)
    return "exit code " + " / ".join(codes)


def _poison(notes: Notes) -> str:
    runs = [note.get("bad_runs", 0) for note in notes]
    low, high = min(runs), max(runs)
    times = "once" if high == 1 else f"{low} times" if low == high else f"{low} to {high} times"
    return f"poison run {times}: {_ends(notes, 'poison')}"


def _ends(notes: Notes, word: str) -> str:
    """What the client was told of a bad task, each kind once."""
    return " / ".join(dict.fromkeys(_end(note[word], note[f"{word}_told"]) for note in notes))


def _end(state: str, told: str) -> str:
    # What an error says of pids and slots differs from round to round; its kind does not.
    match state:
        case "pending":
            return "**nothing within 60 s**"
        case "failed":
            return f"an error (`{told.partition(':')[0]}`)"
        case "done":
            return f"**a success** (`{told}`)"
    return "refused at once"


def _workers(rounds: Sequence[Round]) -> list[str]:
    exits, deaf = sum(len(each.exits) for each in rounds), sum(each.unserved for each in rounds)
    codes = ", ".join(map(str, sorted({code for each in rounds for code in each.exits})))
    return [f"{_amount(exits, 'exit')} (code {codes})" if exits else "", _if_any(deaf, "deaf")]


def _times(rounds: Sequence[Round]) -> str:
    times = [each.last_result for each in rounds]
    if not any(times):
        return "no result after it"
    return f"{median(times):.1f} s (≤ {max(times):.1f})"
