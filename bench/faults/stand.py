"""A server, two workers and a client of one system, and a load whose every task is accounted for."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from bench.faults.client_process import ClientProcess
from bench.faults.journal import Run, runs_in
from bench.faults.outcome import PENDING, Outcome
from bench.faults.server import Server
from bench.faults.systems import System
from bench.faults.worker import Worker

TASK_SECONDS = (0.02, 0.2)
LONG_SECONDS = 3.0
LOOK_SECONDS = 0.1
START_SECONDS = 60.0


@dataclass
class Watched:
    """A task that was accepted, and what the client has seen of it.  `changes` counts results after the first."""

    key: str
    outcome: Outcome = PENDING
    seen_at: float = 0.0
    changes: int = 0

    @property
    def is_right(self) -> bool:
        return self.outcome.state == "done" and self.outcome.value.startswith(f"{self.key} done")

    def see(self, outcome: Outcome) -> None:
        """The client looked."""
        if outcome != self.outcome and (outcome.has_ended or self.outcome.has_ended):
            self.changes += self.outcome.has_ended
            self.outcome, self.seen_at = outcome, time.monotonic()


@dataclass
class Stand:
    """What a fault is done to."""

    system: System
    seed: int
    folder: Path
    workers: list[Worker] = field(default_factory=list)
    tasks: dict[str, Watched] = field(default_factory=dict)
    others: dict[str, Watched] = field(default_factory=dict)
    """Tasks that are not of the load: what a fault itself submits, warming up, the last look."""
    refusals: list[str] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    is_blind: bool = False
    """While the server is down the client is not asked: some clients wait for it."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.journal = self.folder / "journal"
        self.server = Server(self.folder)
        self.client: ClientProcess | None = None
        self.harm_at = time.monotonic()

    # --- what stands ------------------------------------------------------------------------------

    def start(self) -> None:
        """Two workers and the client; returns when each worker has run a task."""
        names = ("a", "b") if self.system.command else ()
        self.workers += [Worker(self.system, name, self.server.url, self.folder) for name in names]
        self.client = ClientProcess(self.system, self.server.url, self.folder)
        deadline = time.monotonic() + START_SECONDS
        while not self._is_warm():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.system.name} did not start:\n{self.logs()}")
            self.submit_other("warm")
            self.watch(0.3, lambda: all(task.outcome.has_ended for task in self.others.values()))

    def _is_warm(self) -> bool:
        runs = runs_in(self.journal)
        return bool(runs) and all(any(worker.has_run(run.pid) for run in runs) for worker in self.workers)

    def start_successor(self, worker: Worker) -> None:
        """One more worker, after another was told to end."""
        worker.is_left_alone = True
        self.workers.append(Worker(self.system, f"{worker.name}next", self.server.url, self.folder))

    # --- the load ---------------------------------------------------------------------------------

    def submit(self, count: int, *, seconds: float | None = None) -> None:
        """Good tasks.  What is refused is not accepted, and counted."""
        for _ in range(count):
            key = f"t{len(self.tasks) + len(self.refusals)}"
            self._submit(self.tasks, key, "work", seconds or self.random.uniform(*TASK_SECONDS))

    def submit_other(self, word: str, call: str = "work", *args: float) -> Watched | None:
        """A task that is not of the load; None when it was refused."""
        key = f"{word}{len(self.others)}"
        self._submit(self.others, key, call, *(args or (0.1,) if call == "work" else ()))
        return self.others.get(key)

    def _submit(self, where: dict[str, Watched], key: str, call: str, *args: float) -> None:
        assert self.client is not None
        if refusal := self.client.submit(key, call, str(self.journal), key, *args):
            self.refusals.append(refusal)
        else:
            where[key] = Watched(key)

    def submit_long_then(self, count: int) -> Worker | None:
        """A long task; once it runs, so many small ones.  Returns the worker that runs it, None for a pool."""
        self.submit(1, seconds=LONG_SECONDS)
        self.wait(lambda: self.runs("t0"))
        (run,) = self.runs("t0")
        self.submit(count)
        self.wait(lambda: not self.workers or any(worker.has_run(run.pid) for worker in self.workers))
        self.watch(self.random.uniform(0.1, 0.6))
        return next((worker for worker in self.workers if worker.has_run(run.pid)), None)

    def runs(self, key: str) -> list[Run]:
        """All runs of a task so far."""
        return [run for run in runs_in(self.journal) if run.key == key]

    def is_running(self) -> bool:
        """Whether any process is still in a task."""
        return any(run.ended is None and _runs(run.pid) for run in runs_in(self.journal))

    # --- time -------------------------------------------------------------------------------------

    def watch(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass, looking after workers and results.  True as soon as `until` holds."""
        deadline = time.monotonic() + seconds
        while True:
            self._look()
            if until():
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(LOOK_SECONDS, left))

    def wait(self, until: Callable[[], object]) -> None:
        """`watch` for what must happen."""
        if not self.watch(START_SECONDS, lambda: bool(until())):
            raise RuntimeError(f"{self.system.name}: it did not happen\n{self.logs()}")

    def _look(self) -> None:
        for worker in self.workers:
            worker.supervise()
        watched = {**self.tasks, **self.others}
        if self.client is not None and watched and not self.is_blind:
            for key, outcome in self.client.look(watched).items():
                watched[key].see(outcome)

    def harm(self) -> None:
        """Note the time."""
        self.harm_at = time.monotonic()

    # --- the end ----------------------------------------------------------------------------------

    def logs(self) -> str:
        """The end of what workers and client have said."""
        found = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n" + log.read_text(errors="replace")[-3000:] for log in found)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        below = [] if self.client is None else psutil.Process(self.client.process.pid).children(recursive=True)
        if self.client is not None:
            self.client.close()
        for worker in self.workers:
            worker.close()
        for process in below:
            if process.is_running():
                process.kill()
        self.server.kill()


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
