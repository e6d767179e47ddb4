"""The command line: all workloads, or those named, each with its rounds and peers."""

import argparse
import importlib
import inspect
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.conditions import CONDITIONS, RESULTS
from bench.peers.contender import check

_FILES = sorted(Path(__file__).parent.glob("w*_*.py"))
WORKLOADS = {file.stem.partition("_")[0]: f"bench.{file.stem}" for file in _FILES} | {
    "dask": "bench.dask_graphs",
    "hosts": "bench.thousand_hosts",
    "joblib": "bench.joblib_calls",
    "rq": "bench.rq_jobs",
    "shared": "bench.shared_state",
    "mixed": "bench.mixed",
}
"""By the first word of their file's name."""


def main(words: Sequence[str]) -> int:
    """Run what was chosen, one after the other."""
    options = _parser().parse_args(words)
    CONDITIONS.appendonly, CONDITIONS.results = options.appendonly, options.results
    wanted = {"rounds": options.rounds, "peers": tuple(filter(None, options.peers.split(",")))}
    check(wanted["peers"])
    for name in options.workloads or WORKLOADS:
        run = importlib.import_module(WORKLOADS[name]).main
        run(**{word: wanted[word] for word in inspect.signature(run).parameters})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=importlib.import_module("bench").__doc__)
    parser.add_argument("workloads", nargs="*", choices=[*WORKLOADS, []], help="all unless some are named")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contender runs")
    parser.add_argument("--peers", default="", help="others to alternate with, such as huey,dramatiq")
    parser.add_argument("--appendonly", action="store_true", help="servers write an append-only file")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where results are kept")
    return parser


if __name__ == "__main__":
    # Ended from outside, it ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main(sys.argv[1:]))
