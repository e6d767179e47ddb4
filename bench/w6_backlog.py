"""W6: a long backlog.  What a claim, a finish, an enqueue and a recovery cost with a thousand tasks and with a million.

One producer and one worker, by the broker alone: no daemon runs anything.  The server's own figures count:
microseconds of its time in scripts, and how long calls took by its SLOWLOG.  That is wall time: on a machine
that does other things, the longest calls are those that were interrupted; so the longest interruption of a
loop that does nothing is told besides.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import redis
from rich.console import Console
from rich.table import Table

from bench.conditions import CONDITIONS
from bench.measure import Run
from bench.records import keep
from farpool.embedded import Server
from farpool_common.broker import Finish, NewTask, ProducerBroker, Task, WorkerBroker, connect
from farpool_common.keys import Keys

SHORT, LONG = 1_000, 1_000_000
LEASED = 100_000
CLAIMED = 500
"""Tasks that are claimed and finished, ten at once, from the head of the backlog."""

AT_ONCE = 50
"""What a daemon claims at most in one call."""

ROUNDS = 3
SLOW_MICROSECONDS = 5_000
KEYS = Keys()


@dataclass
class Cost:
    """Of one task: wall time here, and time of the server in scripts, in microseconds.  `calls` of scripts, and
    how long those took, in microseconds, that took above 0.5 ms."""

    name: str
    wall: float = 0.0
    server: float = 0.0
    calls: int = 0
    long: list[int] = field(default_factory=list)
    server_ms: float = 0.0

    def each(self) -> dict[str, float]:
        """Of one task, for the record."""
        return {"µs": self.wall, "server's µs": self.server}

    def row(self) -> list[str]:
        """For the table."""
        slow = sum(took > SLOW_MICROSECONDS for took in self.long)
        mean = self.server_ms / self.calls
        longest = f"{max(self.long) / 1000:.1f}" if self.long else "< 0.5"
        figures = (f"{self.wall:.1f}", f"{self.server:.1f}", f"{self.calls:,}", f"{mean:.2f}", longest, str(slow))
        return [self.name, *figures]


def main() -> None:
    """Both backlogs, then a hundred thousand leases that nobody renews."""
    runs: dict[str, list[Run]] = {}
    table = Table(title=f"W6 backlogs of {SHORT:,} and {LONG:,}")
    figures = ("µs per task", "server's µs per task", "calls", "mean (ms)", "longest (ms)", "above 5 ms")
    print(f"a loop that does nothing is interrupted for up to {_longest_interruption():.1f} ms on this machine")
    for column in ("step", *figures):
        table.add_column(column, justify="left" if column == "step" else "right")
    for backlog in (SHORT, LONG):
        with Server() as server, connect(server.url) as client:
            CONDITIONS.prepare(server.url)
            costs = list(_costs(server.url, client, backlog))
        for cost in costs:
            table.add_row(*cost.row())
        runs[f"{backlog:,} queued"] = [Run(figures=_figures(costs, backlog))]
    Console(width=150).print(table)
    keep(f"W6 backlogs of {SHORT:,} and {LONG:,}", runs, amount=1, unit="task", baseline=f"{SHORT:,} queued")


def _figures(costs: list[Cost], backlog: int) -> dict[str, float]:
    """By step, whatever the backlog."""
    steps = {cost.name.partition(f" {backlog:,}")[0].rstrip(","): cost for cost in costs if f"{backlog:,}" in cost.name}
    return {f"{step}, {what}": value for step, cost in steps.items() for what, value in cost.each().items()}


def _costs(url: str, client: redis.Redis, backlog: int) -> Iterator[Cost]:
    producer, worker = ProducerBroker(url), WorkerBroker(url, "w1", ["q"])
    before = _used(client)
    with _measured(client, f"enqueue {backlog:,}", backlog) as cost:
        _enqueue(producer, 0, backlog)
    print(f"{backlog:,} queued: {(_used(client) - before) / backlog:,.0f} bytes of the server per task")
    yield cost
    yield _best(client, f"claim, {backlog:,} wait", lambda: _claimed(worker, CLAIMED, and_finish=False), CLAIMED)
    yield _best(client, f"claim and finish, {backlog:,} wait", lambda: _claimed(worker, CLAIMED // 2), CLAIMED // 2)
    if backlog == LONG:
        yield from _recovery(client, worker, url)
    producer.close()
    worker.close()


def _recovery(client: redis.Redis, worker: WorkerBroker, url: str) -> Iterator[Cost]:
    with _measured(client, f"claim {LEASED:,}, {AT_ONCE} at once", LEASED) as cost:
        for _ in range(LEASED // AT_ONCE):
            worker.claim(AT_ONCE)
    yield cost
    worker.heartbeat([], {}, lease_ms=0, keep=60, renew_rq=False)
    held, other = client.scard(KEYS.executions("w1")), WorkerBroker(url, "w2", ["q"])
    with _measured(client, f"recover {held:,} of a dead daemon", held) as cost:
        while other.recover(grace_ms=0, stray_ms=2000).tasks:
            pass
    other.close()
    yield cost


def _enqueue(producer: ProducerBroker, first: int, count: int) -> None:
    for start in range(first, first + count, 250):
        producer.enqueue("q", [_task(number) for number in range(start, min(start + 250, first + count))])


def _task(number: int) -> NewTask:
    return NewTask(id=f"t{number}", data=b"x" * 100, description="f (1 call)", label="m:f", reply=KEYS.reply("bench"))


def _claimed(worker: WorkerBroker, count: int, *, and_finish: bool = True) -> None:
    done, tasks = 0, list[Task]()
    while done < count:
        found = worker.claim(10).tasks
        tasks += found
        done += len(found)
        if and_finish:
            worker.finish([Finish(task, b"outcome") for task in found])
    if not and_finish:
        worker.release(tasks)


def _best(client: redis.Redis, name: str, run: Callable[[], None], count: int) -> Cost:
    """The round in which the server was quickest, with the calls of all."""
    costs = []
    for _ in range(ROUNDS):
        with _measured(client, name, count) as cost:
            run()
        costs.append(cost)
    best = min(costs, key=lambda cost: cost.server)
    found = Cost(name, best.wall, best.server, sum(cost.calls for cost in costs))
    found.long = [took for cost in costs for took in cost.long]
    found.server_ms = sum(cost.server_ms for cost in costs)
    return found


@contextmanager
def _measured(client: redis.Redis, name: str, count: int) -> Iterator[Cost]:
    cost = Cost(name)
    client.config_resetstat()
    client.config_set("slowlog-log-slower-than", 500)
    client.config_set("slowlog-max-len", 100_000)
    client.slowlog_reset()
    began = time.perf_counter()
    yield cost
    cost.wall = (time.perf_counter() - began) / count * 1e6
    stats = client.info("commandstats")
    scripts = [stats[key] for key in ("cmdstat_evalsha", "cmdstat_eval") if key in stats]
    microseconds = sum(stat["usec"] for stat in scripts)
    cost.server, cost.server_ms = microseconds / count, microseconds / 1000
    cost.calls = sum(stat["calls"] for stat in scripts)
    cost.long = [entry["duration"] for entry in client.slowlog_get(100_000) if entry["command"].startswith(b"EVAL")]


def _longest_interruption(seconds: float = 3.0) -> float:
    """In milliseconds: how long another process, or the machine below, keeps a busy one from its core."""
    last = began = time.perf_counter()
    longest = 0.0
    while last < began + seconds:
        now = time.perf_counter()
        last, longest = now, max(longest, now - last)
    return 1000 * longest


def _used(client: redis.Redis) -> int:
    return int(client.info("memory")["used_memory"])


if __name__ == "__main__":
    main()
