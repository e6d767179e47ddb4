"""The command line: install peers, run rounds, write the table."""

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.environments import install, is_installed
from bench.faults import __doc__ as usage
from bench.faults.results import FOLDER, keep
from bench.faults.rounds import Round, play
from bench.faults.scenarios import SCENARIOS
from bench.faults.systems import SYSTEMS, System
from bench.faults.table import write_table
from bench.records import server_version

LONG_ROUND_SECONDS = 30.0


def main(words: Sequence[str]) -> int:
    """Install, or run what was chosen, keep it, and write the table."""
    if words[:1] == ["install"]:
        for name in words[1:] or SYSTEMS:
            install(SYSTEMS[name])
        return 0
    options = _parser().parse_args(words)
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    for system in _chosen(options.only, SYSTEMS) if options.rounds else ():
        if not is_installed(system):
            print(f"{system.name} is not installed: python -m bench.faults install {system.name}")
            return 2
        for fault in _faults(system, options.faults):
            _cell(system, fault, seed, options)
    if options.table:
        write_table(options.table, options.results)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=usage)
    parser.add_argument("--rounds", type=int, default=5, help="of each fault; 0 only writes the table")
    parser.add_argument(
        "--long-rounds", type=int, default=2, help=f"of those that take {LONG_ROUND_SECONDS:g} s or more"
    )
    parser.add_argument("--seed", type=int, help="of the first round; the next ones count on")
    parser.add_argument("--only", help=f"some of {', '.join(SYSTEMS)}")
    parser.add_argument("--faults", help=f"some of {', '.join(SCENARIOS)}")
    parser.add_argument("--deadline", type=float, default=120.0, help="seconds after which a task counts as lost")
    parser.add_argument("--results", type=Path, default=FOLDER, help="where results are kept")
    parser.add_argument("--table", type=Path, help="a page whose table is made anew from all that was kept")
    return parser


def _chosen(names: str | None, known: dict[str, System]) -> list[System]:
    return [known[name] for name in (names.split(",") if names else known)]


def _faults(system: System, names: str | None) -> list[str]:
    wanted = names.split(",") if names else list(SCENARIOS)
    return [name for name in wanted if system.faults is None or name in system.faults]


def _cell(system: System, fault: str, seed: int, options: argparse.Namespace) -> None:
    """So many rounds, fewer when they are long."""
    rounds: list[Round] = []
    while len(rounds) < options.rounds:
        found = play(system, fault, seed + len(rounds), options.deadline, options.results / "logs")
        rounds.append(found)
        print(f"{system.name:15} {_told(found)}", flush=True)
        if sum(each.seconds > LONG_ROUND_SECONDS for each in rounds) >= options.long_rounds:
            break
    if rounds:
        keep(
            system,
            fault,
            rounds,
            options.results,
            seed=seed,
            deadline_seconds=options.deadline,
            server=server_version(),
        )


def _told(found: Round) -> str:
    return (
        f"{found.fault:15} seed {found.seed}: {found.lost} of {found.tasks} lost, {found.extra} extra, "
        f"{found.changed} changed, {found.doubles} doubles, exits {found.exits}, {found.unserved} unserved, "
        f"last result {found.last_result:.1f} s, round {found.seconds:.0f} s, {found.notes} {found.told or ''}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
