"""`make chaos`: many rounds of every fault, each with a seed of its own, and a table of what was lost.

python tests/chaos [--rounds 50] [--seed N] [--only NAME,...] [--table FILE]
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import quantiles

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from oracle import Verdict  # noqa: E402
from scenarios import SCENARIOS, WITH_REPLICA, WITHOUT_EXTRA_RUNS  # noqa: E402
from world import GRACE, LEASE, PROMISE, SWEEP, World  # noqa: E402

from farpool.embedded import find_server_binary  # noqa: E402

COLUMNS = ("fault", "rounds", "tasks", "lost", "double results", "extra runs", "recovery p50 / p99 (s)", "verdict")


def main(words: Sequence[str]) -> int:
    """Run, print, and tell by the exit code whether every promise was kept."""
    options = _parser().parse_args(words)
    chosen = options.only.split(",") if options.only else list(SCENARIOS)
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    print(f"seed {seed}; lease {LEASE:g} s, grace {GRACE:g} s, sweep {SWEEP:g} s, promise {PROMISE:g} s")
    rows, ended_well = [], True
    for name in chosen:
        verdicts = [_round(name, seed + number) for number in range(options.rounds)]
        ended_well &= all(map(_is_kept, verdicts))
        rows.append(_row(name, verdicts))
        print("  ".join(rows[-1]), flush=True)
    table = _table(rows, seed)
    print(table)
    if options.table:
        Path(options.table).write_text(table)
    return 0 if ended_well else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--only", help=f"some of {', '.join(SCENARIOS)}")
    parser.add_argument("--table", help="a file for the table")
    return parser


def _world(name: str, seed: int, folder: str) -> World:
    return World(name, seed, Path(folder), has_replica=name in WITH_REPLICA)


def _round(name: str, seed: int) -> Verdict:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fp") as folder, _world(name, seed, folder) as world:
        SCENARIOS[name](world)
        verdict = world.settle()
        if not _is_kept(verdict):
            print(verdict, world.logs(), sep="\n")
    print(f"  {time.monotonic() - began:.1f} s, lost {verdict.lost}, double {verdict.double}, extra {verdict.extra}")
    return verdict


def _is_kept(verdict: Verdict) -> bool:
    return verdict.is_good and (verdict.extra == 0 or verdict.fault not in WITHOUT_EXTRA_RUNS)


def _row(name: str, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    recovery = [seconds for verdict in verdicts for seconds in verdict.recovery]
    sums = [sum(getattr(verdict, what) for verdict in verdicts) for what in ("tasks", "lost", "double", "extra")]
    kept = sum(map(_is_kept, verdicts))
    told = "kept" if kept == len(verdicts) else f"broken in {len(verdicts) - kept}"
    return (name.replace("_", " "), str(len(verdicts)), *map(str, sums), _percentiles(recovery), told)


def _percentiles(values: Sequence[float]) -> str:
    if len(values) < 2:
        return "".join(f"{value:.2f}" for value in values) or "–"
    cuts = quantiles(values, n=100, method="inclusive")
    return f"{cuts[49]:.2f} / {cuts[98]:.2f}"


def _table(rows: Iterable[Sequence[str]], seed: int) -> str:
    server = os.popen(f"{find_server_binary()} --version").read().split(" sha=")[0].strip()
    lines = [f"Seed {seed}, {server}, Python {sys.version.split()[0]}.", ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
