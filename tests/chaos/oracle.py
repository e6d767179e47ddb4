"""What really ran and what a user saw, judged without asking the server under test.

Tasks write to a file (`chaos_tasks`); futures and jobs are what a user sees.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One run of one task, as it told itself; `ended` is None when it did not come to its end."""

    key: str
    pid: int
    begun: float
    ended: float | None


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


def runs_in(journal: Path) -> list[Run]:
    """All runs, in the order in which they began."""
    begun: dict[tuple[str, int], float] = {}
    runs: list[Run] = []
    for line in journal.read_text().splitlines() if journal.exists() else ():
        key, word, pid, at = line.split()
        if word == "begin":
            if (before := begun.pop((key, int(pid)), None)) is not None:
                runs.append(Run(key, int(pid), before, None))
            begun[key, int(pid)] = float(at)
        else:
            runs.append(Run(key, int(pid), begun.pop((key, int(pid))), float(at)))
    runs += [Run(key, pid, at, None) for (key, pid), at in begun.items()]
    return sorted(runs, key=lambda run: run.begun)


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
