"""`make chaos`: many rounds of every fault, each with a seed of its own, and a table of what was lost.

python tests/chaos [--rounds 50] [--seed N] [--only NAME,...] [--at-once 2] [--table FILE]
"""

import argparse
import random
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support"), str(HERE.parents[1])]

from bench.page import put_table  # noqa: E402
from faults import FAULTS  # noqa: E402
from report import row, table  # noqa: E402
from rounds import run  # noqa: E402
from world import GRACE, LEASE, PROMISE, SWEEP  # noqa: E402


def main(words: Sequence[str]) -> int:
    """Run, print, and tell by the exit code whether every promise was kept."""
    options = _parser().parse_args(words)
    chosen = options.only.split(",") if options.only else list(FAULTS)
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    print(f"seed {seed}; lease {LEASE:g} s, grace {GRACE:g} s, sweep {SWEEP:g} s, promise {PROMISE:g} s")
    rows, ended_well = [], True
    with ProcessPoolExecutor(options.at_once, get_context("spawn")) as side_by_side:
        for name in chosen:
            verdicts = []
            rounds = FAULTS[name].rounds(options.rounds)
            for verdict, said in side_by_side.map(run, repeat(name), range(seed, seed + rounds)):
                print(said, end="", flush=True)
                verdicts.append(verdict)
            ended_well &= all(map(FAULTS[name].is_survived, verdicts))
            rows.append(row(name, FAULTS[name], verdicts))
            print("  ".join(rows[-1]), flush=True)
    text = table(rows, seed)
    print(text)
    if options.table:
        put_table(Path(options.table), text)
    return 0 if ended_well else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="of faults that matter most; others get a fifth")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--only", help=f"some of {', '.join(FAULTS)}")
    parser.add_argument("--at-once", type=int, default=2, help="rounds side by side; most of a round is waiting")
    parser.add_argument("--table", help="a page for the table")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
