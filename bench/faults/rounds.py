"""One round: a fault is done to a system, and what became of each accepted task is judged."""

import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.faults.journal import Run, runs_in
from bench.faults.scenarios import SCENARIOS
from bench.faults.stand import Stand, Watched
from bench.faults.systems import System
from bench.faults.worker import Worker

PROBES, PROBE_SECONDS, PROBE_TRIES = 8, 0.2, 5
"""Some workers take seconds to start again; meanwhile the other one takes all."""
PROBE_WAIT_SECONDS = 15.0
LONGEST_RUN_SECONDS, QUIET_SECONDS = 10.0, 1.5
"""After the last result the client looks on until nothing runs and a little longer, whether a result is replaced."""


@dataclass
class Round:
    """What one round came to.  `failed`: the client was told an error, or got a wrong value; `missing`: it knew of
    no end at the deadline.  `changed`: results that were replaced after the client had seen one; `doubles`: results
    beyond one that the system itself shows.  `needless`: extra runs of tasks that had come to their end.
    `last_result`: seconds from the harm to the last right result; `rerun`: to the next run of what it interrupted.
    """

    fault: str
    seed: int
    seconds: float = 0.0
    tasks: int = 0
    refused: int = 0
    failed: int = 0
    missing: int = 0
    changed: int = 0
    doubles: int = 0
    extra: int = 0
    needless: int = 0
    exits: list[int] = field(default_factory=list)
    unserved: int = 0
    """Workers that should serve and ran none of the last tasks."""
    last_result: float = 0.0
    rerun: list[float] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    """Some of the errors that the client was told."""

    @property
    def lost(self) -> int:
        return self.failed + self.missing


def play(system: System, fault: str, seed: int, deadline_seconds: float, logs: Path) -> Round:
    """Do it in a folder of its own, and leave nothing but the logs of a bad round in `logs`."""
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="bench") as folder,
        Stand(system, seed, Path(folder)) as stand,
    ):
        stand.start()
        SCENARIOS[fault](stand)
        stand.watch(deadline_seconds, lambda: all(task.outcome.has_ended for task in stand.tasks.values()))
        stand.watch(LONGEST_RUN_SECONDS, lambda: not stand.is_running())
        stand.watch(QUIET_SECONDS)
        found = Round(fault, seed, notes=stand.notes)
        _judge_results(found, stand)
        _probe(found, stand)
        _judge_runs(found, stand, runs_in(stand.journal))
        if found.lost or found.exits or found.unserved:
            _keep_logs(logs, found, stand)
    found.seconds = round(time.monotonic() - began, 1)
    return found


def _judge_results(found: Round, stand: Stand) -> None:
    assert stand.client is not None
    tasks = list(stand.tasks.values())
    right = [task for task in tasks if task.is_right]
    wrong = [task for task in tasks if task.outcome.has_ended and not task.is_right]
    found.tasks, found.refused = len(tasks), len(stand.refusals)
    found.failed, found.missing = len(wrong), len(tasks) - len(right) - len(wrong)
    found.changed = sum(task.changes for task in tasks)
    found.doubles = stand.client.doubles()
    found.last_result = round(max([stand.harm_at, *(task.seen_at for task in right)]) - stand.harm_at, 2)
    found.told = sorted({task.outcome.value[:300] for task in wrong})[:3] + sorted(set(stand.refusals))[:2]


def _probe(found: Round, stand: Stand) -> None:
    """Enough tasks that every worker gets one; a worker that runs none in several tries has gone deaf."""
    for _ in range(PROBE_TRIES):
        probes = [stand.submit_other("probe", "work", PROBE_SECONDS) for _ in range(PROBES)]
        accepted: list[Watched] = [probe for probe in probes if probe is not None]
        stand.watch(PROBE_WAIT_SECONDS, lambda tasks=accepted: all(probe.outcome.has_ended for probe in tasks))
        found.unserved = len(_silent_workers(stand))
        if not found.unserved:
            break
    if "orphans" in stand.notes:
        found.notes["orphans_left"] = sum(len(worker.alive()) for worker in stand.workers if worker.is_left_alone)
    found.exits = [code for worker in stand.workers for code in worker.exits]


def _silent_workers(stand: Stand) -> list[Worker]:
    """Those that should serve and have run no probe."""
    ran = [run for run in runs_in(stand.journal) if run.key.startswith("probe")]
    expected = [worker for worker in stand.workers if not worker.is_left_alone]
    return [worker for worker in expected if not any(worker.has_run(run.pid) for run in ran)]


def _judge_runs(found: Round, stand: Stand, runs: list[Run]) -> None:
    by_key: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_key[run.key].append(run)
    for key, of_task in by_key.items():
        if key in stand.tasks:
            found.extra += len(of_task) - 1
            for earlier, later in pairwise(of_task):
                found.needless += earlier.ended is not None and earlier.ended < later.begun
                found.rerun.append(round(later.begun - max(stand.harm_at, earlier.begun), 2))
        elif key.startswith(("poison", "lock")):
            found.notes["bad_runs"] = len(of_task)


def _keep_logs(folder: Path, found: Round, stand: Stand) -> None:
    """For whoever doubts: the end of what workers and client said in the last bad round of each kind."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stand.system.name}-{found.fault}.log").write_text(f"{found}\n{stand.logs()}")
