"""Daemons, a server that can be harmed, and a load whose every task is accounted for."""

import concurrent.futures
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import chaos_tasks
import psutil
from daemons import FAST, Daemon, wait_for
from oracle import Verdict, judge_runs, overlaps, runs_in
from proxy import FaultProxy
from replicated import FailingOver
from restartable import RestartableServer
from rq import Queue
from rq.job import Job, Retry
from rq.results import Result

from farpool import Executor, Serializer
from farpool_common.broker import balance, connect
from farpool_common.keys import Keys

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LEASE, GRACE, SWEEP = (float(FAST[f"FARPOOL_{name}_SECONDS"]) for name in ("LEASE", "GRACE", "SWEEP"))
PROMISE = LEASE + GRACE + 1.5 * SWEEP
"""Seconds after which what a lost host had is taken over: sweeps come at random, 1.5 times the setting at most."""

TASK_SECONDS = (0.02, 0.2)

DEADLINE = 60.0
"""Seconds after which a task without a result counts as lost."""


class World:
    """A server with an append-only file, behind a proxy; daemons; tasks of an executor and jobs of RQ's queue."""

    def __init__(self, fault: str, seed: int, folder: Path, *, has_replica: bool = False) -> None:
        self.random = random.Random(seed)
        self.verdict = Verdict(fault, seed)
        self.folder, self.journal = folder, folder / "journal"
        self.durability: Literal["memory", "replica"] = "replica" if has_replica else "memory"
        self.task_seconds = TASK_SECONDS
        self.build(has_replica)
        self.daemons: list[Daemon] = []
        self.futures: dict[str, concurrent.futures.Future[str]] = {}
        self.jobs: dict[str, Job] = {}
        self.others = 0
        """How many ends a scenario may bring about beyond those of the load."""
        self.harm_at = time.monotonic()
        self._executor: Executor | None = None
        self._is_settled = False

    # --- what stands ------------------------------------------------------------------------------

    def build(self, has_replica: bool) -> None:
        """The server, and `url`, where daemons and producers find it.  Other worlds have another way to it."""
        self.server: Any = FailingOver(self.folder) if has_replica else RestartableServer(self.folder)
        self.proxy, self._others = FaultProxy(str(self.server.socket)), list[FaultProxy]()
        self.url = self.proxy.url

    def another_proxy(self) -> FaultProxy:
        """One more, for daemons that are harmed alone."""
        self._others.append(FaultProxy(str(self.server.socket)))
        return self._others[-1]

    def clear(self) -> None:
        """Remove what `build` has made."""
        for proxy in (self.proxy, *self._others):
            proxy.close()
        if self.server.process.poll() is None:
            self.server.kill()

    def new_daemon(self, name: str, *options: str, url: str | None = None, **environ: str) -> Daemon:
        """A daemon of this world; `url`: another way to the server."""
        return Daemon(url or self.url, name, self.folder / f"{name}.log", *options, **environ)

    def start_daemons(self, *names: str, slots: int = 1, url: str | None = None, **environ: str) -> list[Daemon]:
        """Daemons, waited for until they have their leases."""
        options = ("-c", str(slots), "-P", str(HERE), "-P", str(ROOT), "--accept", "msgpack", "--allow", "chaos_tasks")
        options += ("--durability", self.durability)
        started = [self.new_daemon(name, *options, url=url, **environ) for name in names]
        self.daemons += started
        for daemon in started:
            with connect(self.server.url) as client:
                wait_for(lambda name=daemon.name: client.zscore("rq:farpool:hosts", name), daemon.text)
        return started

    def living(self) -> list[Daemon]:
        """Daemons that have not ended."""
        return [daemon for daemon in self.daemons if daemon.process.poll() is None]

    @property
    def executor(self) -> Executor:
        """The producer."""
        if self._executor is None:
            self._executor = Executor(self.url, durability=self.durability)
        return self._executor

    # --- the load ---------------------------------------------------------------------------------

    def submit(self, count: int, *, retry: Retry | None = None, jobs: float = 0.5) -> None:
        """Calls of an executor, and a share of jobs of RQ's own queue.  `retry`: how often they may be lost."""
        executor = self.executor if retry is None else self.executor.options(retries=retry.max)
        with connect(self.server.url) as client:
            queue = Queue(connection=client, serializer=Serializer)
            for _ in range(count):
                key = f"t{len(self.futures) + len(self.jobs)}"
                seconds = self.random.uniform(*self.task_seconds)
                if self.random.random() >= jobs:
                    self.futures[key] = executor.submit(*self.call(), key, seconds)
                else:
                    self.jobs[key] = queue.enqueue(*self.call(), key, seconds, retry=retry, result_ttl=3600)

    def call(self) -> tuple[Any, ...]:
        """A function whose runs are noted, but for the key of the run and the seconds that it takes."""
        return chaos_tasks.work, str(self.journal)

    def begin(self, count: int, *, jobs: float = 0.5) -> list[Daemon]:
        """Two daemons in the middle of so many tasks."""
        daemons = self.start_daemons("a", "b")
        self.submit(count, jobs=jobs)
        self.wait_until_running(2)
        return daemons

    def open_tasks(self) -> int:
        """Tasks of the executor without a result; RQ's jobs share the daemons with them."""
        return sum(not future.done() for future in self.futures.values())

    def wait_until_running(self, count: int = 1) -> None:
        """So many tasks have begun."""
        wait_for(lambda: len(runs_in(self.journal)) >= count, self.logs)

    def harm(self) -> None:
        """Note the time: what is interrupted from now on is counted."""
        self.harm_at = time.monotonic()

    def pause(self, shortest: float, longest: float) -> None:
        """Let a random time pass."""
        time.sleep(self.random.uniform(shortest, longest))

    # --- the end ----------------------------------------------------------------------------------

    def settle(self) -> Verdict:
        """Wait for all results and judge."""
        verdict, deadline = self.verdict, time.monotonic() + DEADLINE
        verdict.tasks = len(self.futures) + len(self.jobs)
        for key, future in self.futures.items():
            self._judge_future(key, future, deadline)
        with connect(self.server.url) as client:
            for key, job in self.jobs.items():
                job.connection = client
                self._judge_job(key, job, deadline)
        judge_runs(verdict, runs_in(self.journal), self.harm_at)
        self._judge_books()
        self._is_settled = True
        return verdict

    def _judge_future(self, key: str, future: concurrent.futures.Future[str], deadline: float) -> None:
        try:
            value = future.result(max(0.1, deadline - time.monotonic()))
        except Exception as error:
            self.verdict.lost += 1
            with connect(self.server.url) as client:
                record = client.hgetall(f"rq:job:{getattr(future, 'id', '')}")
            record.pop(b"data", None)
            print(f"{key}: {type(error).__name__}: {error}; {record}")
        else:
            self.verdict.lost += value != f"{key} done"

    def _judge_job(self, key: str, job: Job, deadline: float) -> None:
        while job.get_status() not in ("finished", "failed") and time.monotonic() < deadline:
            time.sleep(0.02)
        results = [result for result in job.results() if result.type == Result.Type.SUCCESSFUL]
        self.verdict.lost += job.get_status() != "finished" or job.return_value() != f"{key} done"
        self.verdict.double += max(0, len(results) - 1)

    def _judge_books(self) -> None:
        """Results that our scripts wrote, by the server's own count; and every lease accounted for.

        What RQ's code ends is judged by its results alone: a retry ends a lease, too.
        """
        with connect(self.server.url) as client:
            wait_for(lambda: balance(client, Keys(), "server").leased == 0, self.logs)
            books = balance(client, Keys(), "server")
        self.verdict.stale = books.stale
        ends = books.finished + books.failed
        self.verdict.double += max(0, ends - len(self.jobs) - len(self.futures) - self.others)
        if books.missing:
            self.verdict.notes.append(f"the books do not balance: {books}")

    def logs(self) -> str:
        """Everything that the daemons have said."""
        return "\n".join(f"--- {daemon.name} ({daemon.process.poll()})\n{daemon.text()}" for daemon in self.daemons)

    def __enter__(self) -> "World":
        print(f"fault {self.verdict.fault}, seed {self.verdict.seed}")
        return self

    def __exit__(self, *_: object) -> None:
        for future in self.futures.values():
            future.cancel()
        for daemon in self.daemons:
            daemon.close()
        if self._executor is not None:
            self._executor.shutdown(wait=self._is_settled and not self.verdict.lost, cancel_futures=True)
        self.clear()


def orphans_of(pids: Sequence[int]) -> list[int]:
    """Those of these processes that still live."""
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


class StampedWorld(World):
    """A world that sees until when a run has gone on: no task may go on in two places at once."""

    def call(self) -> tuple[Any, ...]:
        return chaos_tasks.stamped, str(self.journal)

    def settle(self) -> Verdict:
        verdict = super().settle()
        if found := overlaps(runs_in(self.journal)):
            verdict.notes.append(f"two runs at once of {', '.join(found)}")
        return verdict
