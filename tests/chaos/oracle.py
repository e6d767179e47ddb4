"""What really ran and what a user saw, judged without asking the server under test.

Tasks write to a file (`chaos_tasks`); futures and jobs are what a user sees.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from bench.faults.journal import Run, runs_in

__all__ = ["Run", "Verdict", "judge_runs", "overlaps", "runs_in"]


@dataclass
class Verdict:
    """One round.  `lost`: accepted, and without a right result in the end.  `double`: results beyond one per task.
    `extra`: runs beyond one per task; `needless`: those whose earlier run came to its end.  `stale`: results that the
    server refused, because the task had been taken away from whoever sent them.
    `recovery`: seconds from the harm to the next run of each task that it had interrupted."""

    fault: str
    seed: int
    tasks: int = 0
    lost: int = 0
    double: int = 0
    extra: int = 0
    needless: int = 0
    stale: int = 0
    recovery: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """What is promised: nothing lost, nothing twice, and nothing else that the scenario found."""
        return self.lost == 0 and self.double == 0 and not self.notes


def overlaps(runs: Iterable[Run]) -> list[str]:
    """Tasks of which two runs went on at the same moment, with the seconds that both did."""
    by_key: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_key[run.key].append(run)
    pairs = [pair for found in by_key.values() for pair in pairwise(found)]
    return [f"{a.key}: {a.seen - b.begun:.2f} s" for a, b in pairs if b.begun < a.seen]


def judge_runs(verdict: Verdict, runs: Iterable[Run], harm_at: float) -> None:
    """Count what ran more than once, and how soon after the harm it did."""
    by_key: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_key[run.key].append(run)
    for found in by_key.values():
        verdict.extra += len(found) - 1
        for earlier, later in pairwise(found):
            verdict.needless += earlier.ended is not None
            if later.begun > harm_at:
                verdict.recovery.append(later.begun - max(harm_at, earlier.begun))
