"""Databases of one server: RQ's own worker empties one, our daemons serve another."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Queue, SimpleWorker

sys.path.insert(0, str(Path(__file__).parent))

from cases import Case
from daemons import SUPPORT, Daemon, wait_for
from hooks import Hooks
from keyspace import differing, keyspace

KEPT = (b"rq:worker", b"rq:farpool:host", b"rq:scheduler")
OPTIONS = ("-c", "1", "--accept", "pickle,json,msgpack", "--allow-any", "--with-scheduler")


@dataclass
class Contract:
    """Runs cases on both sides, each once."""

    theirs: redis.Redis
    ours: redis.Redis
    aside: redis.Redis
    forking: redis.Redis
    hooks: Hooks
    _found: dict[str, dict[str, tuple[Any, Any]]] = field(default_factory=dict)

    def differences(self, case: Case) -> dict[str, tuple[Any, Any]]:
        """What RQ's worker and our daemon leave different."""
        if case.name not in self._found:
            theirs = self._by_rq(case)
            self._found[case.name] = differing(theirs, self._by_us(case, len(theirs["hooks"])))
        return self._found[case.name]

    def _by_rq(self, case: Case) -> dict[str, Any]:
        if case.interrupt is not None:
            return self._by_forking_rq(case)
        self.theirs.flushdb()
        queue = Queue("default", connection=self.theirs, serializer=case.serializer)
        case.enqueue(queue)
        handlers = ["rq_jobs.handler"] if case.with_handler else []
        worker = SimpleWorker([queue], connection=self.theirs, serializer=case.serializer)
        for name in handlers:
            worker.push_exc_handler(getattr(sys.modules["rq_jobs"], name.partition(".")[2]))
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        worker.work(burst=True, with_scheduler=True, logging_level="CRITICAL")
        for number, handler in before.items():
            signal.signal(number, handler)
        return keyspace(self.theirs) | {"hooks": self.hooks.take()}

    def _by_forking_rq(self, case: Case) -> dict[str, Any]:
        """By `rq worker`: a job that is stopped, or whose process dies, needs a process of its own."""
        for key in set(self.forking.keys("*")) - set(self.forking.keys("rq:worker*")):
            self.forking.delete(key)
        case.enqueue(Queue("default", connection=self.forking))
        case.interrupted(self.forking)
        wait_for(lambda: _is_quiet(self.forking, "default"))
        return keyspace(self.forking) | {"hooks": []}

    def _by_us(self, case: Case, hooks: int) -> dict[str, Any]:
        for key in self.ours.keys("*"):
            if not key.startswith(KEPT):
                self.ours.delete(key)
        queue = Queue("handled" if case.with_handler else "default", connection=self.aside, serializer=case.serializer)
        case.enqueue(queue)
        self._hand_over()
        case.interrupted(self.ours)
        wait_for(lambda: _is_quiet(self.ours, queue.name) and len(self.hooks) >= hooks)
        found = {_renamed(name): _renamed(value) for name, value in keyspace(self.ours).items()}
        return found | {"hooks": self.hooks.take()}

    def _hand_over(self) -> None:
        """Give what was enqueued aside to the daemons, the queues last: they begin at once."""
        for key in sorted(self.aside.keys("*"), key=lambda key: key.startswith((b"rq:queue:", b"rq:scheduled:"))):
            self.ours.delete(key)
            assert self.aside.move(key, 2)


def _renamed(value: Any) -> Any:
    return value.replace("handled", "default") if isinstance(value, str) else value


def _is_quiet(client: redis.Redis, queue: str) -> bool:
    """Whether everything that can run now has run: seen twice."""
    for _ in range(2):
        busy = [f"rq:queue:{queue}", f"rq:farpool:doorbell:{queue}", f"rq:wip:{queue}", f"rq:ready:{queue}"]
        if client.exists(*busy, *client.keys("rq:rl:*:rate_limited")):
            return False
        if client.zcount(f"rq:scheduled:{queue}", 0, time.time()):
            return False
        time.sleep(0.03)
    return True


@pytest.fixture(scope="session")
def contract(
    shared_server: Any, tmp_path_factory: pytest.TempPathFactory, standing_pids: set[int]
) -> Iterator[Contract]:
    folder = tmp_path_factory.mktemp("contract")
    clients = [redis.Redis.from_url(shared_server.url, db=number) for number in (1, 2, 3, 4)]
    url = f"{shared_server.url}?db=2"
    hooks = Hooks()
    plain = Daemon(url, "plain", folder / "plain.log", *OPTIONS, "default")
    handler = ("--exception-handler", "rq_jobs.handler")
    handled = Daemon(url, "handled", folder / "handled.log", *OPTIONS, *handler, "handled")
    stock = subprocess.Popen(
        [sys.executable, "-m", "rq.cli", "worker", "-u", f"{shared_server.url}?db=4", "--quiet", "default"],
        cwd=SUPPORT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        plain.wait_until_listed()
        handled.wait_until_listed()
        standing_pids |= {plain.pid, handled.pid, stock.pid}
        yield Contract(*clients, hooks)
    finally:
        hooks.close()
        for process in (plain.process, handled.process, stock):
            process.terminate()
            process.wait(30)
        for client in clients:
            client.flushdb()
            client.close()


@pytest.fixture
def standing(contract: Contract, standing_pids: set[int]) -> set[int]:
    """They stay for the whole session, and replace processes of jobs that are killed."""
    return standing_pids
